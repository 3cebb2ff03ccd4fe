//! The label by which an image carries its own profile for podman: `podman run --seccomp-policy=image` reads it.
//!
//! As a line of a Containerfile, so that a build adds it: `LABEL io.containers.seccomp.profile=...`, the OCI profile on one
//! line inside quotes.

use confine_policy::Policy;

use crate::oci::{self, Error};

/// The label's name.
const PODMAN_LABEL: &str = "io.containers.seccomp.profile";

/// The policy's x86-64 part as a line of a Containerfile, with a line feed at its end.
///
/// # Errors
/// As for the OCI profile.
pub fn podman(policy: &Policy) -> Result<String, Error> {
    // In double quotes a Containerfile takes a backslash before a quote, a backslash or a dollar for that character.
    let quoted: String =
        serde_json::to_string(&oci::profile(policy)?)?
            .chars()
            .fold(String::new(), |mut text, character| {
                if matches!(character, '"' | '\\' | '$') {
                    text.push('\\');
                }
                text.push(character);
                text
            });
    Ok(format!("LABEL {PODMAN_LABEL}=\"{quoted}\"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::policy;
    use crate::oci;

    #[test]
    fn the_label_holds_the_profile() {
        let text = podman(&policy()).unwrap();
        let quoted = text
            .strip_prefix("LABEL io.containers.seccomp.profile=\"")
            .unwrap();
        let quoted = quoted.strip_suffix("\"\n").unwrap();
        assert!(!quoted.contains('\n'));
        let value = quoted.replace("\\\"", "\"");
        let profile: serde_json::Value = serde_json::from_str(&value).unwrap();
        let expected: serde_json::Value = serde_json::from_str(&oci(&policy()).unwrap()).unwrap();
        assert_eq!(profile, expected);
    }
}
