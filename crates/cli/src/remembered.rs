//! `confine.toml`: flags of the analysis that a project remembers, for all images or for some.
//!
//! In: the file that `--config` names, or the one of the current folder. Out: the arguments with what it says put in
//! where no flag was given. A flag is always stronger; what is for one image is stronger than what is for all; lists
//! of commands and variables add up. docs/configuration.md is the list of keys, held by a test.
//!
//! Each command recalls once, by the image's name as the user gave it: for the analysis that image may lie elsewhere, and
//! this host, of which `confine run` analyses a program, is none of the project's images.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::arguments::{AnalysisArguments, RestrictedArguments, RuntimeName};
use crate::options::{AddressTaken, Exec};

/// The file that is looked for in the current folder.
const NAME: &str = "confine.toml";

/// Settings, each as the flag of that name, and more of them by the name of an image.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Settings {
    command: Option<String>,
    entrypoint: Option<String>,
    env: BTreeMap<String, String>,
    user: Option<String>,
    workdir: Option<String>,
    also: Vec<String>,
    exec: Option<Exec>,
    runtime: Option<RuntimeName>,
    address_taken: Option<AddressTaken>,
    args: Option<RestrictedArguments>,
    /// Only in the file itself: settings of one image know no others.
    image: BTreeMap<String, Settings>,
}

/// The arguments with what a project remembers.
pub fn recall(arguments: &AnalysisArguments) -> anyhow::Result<AnalysisArguments> {
    let path = match &arguments.config {
        Some(path) => path.as_path(),
        None if Path::new(NAME).is_file() => Path::new(NAME),
        None => return Ok(arguments.clone()),
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let settings = parse(&text).with_context(|| format!("malformed configuration {}", path.display()))?;
    Ok(merge(arguments.clone(), &settings))
}

fn parse(text: &str) -> anyhow::Result<Settings> {
    let settings: Settings = match toml::from_str(text) {
        Ok(settings) => settings,
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            let before = text.get(..start).unwrap_or(text);
            bail!("line {}: {}", 1 + before.matches('\n').count(), error.message());
        }
    };
    for (name, one) in &settings.image {
        if !one.image.is_empty() {
            bail!("image.{name:?}: expected settings, found images inside an image");
        }
    }
    Ok(settings)
}

fn merge(arguments: AnalysisArguments, settings: &Settings) -> AnalysisArguments {
    let own: Vec<&Settings> = settings
        .image
        .iter()
        .filter(|(name, _)| is_named(name, &arguments.image))
        .map(|(_, settings)| settings)
        .collect();
    // What is given first stays: flags, then images, the last named first, then what is for all.
    let weaker = own.into_iter().rev().chain([settings]);
    weaker.fold(arguments, put_in)
}

fn put_in(mut arguments: AnalysisArguments, settings: &Settings) -> AnalysisArguments {
    // One program alone has no container around it.
    if arguments.program.is_none() {
        // As with `docker run`, who gives an entry point does not get a command with it.
        if arguments.entrypoint.is_none() {
            arguments.command = arguments.command.or_else(|| settings.command.clone());
            arguments.entrypoint.clone_from(&settings.entrypoint);
        }
        arguments.also.extend(settings.also.iter().cloned());
        arguments.runtime = arguments.runtime.or(settings.runtime);
    }
    let variables = settings.env.iter();
    let mut environment: Vec<(String, String)> = variables
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // The last value of a variable counts.
    environment.append(&mut arguments.environment);
    arguments.environment = environment;
    arguments.user = arguments.user.or_else(|| settings.user.clone());
    arguments.workdir = arguments.workdir.or_else(|| settings.workdir.clone());
    arguments.exec = arguments.exec.or(settings.exec);
    arguments.address_taken = arguments.address_taken.or(settings.address_taken);
    arguments.args = arguments.args.or(settings.args);
    arguments
}

/// Whether an image goes by a name of the file: its reference, or that without what is before the first `:` or after
/// the last one, `*` standing for anything.
fn is_named(name: &str, reference: &str) -> bool {
    let without_scheme = reference.split_once(':').map_or(reference, |(_, rest)| rest);
    let without_tag = |text: &str| match text.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before.to_owned(),
        _ => text.to_owned(),
    };
    let names = [
        reference.to_owned(),
        without_scheme.to_owned(),
        without_tag(reference),
        without_tag(without_scheme),
    ];
    names.iter().any(|text| fits(name, text))
}

fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn merged(flags: &[&str], file: &str) -> AnalysisArguments {
        let line = ["confine", "inspect", "my/server:1.2"];
        let line = line.iter().chain(flags);
        let Command::Inspect(arguments) = Arguments::try_parse_from(line).unwrap().command else {
            unreachable!()
        };
        merge(arguments.analysis, &parse(file).unwrap())
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flags_are_stronger_than_the_image_s_settings_and_those_than_all_others() {
        let file = "exec = 'none'\nuser = 'all'\nruntime = 'crun'\n\
                    [image.'my/server']\nuser = 'one'\nexec = 'all'\n[image.other]\nworkdir = '/'\n";
        let none = merged(&[], file);
        assert_eq!(none.exec, Some(Exec::All));
        assert_eq!(none.user.as_deref(), Some("one"));
        assert_eq!(none.runtime, Some(RuntimeName::Crun));
        assert_eq!(none.workdir, None);
        let flags = merged(&["--exec", "found", "--user", "me", "--runtime", "any"], file);
        assert_eq!(flags.exec, Some(Exec::Found));
        assert_eq!(flags.user.as_deref(), Some("me"));
        assert_eq!(flags.runtime, Some(RuntimeName::Any));
    }

    #[test]
    fn lists_add_up_and_the_last_variable_is_the_flag_s() {
        let file =
            "also = ['a']\nenv = { A = '1', B = '2' }\n[image.'*server*']\nalso = ['b']\nenv = { B = '3' }\n";
        let merged = merged(&["--also", "c", "-e", "A=4"], file);
        assert_eq!(merged.also, words("c b a"));
        let variables: Vec<String> = merged
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(variables, words("A=1 B=2 B=3 A=4"));
    }

    #[test]
    fn an_entry_point_comes_without_another_s_command() {
        let file = "command = 'x y'\n";
        assert_eq!(merged(&[], file).command.as_deref(), Some("x y"));
        assert_eq!(merged(&["--entrypoint", "e"], file).command, None);
        let file = "command = 'x'\nentrypoint = 'e'\n";
        let both = merged(&[], file);
        assert_eq!(
            (both.command.as_deref(), both.entrypoint.as_deref()),
            (Some("x"), Some("e"))
        );
        let one = merged(
            &["--program", "p"],
            "command = 'x'\nalso = ['y']\nruntime = 'crun'\nexec = 'all'\n",
        );
        assert_eq!((one.command, one.also, one.runtime), (None, Vec::new(), None));
        assert_eq!(one.exec, Some(Exec::All));
    }

    #[test]
    fn names_of_images_may_lack_scheme_and_tag() {
        for (name, reference, expected) in [
            ("nginx", "nginx", true),
            ("nginx", "nginx:1.27", true),
            ("nginx:1.*", "docker-daemon:nginx:1.27", true),
            ("nginx", "docker-daemon:nginx:1.27", true),
            ("build/*.tar", "docker-archive:build/x.tar", true),
            ("*", "anything", true),
            ("nginx", "nginx-extra", false),
            ("a*b*c", "a1c2b", false),
        ] {
            assert_eq!(is_named(name, reference), expected, "{name} {reference}");
        }
    }

    #[test]
    fn what_is_malformed_is_told_with_its_line() {
        for (text, expected) in [
            ("also = ['a']\nalsoo = []\n", "line 2: unknown field `alsoo`"),
            ("\n\nexec = 'some'\n", "line 3: unknown variant `some`"),
            (
                "also = 'a'",
                "line 1: invalid type: string \"a\", expected a sequence",
            ),
            ("[image.x]\nport = 1\n", "line 2: unknown field `port`"),
            ("[image.x.image.y]\n", "found images inside an image"),
            ("a = [", "line 1: "),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_documented_keys_are_the_keys() {
        let page = include_str!("../../../docs/configuration.md");
        let mut blocks = page
            .split("```toml\n")
            .skip(1)
            .map(|block| block.split("```").next().unwrap());
        let complete = parse(blocks.next().unwrap()).unwrap();
        let documented: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let unknown = parse("nothing = 1").unwrap_err().to_string();
        for key in &documented {
            assert!(
                unknown.contains(&format!("`{key}`")),
                "{key} is no key: {unknown}"
            );
        }
        assert_eq!(
            documented.len(),
            unknown.matches('`').count() / 2 - 1,
            "{unknown}"
        );
        // The page's first example uses every key.
        let Settings {
            command,
            entrypoint,
            env,
            user,
            workdir,
            also,
            exec,
            runtime,
            address_taken,
            args,
            image,
        } = complete;
        assert!(command.is_some() && entrypoint.is_some() && user.is_some() && workdir.is_some());
        assert!(exec.is_some() && runtime.is_some() && address_taken.is_some() && args.is_some());
        assert!(!env.is_empty() && !also.is_empty() && !image.is_empty());
        for block in blocks {
            parse(block).unwrap();
        }
    }
}
