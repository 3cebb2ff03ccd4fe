//! Language runtimes whose programs can make any system call by number.
//!
//! The number comes from the program that the interpreter runs, so no analysis of the interpreter's own code can
//! know it. Last resort, as one visible table: a runtime's function, and the word that its programs must contain
//! to make it run. Misses: modules outside the image's known scripts that use the function; the assumption that
//! stays in the report says so.

use std::collections::BTreeMap;

use confine_assumption::{Assumption, Effect};
use confine_elf::Object;
use confine_image::{Config, Files};
use confine_languages::{Known, LANGUAGES, Start};
use confine_link::texts::is_of_names;
use confine_link::{LateRequest, Linked, NamePattern, Roots, Scope};
use confine_programs::{Executed, Programs};
use confine_solve::{LateRoot, OpenCall};

use super::later::in_every_object;
use super::{AnalysedProgram, natives};

struct Row {
    /// What only the runtime exports.
    export: &'static str,
    /// The language, for people.
    language: &'static str,
    /// What a program of that language writes to make such a call.
    word: &'static str,
}

/// Perl: `syscall NUMBER, LIST` (perldoc -f syscall); the interpreter exports `perl_run` (perldoc perlembed), and
/// its operator for this is the only code in it that makes calls by number.
/// Ruby: `Kernel#syscall` (ri Kernel#syscall); the interpreter exports `ruby_init` (its documentation, extension.rdoc),
/// and that method is the only code in it that makes calls by number.
const TABLE: [Row; 2] = [
    Row {
        export: "perl_run",
        language: "Perl",
        word: "syscall",
    },
    Row {
        export: "ruby_init",
        language: "Ruby",
        word: "syscall",
    },
];

/// The scripts that the container runs.
pub struct ScriptTexts(Vec<confine_image::FileBytes>);

impl ScriptTexts {
    /// Reads the scripts that were found; one that cannot be read is as good as one that says anything.
    pub fn read(files: &dyn Files, found: &Programs) -> Self {
        let scripts = found.scripts.iter();
        Self(
            scripts
                .filter_map(|script| files.read(&script.path).ok())
                .collect(),
        )
    }

    /// Whether a text has the word; as a part of a longer one, or between hyphens as in the name of a licence, it is none.
    fn mention(&self, word: &str) -> bool {
        self.0.iter().any(|text| {
            let windows = text.windows(word.len()).enumerate();
            windows
                .filter(|(_, window)| *window == word.as_bytes())
                .any(|(at, _)| {
                    let before = at.checked_sub(1).and_then(|before| text.get(before));
                    let after = text.get(at + word.len());
                    let hyphened = before == Some(&b'-') && after == Some(&b'-');
                    !before.is_some_and(is_of_names) && !after.is_some_and(is_of_names) && !hyphened
                })
        })
    }
}

/// The assumption about an open call that `object` makes, which does not widen the policy where the language's
/// own scripts do not ask for such calls. Of a language that is followed, the sources that the program comes to count.
pub fn judge(
    open: &OpenCall,
    object: &Object,
    program: &confine_programs::Program,
    scripts: &ScriptTexts,
) -> Assumption {
    let exports = |name: &str| {
        object
            .dynamic_symbols
            .iter()
            .any(|symbol| symbol.defined && symbol.name == name)
    };
    let row = TABLE.iter().find(|row| exports(row.export));
    let asks = |row: &Row| match program.interpreted.get(row.language) {
        Some(reached) => reached.calls_by_number.is_some(),
        None => scripts.mention(row.word),
    };
    match row {
        Some(row) if !asks(row) => Assumption {
            effect: Effect::NotCovered,
            detail: format!(
                "the number of this system call is given by the {} program that is interpreted; no script of the \
                 container uses `{}`",
                row.language, row.word
            ),
            ..open.assumption.clone()
        },
        _ => open.assumption.clone(),
    }
}

/// Takes in everything of the languages whose interpreters a program holds without being called like one: what they run
/// comes from elsewhere.
pub fn embedded(files: &dyn Files, config: &Config, program: &mut AnalysedProgram) {
    let variables: BTreeMap<String, String> = config.env.iter().cloned().collect();
    for language in LANGUAGES {
        if program.program.interpreted.contains_key(language.name) {
            continue;
        }
        let holds = |object| {
            program
                .linked
                .lookup_index(language.export?, None, Scope::Only(object))
        };
        let Some((object, _)) = (0..program.linked.objects.len()).find_map(holds) else {
            continue;
        };
        let path = program.linked.objects[object].path.clone();
        let mut reached = language.everything(&Start {
            files,
            named: &path,
            path: &path,
            arguments: &[],
            workdir: &config.workdir,
            variables: &variables,
            input: None,
            place: &path,
            known: &Known::default(),
        });
        program
            .later
            .open
            .extend(std::mem::take(&mut reached.assumptions));
        let commands = std::mem::take(&mut reached.commands).into_iter();
        let parent = &program.program.path;
        program
            .later
            .embedded_commands
            .extend(commands.map(|command| Executed {
                argv: command.argv(),
                called: None,
                place: format!("{}:{}", command.source, command.line),
                how: format!("executed by a source in {}", language.name),
                parent: parent.clone(),
            }));
        program
            .program
            .interpreted
            .insert(language.name.to_owned(), reached);
    }
}

/// What the sources that a program interprets load.
pub fn requests(program: &confine_programs::Program) -> Vec<LateRequest> {
    let modules = program.interpreted.values().flat_map(|reached| &reached.modules);
    modules
        .map(|(name, module)| LateRequest {
            name: name.clone(),
            caller: 0,
            by: module.why.clone(),
            optional: true,
            roots: match module.roots {
                confine_languages::Roots::All => Roots::AllExported,
                confine_languages::Roots::Functions => Roots::Named(Vec::new()),
                confine_languages::Roots::Natives => natives::looked_up_always(),
                confine_languages::Roots::Prefixes(prefixes) => {
                    let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned());
                    Roots::Named(prefixes.map(NamePattern::Prefix).collect())
                }
            },
        })
        .collect()
}

/// The functions that sources look up by name, in every object that has them.
pub fn looked_up(linked: &Linked, program: &confine_programs::Program) -> Vec<LateRoot> {
    let functions = program
        .interpreted
        .values()
        .flat_map(|reached| reached.looked_up());
    functions
        .flat_map(|(name, place)| in_every_object(linked, name, format!("looked up by name at {place}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_wherever_it_stands_in_a_script() {
        let scripts = ScriptTexts(vec!["print 1;".into(), "require 'x'; syscall(39);".into()]);
        assert!(scripts.mention("syscall"));
        assert!(!scripts.mention("ioctl") && !scripts.mention("call"));
        assert!(!ScriptTexts(vec!["Linux-syscall-note".into()]).mention("syscall"));
        assert!(!ScriptTexts(Vec::new()).mention("syscall"));
    }
}
