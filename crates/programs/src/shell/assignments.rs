//! Assignments and declarations of variables and arrays.

use brush_parser::ast::{Assignment, AssignmentName, AssignmentValue};

use super::state::{Lists, State, Values, unknown_list};
use super::walk::Walker;
use crate::pattern;

impl Walker<'_, '_> {
    pub(super) fn assign(&mut self, assignment: &Assignment, line: usize, state: &mut State) {
        match (&assignment.name, &assignment.value) {
            (AssignmentName::VariableName(name), AssignmentValue::Scalar(word)) => {
                let mut values = self.text(&word.value, line, state);
                if assignment.append {
                    let before = state.variable(name);
                    let outside = values.outside || before.outside;
                    values = Values::of(
                        before
                            .texts
                            .iter()
                            .flat_map(|start| values.texts.iter().map(move |end| format!("{start}{end}"))),
                    );
                    values.outside = outside;
                }
                state.set(name, values);
            }
            (AssignmentName::VariableName(name), AssignmentValue::Array(elements)) => {
                let words: Vec<&str> = elements.iter().map(|(_, word)| word.value.as_str()).collect();
                let added = self.expand_all(&words, line, state);
                let before = match state.arrays.get(name) {
                    Some(lists) if assignment.append => lists.clone(),
                    None if assignment.append => Lists::from([vec![], unknown_list()]),
                    _ => Lists::from([vec![]]),
                };
                let lists = before
                    .iter()
                    .flat_map(|start| {
                        added
                            .iter()
                            .map(move |end| start.iter().chain(end).cloned().collect())
                    })
                    .collect();
                state.set_array(name, lists);
            }
            (AssignmentName::ArrayElementName(name, index), AssignmentValue::Scalar(word)) => {
                self.text(index, line, state);
                let values = self.text(&word.value, line, state);
                let mut lists = state
                    .arrays
                    .get(name)
                    .cloned()
                    .unwrap_or_else(|| Lists::from([vec![]]));
                let longer: Vec<Vec<String>> = lists
                    .iter()
                    .flat_map(|list| {
                        values
                            .texts
                            .iter()
                            .map(move |text| list.iter().cloned().chain([text.clone()]).collect())
                    })
                    .collect();
                lists.extend(longer);
                lists.insert(unknown_list());
                state.set_array(name, lists);
            }
            (AssignmentName::ArrayElementName(name, _), AssignmentValue::Array(_)) => {
                state.set_array(name, Lists::from([unknown_list()]));
            }
        }
    }

    pub(super) fn declare(&mut self, builtin: &str, assignment: &Assignment) {
        let AssignmentName::VariableName(name) = &assignment.name else {
            return;
        };
        if builtin == "export" || builtin == "declare" || builtin == "typeset" {
            self.exported.insert(name.clone());
        }
    }

    /// Inside a function, these builtins make a variable its own: what it was comes back afterwards.
    pub(super) fn make_local(&mut self, words: &[&str], assigned: &[&str]) {
        let Some((builtin, arguments)) = words.split_first() else {
            return;
        };
        let global = arguments
            .iter()
            .any(|word| word.starts_with('-') && word.contains('g'));
        if matches!(*builtin, "local" | "declare" | "typeset")
            && !global
            && let Some(locals) = self.locals.last_mut()
        {
            let names = arguments
                .iter()
                .filter(|word| !word.starts_with('-'))
                .chain(assigned);
            locals.extend(names.map(|&name| name.to_owned()));
        }
    }

    pub(super) fn declare_names(&mut self, builtin: &str, arguments: &[String], state: &mut State) {
        let indirect = arguments
            .iter()
            .any(|argument| argument.starts_with('-') && argument.contains('n'));
        for argument in arguments.iter().filter(|argument| !argument.starts_with('-')) {
            match argument.split_once('=') {
                Some((name, value)) => {
                    state.set(name, Values::of([value.to_owned()]));
                    self.exported.insert(name.to_owned());
                }
                None if builtin == "local" && !pattern::is_open(argument) => {
                    state.set(argument, Values::of([String::new()]))
                }
                None if builtin == "export" => {
                    self.exported.insert(argument.clone());
                }
                None => {}
            }
            if indirect {
                let name = argument.split('=').next().unwrap_or(argument);
                state.set(name, Values::unknown());
                state.set_array(name, Lists::from([unknown_list()]));
            }
        }
    }
}
