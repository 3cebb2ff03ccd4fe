//! A drop-in for a systemd service: `SystemCallFilter=` and what belongs to it (systemd.exec(5)).
//!
//! Names only: systemd cannot say conditions on arguments, so that a call with conditions is allowed with any arguments;
//! [`Systemd::loosened`] has those calls. systemd adds its group `@default` to every list, and refuses a list with a name
//! that its libseccomp does not know only with a warning, so that newer calls do no harm.

use confine_policy::Policy;

use crate::names::{Named, named};
use crate::oci::Error;

/// A drop-in, and what was lost in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Systemd {
    /// The file.
    pub text: String,
    /// Calls that have conditions which could not be said.
    pub loosened: Vec<&'static str>,
}

/// How long a line of names gets.
const WIDTH: usize = 100;

/// The policy's x86-64 part as a drop-in.
///
/// # Errors
/// When a call has no name.
pub fn systemd(policy: &Policy) -> Result<Systemd, Error> {
    let Named {
        unconditional,
        conditional,
    } = named(policy)?;
    let mut loosened: Vec<&str> = conditional.into_iter().flat_map(|(names, _)| names).collect();
    loosened.sort_unstable();
    loosened.dedup();
    let mut names: Vec<&str> = unconditional
        .into_iter()
        .chain(loosened.iter().copied())
        .collect();
    names.sort_unstable();
    let mut text = "[Service]\nSystemCallArchitectures=native\nSystemCallErrorNumber=ENOSYS\n".to_owned();
    // A list with nothing in it would be no list at all; `exit` is in systemd's own group anyway.
    if names.is_empty() {
        names.push("exit");
    }
    let mut line = String::new();
    for name in names {
        if !line.is_empty() && line.len() + name.len() >= WIDTH {
            text += &format!("SystemCallFilter={line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += name;
    }
    text += &format!("SystemCallFilter={line}\n");
    Ok(Systemd { text, loosened })
}

#[cfg(test)]
mod tests {
    use confine_policy::{Architecture, Rule};

    use super::*;
    use crate::names::tests::policy;

    #[test]
    fn drop_ins_list_names() {
        let Systemd { text, loosened } = systemd(&policy()).unwrap();
        assert_eq!(text, include_str!("../tests/systemd.conf"));
        assert_eq!(loosened, ["mmap", "socket"]);
        assert!(
            systemd(&Policy::new())
                .unwrap()
                .text
                .ends_with("SystemCallFilter=exit\n")
        );
    }

    #[test]
    fn long_lists_are_several_lines() {
        let mut policy = Policy::new();
        for call in confine_kernel::calls() {
            policy.allow(Architecture::X86_64, call.number, &Rule::any());
        }
        let Systemd { text, loosened } = systemd(&policy).unwrap();
        assert!(loosened.is_empty());
        let lists = text
            .lines()
            .filter_map(|line| line.strip_prefix("SystemCallFilter="));
        let names: Vec<&str> = lists.flat_map(str::split_whitespace).collect();
        assert_eq!(names.len(), confine_kernel::calls().len());
        assert!(names.is_sorted());
        assert!(
            text.lines()
                .all(|line| line.len() <= "SystemCallFilter=".len() + WIDTH)
        );
    }
}
