//! Programs in languages that [`confine_languages`] follows: what their sources execute is followed as a script's
//! commands are, what they load is kept with the interpreter.

use confine_languages::{Language, Reached, Start};

use crate::discovery::{Context, Discovery, Request, readable};
use crate::lookup::Located;

/// How many ways to start one interpreter are followed, each through all sources that it leads to.
const MOST_STARTS: usize = 12;

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
        if starts.len() > MOST_STARTS || !starts.insert(arguments.to_vec()) {
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
        };
        let mut reached = match too_many {
            true => language.everything(&start),
            false => language.follow(&start),
        };
        for assumption in std::mem::take(&mut reached.assumptions) {
            self.keep_assumption(path, assumption);
        }
        for command in std::mem::take(&mut reached.commands) {
            if !self.source_commands.insert(command.clone()) {
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
