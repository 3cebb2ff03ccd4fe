//! A bounded list of what was broken.

/// How many problems one object may report: a hostile file has as many as it likes, nobody reads them all.
const LIMIT: usize = 64;

/// What was broken and left out, in words.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    pub(crate) fn add(&mut self, problem: impl Into<String>) {
        if self.0.len() < LIMIT {
            self.0.push(problem.into());
        }
    }

    pub(crate) fn into_list(self) -> Vec<String> {
        self.0
    }
}
