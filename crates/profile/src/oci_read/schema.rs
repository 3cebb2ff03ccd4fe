//! The shape of a profile: the runtime specification's members, and Docker's.

use std::collections::BTreeSet;

use serde::Deserialize;

/// A profile. Members that decide nothing about calls, as comments and flags, are passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub default_action: String,
    #[serde(default)]
    pub default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    /// Docker's: what to add to the native architecture.
    #[serde(default)]
    arch_map: Option<Vec<Architectures>>,
    #[serde(default)]
    pub syscalls: Option<Vec<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Architectures {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

/// What is done about some calls.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// Docker's older profiles have one call an entry.
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub names: Option<Vec<String>>,
    pub action: String,
    #[serde(default)]
    pub args: Option<Vec<Condition>>,
    /// Docker's.
    #[serde(default)]
    pub includes: Option<Filter>,
    /// Docker's.
    #[serde(default)]
    pub excludes: Option<Filter>,
}

/// A condition on an argument.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    pub index: u64,
    pub value: u64,
    #[serde(default)]
    pub value_two: u64,
    pub op: String,
}

/// On what an entry depends.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filter {
    #[serde(default)]
    pub caps: Option<Vec<String>>,
    #[serde(default)]
    pub arches: Option<Vec<String>>,
    #[serde(default)]
    pub min_kernel: Option<String>,
}

impl Profile {
    /// Other architectures that an x86-64 kernel runs and the profile lets in.
    pub fn others(&self) -> BTreeSet<String> {
        let mapped = self.arch_map.iter().flatten();
        let mapped = mapped
            .filter(|map| map.architecture == "SCMP_ARCH_X86_64")
            .flat_map(|map| map.sub_architectures.iter().flatten());
        let named = self.architectures.iter().flatten();
        mapped
            .chain(named)
            .filter(|name| ["SCMP_ARCH_X86", "SCMP_ARCH_X32"].contains(&name.as_str()))
            .cloned()
            .collect()
    }
}
