//! Flags of `confine observe` and `confine compare`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use confine_engine::Ready;

use super::EXIT_CODES;
use super::analysis::variable;

const OBSERVE_HELP: &str = "\
Examples:
  confine observe nginx --workload 'curl --fail http://$HOST:$HOST_PORT/' -o nginx.record.json
  confine observe my/server --ready 6379 --workload ./tests/load.sh --duration 30s -o server.record.json
  confine observe my/batch --command 'convert /in /out' | confine compare report.json -

  confine profile nginx --report report.json -o nginx.json
  confine compare report.json nginx.record.json

The workload is a line for the host's shell (bash). It finds in its environment:
  CONTAINER     the container's name
  HOST          where its ports answer
  HOST_PORT     the port there that leads to its first one, HOST_PORT_443 the one that leads to port 443
  INSIDE        the command that executes its arguments in the container, e.g. `docker exec NAME`
  SIGNAL        the command that sends the named signal to its first process

Needs root and a kernel from 5.17 on with type information (CONFIG_DEBUG_INFO_BTF).";

/// Flags of `confine observe`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{OBSERVE_HELP}\n\n{EXIT_CODES}"))]
pub struct ObserveArguments {
    /// The image, as the engine knows it; for runc and crun also dir:ROOTFS
    #[arg(value_name = "IMAGE")]
    pub image: String,

    /// Where the record goes; `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,

    /// Visit the container with this command line once it is ready, then stop it
    #[arg(long, value_name = "CMD", help_heading = "Session")]
    pub workload: Option<String>,

    /// How long the container is left alone, after the workload if there is one, before it is stopped; without this and
    /// a workload it is left until it ends
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Session")]
    pub duration: Option<Duration>,

    /// The container is ready when this port accepts connections, or when this command line succeeds, beside passing
    /// the image's own health check
    #[arg(long, value_name = "PORT|CMD", value_parser = ready, help_heading = "Session")]
    pub ready: Option<Ready>,

    /// How long it may take to get ready
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2m", help_heading = "Session")]
    pub ready_timeout: Duration,

    /// How long the workload may take
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30m", help_heading = "Session")]
    pub workload_timeout: Duration,

    /// Who runs the container
    #[arg(long, value_enum, default_value_t = EngineName::Docker, help_heading = "Container")]
    pub engine: EngineName,

    /// The filter that the container is observed under: none, the engine's own, or a profile. What a filter denies does
    /// not reach the kernel's table of calls and is not observed
    #[arg(long, value_name = "none|default|FILE", value_parser = seccomp, default_value = "none", help_heading = "Container")]
    pub seccomp: SeccompChoice,

    /// The command and its arguments, in place of the image's
    #[arg(
        long,
        value_name = "CMD ARGS",
        allow_hyphen_values = true,
        help_heading = "Container"
    )]
    pub command: Option<String>,

    /// The entry point in place of the image's, whose command is dropped, too
    #[arg(long, value_name = "PROGRAM", help_heading = "Container")]
    pub entrypoint: Option<String>,

    /// Set an environment variable (repeatable)
    #[arg(long = "env", short = 'e', value_name = "NAME=VALUE", value_parser = variable, help_heading = "Container")]
    pub environment: Vec<(String, String)>,

    /// The user that the container runs as, in place of the image's
    #[arg(long, short = 'u', value_name = "USER", help_heading = "Container")]
    pub user: Option<String>,

    /// A port that the workload connects to, in place of those that the image says it listens on (repeatable)
    #[arg(long, short = 'p', value_name = "PORT", help_heading = "Container")]
    pub port: Vec<u16>,

    /// Say nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
}

/// Flags of `confine compare`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct CompareArguments {
    /// The report, as `confine profile --report` or `confine inspect --format json` writes it; `-` is the standard input
    #[arg(value_name = "REPORT")]
    pub report: PathBuf,

    /// The record, as `confine observe` writes it; `-` is the standard input
    #[arg(value_name = "RECORD")]
    pub record: PathBuf,

    /// What the comparison is shown as
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,

    /// Also list what was foreseen and not observed
    #[arg(long)]
    pub unseen: bool,
}

/// Who runs a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// Docker's engine
    Docker,
    /// podman
    Podman,
    /// runc, without an engine
    Runc,
    /// crun, without an engine
    Crun,
}

/// The filter that a container is observed under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeccompChoice {
    /// None.
    None,
    /// The engine's own.
    Default,
    /// A profile of the user's.
    File(PathBuf),
}

/// What a comparison is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// Lines to read
    Text,
    /// JSON, with everything
    Json,
}

impl EngineName {
    /// The program's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => 0,
    };
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(unit));
    let seconds = seconds.filter(|_| unit > 0);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a time like 90, 90s, 5m or 1h".to_owned())
}

fn ready(text: &str) -> Result<Ready, String> {
    match text.parse() {
        Ok(0) => Err("expected a port from 1 to 65535, or a command line".to_owned()),
        Ok(port) => Ok(Ready::Port(port)),
        Err(_) if text.trim().is_empty() => Err("expected a port or a command line".to_owned()),
        Err(_) => Ok(Ready::Command(text.to_owned())),
    }
}

fn seccomp(text: &str) -> Result<SeccompChoice, String> {
    Ok(match text {
        "none" => SeccompChoice::None,
        "default" => SeccompChoice::Default,
        "" => return Err("expected none, default or a file".to_owned()),
        path => SeccompChoice::File(PathBuf::from(path)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, expected) in [
            ("90", Some(90)),
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("1h", Some(3600)),
            ("", None),
            ("s", None),
            ("5 m", None),
            ("5d", None),
            ("-5", None),
            ("99999999999999999999", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(duration(text).ok(), expected.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn ports_and_commands_are_told_apart() {
        for (text, expected) in [
            ("80", Some(Ready::Port(80))),
            ("0", None),
            (" ", None),
            (
                "curl localhost",
                Some(Ready::Command("curl localhost".to_owned())),
            ),
            ("70000", Some(Ready::Command("70000".to_owned()))),
        ] {
            assert_eq!(ready(text).ok(), expected, "{text:?}");
        }
    }
}
