//! What commands print, where a script uses that to name the next command.
//!
//! Only commands whose output follows from their arguments or from what they read; all else prints anything.

use confine_image::paths;
use std::collections::BTreeSet;

use super::state::State;
use super::walk::Walker;
use crate::pattern::{self, ANY, REST};

impl Walker<'_, '_> {
    /// What a command prints, where that says which command comes next.
    pub(super) fn output_of(
        &self,
        name: &str,
        arguments: &[String],
        state: &State,
    ) -> Option<BTreeSet<String>> {
        let operands: Vec<&String> = arguments
            .iter()
            .filter(|argument| !argument.starts_with('-'))
            .collect();
        let open = arguments.iter().any(|argument| argument == REST);
        let first = operands.first().map(|operand| operand.as_str());
        let one = |text: String| Some(BTreeSet::from([text]));
        match paths::base_name(name) {
            _ if open => None,
            // No test on what is given from outside is plain, whichever way it takes.
            "echo" | "printf" if self.outside => None,
            "echo" if arguments.first().is_none_or(|first| !first.starts_with('-')) => {
                one(arguments.join(" "))
            }
            "printf" => match arguments {
                [format, text] if format == "%s" || format == "%s\\n" => one(text.clone()),
                _ => None,
            },
            "which" => {
                let environment = self.environment(state, &BTreeSet::new());
                let found = first
                    .filter(|name| !pattern::is_open(name))
                    .map(|name| self.discovery.look_up(name, &environment));
                found.and_then(|found| one(found.map(|located| located.named).unwrap_or_default()))
            }
            "dirname" => first
                .filter(|path| !pattern::is_open(path))
                .and_then(|path| one(path.rsplit_once('/').map_or(".", |(folder, _)| folder).to_owned())),
            "basename" if arguments.len() == operands.len() && operands.len() <= 2 => {
                let name = first
                    .filter(|_| !arguments.iter().any(|word| pattern::is_open(word)))
                    .map(paths::base_name);
                let suffix = operands.get(1).map_or("", |suffix| suffix.as_str());
                name.and_then(|name| {
                    one(name
                        .strip_suffix(suffix)
                        .filter(|rest| !rest.is_empty())
                        .unwrap_or(name)
                        .to_owned())
                })
            }
            "find" => {
                let places: BTreeSet<String> = arguments
                    .iter()
                    .skip_while(|argument| matches!(argument.as_str(), "-L" | "-H" | "-P"))
                    .take_while(|argument| !argument.starts_with(['-', '(', '!']))
                    .map(|folder| format!("{}/{ANY}", folder.trim_end_matches('/')))
                    .collect();
                (!places.is_empty() && !arguments.iter().any(|argument| argument.contains("printf")))
                    .then_some(places)
            }
            "cat" if operands.is_empty() && state.input.is_some() => {
                state.input.clone().map(|text| BTreeSet::from([text]))
            }
            "sort" | "grep" | "egrep" | "head" | "tail" | "uniq" | "cat" | "tac" | "shuf" => {
                state.lines.clone()
            }
            _ => None,
        }
    }
}
