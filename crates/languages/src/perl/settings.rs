//! The settings with which Perl was built: `Config_heavy.pl` has them as lines of one long text, `name='value'`, and gives each
//! by its name (Config(3perl)). Some hundred values are commands and paths of programs; whoever executes one names it.
//!
//! Misses: names that are put together, or that a source outside the image asks for.

use rustc_hash::FxHashSet;

use crate::walk::Source;

/// The file that has them.
const FILE: &str = "/Config_heavy.pl";

/// The settings, until it is known which of them other sources name.
#[derive(Default)]
pub struct Settings {
    files: Vec<Source>,
    /// Words of all other sources.
    words: FxHashSet<Vec<u8>>,
}

impl Settings {
    /// Notes what a source names, and gives it back if it is not the settings themselves.
    pub fn keep(&mut self, source: Source) -> Option<Source> {
        if source.path.ends_with(FILE) {
            self.files.push(source);
            return None;
        }
        for word in source.text.split(|letter| !is_of_name(letter)) {
            if !word.is_empty() && !self.words.contains(word) {
                self.words.insert(word.to_vec());
            }
        }
        Some(source)
    }

    /// The files of settings with those alone that another source names.
    pub fn named(self) -> impl Iterator<Item = Source> {
        let Self { files, words } = self;
        files.into_iter().map(move |file| {
            let lines = file.text.split(|letter| *letter == b'\n');
            // An empty line in place of a setting: the numbers of the others stay.
            let lines = lines.map(|line| match name_of(line) {
                Some(name) if !words.contains(name) => &[][..],
                _ => line,
            });
            let text = lines.collect::<Vec<_>>().join(&b'\n');
            Source { text, ..file }
        })
    }
}

/// The name of the setting that a line is.
fn name_of(line: &[u8]) -> Option<&[u8]> {
    let end = line.iter().position(|letter| *letter == b'=')?;
    let (name, value) = (line.get(..end)?, line.get(end + 1..)?);
    let is_setting = !name.is_empty() && name.iter().all(is_of_name) && value.first() == Some(&b'\'');
    is_setting.then_some(name)
}

fn is_of_name(letter: &u8) -> bool {
    letter.is_ascii_alphanumeric() || *letter == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.into(),
        }
    }

    #[test]
    fn settings_are_those_that_another_source_names() {
        let mut settings = Settings::default();
        let heavy = source(
            "/usr/lib/perl/Config_heavy.pl",
            "$_ = <<'!END!';\nlns='ln -s'\nsh='/bin/sh'\n!END!\nmy $sed = 1;",
        );
        assert!(settings.keep(heavy).is_none());
        assert!(
            settings
                .keep(source("/srv/x.pl", "print $Config{'sh'};"))
                .is_some()
        );
        let texts: Vec<Vec<u8>> = settings.named().map(|file| file.text).collect();
        let expected = b"$_ = <<'!END!';\n\nsh='/bin/sh'\n!END!\nmy $sed = 1;";
        assert_eq!(texts, [expected.to_vec()]);
    }
}
