//! Tables of tab-separated text, read while compiling: a row of the wrong shape is a compile error.

/// How many rows `text` has; empty lines and lines that start with `#` are none.
pub(crate) const fn count(text: &str) -> usize {
    let mut rest = text.as_bytes();
    let mut rows = 0;
    while let Some((line, after)) = split(rest, b'\n') {
        if is_row(line) {
            rows += 1;
        }
        rest = after;
    }
    rows
}

/// The cells of `text`, row by row.
pub(crate) const fn rows<const ROWS: usize, const COLUMNS: usize>(
    text: &'static str,
) -> [[&'static str; COLUMNS]; ROWS] {
    let mut table = [[""; COLUMNS]; ROWS];
    let mut rest = text.as_bytes();
    let mut row = 0;
    while let Some((mut line, after)) = split(rest, b'\n') {
        rest = after;
        if !is_row(line) {
            continue;
        }
        let mut column = 0;
        while let Some((cell, next)) = split(line, b'\t') {
            assert!(column < COLUMNS, "a row has too many columns");
            assert!(!cell.is_empty(), "a cell is empty");
            table[row][column] = match str::from_utf8(cell) {
                Ok(cell) => cell,
                Err(_) => "",
            };
            line = next;
            column += 1;
        }
        assert!(column == COLUMNS, "a row has too few columns");
        row += 1;
    }
    table
}

/// Whether two cells are the same, which `==` cannot say while compiling.
pub(crate) const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len()
}

/// Whether `left` is not behind `right` in the order of bytes.
pub(crate) const fn ordered(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() || (at < right.len() && left[at] < right[at])
}

/// A hexadecimal number with `0x` in front.
pub(crate) const fn hexadecimal(cell: &str) -> u64 {
    let (prefix, digits) = cell.split_at(2);
    let number = u64::from_str_radix(digits, 16);
    assert!(
        same(prefix, "0x") && number.is_ok(),
        "a cell is not a hexadecimal number"
    );
    match number {
        Ok(number) => number,
        Err(_) => 0,
    }
}

/// A decimal number.
pub(crate) const fn decimal(cell: &str) -> u32 {
    let number = u32::from_str_radix(cell, 10);
    assert!(number.is_ok(), "a cell is not a decimal number");
    match number {
        Ok(number) => number,
        Err(_) => 0,
    }
}

/// What comes before the first `separator`, or all of the text, and what comes behind it.
pub(crate) const fn cut(text: &str, separator: u8) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() && bytes[at] != separator {
        at += 1;
    }
    let (before, after) = text.split_at(at);
    if after.is_empty() {
        (before, after)
    } else {
        (before, after.split_at(1).1)
    }
}

const fn is_row(line: &[u8]) -> bool {
    !line.is_empty() && line[0] != b'#'
}

/// What comes before the first `separator`, and what comes after it; `None` at the end of the text.
const fn split(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    if text.is_empty() {
        return None;
    }
    let mut at = 0;
    while at < text.len() && text[at] != separator {
        at += 1;
    }
    let (before, after) = text.split_at(at);
    Some((
        before,
        if after.is_empty() {
            after
        } else {
            after.split_at(1).1
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_rows() {
        const TEXT: &str = "# a comment\n1\tone\n\n2\ttwo";
        assert_eq!(count(TEXT), 2);
        assert_eq!(rows::<2, 2>(TEXT), [["1", "one"], ["2", "two"]]);
        assert_eq!(decimal("40"), 40);
        assert_eq!(hexadecimal("0x4f"), 0x4f);
    }

    #[test]
    fn cells_compare_as_text() {
        for (left, right, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("b", "a", false),
        ] {
            assert_eq!(same(left, right), expected, "{left:?} {right:?}");
        }
        for (left, right, expected) in [
            ("", "a", true),
            ("a", "a", true),
            ("a", "ab", true),
            ("b", "ab", false),
        ] {
            assert_eq!(ordered(left, right), expected, "{left:?} {right:?}");
        }
    }
}
