//! What decides how an image is analysed, beyond the image and its configuration.

use clap::ValueEnum;
use confine_cache::Cache;
use confine_kernel::Runtime;
use confine_solve::WantedArguments;
use serde::Deserialize;

/// How to analyse.
#[derive(Debug, Clone)]
pub struct Options {
    /// Command lines that are run besides the image's own.
    pub also: Vec<String>,
    /// What commands that stay open are taken for.
    pub exec: Exec,
    /// The only program that is wanted, by its path or name: its arguments are not known.
    pub program: Option<String>,
    /// The container runtime whose own calls are allowed.
    pub runtime: Runtime,
    /// Which functions may be called through pointers.
    pub address_taken: AddressTaken,
    /// Which arguments of calls are restricted.
    pub arguments: WantedArguments,
    /// Where what was computed before is kept, if anywhere.
    pub cache: Option<Cache>,
    /// Decode all code once more when everything is done, alone, so that the statistics can compare.
    pub compare: bool,
}

/// Which functions may be called through pointers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressTaken {
    /// All whose address any data or code of a loaded object holds
    All,
    /// Those whose address reachable code and the data that it reaches hold
    Reached,
}

/// What commands that stay open are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exec {
    /// Nothing: trust that they execute nothing but what is found otherwise
    None,
    /// What is found otherwise; that the rest is not covered stays an assumption
    Found,
    /// Every executable on the image's PATH, with its scripts
    All,
}
