//! How far the long parts are.

use std::sync::Arc;

use confine_image::Stage;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Is told how far the analysis is, from any thread.
pub trait Progress: Send + Sync {
    /// A part begins that takes `steps` steps.
    fn begin(&self, part: &'static str, steps: u64);

    /// One of its steps is done.
    fn step(&self);
}

/// A bar on standard error, where that is a terminal; nothing elsewhere.
#[derive(Clone)]
pub struct Bar {
    bar: Arc<ProgressBar>,
}

impl Bar {
    /// A bar, or nothing at all where the user wants quiet.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self {
            bar: Arc::new(ProgressBar::with_draw_target(None, target)),
        }
    }

    /// Shows how far an image's opening is.
    pub fn opening(&self) -> Arc<dyn Fn(confine_image::Progress) + Send + Sync> {
        let bar = Self::clone(self);
        Arc::new(move |progress| {
            let part = match progress.stage {
                Stage::Receiving => "receiving the image",
                Stage::Decompressing => "decompressing the image",
                Stage::Layers => "indexing layers",
            };
            bar.show(part, progress.total, BYTES);
            bar.bar.set_position(progress.done);
        })
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self, part: &'static str, total: Option<u64>, template: &str) {
        if self.bar.message() != part {
            // The templates are constants, which the tests try; without one the bar is merely plainer.
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.bar.set_style(style);
            }
            self.bar.set_message(part);
        }
        match total {
            Some(total) => self.bar.set_length(total),
            None => self.bar.unset_length(),
        }
    }
}

const BYTES: &str = "{spinner} {msg} {wide_bar} {bytes}/{total_bytes}";
const STEPS: &str = "{spinner} {msg} {wide_bar} {pos}/{len}";

impl Progress for Bar {
    fn begin(&self, part: &'static str, steps: u64) {
        self.show(part, Some(steps), STEPS);
        self.bar.set_position(0);
    }

    fn step(&self) {
        self.bar.inc(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_valid() {
        for template in [BYTES, STEPS] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn steps_are_counted_from_every_part_anew() {
        let bar = Bar::new(true);
        for (part, steps) in [("first", 2), ("second", 1)] {
            bar.begin(part, steps);
            (0..steps).for_each(|_| bar.step());
            assert_eq!(bar.bar.position(), steps, "{part}");
        }
    }
}
