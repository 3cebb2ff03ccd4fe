//! What the text views share: headings, tables, sizes.

use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

/// A section's heading. Tables stay without styles, so that their columns can be measured.
#[must_use]
pub fn heading(text: &str) -> String {
    strong(&text.to_uppercase())
}

/// Text that stands out on a terminal.
#[must_use]
pub fn strong(text: &str) -> String {
    let style = Style::new().bold();
    format!("{style}{text}{style:#}")
}

/// Rows under their headers, folded to `width` columns where one is given. No line ends in spaces.
pub fn table(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(headers).add_rows(rows);
    match width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// `1 program`, `2 programs`.
#[must_use]
pub fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A size for people, in binary units.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (2048, "2 KiB"),
            (1_922_136, "1.8 MiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(count(1, "program", "programs"), "1 program");
        assert_eq!(count(0, "program", "programs"), "0 programs");
    }

    #[test]
    fn tables_fold_where_a_width_is_given() {
        let rows = || [vec!["a".to_owned(), "one two three four".to_owned()]];
        assert_eq!(table(&["A", "B"], rows(), None), "A  B\na  one two three four\n");
        assert_eq!(
            table(&["A", "B"], rows(), Some(14)),
            "A  B\na  one two\n   three\n   four\n"
        );
    }
}
