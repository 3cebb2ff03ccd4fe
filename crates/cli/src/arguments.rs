//! Every flag, declared once: parsing, help, completions and the manual page come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::asked::{self, AskedCall};

mod analysis;
mod check;
mod filter;
mod harden;
mod observe;
mod subjects;

pub use analysis::{AnalysisArguments, RestrictedArguments, RuntimeName, StatisticsFormat};
pub use check::{CheckArguments, CheckFormat, RunningArguments};
pub use filter::{
    AssemblyFormat, CompilerArguments, Entry, FilterAction, FilterArguments, FilterAsmArguments, FilterInput,
    FilterRunArguments,
};
pub use harden::{HardenArguments, MountArguments, RunArguments, WishArguments};
pub use observe::{CompareArguments, CompareFormat, EngineName, ObserveArguments, SeccompChoice};
pub use subjects::{CveArguments, CveFormat, DiffArguments, DiffFormat, Within};
use subjects::{SUBJECT, SUBJECT_HELP};

/// What every help text ends with.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  a gate was not passed, or there is a difference
  2  usage or bad input
  3  the analysis is incomplete, under --strict
  4  a check failed";

const EXAMPLES: &str = "\
Examples:
  confine profile nginx -o nginx.json
  docker run --security-opt seccomp=nginx.json nginx

  docker save my/server | confine profile - > server.json
  confine profile oci:layout:1.2 --also 'pg_isready -q' --report report.json -o profile.json
  confine profile dir:/srv/rootfs --command 'server --port 80' --env LANG=C --user www-data

  confine profile dir:/srv/rootfs --program /usr/sbin/nginx -o nginx-alone.json
  confine profile nginx --per-program policies -o nginx.json
  confine profile nginx --program nginx --format bpf -o nginx.bpf

  confine inspect docker-archive:nginx.tar
  confine why nginx setuid

  confine observe nginx --workload 'curl http://$HOST:$HOST_PORT/' -o nginx.record.json
  confine compare report.json nginx.record.json";

/// Reads a container image and writes the tightest system call policy that never breaks it
#[derive(Debug, Parser)]
#[command(name = "confine", version, after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the policy under which an image's container runs
    Profile(ProfileArguments),
    /// Show what an image runs, loads and calls, and what could not be resolved
    Inspect(InspectArguments),
    /// Show why a system call is allowed, or that it is denied
    Why(WhyArguments),
    /// Write an image in which every program starts under a policy of its own
    Harden(HardenArguments),
    /// Prepare files that do the same for an unchanged image when they are mounted
    Mount(MountArguments),
    /// Run a program of this host under a policy of its own
    Run(RunArguments),
    /// Look into the filter that the kernel runs for a policy
    Filter(FilterArguments),
    /// Run an image's container without and with its policy, and tell what differs and what is denied
    Check(Box<CheckArguments>),
    /// Run an image's container and record what it does, without loss
    Observe(Box<ObserveArguments>),
    /// Hold what was observed against what was foreseen
    Compare(CompareArguments),
    /// Show which vulnerabilities of the kernel a policy takes away, and which stay open
    #[command(mut_arg("image", |image| image.index(1).value_name("IMAGE|REPORT|PROFILE").help(SUBJECT).long_help(SUBJECT_HELP)))]
    Cve(CveArguments),
    /// Show what changes between two images, reports or profiles, and fail where it must not
    #[command(mut_arg("image", |image| image.index(1).value_name("OLD").help(SUBJECT).long_help(SUBJECT_HELP)))]
    Diff(DiffArguments),
    /// Show or empty the cache, where what was found about programs and libraries is kept by their contents
    Cache(CacheArguments),
    /// Write a shell's completion script to the standard output
    Completions(CompletionsArguments),
    /// Write a manual page to the standard output
    #[command(hide = true)]
    Man(ManArguments),
}

/// Flags of `confine profile`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct ProfileArguments {
    /// What to analyse and how.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// Where the container's profile goes; `-` is the standard output, where it also goes without --per-program
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write into this folder, which is made if it is not there, the policy of every program: for a filter that goes in when
    /// that program starts; index.json says which file is whose
    #[arg(long, value_name = "DIR", conflicts_with = "program")]
    pub per_program: Option<PathBuf>,

    /// What profiles are written as
    #[arg(long, value_enum, default_value_t = ProfileFormat::Oci)]
    pub format: ProfileFormat,

    /// Allow nothing that this bound denies: what a container does not have today, it cannot lose
    #[arg(long, value_enum, value_name = "BOUND")]
    pub within: Option<Within>,
    /// How a policy becomes a filter.
    #[command(flatten)]
    pub compiler: CompilerArguments,

    /// Also write the report: everything that was found, for machines
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Also allow what a record of `confine observe` holds and the analysis has not foreseen, marked as observed
    /// (repeatable)
    #[arg(long, value_name = "RECORD")]
    pub observed: Vec<PathBuf>,

    /// Fail if anything could not be resolved, and write no profile then
    #[arg(long)]
    pub strict: bool,
}

/// Flags of `confine inspect`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct InspectArguments {
    /// What to analyse and how.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// What the findings are shown as
    #[arg(long, value_enum, default_value_t = InspectFormat::Table)]
    pub format: InspectFormat,

    /// Fail if anything could not be resolved, after showing it
    #[arg(long)]
    pub strict: bool,
}

/// Flags of `confine why`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct WhyArguments {
    /// What to analyse and how.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// The system call, by name or number; with a value of one of its arguments, as ioctl=TCGETS, ioctl=0x5401,
    /// setsockopt.optname=SO_REUSEADDR or 'mmap.prot=PROT_READ|PROT_EXEC': that value
    #[arg(value_name = "CALL[.ARGUMENT][=VALUE]", value_parser = asked::call)]
    pub call: AskedCall,
}

/// Flags of `confine cache`.
#[derive(Debug, Args)]
pub struct CacheArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub action: CacheAction,
}

/// What to do with the cache.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CacheAction {
    /// Show where it is, how much it holds and how much it may
    Info,
    /// Remove everything in it
    Clear,
}

/// Flags of `confine completions`.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Flags of `confine man`.
#[derive(Debug, Args)]
pub struct ManArguments {
    /// The subcommand that the page is about; all of confine if it is left out
    pub subcommand: Option<String>,
}

/// What a profile is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProfileFormat {
    /// JSON of the OCI runtime specification, for Docker, podman, containerd, CRI-O, runc and crun
    Oci,
    /// A filter as the kernel takes it, in classic BPF, for seccomp(2) or `bwrap --seccomp`; a policy that needs several has
    /// the others in files with a number behind the name
    Bpf,
    /// The Kubernetes Security Profiles Operator's resource
    Kubernetes,
    /// A drop-in for a systemd service: names of calls only
    Systemd,
    /// A line of a Containerfile that puts the profile into an image's label, for podman
    Podman,
}

/// What findings are shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InspectFormat {
    /// Tables
    Table,
    /// The report, for machines
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_declaration_is_sound() {
        Arguments::command().debug_assert();
    }
}
