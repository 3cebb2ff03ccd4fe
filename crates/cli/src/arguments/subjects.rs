//! Flags of the commands that look at a policy, wherever it comes from.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{AnalysisArguments, EXIT_CODES};
use crate::commands::diff::{self, Gate};

/// What a subject is, in short.
pub(super) const SUBJECT: &str = "An image, a report or a profile (see --help)";

/// What a subject is.
pub(super) const SUBJECT_HELP: &str = "\
An image, by anything that `confine profile` takes; or a file that `confine profile --report` wrote; or a seccomp profile of \
Docker or the OCI runtime specification, whoever wrote it. `-` is any of them on the standard input";

const CVE_EXAMPLES: &str = "\
Examples:
  confine cve nginx
  confine cve nginx.json CVE-2022-0847 CVE-2024-1086
  confine cve report.json --program /usr/sbin/nginx --format json -o cves.json
  confine cve nginx.json --cap-add CAP_NET_ADMIN";

const DIFF_EXAMPLES: &str = "\
Examples:
  confine diff nginx:1.27 nginx:1.28
  confine diff released.json docker-archive:built.tar --fail-on added --format markdown -o comment.md
  confine diff old-profile.json new-profile.json --fail-on io_uring_setup";

/// Flags of `confine cve`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{CVE_EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct CveArguments {
    /// What to analyse and how, where it is an image.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// Only these, with the ways to each
    #[arg(value_name = "CVE-ID", index = 2)]
    pub ids: Vec<String>,

    /// A capability that the container has besides those that Docker gives, as CAP_NET_ADMIN; ALL for every one
    /// (repeatable)
    #[arg(long = "cap-add", value_name = "CAPABILITY")]
    pub capabilities: Vec<String>,

    /// What the answer is shown as
    #[arg(long, value_enum, default_value_t = CveFormat::Table)]
    pub format: CveFormat,

    /// Where the answer goes; `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

/// What `confine cve` shows its answer as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CveFormat {
    /// A table; with CVE-IDs, a paragraph for each
    Table,
    /// JSON, for machines
    Json,
}

/// Flags of `confine diff`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{DIFF_EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct DiffArguments {
    /// What to analyse and how, where it is an image.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// The one that the old one is compared with; likewise
    #[arg(value_name = "NEW", index = 2)]
    pub new: String,

    /// End with 1 if this is there (repeatable): added (a call), values (arguments of a call, or a call), program, object,
    /// assumption, any (difference), or the name of a call that is added
    #[arg(long, value_name = "WHAT", value_parser = diff::gate)]
    pub fail_on: Vec<Gate>,

    /// What the difference is shown as
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,

    /// Where the difference goes; `-` is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

/// What `confine diff` shows a difference as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// Lines to read
    Text,
    /// JSON, for machines
    Json,
    /// Markdown, for comments on a merge request
    Markdown,
    /// SARIF, for code hosts
    Sarif,
}
