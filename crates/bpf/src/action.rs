//! What a filter answers.

use std::fmt;
use std::str::FromStr;

/// What the kernel does about a call (include/uapi/linux/seccomp.h), from the most lenient on.
///
/// The order is the kernel's: of the answers of several filters, the greatest counts. It does not go by the number that comes
/// with an answer, though: where answers differ in that alone, the kernel keeps the one of the filter that was installed
/// last (`seccomp_run_filters`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The call is made.
    Allow,
    /// The call is made, and the kernel logs it.
    Log,
    /// A tracer is asked; the 16 bits reach it.
    Trace(u16),
    /// A supervisor is asked.
    Notify,
    /// The call is not made and fails with this number, of which the kernel takes 4095 at most.
    Errno(u16),
    /// The call is not made and the thread gets SIGSYS; the 16 bits reach its handler.
    Trap(u16),
    /// The thread ends.
    KillThread,
    /// The process ends.
    KillProcess,
}

/// The greatest error number that the kernel answers with (MAX_ERRNO, include/linux/err.h).
const MAXIMUM_ERRNO: u16 = 4095;

/// ENOSYS, after which callers fall back to older calls.
const NO_SUCH_CALL: u16 = 38;

impl Action {
    /// Denied as if the kernel did not have the call: the C library then falls back to an older one.
    pub const NO_SUCH_CALL: Self = Self::Errno(NO_SUCH_CALL);

    /// The word that a filter returns for it.
    #[must_use]
    pub fn word(self) -> u32 {
        match self {
            Self::KillProcess => 0x8000_0000,
            Self::KillThread => 0,
            Self::Trap(data) => 0x0003_0000 | u32::from(data),
            Self::Errno(number) => 0x0005_0000 | u32::from(number),
            Self::Notify => 0x7fc0_0000,
            Self::Trace(data) => 0x7ff0_0000 | u32::from(data),
            Self::Log => 0x7ffc_0000,
            Self::Allow => 0x7fff_0000,
        }
    }

    /// What the kernel does when a filter returns that word. It ends the process for words that it does not know
    /// (kernel/seccomp.c, `__seccomp_filter`).
    #[must_use]
    pub fn from_word(word: u32) -> Self {
        let data = (word & 0xffff) as u16;
        match word & 0xffff_0000 {
            0 => Self::KillThread,
            0x0003_0000 => Self::Trap(data),
            0x0005_0000 => Self::Errno(data.min(MAXIMUM_ERRNO)),
            0x7fc0_0000 => Self::Notify,
            0x7ff0_0000 => Self::Trace(data),
            0x7ffc_0000 => Self::Log,
            0x7fff_0000 => Self::Allow,
            _ => Self::KillProcess,
        }
    }
}

impl fmt::Display for Action {
    /// As libseccomp and profiles spell it, without their prefix.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => write!(formatter, "ALLOW"),
            Self::Log => write!(formatter, "LOG"),
            Self::Trace(data) => write!(formatter, "TRACE({data})"),
            Self::Notify => write!(formatter, "NOTIFY"),
            Self::Errno(number) => write!(formatter, "ERRNO({number})"),
            Self::Trap(data) => write!(formatter, "TRAP({data})"),
            Self::KillThread => write!(formatter, "KILL_THREAD"),
            Self::KillProcess => write!(formatter, "KILL_PROCESS"),
        }
    }
}

/// A text is no action that a filter can answer by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected errno:NUMBER up to {MAXIMUM_ERRNO}, kill-process, kill-thread, trap or log, found {0:?}")]
pub struct UnknownAction(String);

impl FromStr for Action {
    type Err = UnknownAction;

    /// Reads what denied calls may be answered with.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix("errno:").and_then(|digits| digits.parse().ok());
        match (text, number) {
            (_, Some(number)) if number <= MAXIMUM_ERRNO => Ok(Self::Errno(number)),
            ("kill-process", _) => Ok(Self::KillProcess),
            ("kill-thread", _) => Ok(Self::KillThread),
            ("trap", _) => Ok(Self::Trap(0)),
            ("log", _) => Ok(Self::Log),
            _ => Err(UnknownAction(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_from_words() {
        for (text, expected) in [
            ("errno:1", Some(Action::Errno(1))),
            ("errno:4096", None),
            ("errno:", None),
            ("kill-process", Some(Action::KillProcess)),
            ("log", Some(Action::Log)),
            ("allow", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    /// From the most restrictive on, as include/uapi/linux/seccomp.h lists them.
    #[test]
    fn words_are_the_kernels() {
        let listed = [
            (0x8000_0000, Action::KillProcess),
            (0x0000_0000, Action::KillThread),
            (0x0003_0007, Action::Trap(7)),
            (0x0005_0026, Action::NO_SUCH_CALL),
            (0x7fc0_0000, Action::Notify),
            (0x7ff0_0001, Action::Trace(1)),
            (0x7ffc_0000, Action::Log),
            (0x7fff_0000, Action::Allow),
        ];
        for (word, action) in listed {
            assert_eq!(action.word(), word, "{action}");
            assert_eq!(Action::from_word(word), action);
        }
        assert!(listed.is_sorted_by(|(_, left), (_, right)| left > right));
        assert_eq!(Action::from_word(0x1234_0000), Action::KillProcess);
        assert_eq!(Action::from_word(0x0005_ffff), Action::Errno(4095));
    }
}
