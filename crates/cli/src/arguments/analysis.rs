//! What to analyse and how: flags of every command that analyses.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use confine_image::Platform;
use confine_kernel::Runtime;
use confine_solve::WantedArguments;
use serde::Deserialize;

use crate::options::{AddressTaken, Exec};

const IMAGE_HELP: &str = "\
The image:
  docker-archive:FILE[:NAME]  what `docker save` writes
  oci-archive:FILE[:NAME]     an OCI layout in an archive
  oci:DIR[:TAG]               an OCI layout
  dir:ROOTFS                  a folder that is a root file system, without a configuration
  docker-daemon:NAME          an image of the Docker engine
  FILE, DIR or NAME           whichever of these it is
  -                           an archive on the standard input

Archives may be compressed.";

/// What to analyse and how: shared by every command that analyses.
#[derive(Debug, Clone, Default, Args)]
pub struct AnalysisArguments {
    /// The image: a reference, file, folder or name (see --help)
    #[arg(value_name = "IMAGE", long_help = IMAGE_HELP)]
    pub image: String,

    /// The command and its arguments, in place of the image's, as after `docker run IMAGE`
    #[arg(
        long,
        value_name = "CMD ARGS",
        allow_hyphen_values = true,
        help_heading = "Configuration"
    )]
    pub command: Option<String>,

    /// Only this program of the image, by its path or its name on PATH, with what it loads and executes: whether the
    /// container starts it or not, whatever its arguments are, and without the container runtime's own calls
    #[arg(
        long,
        value_name = "PATH",
        conflicts_with_all = ["command", "entrypoint", "also", "runtime"],
        help_heading = "Configuration"
    )]
    pub program: Option<String>,

    /// The entry point in place of the image's, whose command is dropped, too; an empty one drops both
    #[arg(long, value_name = "PROGRAM", help_heading = "Configuration")]
    pub entrypoint: Option<String>,

    /// Set an environment variable (repeatable)
    #[arg(long = "env", short = 'e', value_name = "NAME=VALUE", value_parser = variable, help_heading = "Configuration")]
    pub environment: Vec<(String, String)>,

    /// The user that the container runs as, in place of the image's
    #[arg(long, short = 'u', value_name = "USER", help_heading = "Configuration")]
    pub user: Option<String>,

    /// The folder that the command starts in, in place of the image's
    #[arg(long, short = 'w', value_name = "DIR", help_heading = "Configuration")]
    pub workdir: Option<String>,

    /// The image's platform, where it has several
    #[arg(long, value_name = "OS/ARCH", default_value_t, value_parser = platform, help_heading = "Configuration")]
    pub platform: Platform,

    /// Take in what is run besides: by `docker exec`, a probe, a configuration file (repeatable)
    #[arg(long, value_name = "CMD ARGS", help_heading = "Analysis")]
    pub also: Vec<String>,

    /// What commands are taken for that stay open, from configurations, the network, code that computes them
    /// [default: found]
    #[arg(long, value_enum, help_heading = "Analysis")]
    pub exec: Option<Exec>,

    /// The container runtime whose own calls are allowed [default: any]
    #[arg(long, value_enum, help_heading = "Analysis")]
    pub runtime: Option<RuntimeName>,

    /// Which functions may be called through pointers: all whose address is stored anywhere, or those whose
    /// address reachable code and data hold [default: reached]
    #[arg(long, value_enum, help_heading = "Analysis")]
    pub address_taken: Option<AddressTaken>,

    /// Which arguments of calls are restricted to the values that programs pass [default: safe]
    #[arg(long, value_enum, value_name = "WHICH", help_heading = "Analysis")]
    pub args: Option<RestrictedArguments>,

    /// Take flags from this file, in place of confine.toml in the current folder: those that are not given here
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Compute everything anew, and keep nothing for the next time
    #[arg(long)]
    pub no_cache: bool,

    /// Show on standard error where time and memory went, and decode all code once more to compare with
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "text"
    )]
    pub stats: Option<StatisticsFormat>,

    /// Say nothing but errors
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Name everything that could not be resolved
    #[arg(long, short)]
    pub verbose: bool,
}

/// What statistics are shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatisticsFormat {
    /// Lines to read, with the ten slowest objects
    Text,
    /// One line of JSON, with every object
    Json,
}

/// A container runtime, by the name that the flag has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeName {
    /// Docker's, containerd's and most clusters'
    Runc,
    /// podman's and CRI-O's on many systems
    Crun,
    /// Either
    Any,
    /// None: a filter that goes in when a program starts
    None,
}

/// Which arguments of calls are restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestrictedArguments {
    /// None: a call is allowed as such or not at all
    Off,
    /// Those that say what a call does: requests, commands and flags
    Safe,
    /// Whatever is constant and no address: descriptors, sizes, modes, too
    All,
}

impl From<RestrictedArguments> for WantedArguments {
    fn from(which: RestrictedArguments) -> Self {
        match which {
            RestrictedArguments::Off => Self::None,
            RestrictedArguments::Safe => Self::Telling,
            RestrictedArguments::All => Self::Comparable,
        }
    }
}

impl From<RuntimeName> for Runtime {
    fn from(name: RuntimeName) -> Self {
        match name {
            RuntimeName::Runc => Self::Runc,
            RuntimeName::Crun => Self::Crun,
            RuntimeName::Any => Self::Any,
            RuntimeName::None => Self::None,
        }
    }
}

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn platform(text: &str) -> Result<Platform, String> {
    let platform: Platform = text
        .parse()
        .map_err(|error: confine_image::InvalidPlatform| error.to_string())?;
    if platform.os == "linux" && platform.architecture == "amd64" {
        return Ok(platform);
    }
    Err("only linux/amd64 can be analysed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_a_name() {
        for (text, expected) in [
            ("A=b", Some(("A", "b"))),
            ("A=", Some(("A", ""))),
            ("A=b=c", Some(("A", "b=c"))),
            ("A", None),
            ("=b", None),
        ] {
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(variable(text).ok(), expected, "{text}");
        }
    }
}
