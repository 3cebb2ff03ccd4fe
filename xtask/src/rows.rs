//! Rows of a table that are kept as JSON beside its page, one for each image, so that a run goes on where the last one
//! stopped.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A row that goes by a name.
pub trait Named: Serialize + DeserializeOwned {
    /// What no other row of the table is called.
    fn name(&self) -> &str;
}

/// The rows that are known; none if there is no such file yet.
pub fn read<T: Named>(path: &Path) -> anyhow::Result<Vec<T>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("malformed {}", path.display()))
}

/// Adds a row in place of an earlier one; all rows. What another run has written meanwhile stays.
pub fn add<T: Named>(path: &Path, row: T) -> anyhow::Result<Vec<T>> {
    let mut rows: Vec<T> = read(path)?;
    rows.retain(|other| other.name() != row.name());
    rows.push(row);
    rows.sort_by(|one, other| one.name().cmp(other.name()));
    write(path, &rows)?;
    Ok(rows)
}

/// Writes them whole or not at all: a run may be stopped at any time.
fn write<T: Named>(path: &Path, rows: &[T]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot create a file in {}", folder.display()))?;
    writeln!(file, "{}", serde_json::to_string_pretty(rows)?)?;
    file.persist(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        seconds: f64,
    }

    impl Named for Row {
        fn name(&self) -> &str {
            &self.name
        }
    }

    #[test]
    fn rows_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.json");
        assert_eq!(read::<Row>(&path).unwrap(), []);
        let row = |name: &str, seconds| Row {
            name: name.to_owned(),
            seconds,
        };
        for one in [row("nginx", 1.0), row("httpd", 2.0), row("nginx", 3.0)] {
            add(&path, one).unwrap();
        }
        assert_eq!(
            read::<Row>(&path).unwrap(),
            [row("httpd", 2.0), row("nginx", 3.0)]
        );
    }
}
