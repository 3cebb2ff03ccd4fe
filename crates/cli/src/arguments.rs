//! Every flag, declared once: parsing, help, completions and the manual page come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use confine_bpf::Action;
use confine_image::Platform;
use confine_kernel::Runtime;
use confine_solve::WantedArguments;
use serde::Deserialize;

use crate::asked::{self, AskedCall};
use crate::options::{AddressTaken, Exec};

mod check;
mod harden;
mod observe;
mod subjects;

pub use check::{CheckArguments, CheckFormat, RunningArguments};
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

/// What filters are made from.
const FILTER_INPUTS: &str = "\
IMAGE may also be
  a report of confine, of which the container's policy is taken, or with --program that of one program
  a profile of the OCI runtime specification, as `confine profile` writes it
  a filter as the kernel takes it, as `confine profile --format bpf` writes it
  -  one of these three on the standard input

Examples:
  confine filter show nginx.json
  confine filter run nginx.json ioctl 1 TCGETS
  confine filter run --entry i386 nginx.json 11
  confine filter asm --format raw nginx.json -o nginx.bpf";

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

/// How a policy becomes a filter.
#[derive(Debug, Args)]
pub struct CompilerArguments {
    /// What a filter answers to denied calls: errno:NUMBER, kill-process, kill-thread, trap or log; errno:38 (ENOSYS) unless
    /// a profile says something else
    #[arg(long, value_name = "ACTION", help_heading = "Filter")]
    pub denied: Option<Action>,

    /// How often which call is made, a line `NAME COUNT` each: frequent ones are decided first
    #[arg(long, value_name = "FILE", help_heading = "Filter")]
    pub weights: Option<PathBuf>,
}

/// Flags of `confine filter`.
#[derive(Debug, Args)]
#[command(after_help = FILTER_INPUTS)]
pub struct FilterArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub action: FilterAction,
}

/// What to do with a filter.
#[derive(Debug, Subcommand)]
pub enum FilterAction {
    /// Show the instructions, with what is compared and which calls get where
    #[command(after_help = FILTER_INPUTS)]
    Show(FilterInput),
    /// Write the instructions for other tools
    #[command(after_help = FILTER_INPUTS)]
    Asm(FilterAsmArguments),
    /// Say what happens to a call, and what it costs to know
    #[command(after_help = FILTER_INPUTS)]
    Run(FilterRunArguments),
}

/// A filter, or what one is made from.
#[derive(Debug, Args)]
pub struct FilterInput {
    /// What to analyse and how, where it is an image.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// How a policy becomes a filter.
    #[command(flatten)]
    pub compiler: CompilerArguments,
}

/// Flags of `confine filter asm`.
#[derive(Debug, Args)]
pub struct FilterAsmArguments {
    /// The filter.
    #[command(flatten)]
    pub input: FilterInput,

    /// What the instructions are written as
    #[arg(long, value_enum, default_value_t = AssemblyFormat::Asm)]
    pub format: AssemblyFormat,

    /// Where they go; `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

/// Flags of `confine filter run`.
#[derive(Debug, Args)]
pub struct FilterRunArguments {
    /// The filter.
    #[command(flatten)]
    pub input: FilterInput,

    /// The system call, by name or number
    #[arg(value_name = "CALL", value_parser = asked::any_number)]
    pub call: u32,

    /// Its arguments, by number or by the names of constants; those that are left out are 0
    #[arg(value_name = "ARGUMENT", num_args = 0..=6, allow_negative_numbers = true)]
    pub arguments: Vec<String>,

    /// The way by which the call comes into the kernel
    #[arg(long, value_enum, default_value_t = Entry::X8664, value_name = "ENTRY", help_heading = "Filter")]
    pub entry: Entry,
}

/// What instructions are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AssemblyFormat {
    /// The language of the kernel's bpf_asm
    Asm,
    /// Elements of an array of struct sock_filter
    C,
    /// The bytes that the kernel takes
    Raw,
}

/// A way by which calls come into the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Entry {
    /// The instruction `syscall`
    #[value(name = "x86-64")]
    X8664,
    /// The instruction `syscall` with the bit of x32 in the number
    X32,
    /// `int 0x80`, whose numbers are those of 32-bit programs
    I386,
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

fn variable(text: &str) -> Result<(String, String), String> {
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_declaration_is_sound() {
        Arguments::command().debug_assert();
    }

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
