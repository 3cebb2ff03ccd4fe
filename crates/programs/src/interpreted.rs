//! Programs in languages that [`confine_languages`] follows: what their sources execute is followed as a script's
//! commands are, what they load is kept with the interpreter.

use std::collections::{BTreeMap, BTreeSet};

use confine_languages::{Command, Language, Reached, Start};

use crate::discovery::{Context, Discovery, Request, readable};
use crate::lookup::Located;

/// How many ways to start one interpreter are followed in one search, each through all sources that it leads to.
const MOST_STARTS: usize = 32;

/// What tells one start of an interpreter from another: the name that leads to it, by which a virtual environment goes,
/// arguments, environment and input.
type StartKey = (String, Vec<String>, BTreeMap<String, String>, Option<String>);

/// The starts of interpreters that were followed, by their paths.
pub type Starts = BTreeMap<String, BTreeSet<StartKey>>;

/// The commands of sources that were followed: the interpreter that reaches the source and its environment, too, as it is
/// this one that executes them.
pub type SourceCommands = BTreeSet<(String, BTreeMap<String, String>, Command)>;

impl Discovery<'_> {
    /// An interpreter that is started like this.
    pub(crate) fn interpreted(
        &mut self,
        language: &'static Language,
        located: &Located,
        arguments: &[String],
        request: &Request,
    ) {
        let path = located.file.path.as_str();
        let place = request.context.place.clone();
        // Sources start each other: each way to start counts once, and past the bound one that stands for all.
        let starts = self.starts.entry(path.to_owned()).or_default();
        let key = (
            located.named.clone(),
            arguments.to_vec(),
            request.context.variables.clone(),
            request.context.input.clone(),
        );
        if starts.len() > MOST_STARTS || !starts.insert(key) {
            return;
        }
        let too_many = starts.len() > MOST_STARTS;
        let start = Start {
            files: self.files,
            named: &located.named,
            path,
            arguments,
            workdir: &self.config.workdir,
            variables: &request.context.variables,
            input: request.context.input.as_deref(),
            place: &place,
            known: &self.known,
        };
        let mut reached = match too_many {
            true => language.everything(&start),
            false => language.follow(&start),
        };
        for assumption in std::mem::take(&mut reached.assumptions) {
            self.keep_assumption(path, assumption);
        }
        for command in std::mem::take(&mut reached.commands) {
            let key = (
                path.to_owned(),
                request.context.variables.clone(),
                command.clone(),
            );
            if !self.source_commands.insert(key) {
                continue;
            }
            let is_file = reached.sources.contains(&command.source);
            if is_file {
                let mut context = request.context.clone();
                context.parent = Some(path.to_owned());
                context.by = Some(path.to_owned());
                let how = format!("a source that {} comes to", language.name);
                let argv = Vec::new();
                self.keep_script(&command.source, path, &Request { argv, how, context });
            }
            let argv = command.argv();
            let context = Context {
                place: command.source.clone(),
                line: Some(command.line),
                parent: Some(if is_file { command.source } else { path.to_owned() }),
                by: Some(path.to_owned()),
                interprets: None,
                depth: request.context.depth + 1,
                variables: request.context.variables.clone(),
                input: None,
            };
            let how = format!(
                "`{}` by a source in {}",
                readable(command.words.first().map_or("", String::as_str)),
                language.name
            );
            self.run(Request { argv, how, context });
        }
        self.keep_reached(path, language.name, reached);
    }

    fn keep_reached(&mut self, path: &str, language: &str, reached: Reached) {
        if let Some(kept) = self.programs.get_mut(path) {
            kept.interpreted
                .entry(language.to_owned())
                .or_default()
                .merge(reached);
        }
    }
}
