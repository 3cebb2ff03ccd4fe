//! Names out of string tables, with a budget.
//!
//! Several entries may share one name, so a small file could ask for terabytes of names. Real files ask for
//! less than twice their own size; whoever asks for more gets empty names and a problem.

use std::cell::Cell;

/// The longest name that is taken: the longest mangled names seen are a tenth of it.
const LONGEST: usize = 1 << 20;

/// How many bytes of names one object may ask for.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Cell<usize>,
    exceeded: Cell<bool>,
}

impl Budget {
    /// The budget of a file of `length` bytes.
    pub(crate) fn for_file(length: usize) -> Self {
        Self {
            left: Cell::new(length.saturating_mul(4).saturating_add(LONGEST)),
            exceeded: Cell::new(false),
        }
    }

    /// The name at `offset` of `table`, up to its NUL; `None` if it lies outside, is not ended, or is over the
    /// budget. Names that are not UTF-8 get replacement characters.
    pub(crate) fn name(&self, table: &[u8], offset: u64) -> Option<String> {
        let rest = table.get(usize::try_from(offset).ok()?..)?;
        let window = rest.get(..LONGEST.min(rest.len()).min(self.left.get()))?;
        let Some(length) = window.iter().position(|byte| *byte == 0) else {
            // What was searched in vain counts too: it was time, if not memory.
            self.spend(window.len());
            return None;
        };
        self.spend(length);
        Some(String::from_utf8_lossy(rest.get(..length)?).into_owned())
    }

    /// A further copy of `name`; empty over the budget.
    pub(crate) fn copy(&self, name: &str) -> String {
        if self.spend(name.len()) {
            name.to_owned()
        } else {
            String::new()
        }
    }

    /// Whether something was left out.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.get()
    }

    fn spend(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(0));
        if left.is_none_or(|left| left == 0) {
            self.exceeded.set(true);
        }
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &[u8], offset: u64, expected: Option<&str>) {
        assert_eq!(
            Budget::for_file(table.len()).name(table, offset).as_deref(),
            expected
        );
    }

    #[test]
    fn names_end_at_a_nul() {
        check(b"\0one\0two\0", 0, Some(""));
        check(b"\0one\0two\0", 1, Some("one"));
        check(b"\0one\0two\0", 6, Some("wo"));
        check(b"\0one\0two", 5, None);
        check(b"\0one\0", 5, None);
        check(b"\0one\0", u64::MAX, None);
        check(b"\xff\0", 0, Some("\u{fffd}"));
    }

    #[test]
    fn a_shared_name_cannot_exhaust_memory() {
        let mut table = vec![b'a'; 100_000];
        table.push(0);
        let budget = Budget::for_file(table.len());
        let total: usize = (0..1_000_000)
            .filter_map(|_| budget.name(&table, 0))
            .map(|name| name.len())
            .sum();
        assert!(total <= 4 * table.len() + LONGEST);
        assert!(budget.is_exceeded());
    }
}
