//! What every SARIF 2.1.0 log of confine is made of, whatever its results are about.

use serde_json::{Value, json};

/// A log of one run of confine, with a line break at its end.
///
/// # Errors
/// When it cannot be written as JSON, which does not happen with JSON in it.
pub fn document(version: &str, rules: &[Value], results: &[Value]) -> Result<String, serde_json::Error> {
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "confine", "version": version, "rules": rules } },
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).map(|text| text + "\n")
}

/// A name as the path of an address: what has a meaning there, and all that is not ASCII, written by its bytes.
#[must_use]
pub fn uri(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses() {
        assert_eq!(uri("a b/ü.json"), "a%20b/%C3%BC.json");
    }
}
