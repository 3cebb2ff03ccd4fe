//! Words as a report writes them: text, because JSON's numbers are not exact beyond 2^53.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A 64-bit word: an address in an object's own address space, a mask or a value; `0x` and lower-case digits in
/// JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(pub u64);

impl fmt::Display for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#x}", self.0)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Self)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is no number like \"0x401000\"")))
    }
}

impl JsonSchema for Word {
    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A 64-bit word: an address in an object's own address space, a mask or a value.",
            "type": "string",
            "pattern": "^0x[0-9a-f]{1,16}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_json() {
        for (address, expected) in [
            (0, "\"0x0\""),
            (0x40_1000, "\"0x401000\""),
            (u64::MAX, "\"0xffffffffffffffff\""),
        ] {
            let text = serde_json::to_string(&Word(address)).unwrap();
            assert_eq!(text, expected);
            assert_eq!(serde_json::from_str::<Word>(&text).unwrap(), Word(address));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "\"401000\"",
            "\"0x\"",
            "\"0xg\"",
            "\"0x10000000000000000\"",
            "4096",
        ] {
            assert!(serde_json::from_str::<Word>(text).is_err(), "{text}");
        }
    }
}
