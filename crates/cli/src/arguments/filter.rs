//! Flags of `confine filter`, and how policies become filters.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use confine_bpf::Action;

use super::AnalysisArguments;
use crate::asked;

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

/// How a policy becomes a filter.
#[derive(Debug, Args)]
pub struct CompilerArguments {
    /// What a filter answers to denied calls: errno:NUMBER, kill-process, kill-thread, trap or log; errno:38 (ENOSYS) unless
    /// a profile says something else
    #[arg(long, value_name = "ACTION", help_heading = "Filter")]
    pub denied: Option<Action>,

    /// How often calls are made, lines of `NAME [SIX ARGUMENTS] COUNT`: frequent ones come first
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
