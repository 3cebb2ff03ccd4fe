//! The table of wrappers.

/// Where the command is in a wrapper's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// After the options and this many operands.
    AfterOperands(usize),
    /// The same, and assignments `NAME=value` are skipped.
    AfterAssignments,
    /// Between `-exec` (and its relatives) and `;` or `+`.
    Find,
    /// The text after `-c`, or else the rest after the operands.
    TextOption(usize),
    /// The whole rest joined is a text for a shell.
    Text,
    /// The program after `--exec` or `--startas`, the arguments after `--`.
    StartStopDaemon,
    /// The operand is a folder of executables.
    Folder,
    /// The rest after `--`, and if there is none, nothing.
    AfterDashes,
}

pub struct Row {
    /// What the program is called.
    pub names: &'static [&'static str],
    /// Where its command is.
    pub shape: Shape,
    /// Options that take the next word as their value, one letter or long.
    pub valued: &'static [&'static str],
    /// Why it is here.
    pub reason: &'static str,
}

const fn row(
    names: &'static [&'static str],
    shape: Shape,
    valued: &'static [&'static str],
    reason: &'static str,
) -> Row {
    Row {
        names,
        shape,
        valued,
        reason,
    }
}

/// Every wrapper that is known.
pub const TABLE: &[Row] = &[
    row(
        &["env"],
        Shape::AfterAssignments,
        &["-u", "--unset", "-C", "--chdir", "-a", "--argv0"],
        "runs a command in a changed environment",
    ),
    row(
        &["nice"],
        Shape::AfterOperands(0),
        &["-n", "--adjustment"],
        "runs a command with another priority",
    ),
    row(
        &["ionice"],
        Shape::AfterOperands(0),
        &["-c", "--class", "-n", "--classdata"],
        "runs a command with another I/O priority",
    ),
    row(
        &["chrt"],
        Shape::AfterOperands(1),
        &["-T", "-P", "-D"],
        "runs a command under a scheduling policy",
    ),
    row(
        &["taskset"],
        Shape::AfterOperands(1),
        &[],
        "runs a command on some processors",
    ),
    row(
        &["numactl"],
        Shape::AfterOperands(0),
        &["-i", "-p", "-m", "-N", "-C"],
        "runs a command on some memory nodes",
    ),
    row(
        &["prlimit"],
        Shape::AfterOperands(0),
        &["-o", "--output"],
        "runs a command under limits",
    ),
    row(
        &["timeout"],
        Shape::AfterOperands(1),
        &["-s", "--signal", "-k", "--kill-after"],
        "runs a command for some time",
    ),
    row(
        &["time"],
        Shape::AfterOperands(0),
        &["-f", "--format", "-o", "--output"],
        "measures a command",
    ),
    row(
        &[
            "nohup",
            "setsid",
            "eatmydata",
            "linux32",
            "linux64",
            "command",
            "unbuffer",
        ],
        Shape::AfterOperands(0),
        &[],
        "runs a command detached or unchanged",
    ),
    row(
        &["setarch"],
        Shape::AfterOperands(1),
        &[],
        "runs a command under a personality",
    ),
    row(
        &["stdbuf"],
        Shape::AfterOperands(0),
        &["-i", "--input", "-o", "--output", "-e", "--error"],
        "runs a command with other buffers",
    ),
    row(
        &["chroot"],
        Shape::AfterOperands(1),
        &["--userspec", "--groups"],
        "runs a command with another root",
    ),
    row(
        &["unshare", "nsenter"],
        Shape::AfterOperands(0),
        &["-S", "-G", "-t", "--setuid", "--setgid", "--target", "-R", "-w"],
        "runs a command in other namespaces",
    ),
    row(
        &["setpriv"],
        Shape::AfterOperands(0),
        &[
            "--reuid",
            "--regid",
            "--groups",
            "--inh-caps",
            "--ambient-caps",
            "--bounding-set",
            "--securebits",
            "--pdeathsig",
            "--selinux-label",
            "--apparmor-profile",
        ],
        "runs a command with other rights",
    ),
    row(
        &[
            "gosu",
            "su-exec",
            "setuidgid",
            "envuidgid",
            "faketime",
            "envdir",
            "pidproxy",
        ],
        Shape::AfterOperands(1),
        &[],
        "runs a command as a user, in an environment or behind a pid file",
    ),
    row(
        &["chpst", "softlimit"],
        Shape::AfterOperands(0),
        &[
            "-u", "-U", "-e", "-/", "-n", "-l", "-L", "-m", "-d", "-o", "-p", "-f", "-c", "-b", "-a", "-s",
            "-r", "-t",
        ],
        "runs a command with a changed process state",
    ),
    row(
        &["sudo", "doas"],
        Shape::AfterAssignments,
        &[
            "-u", "--user", "-g", "--group", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R",
        ],
        "runs a command as a user",
    ),
    row(
        &["runuser", "su"],
        Shape::TextOption(1),
        &[
            "-u",
            "--user",
            "-g",
            "--group",
            "-G",
            "--supp-group",
            "-s",
            "--shell",
            "-w",
        ],
        "runs a user's shell or a command as a user",
    ),
    row(
        &["tini", "tini-static", "docker-init", "catatonit"],
        Shape::AfterOperands(0),
        &["-p", "-e"],
        "the first process, which starts the command",
    ),
    row(
        &["dumb-init"],
        Shape::AfterOperands(0),
        &["-r", "--rewrite"],
        "the first process, which starts the command",
    ),
    row(
        &["xargs"],
        Shape::AfterOperands(0),
        &[
            "-I",
            "-n",
            "-P",
            "-d",
            "-E",
            "-L",
            "-s",
            "-a",
            "--max-args",
            "--max-procs",
            "--delimiter",
            "--arg-file",
            "--max-lines",
            "--max-chars",
        ],
        "runs a command with words that it reads",
    ),
    row(&["find"], Shape::Find, &[], "runs a command for files"),
    row(
        &["flock"],
        Shape::TextOption(1),
        &["-w", "--timeout", "-E", "--conflict-exit-code"],
        "runs a command under a lock",
    ),
    row(
        &["script"],
        Shape::TextOption(1),
        &["-T", "-I", "-O", "-B"],
        "runs a command and records it",
    ),
    row(
        &["watch"],
        Shape::Text,
        &["-n", "--interval"],
        "runs a command again and again",
    ),
    row(
        &["start-stop-daemon"],
        Shape::StartStopDaemon,
        &[],
        "starts a daemon",
    ),
    row(
        &["run-parts"],
        Shape::Folder,
        &["-a", "--arg", "--regex", "-u", "--umask"],
        "runs every program of a folder",
    ),
    row(
        &["capsh"],
        Shape::AfterDashes,
        &[],
        "runs a shell with other capabilities",
    ),
    row(
        &[
            "dbus-run-session",
            "xvfb-run",
            "ssh-agent",
            "authbind",
            "dbus-launch",
        ],
        Shape::AfterOperands(0),
        &["-n", "-s", "-e", "-f", "-p", "--config-file"],
        "runs a command with a helper beside it",
    ),
];
