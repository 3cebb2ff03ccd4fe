//! The named constants of system calls' arguments: `cargo xtask constants` writes
//! crates/kernel/data/x86_64-constants.tsv anew from the kernel's user headers.
//!
//! Which constants is data: groups.toml. Their values are the C compiler's. A second version of the headers can only
//! add names, since the kernel keeps the values of those that it has; [`differences`] holds the table against that.

mod groups;
mod headers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use confine_engine::Invocation;

use groups::Group;
use headers::Headers;

/// Where the headers are, and what to do with them.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// A linux-libc-dev package whose headers are read in place of those of the system
    #[arg(long, value_name = "DEB")]
    package: Option<PathBuf>,
    /// Write nothing: whether the table is what these headers say
    #[arg(long)]
    check: bool,
}

/// The table, from the workspace's root.
const TABLE: &str = "crates/kernel/data/x86_64-constants.tsv";

/// One constant of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    group: String,
    name: String,
    value: u64,
}

/// Writes the table, or says whether it is what the headers say.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let headers = match &options.package {
        Some(package) => Headers::of_package(package)?,
        None => Headers::of_system()?,
    };
    let rows = collect(&headers, &groups::read()?)?;
    let path = root.join(TABLE);
    if !options.check {
        println!("{} constants. {}", rows.len(), headers.source());
        std::fs::write(&path, text(&headers, &rows)).with_context(|| format!("write {TABLE}"))?;
        return Ok(true);
    }
    let stored = std::fs::read_to_string(&path).with_context(|| format!("read {TABLE}"))?;
    if stored.contains(&format!("# {}.\n", headers.source())) {
        let fresh = stored == text(&headers, &rows);
        if !fresh {
            println!("{TABLE} is not what these headers say: cargo xtask constants");
        }
        return Ok(fresh);
    }
    println!("these headers have another version: only values are compared");
    let problems = differences(&parse(&stored)?, &rows);
    for problem in &problems {
        println!("{problem}");
    }
    Ok(problems.is_empty())
}

/// Every group's constants: by group, then value, and of several names of one value the preferred one first.
fn collect(headers: &Headers, groups: &[Group]) -> anyhow::Result<Vec<Row>> {
    let mut collected: BTreeMap<&str, Vec<(usize, Row)>> = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    for group in groups {
        let found = headers
            .constants(group)
            .with_context(|| format!("group {}", group.name))?;
        let rows = collected.entry(&group.name).or_default();
        for (name, value) in found {
            let Some(value) = value else {
                unknown.insert((group.name.clone(), name));
                continue;
            };
            if rows.iter().all(|(_, row)| row.name != name) {
                let row = Row {
                    group: group.name.clone(),
                    name,
                    value,
                };
                rows.push((rows.len(), row));
            }
        }
    }
    let mut sorted = Vec::new();
    for (name, mut rows) in collected {
        let preferred: Vec<&String> = groups
            .iter()
            .filter(|group| group.name == name)
            .flat_map(|group| &group.prefer)
            .collect();
        rows.sort_by_key(|(rank, row)| {
            let preferred = preferred.iter().position(|preferred| **preferred == row.name);
            (row.value, preferred.unwrap_or(usize::MAX), *rank)
        });
        sorted.extend(rows.into_iter().map(|(_, row)| row));
    }
    for row in &sorted {
        unknown.remove(&(row.group.clone(), row.name.clone()));
    }
    for (group, name) in unknown {
        println!("left out of {group}, since it is no constant: {name}");
    }
    Ok(sorted)
}

fn text(headers: &Headers, rows: &[Row]) -> String {
    let mut text = format!(
        "# Constants that arguments of system calls of x86-64 can have: group, name, value. Of several names of one value in a \
         group the first is shown.\n# {}.\n# Written by `cargo xtask constants` after xtask/src/constants/groups.toml.\n",
        headers.source()
    );
    for Row { group, name, value } in rows {
        text += &format!("{group}\t{name}\t{value:#x}\n");
    }
    text
}

fn parse(text: &str) -> anyhow::Result<Vec<Row>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let rows = lines.map(|line| {
        let mut cells = line.split('\t');
        let mut cell = || cells.next().with_context(|| format!("a cell is missing: {line}"));
        let (group, name, value) = (cell()?, cell()?, cell()?);
        let digits = value.strip_prefix("0x").context("a value is no number")?;
        Ok(Row {
            group: group.to_owned(),
            name: name.to_owned(),
            value: u64::from_str_radix(digits, 16)?,
        })
    });
    rows.collect()
}

/// What two versions of the headers say differently of a name that both have.
fn differences(stored: &[Row], found: &[Row]) -> Vec<String> {
    let stored: BTreeMap<_, _> = stored
        .iter()
        .map(|row| ((&row.group, &row.name), row.value))
        .collect();
    let both = found.iter().filter_map(|row| {
        let value = stored.get(&(&row.group, &row.name))?;
        let differs = *value != row.value;
        differs.then(|| {
            format!(
                "{} {}: {value:#x} in the table, {:#x} here",
                row.group, row.name, row.value
            )
        })
    });
    both.collect()
}

/// The version of an installed package; `None` where there is none.
fn installed(package: &str) -> Option<String> {
    let query = Invocation::new("dpkg-query").args(["--show", "--showformat=${Version}", package]);
    query.output().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_the_system_s_headers_say() {
        if installed("linux-libc-dev").is_none() || installed("libc6-dev").is_none() {
            return;
        }
        let options = Options {
            package: None,
            check: true,
        };
        assert!(run(&crate::root().unwrap(), &options).unwrap());
    }

    #[test]
    fn values_that_changed_are_told() {
        let row = |name: &str, value| Row {
            group: "group".to_owned(),
            name: name.to_owned(),
            value,
        };
        let stored = [row("SAME", 1), row("OTHER", 2), row("GONE", 3)];
        let found = [row("SAME", 1), row("OTHER", 4), row("NEW", 5)];
        assert_eq!(
            differences(&stored, &found),
            ["group OTHER: 0x2 in the table, 0x4 here"]
        );
    }
}
