//! `confine cache`: what is kept for the next time.

use confine_cache::Usage;

use crate::arguments::{CacheAction, CacheArguments};
use crate::{Outcome, analysis, output};

/// Shows or empties the cache.
pub fn cache(arguments: &CacheArguments) -> anyhow::Result<Outcome> {
    let cache = analysis::cache()?;
    let text = match arguments.action {
        CacheAction::Info => format!(
            "{}\n{}, at most {}\n",
            cache.root().display(),
            usage(cache.usage()),
            megabytes(cache.limit()),
        ),
        CacheAction::Clear => format!("removed {}\n", usage(cache.clear())),
    };
    output::print(&text)?;
    Ok(Outcome::Done)
}

fn usage(usage: Usage) -> String {
    let entries = if usage.entries == 1 { "entry" } else { "entries" };
    format!("{} {entries}, {}", usage.entries, megabytes(usage.bytes))
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_with_one_digit() {
        for (bytes, expected) in [(0, "0.0 MiB"), (1_572_864, "1.5 MiB"), ((2 << 20) - 1, "1.9 MiB")] {
            assert_eq!(megabytes(bytes), expected);
        }
    }
}
