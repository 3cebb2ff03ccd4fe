//! Flags of the commands that put policies where programs start.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use confine_image::Target;

use super::AnalysisArguments;

const HARDEN_EXAMPLES: &str = "\
Examples:
  confine harden nginx -o docker-daemon:nginx-confined --profile nginx.json
  docker run --security-opt seccomp=nginx.json nginx-confined

  confine harden docker-archive:app.tar -o oci:layout:1.2 --only /usr/bin/server --deny-unknown

The output is the digest of the image that was written.";

const MOUNT_EXAMPLES: &str = "\
Examples:
  confine mount nginx -o /etc/confine/nginx

The output tells how to mount the files: for docker run, Compose and Kubernetes.";
/// Flags of `confine harden`.
#[derive(Debug, Args)]
#[command(after_help = HARDEN_EXAMPLES)]
pub struct HardenArguments {
    /// What to analyse and how.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// Where the image goes: docker-archive:FILE[:NAME], oci-archive:FILE[:NAME], oci:DIR[:NAME] or docker-daemon:NAME
    #[arg(short, long, value_name = "TARGET", value_parser = target)]
    pub output: Target,

    /// Where the profile goes that the container runs under
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,

    /// Which programs, and what about the others.
    #[command(flatten)]
    pub wishes: WishArguments,
}

/// Flags of `confine mount`.
#[derive(Debug, Args)]
#[command(after_help = MOUNT_EXAMPLES)]
pub struct MountArguments {
    /// What to analyse and how.
    #[command(flatten)]
    pub analysis: AnalysisArguments,

    /// The folder that the files go to
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,

    /// Which programs, and what about the others.
    #[command(flatten)]
    pub wishes: WishArguments,
}

/// Which programs get a policy of their own, and what about the others.
#[derive(Debug, Args)]
pub struct WishArguments {
    /// Give only this program a policy of its own, by its path or name (repeatable)
    #[arg(long, value_name = "PROGRAM", help_heading = "Programs")]
    pub only: Vec<String>,

    /// Let no dynamically linked program start that the analysis did not find
    #[arg(long, help_heading = "Programs")]
    pub deny_unknown: bool,

    /// Also confine programs that execute set-user-ID programs, which then get no privileges: as in containers that
    /// run with no-new-privileges anyway
    #[arg(long, help_heading = "Programs")]
    pub no_new_privileges: bool,

    /// Fail if anything could not be resolved, and write nothing then
    #[arg(long)]
    pub strict: bool,
}

fn target(text: &str) -> Result<Target, String> {
    text.parse()
        .map_err(|error: confine_image::Error| error.to_string())
}

const RUN_EXAMPLES: &str = "\
Examples:
  confine run -- redis-server --port 7777
  confine profile dir:/ --program /usr/bin/redis-server -o redis.json
  confine run --profile redis.json -- redis-server
  confine run --audit --profile redis.json -- redis-server

A denied call fails with ENOSYS. The program cannot gain privileges (no_new_privs), and /proc/self/exe is the loader that \
holds the policy.

With --audit nothing is denied. What the policy would deny is written to standard error when the program and all that it \
started have ended, each call with its arguments, the place that made it, and whether the analysis foresaw it: then the \
way to it. The exit code is the program's, 128 and the signal's number if one ended it. It needs Linux 5.19 or later, and \
no root.";

/// Flags of `confine run`.
#[derive(Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub struct RunArguments {
    /// The policy, as a profile of the OCI runtime specification; by an analysis of the program if it is left out
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,

    /// Deny nothing, and tell in the end what would have been denied
    #[arg(long)]
    pub audit: bool,

    /// Compute everything anew, and keep nothing of the analysis for the next time
    #[arg(long)]
    pub no_cache: bool,

    /// Say nothing but errors
    #[arg(long, short)]
    pub quiet: bool,

    /// The program and its arguments
    #[arg(
        value_name = "CMD ARGS",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<OsString>,
}
