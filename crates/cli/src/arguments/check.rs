//! Flags of `confine check`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use confine_engine::Ready;

use super::observe::duration;
use super::{AnalysisArguments, EXIT_CODES, EngineName};

const CHECK_HELP: &str = "\
The workload is run by the host's shell and finds in its environment:
  CONTAINER       the container's name
  HOST            where its ports answer
  HOST_PORT       the port of that host that leads to its first port
  HOST_PORT_80    the one that leads to port 80, and so on
  INSIDE          a command that executes its arguments in the container
  SIGNAL          a command that sends the named signal to its first process

What it prints is compared line by line, so it should print answers and counts.

Examples:
  confine check nginx --workload 'curl -s http://$HOST:$HOST_PORT/'
  confine check redis --hardened --workload 'redis-cli -h $HOST -p $HOST_PORT ping'
  confine check my/server --policy server.json --workload-file smoke-test.sh --runs 3
  confine check redis --inside 'redis-cli ping' --format junit -o check.xml
  confine check my/job --ready end";

/// Flags of `confine check`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{CHECK_HELP}\n\n{EXIT_CODES}"))]
pub struct CheckArguments {
    /// What to analyse and how.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// A policy to check: a profile, or a folder of profiles (repeatable); the image's own one if none is given
    #[arg(long, value_name = "FILE|DIR", help_heading = "Check")]
    pub policy: Vec<PathBuf>,

    /// Also check the image hardened: each program under its own policy besides, as `confine harden` gives it one
    #[arg(long, help_heading = "Check")]
    pub hardened: bool,

    /// How the container runs.
    #[command(flatten)]
    pub running: RunningArguments,

    /// How many times it runs without a policy, to learn what varies by itself, and with each
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=20), help_heading = "Check")]
    pub runs: u8,

    /// Let it pass if calls are denied and nothing else differs
    #[arg(long, help_heading = "Check")]
    pub tolerate_denied: bool,

    /// Where the result goes; `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,

    /// What the result is written as
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub format: CheckFormat,
}

/// How a container runs: shared by every command that runs one.
#[derive(Debug, Args)]
pub struct RunningArguments {
    /// What runs the container
    #[arg(long, value_enum, default_value_t = EngineName::Docker, help_heading = "Running")]
    pub engine: EngineName,

    /// A line for the host's shell that uses the container once it is ready (see --help)
    #[arg(
        long,
        value_name = "CMD",
        conflicts_with = "workload_file",
        help_heading = "Running"
    )]
    pub workload: Option<String>,

    /// A script for the host's shell in place of --workload
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    pub workload_file: Option<PathBuf>,

    /// A command that is executed in the running container, and taken in by the analysis (repeatable)
    #[arg(long = "inside", value_name = "CMD ARGS", help_heading = "Running")]
    pub executed: Vec<String>,

    /// A port to publish on the loopback interface, besides those that the image exposes (repeatable)
    #[arg(long = "port", value_name = "PORT", help_heading = "Running")]
    pub ports: Vec<u16>,

    /// When it is ready: PORT, 'log:TEXT', a time as 5s, 'end', or a line for the host's shell that succeeds then; in any
    /// case after its image's health check [default: its first port answers, or 3s]
    #[arg(long, value_name = "WHEN", value_parser = ready, help_heading = "Running")]
    pub ready: Option<Ready>,

    /// How long it may take to get ready
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, help_heading = "Running")]
    pub ready_timeout: Duration,

    /// How long a workload may take
    #[arg(long, value_name = "TIME", default_value = "300s", value_parser = duration, help_heading = "Running")]
    pub timeout: Duration,

    /// How long it may take to heed its stop signal
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = duration, help_heading = "Running")]
    pub stop_timeout: Duration,
}

/// What a check's result is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// Lines to read
    Text,
    /// Everything, for machines
    Json,
    /// XML that systems for continuous integration read
    Junit,
    /// JSON that code scanning services read
    Sarif,
}

fn ready(text: &str) -> Result<Ready, String> {
    if let Some(text) = text.strip_prefix("log:") {
        return match text {
            "" => Err("expected the text that it writes, after `log:`".to_owned()),
            text => Ok(Ready::Log(text.to_owned())),
        };
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let port = text.parse().ok().filter(|port| *port != 0);
        return port
            .map(Ready::Port)
            .ok_or_else(|| "expected a port from 1 to 65535".to_owned());
    }
    if let Ok(time) = duration(text) {
        return Ok(Ready::Time(time));
    }
    Ok(match text {
        "end" => Ready::End,
        line => Ready::Command(line.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_readiness_are_told_apart() {
        for (text, expected) in [
            ("80", Some(Ready::Port(80))),
            ("0", None),
            ("70000", None),
            ("3s", Some(Ready::Time(Duration::from_secs(3)))),
            ("2m", Some(Ready::Time(Duration::from_secs(120)))),
            (
                "log:ready to serve",
                Some(Ready::Log("ready to serve".to_owned())),
            ),
            ("log:", None),
            ("end", Some(Ready::End)),
            (
                "curl -f localhost",
                Some(Ready::Command("curl -f localhost".to_owned())),
            ),
        ] {
            assert_eq!(ready(text).ok(), expected, "{text}");
        }
    }
}
