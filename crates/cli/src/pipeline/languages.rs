//! Language runtimes whose programs can make any system call by number.
//!
//! The number comes from the program that the interpreter runs, so no analysis of the interpreter's own code can
//! know it. Last resort, as one visible table: a runtime's function, and the word that its programs must contain
//! to make it run. Misses: modules outside the image's known scripts that use the function; the assumption that
//! stays in the report says so.

use confine_assumption::{Assumption, Effect};
use confine_image::Files;
use confine_programs::Programs;
use confine_solve::OpenCall;

struct Row {
    /// The runtime's function that makes the call.
    function: &'static str,
    /// What a program of that language writes to get there.
    word: &'static str,
}

/// Perl: `syscall NUMBER, LIST` (perldoc -f syscall), implemented by the operator of that name.
const TABLE: [Row; 1] = [Row {
    function: "Perl_pp_syscall",
    word: "syscall",
}];

/// The scripts that the container runs.
pub struct ScriptTexts(Vec<confine_image::FileBytes>);

impl ScriptTexts {
    /// Reads the scripts that were found; one that cannot be read is as good as one that says anything.
    pub fn read(files: &dyn Files, found: &Programs) -> Self {
        Self(
            found
                .scripts
                .iter()
                .filter_map(|script| files.read(&script.path).ok())
                .collect(),
        )
    }

    fn mention(&self, word: &str) -> bool {
        self.0
            .iter()
            .any(|text| text.windows(word.len()).any(|window| window == word.as_bytes()))
    }
}

/// The assumption about an open call, which does not widen the policy where the language's own scripts do not
/// ask for such calls.
pub fn judge(open: &OpenCall, scripts: &ScriptTexts) -> Assumption {
    let row = TABLE.iter().find(|row| row.function == open.function);
    match row {
        Some(row) if !scripts.mention(row.word) => Assumption {
            effect: Effect::NotCovered,
            detail: format!(
                "the number of this system call is given by the interpreted program to {}; no script of the container \
                 uses `{}`",
                row.function, row.word
            ),
            ..open.assumption.clone()
        },
        _ => open.assumption.clone(),
    }
}

#[cfg(test)]
mod tests {
    use confine_assumption::Kind;

    use super::*;

    fn check(function: &str, script: &str, expected: Effect) {
        let open = OpenCall {
            function: function.to_owned(),
            assumption: Assumption {
                kind: Kind::OpenCallNumber,
                place: "/lib/libc.so.6:syscall+0x17".to_owned(),
                detail: String::new(),
                effect: Effect::WidenedToDefault,
            },
        };
        let scripts = ScriptTexts(vec![script.to_owned().into()]);
        assert_eq!(judge(&open, &scripts).effect, expected, "{function} {script}");
    }

    #[test]
    fn perl_widens_only_where_a_script_asks_for_calls_by_number() {
        check("Perl_pp_syscall", "print 1;", Effect::NotCovered);
        check("Perl_pp_syscall", "syscall(39);", Effect::WidenedToDefault);
        check("somebody_else", "print 1;", Effect::WidenedToDefault);
    }
}
