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

/// How often a program under load made each call.
pub struct Counts {
    pub name: String,
    pub calls: BTreeMap<Seen, u64>,
}

/// What a program under load called, and what it may call.
pub struct Trace {
    pub counts: Counts,
    pub policy: Policy,
}

/// All that was recorded.
pub struct Traces {
    pub judged: Vec<Trace>,
    pub others: Vec<Counts>,
}

impl Counts {
    /// Reads what [`write`] left.
    pub fn read(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let text = text(folder, name, "tsv")?;
        Ok(Self {
            name: name.to_owned(),
            calls: parse(&text).with_context(|| format!("the trace of {name}"))?,
        })
    }

    /// How many calls there are.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }
}

impl Trace {
    /// Reads what [`write`] and `confine profile` left.
    pub fn read(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let reading = confine_profile::read_oci(&text(folder, name, "json")?, &[])
            .with_context(|| format!("the profile of {name}"))?;
        Ok(Self {
            counts: Counts::read(folder, name)?,
            policy: reading.policy,
        })
    }

    /// The calls as filters see them.
    pub fn calls(&self) -> impl Iterator<Item = (CallData, u64)> {
        let calls = self.counts.calls.iter();
        calls.map(|((number, arguments), count)| (CallData::new(*number, *arguments), *count))
    }

    /// How often each call is made.
    pub fn weights(&self) -> Weights {
        self.calls().collect()
    }
}

fn text(folder: &Path, name: &str, extension: &str) -> anyhow::Result<String> {
    let path = folder.join(format!("{name}.{extension}"));
    fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}: record it by --record", path.display()))
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

impl Traces {
    /// How often calls are made over all programs but the one that is left out, each of which counts as much as the
    /// others: as a file of weights.
    pub fn weights(&self, without: Option<&Trace>) -> String {
        let judged = self.judged.iter().map(|trace| &trace.counts);
        let all = judged.chain(&self.others);
        let kept = all.filter(|counts| without.is_none_or(|without| without.counts.name != counts.name));
        let mut sums: BTreeMap<Seen, u64> = BTreeMap::new();
        for counts in kept {
            let total = counts.total().max(1);
            for (seen, count) in &counts.calls {
                *sums.entry(*seen).or_default() += count * PARTS / total;
            }
        }
        let mut text = format!(
            "# How often calls are made, and with which requests, commands and flags: the traces in tests/filters, each of\n\
             # which makes {PARTS} calls here. Written by `cargo xtask filters --write`.\n"
        );
        for ((number, arguments), parts) in sums.into_iter().filter(|(_, parts)| *parts > 0) {
            let name = confine_kernel::name(number).unwrap_or("?");
            let arguments = match confine_kernel::arguments(number).iter().any(tells) {
                true => arguments.map(|argument| format!(" {argument:#x}")).concat(),
                false => String::new(),
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}{arguments} {parts}");
        }
        text
    }
}

/// What the calls of one program become together; what is rarer than one part is left out.
const PARTS: u64 = 100_000;

/// Whether a trace keeps the argument.
pub fn tells(argument: &confine_kernel::Argument) -> bool {
    argument.kind.is_restrictable()
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
        let counts = |name: &str, calls: &[(u32, u64)]| Counts {
            name: name.to_owned(),
            calls: calls
                .iter()
                .map(|(number, count)| ((*number, [0; 6]), *count))
                .collect(),
        };
        let judged = |name, calls| Trace {
            counts: counts(name, calls),
            policy: Policy::new(),
        };
        let traces = Traces {
            judged: vec![judged("a", &[(0, 1), (8, 3)]), judged("b", &[(1, 1000)])],
            others: vec![counts("c", &[(1, 199_999), (0, 1)])],
        };
        let lines = |without| {
            let text = traces.weights(without);
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let lseek = "lseek 0x0 0x0 0x0 0x0 0x0 0x0 75000";
        assert_eq!(lines(None), ["read 25000", "write 199999", lseek]);
        assert_eq!(lines(traces.judged.first()), ["write 199999"]);
    }
}
