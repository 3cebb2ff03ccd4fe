//! Which constants belong to which group: groups.toml.

use anyhow::Context;
use serde::Deserialize;

/// One entry of groups.toml: constants of some headers that belong to a group.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The group, to which other entries may add, too.
    pub name: String,
    /// What is included, in order.
    pub headers: Vec<String>,
    /// C text behind the includes.
    #[serde(default)]
    pub lines: Vec<String>,
    /// Names; a star at the end stands for anything.
    #[serde(default)]
    names: Vec<String>,
    /// An enumeration all of whose constants belong to it.
    enumeration: Option<String>,
    /// Names that do not belong to it although `names` or `enumeration` say so.
    #[serde(default)]
    except: Vec<String>,
    /// What a macro's text contains.
    body: Option<String>,
    /// Names that come before others of the same value.
    #[serde(default)]
    pub prefer: Vec<String>,
    /// The expression of a constant's value; `{}` stands for its name.
    #[serde(rename = "as")]
    pub expression: Option<String>,
}

/// A name that headers define.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The name.
    pub name: String,
    /// Where it is from.
    pub origin: Origin,
}

/// What defines a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A macro without parameters, and its text.
    Macro(String),
    /// A constant of an enumeration, by its tag; empty without one.
    Enumeration(String),
}

/// All entries, in order.
pub fn read() -> anyhow::Result<Vec<Group>> {
    #[derive(Deserialize)]
    struct File {
        group: Vec<Group>,
    }
    let file: File = toml::from_str(include_str!("groups.toml")).context("read groups.toml")?;
    Ok(file.group)
}

impl Group {
    /// Whether a definition belongs to the group.
    pub fn takes(&self, definition: &Definition) -> bool {
        let Definition { name, origin } = definition;
        let named = self.names.iter().any(|pattern| matches(pattern, name));
        let taken = match (origin, &self.body) {
            (Origin::Macro(text), Some(body)) => named && text.contains(body),
            (Origin::Macro(_), None) => named,
            (Origin::Enumeration(_), Some(_)) => false,
            (Origin::Enumeration(tag), None) => named || self.enumeration.as_ref() == Some(tag),
        };
        taken && !self.except.iter().any(|pattern| matches(pattern, name)) && !self.hides(name)
    }

    /// Headers keep names with an underscore at the front for themselves, unless they are asked for.
    fn hides(&self, name: &str) -> bool {
        name.starts_with('_') && !self.names.iter().any(|asked| asked == name)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_take_what_their_patterns_say() {
        let group = Group {
            names: vec!["A_*".to_owned(), "__A".to_owned(), "*".to_owned()],
            except: vec!["A_MAX*".to_owned()],
            enumeration: Some("tag".to_owned()),
            ..Group::default()
        };
        let with_body = Group {
            body: Some("_IO".to_owned()),
            ..group.clone()
        };
        let by_macro = |text: &str| Origin::Macro(text.to_owned());
        for (group, name, origin, expected) in [
            (&group, "A_ONE", by_macro("1"), true),
            (&group, "A_MAXIMUM", by_macro("1"), false),
            (&group, "__A", by_macro("1"), true),
            (&group, "__B", by_macro("1"), false),
            (&group, "B", Origin::Enumeration("tag".to_owned()), true),
            (&with_body, "A_ONE", by_macro("1"), false),
            (&with_body, "A_ONE", by_macro("_IO(1, 2)"), true),
            (&with_body, "A_ONE", Origin::Enumeration(String::new()), false),
        ] {
            let definition = Definition {
                name: name.to_owned(),
                origin,
            };
            assert_eq!(group.takes(&definition), expected, "{definition:?}");
        }
    }

    #[test]
    fn every_entry_can_be_read() {
        assert!(
            read()
                .unwrap()
                .iter()
                .all(|group| group.names.len() + group.enumeration.iter().len() > 0)
        );
    }
}
