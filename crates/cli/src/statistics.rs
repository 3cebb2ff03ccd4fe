//! Where time and memory went and how much there was to do: what `--stats` shows.
//!
//! Nothing of it goes into a report or a profile: the same image gives the same bytes, however long that takes.

pub mod show;

use std::time::{Duration, Instant};

/// What one run cost.
#[derive(Debug, Clone)]
pub struct Statistics {
    started: Instant,
    /// Parts of the analysis in the order that they first ran, each with its wall-clock time.
    parts: Vec<(&'static str, Duration)>,
    /// Counts worth knowing.
    counts: Vec<(&'static str, u64)>,
    /// From the beginning to the finished report.
    total: Duration,
    /// The largest resident set until then, in KiB, where the system tells.
    peak_memory: Option<u64>,
    /// How many threads there were.
    threads: usize,
    comparison: Option<Comparison>,
}

/// What decoding all code once costs, on as many threads.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// All of it, by the clock.
    pub elapsed: Duration,
    /// How many instructions that were.
    pub instructions: u64,
    /// Every object, by its path.
    pub objects: Vec<ObjectCost>,
}

/// What one object costs.
#[derive(Debug, Clone)]
pub struct ObjectCost {
    /// Its path in the image.
    pub path: String,
    /// How much machine code the analysis found in it.
    pub code_bytes: u64,
    /// Time to decode that once, on one thread.
    pub decode: Duration,
    /// Time to compute its facts, unless they came from the cache.
    pub facts: Option<Duration>,
}

impl Statistics {
    /// The clock runs from here.
    pub fn begin() -> Self {
        Self {
            started: Instant::now(),
            parts: Vec::new(),
            counts: Vec::new(),
            total: Duration::ZERO,
            peak_memory: None,
            threads: rayon::current_num_threads(),
            comparison: None,
        }
    }

    /// Runs a part and notes its time, beside that of earlier runs.
    pub fn time<T>(&mut self, part: &'static str, run: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = run();
        let elapsed = start.elapsed();
        match self.parts.iter_mut().find(|(known, _)| *known == part) {
            Some((_, time)) => *time += elapsed,
            None => self.parts.push((part, elapsed)),
        }
        result
    }

    /// Notes a count.
    pub fn count(&mut self, what: &'static str, count: u64) {
        self.counts.push((what, count));
    }

    /// The analysis is over: whatever comes now is not its cost.
    pub fn end(&mut self) {
        self.total = self.started.elapsed();
        // Only Linux has this file.
        let status = std::fs::read_to_string("/proc/self/status");
        self.peak_memory = status.ok().and_then(|status| peak_memory(&status));
    }

    /// Notes what the cost is compared with.
    pub fn compare(&mut self, comparison: Comparison) {
        self.comparison = Some(comparison);
    }
}

/// The largest resident set in KiB, by the text of a process' `status` file.
fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_name_are_one() {
        let mut statistics = Statistics::begin();
        let ran: Vec<&str> = ["a", "b", "a"]
            .iter()
            .map(|part| statistics.time(part, || *part))
            .collect();
        assert_eq!(ran, ["a", "b", "a"]);
        let names: Vec<&str> = statistics.parts.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn the_peak_is_read_where_the_kernel_tells_it() {
        for (status, expected) in [
            ("Name:\tx\nVmHWM:\t  12345 kB\nVmRSS:\t 1 kB\n", Some(12345)),
            ("VmRSS:\t 1 kB\n", None),
            ("VmHWM:\t lots kB\n", None),
            ("", None),
        ] {
            assert_eq!(peak_memory(status), expected, "{status:?}");
        }
    }
}
