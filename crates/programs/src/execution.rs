//! What becomes of a file that is executed: program, interpreter, wrapper, multi-call binary or shell.
//!
//! Over-approximates: a wrapper's rest that names nothing is tried from its next words on. Misses, as
//! assumptions: what a shell reads from its standard input, and scripts of other languages.

use confine_assumption::Kind;
use confine_image::paths;

use crate::awk::{self, Executes};
use crate::builtins::{self, Dialect};
use crate::delegates::{self, Call};
use crate::discovery::{Context, Discovery, Request, Unit, readable};
use crate::lookup::{self, Content, Located};
use crate::pattern::{self, REST};
use crate::wrappers::{self, Inner};
use crate::{multicall, other_languages};

impl Discovery<'_> {
    pub(crate) fn follow(&mut self, located: &Located, request: &Request) {
        let path = located.file.path.as_str();
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.open(&request.context);
                self.assume(Kind::UnreadableFile, &request.context, error.to_string());
                return;
            }
        };
        match lookup::content(&bytes) {
            Content::Elf => self.program(located, request, &bytes),
            Content::Script {
                interpreter,
                argument,
            } => {
                self.keep_script(path, &interpreter, request);
                let name = paths::base_name(&located.named);
                if delegates::may_be_script(name) {
                    self.delegate(name, path, &request.argv, request);
                }
                let mut argv = vec![interpreter];
                argv.extend(argument);
                argv.push(located.named.clone());
                argv.extend(request.argv.iter().skip(1).cloned());
                self.lead_on(path, request, argv, "interpreter of the script");
            }
            Content::Text => {
                self.keep_script(path, "/bin/sh", request);
                let mut argv = vec!["/bin/sh".to_owned(), located.named.clone()];
                argv.extend(request.argv.iter().skip(1).cloned());
                self.lead_on(
                    path,
                    request,
                    argv,
                    "shell for a script without a first line that names one",
                );
            }
            Content::Other => {
                let detail = format!("{path} is executed but is neither ELF nor a script");
                self.assume(Kind::UnreadableFile, &request.context, detail);
            }
        }
    }

    fn lead_on(&mut self, path: &str, request: &Request, argv: Vec<String>, how: &str) {
        let mut context = request.context.clone();
        context.depth += 1;
        context.parent = Some(path.to_owned());
        context.by = Some(path.to_owned());
        context.interprets = Some(path.to_owned());
        context.place = path.to_owned();
        context.line = Some(1);
        self.run(Request {
            argv,
            how: how.to_owned(),
            context,
        });
    }

    pub(crate) fn program(&mut self, located: &Located, request: &Request, bytes: &[u8]) {
        let path = located.file.path.clone();
        let mut argv = request.argv.clone();
        if let Some(name) = argv.first_mut()
            && pattern::is_open(name)
        {
            name.clone_from(&located.named);
        }
        self.keep_program(located, &argv, request);
        if let Some(applet) = multicall::applet(&path, &argv) {
            let Some(name) = applet.first().map(|name| paths::base_name(name).to_owned()) else {
                return;
            };
            if multicall::has_applet(bytes, &name)
                && let Some(kept) = self.programs.get_mut(&path)
            {
                kept.invoked.insert(name);
            }
            argv = applet;
        }
        let Some((first, arguments)) = argv.split_first() else {
            return;
        };
        let name = paths::base_name(first).trim_start_matches('-').to_owned();
        let resolved = paths::base_name(&path);
        if let Some(dialect) = dialect(&name, resolved) {
            self.shell(dialect, arguments, &path, request);
            return;
        }
        let language = confine_languages::language(&name).or_else(|| confine_languages::language(resolved));
        if let Some(language) = language {
            self.interpreted(language, located, arguments, request);
        }
        if !self.delegate(&name, &path, &argv, request) {
            self.delegate(resolved, &path, &argv, request);
        }
        if awk::is_awk(&name) {
            self.awk(&name, arguments, &path, request);
        }
        if let Some(detail) = other_languages::open_reason(&name, arguments) {
            self.assume_by(&path, &request.context, detail);
        }
        let Some((inner, reason)) = wrappers::inner(&name, arguments, &request.context.variables)
            .or_else(|| wrappers::inner(resolved, arguments, &request.context.variables))
        else {
            return;
        };
        for inner in inner {
            self.wrapped(inner, &name, reason, &path, request);
        }
    }

    fn wrapped(&mut self, inner: Inner, name: &str, reason: &str, path: &str, request: &Request) {
        let mut context = request.context.clone();
        context.depth += 1;
        context.parent = Some(path.to_owned());
        context.by = Some(path.to_owned());
        let how = |words: &[String]| {
            format!(
                "`{}` by {name}, which {reason}",
                readable(words.first().map_or("", String::as_str))
            )
        };
        match inner {
            Inner::With(variables, argv) => {
                let mut request = request.clone();
                request.context.variables.extend(variables);
                self.wrapped(Inner::Command(argv), name, reason, path, &request);
            }
            Inner::Command(mut argv) => {
                // An option that the table does not know may have taken a word: the first that names something counts.
                let named = argv.iter().take(4).position(|word| {
                    pattern::is_open(word) || self.look_up(word, &context.variables).is_some()
                });
                argv.drain(..named.unwrap_or(0));
                let how = how(&argv);
                self.run(Request { argv, how, context });
            }
            Inner::ShellText(text) => {
                let argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), text];
                let how = how(&argv);
                self.run(Request { argv, how, context });
            }
            Inner::Folder(folder, arguments) => self.folder(&folder, &arguments, name, reason, &context),
        }
    }

    /// Every executable of a folder; one that is not known, or only in part, is a matter of its name.
    fn folder(&mut self, folder: &str, arguments: &[String], name: &str, reason: &str, context: &Context) {
        let folder = folder.trim_end_matches('/');
        let paths: Vec<String> = match pattern::is_open(folder) {
            true => vec![format!("{folder}/{}", pattern::STAR)],
            false => {
                let folder = paths::absolute(folder, &self.config.workdir);
                let names = self.files.list(&folder).into_iter();
                let paths = names.map(|name| format!("{folder}/{name}"));
                paths
                    .filter(|path| lookup::locate(self.files, path, "", "/").is_some())
                    .collect()
            }
        };
        for path in paths {
            let how = format!("`{}` by {name}, which {reason}", readable(&path));
            let argv = [vec![path], arguments.to_vec()].concat();
            self.run(Request {
                argv,
                how,
                context: context.clone(),
            });
        }
    }

    /// Follows what a program of awk has a shell execute.
    fn awk(&mut self, name: &str, arguments: &[String], path: &str, request: &Request) {
        for one in awk::executes(self.files, arguments, &self.config.workdir) {
            match one {
                Executes::Text(text) => {
                    let inner = Inner::ShellText(text);
                    self.wrapped(
                        inner,
                        name,
                        "has a shell execute texts of its program",
                        path,
                        request,
                    );
                }
                Executes::Open(detail) => {
                    self.assume_by(path, &request.context, format!("{name}: {detail}"));
                }
            }
        }
    }

    /// Follows what a program has executed by a configuration of the image; whether it is such a program.
    fn delegate(&mut self, name: &str, path: &str, argv: &[String], request: &Request) -> bool {
        if !delegates::is_delegate(name) {
            return false;
        }
        if !self.is_new_delegate(path, argv, &request.context) {
            return true;
        }
        let call = Call {
            name,
            path,
            arguments: argv.get(1..).unwrap_or_default(),
            variables: &request.context.variables,
            workdir: &self.config.workdir,
            input: request.context.input.as_deref(),
        };
        let Some((findings, reason)) = delegates::follow(self.files, &call) else {
            return false;
        };
        for finding in findings {
            let mut context = request.context.clone();
            if let Some(file) = finding.file {
                context.place = file;
                context.line = finding.line;
            }
            context.input = None;
            context.variables.extend(finding.variables);
            match finding.command {
                Ok(inner) => {
                    let inner_request = Request {
                        context,
                        ..request.clone()
                    };
                    self.wrapped(inner, name, reason, path, &inner_request);
                }
                Err(detail) => {
                    self.assume_by(path, &context, format!("{name}: {detail}"));
                }
            }
        }
        true
    }

    fn shell(&mut self, dialect: Dialect, arguments: &[String], path: &str, request: &Request) {
        let mut rest = arguments;
        let (mut text, mut reads_input) = (false, false);
        // Bounded by the arguments: each turn takes one or two.
        while let Some((first, more)) = rest.split_first() {
            if first == "--" || first == "-" {
                rest = more;
                break;
            }
            if !first.starts_with(['-', '+']) {
                break;
            }
            let letters = !first.starts_with("--");
            text |= letters && first.starts_with('-') && first.contains('c');
            reads_input |= letters && first.starts_with('-') && first.contains('s');
            let valued =
                (letters && first.ends_with(['o', 'O'])) || first == "--rcfile" || first == "--init-file";
            rest = if valued {
                more.get(1..).unwrap_or_default()
            } else {
                more
            };
        }
        let mut context = request.context.clone();
        context.depth += 1;
        context.by = Some(path.to_owned());
        context.interprets = None;
        let script = rest.split_first().filter(|_| text || !reads_input);
        let Some((first, more)) = script else {
            if let Some(text) = context.input.take() {
                context.parent = Some(path.to_owned());
                self.walks.add(Unit {
                    text,
                    dialect,
                    argv: [&[path.to_owned()], rest].concat(),
                    context,
                });
            } else {
                let detail =
                    "a shell reads commands that are not in the image from its standard input".to_owned();
                self.assume(Kind::OpenCommand, &context, detail);
            }
            return;
        };
        context.input = None;
        if text {
            let argv = if more.is_empty() {
                vec![path.to_owned()]
            } else {
                more.to_vec()
            };
            if pattern::is_open(first) {
                let detail = "a shell is given a text that is not known as a whole".to_owned();
                self.assume(Kind::OpenCommand, &context, detail);
                if first == REST || first.chars().all(|character| character == pattern::ANY) {
                    return;
                }
            }
            if context.parent.is_none() {
                context.parent = Some(path.to_owned());
            }
            self.walks.add(Unit {
                text: first.clone(),
                dialect,
                argv,
                context,
            });
            return;
        }
        context.depth = request.context.depth;
        self.shell_script(dialect, path, rest, &context);
    }

    fn shell_script(&mut self, dialect: Dialect, interpreter: &str, argv: &[String], context: &Context) {
        let Some(name) = argv.first() else { return };
        let paths = if pattern::is_open(name) {
            pattern::files(self.files, name).filter(|_| name != REST)
        } else {
            Some(vec![paths::absolute(name, &self.config.workdir)])
        };
        let Some(paths) = paths else {
            self.assume(
                Kind::OpenCommand,
                context,
                format!("a shell is given a script that is not known: {}", readable(name)),
            );
            return;
        };
        for path in paths {
            let mut file = self.files.resolve(&path);
            if file.is_none() {
                file = self.look_up(name, &context.variables).map(|located| located.file);
            }
            let Some(file) = file else {
                self.assume(
                    Kind::MissingProgram,
                    context,
                    format!("the script {path} is not in the image"),
                );
                continue;
            };
            let Some(text) = self.script_text(&file.path, context) else {
                continue;
            };
            let how = format!("script of a shell, {path}");
            self.keep_script(
                &file.path,
                interpreter,
                &Request {
                    argv: Vec::new(),
                    how,
                    context: context.clone(),
                },
            );
            let mut argv = argv.to_vec();
            if let Some(first) = argv.first_mut() {
                first.clone_from(&path);
            }
            let context = Context {
                place: file.path.clone(),
                line: Some(1),
                parent: Some(file.path.clone()),
                by: Some(file.path.clone()),
                interprets: None,
                depth: context.depth + 1,
                variables: context.variables.clone(),
                input: None,
            };
            self.walks.add(Unit {
                text,
                dialect,
                argv,
                context,
            });
        }
    }
}

/// The shell that a program called by this name is; a link named `sh` tells by what it leads to.
fn dialect(name: &str, resolved: &str) -> Option<Dialect> {
    let called = builtins::dialect(name)?;
    Some(builtins::dialect(resolved).unwrap_or(called))
}
