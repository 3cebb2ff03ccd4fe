//! Versions of the kernel.

use std::fmt;

use crate::tsv;

/// A version of the kernel; up to 2.6 the third number counts, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion(pub [u32; 3]);

impl KernelVersion {
    /// Two or three numbers with dots between; for tables that are read while compiling.
    pub(crate) const fn parse(cell: &str) -> Self {
        let (major, rest) = tsv::cut(cell, b'.');
        let (minor, patch) = tsv::cut(rest, b'.');
        assert!(!rest.is_empty(), "a version has two numbers at least");
        let patch = if patch.is_empty() { 0 } else { tsv::decimal(patch) };
        Self([tsv::decimal(major), tsv::decimal(minor), patch])
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        match patch {
            0 => write!(formatter, "{major}.{minor}"),
            patch => write!(formatter, "{major}.{minor}.{patch}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_written() {
        for (text, numbers) in [("5.1", [5, 1, 0]), ("6.10", [6, 10, 0]), ("2.6.37", [2, 6, 37])] {
            let version = KernelVersion::parse(text);
            assert_eq!((version.0, version.to_string().as_str()), (numbers, text));
        }
        assert!(KernelVersion::parse("6.9") < KernelVersion::parse("6.10"));
    }
}
