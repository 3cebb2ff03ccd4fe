//! The report of an image that was analysed before in the same way: there is nothing to find out again.

use confine_cache::{Cache, Key, KeyBuilder};
use confine_image::{Config, Image};
use confine_report::Report;

use crate::options::Options;

/// What everything is that decides what a report says: see `build.rs`.
const EVERYTHING: &str = env!("CONFINE_EVERYTHING");

/// Where a report is kept.
pub struct Kept<'a> {
    cache: &'a Cache,
    key: Key,
}

impl<'a> Kept<'a> {
    /// The place for the report of an image; `None` where nothing is kept, and for a folder, whose files nothing vouches
    /// for.
    ///
    /// An image's digest stands for its configuration and all its layers, since they were verified when it was opened.
    pub fn place(image: &Image, config: &Config, options: &'a Options) -> Option<Self> {
        let digest = image.digest.as_ref()?;
        let Options {
            also,
            exec,
            program,
            runtime,
            address_taken,
            arguments,
            cache,
            compare: _,
        } = options;
        let mut key = KeyBuilder::new("report");
        key.add(EVERYTHING.as_bytes())
            .add(digest.as_bytes())
            .add(image.reference.as_bytes());
        // A report names the configuration with what the command line says in its place.
        let asked = format!(
            "{config:?} {} {also:?} {exec:?} {program:?} {runtime:?} {address_taken:?} {arguments:?}",
            image.has_config
        );
        key.add(asked.as_bytes());
        Some(Self {
            cache: cache.as_ref()?,
            key: key.finish(),
        })
    }

    /// The report that was kept there. One that does not read is none.
    pub fn report(&self) -> Option<Report> {
        let text = String::from_utf8(self.cache.get(&self.key)?).ok()?;
        Report::from_json(&text).ok()
    }

    /// Keeps a report there. A cache that cannot be written saves nothing and harms nothing.
    pub fn keep(&self, report: &Report) {
        if let Ok(text) = report.to_json()
            && self.cache.put(&self.key, text.as_bytes()).is_ok()
        {
            self.cache.trim();
        }
    }
}
