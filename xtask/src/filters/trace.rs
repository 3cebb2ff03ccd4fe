//! Recorded traces: which calls, with which telling arguments, how often.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use confine_bpf::{CallData, Weights};
use confine_policy::{ARGUMENTS, Policy};

/// A call as a trace keeps it: descriptors, sizes and addresses, which no policy of confine's compares by default, are 0.
pub type Seen = (u32, [u64; ARGUMENTS]);

/// What a program under load called, and what it may call.
pub struct Trace {
    pub name: String,
    pub calls: BTreeMap<Seen, u64>,
    pub policy: Policy,
}

impl Trace {
    /// Reads what [`write`] and `confine profile` left.
    pub fn read(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let read = |extension: &str| {
            let path = folder.join(format!("{name}.{extension}"));
            fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}: record it by --record", path.display()))
        };
        let reading = confine_profile::read_oci(&read("json")?, &[])
            .with_context(|| format!("the profile of {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            calls: parse(&read("tsv")?).with_context(|| format!("the trace of {name}"))?,
            policy: reading.policy,
        })
    }

    /// The calls as filters see them.
    pub fn calls(&self) -> impl Iterator<Item = (CallData, u64)> {
        let calls = self.calls.iter();
        calls.map(|((number, arguments), count)| (CallData::new(*number, *arguments), *count))
    }

    /// How many calls there are.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// How often each call is made.
    pub fn weights(&self) -> Weights {
        self.calls
            .iter()
            .map(|((number, _), count)| (*number, *count))
            .collect()
    }
}

/// A trace as lines of a name, six numbers and a count.
pub fn write(calls: &BTreeMap<Seen, u64>) -> String {
    let mut text = String::from(
        "# Calls under load, as strace -f saw them: name, arguments, how often. Only requests, commands, flags and the like are \
         kept of\n# the arguments, the others are 0. Recorded by `cargo xtask filters --record`.\n",
    );
    for ((number, arguments), count) in calls {
        let name = confine_kernel::name(*number).unwrap_or("?");
        let arguments = arguments.map(|argument| format!("{argument:#x}")).join(" ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} {arguments} {count}");
    }
    text
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<Seen, u64>> {
    let mut calls = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, arguments @ .., count] = words.as_slice() else {
            bail!("expected a name, six arguments and a count, found {line:?}");
        };
        let call = confine_kernel::call_named(name).with_context(|| format!("no system call {name}"))?;
        let arguments: Vec<u64> = arguments
            .iter()
            .map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16))
            .collect::<Result<_, _>>()
            .with_context(|| format!("expected numbers, found {line:?}"))?;
        let arguments = <[u64; ARGUMENTS]>::try_from(arguments)
            .map_err(|given| anyhow::anyhow!("expected {ARGUMENTS} arguments, found {}", given.len()))?;
        calls.insert(
            (call.number, arguments),
            count.parse().context("expected a count")?,
        );
    }
    Ok(calls)
}

/// How often each call is made over all traces, each of which counts as much as the others.
pub fn weights<'a>(traces: impl Iterator<Item = &'a Trace> + Clone) -> String {
    /// What the calls of one trace become together.
    const SCALE: u64 = 100_000;
    let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
    for trace in traces.clone() {
        let total = trace.total().max(1);
        let mut own: BTreeMap<u32, u64> = BTreeMap::new();
        for ((number, _), count) in &trace.calls {
            *own.entry(*number).or_default() += count;
        }
        for (number, count) in own {
            *sums.entry(number).or_default() += count * SCALE / total;
        }
    }
    let names: Vec<&str> = traces.map(|trace| trace.name.as_str()).collect();
    let mut text = format!(
        "# How often calls are made: counts of the traces in tests/filters ({}), each of which makes {SCALE} calls here.\n\
         # Written by `cargo xtask filters --write`.\n",
        names.join(", ")
    );
    let mut sums: Vec<(u32, u64)> = sums.into_iter().filter(|(_, count)| *count > 0).collect();
    sums.sort_by_key(|(number, count)| (std::cmp::Reverse(*count), *number));
    for (number, count) in sums {
        let _ = writeln!(text, "{}\t{count}", confine_kernel::name(number).unwrap_or("?"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_read_as_written() {
        let calls = BTreeMap::from([((0, [0; 6]), 7), ((16, [0, 0x5401, 0, 0, 0, 1]), 2)]);
        let text = write(&calls);
        assert_eq!(parse(&text).unwrap(), calls);
        for wrong in [
            "read",
            "read 0x0 3",
            "no_such_call 0 0 0 0 0 0 1",
            "read 0 0 0 0 0 x 1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_trace_counts_alike() {
        let trace = |name: &str, calls: &[(u32, u64)]| Trace {
            name: name.to_owned(),
            calls: calls
                .iter()
                .map(|(number, count)| ((*number, [0; 6]), *count))
                .collect(),
            policy: Policy::new(),
        };
        let text = weights([trace("a", &[(0, 1), (1, 3)]), trace("b", &[(1, 1000)])].iter());
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, ["write\t175000", "read\t25000"]);
    }
}
