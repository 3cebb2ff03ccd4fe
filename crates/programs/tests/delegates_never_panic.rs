//! No configuration, however broken, ends the search: random bytes and random pieces of every family's syntax.
#![allow(missing_docs)]

use confine_image::{Config, MemoryFiles};
use confine_programs::{Asked, Programs, find};
use proptest::prelude::*;

/// Every configuration that is read, all with the same text.
const FILES: &[&str] = &[
    "/etc/crontab",
    "/etc/cron.d/jobs",
    "/var/spool/cron/crontabs/root",
    "/etc/anacrontab",
    "/etc/supervisord.conf",
    "/etc/inittab",
    "/etc/inetd.conf",
    "/etc/xinetd.conf",
    "/etc/monitrc",
    "/etc/incron.d/a",
    "/etc/ssh/sshd_config",
    "/etc/passwd",
    "/etc/postfix/main.cf",
    "/etc/postfix/master.cf",
    "/etc/aliases",
    "/etc/s6-rc/a/type",
    "/etc/s6-rc/a/up",
    "/sv/a/run",
    "/sv/a/finish",
    "/etc/systemd/system/default.target",
    "/etc/systemd/system/a@.service",
    "/etc/systemd/system/default.target.d/a.conf",
    "/usr/share/dbus-1/system-services/a.service",
    "/script",
];

const COMMANDS: &[&str] = &[
    "cron",
    "crontab /script",
    "anacron",
    "supervisord",
    "execlineb -P /script x",
    "execlineb -s1c",
    "s6-svscan /sv",
    "s6-rc change",
    "runsvdir /sv",
    "init",
    "systemd",
    "systemctl start a@b.service",
    "inetd",
    "xinetd",
    "monit",
    "incrond",
    "sshd",
    "login",
    "postfix start",
    "master",
    "sendmail",
    "foreground  a",
    "forx x  a",
];

fn search(text: &[u8], command: &str) -> Programs {
    let mut files = MemoryFiles::new()
        .program("/bin/sh", &b"\x7fELF"[..])
        .program("/bin/one", &b"\x7fELF"[..]);
    for path in FILES {
        files = files.program(path, text.to_vec());
    }
    for command in COMMANDS {
        let name = command.split(' ').next().unwrap_or_default();
        files = files.program(&format!("/bin/{name}"), &b"\x7fELF"[..]);
    }
    let config = Config {
        cmd: command.split(' ').map(str::to_owned).collect(),
        workdir: "/".to_owned(),
        ..Config::default()
    };
    find(
        &files,
        &config,
        Asked {
            also: &["one".to_owned()],
            ..Asked::default()
        },
    )
}

/// Every search came to its end, so that what was named is there.
fn check(text: &[u8]) {
    for command in COMMANDS {
        let found = search(text, command);
        assert!(
            found.programs.iter().any(|program| program.path == "/bin/one"),
            "{command}: {:?}",
            String::from_utf8_lossy(text)
        );
    }
}

const PIECES: &[&str] = &[
    "* * * * * ",
    "@daily ",
    "root ",
    "one ",
    "\n",
    "\n ",
    "=",
    ":",
    "::",
    "#",
    ";",
    "\\",
    "\\\n",
    "\"",
    "'",
    "%",
    "%(",
    ")s",
    "%(ENV_X)s",
    "%i",
    "${",
    "}",
    "$X",
    "$",
    "{",
    " } ",
    "| ",
    "[program:x]\n",
    "[include]\n",
    "[Service]\n",
    "[",
    "]",
    "command=",
    "files=/etc/*.conf\n",
    "environment=A=",
    "ExecStart=",
    "Wants=a@b.service\n",
    "EnvironmentFile=/script\n",
    "Environment=X=",
    "include /etc/monitrc\n",
    "includedir /etc\n",
    "Include *\n",
    "service x\n{\nserver = /bin/one\n}\n",
    "check program x with path ",
    "exec ",
    "start program = ",
    "Subsystem x ",
    "ForceCommand ",
    "AuthorizedKeysCommand ",
    "smtp inet n - y - - smtpd",
    "argv=",
    "alias_maps=hash:/etc/aliases\n",
    "x: \"|",
    "oneshot",
    "foreground { one } ",
    "importas X Y ",
    "define X ",
    "multisubstitute { ",
    "x:x:0:0::/:/bin/sh\n",
    "x:2:respawn:",
    "é",
    "\u{FDD0}",
    "\u{FDD2}",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn on_random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        check(&bytes);
    }

    #[test]
    fn on_pieces_of_configurations(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..48)) {
        check(pieces.concat().as_bytes());
    }
}

#[test]
fn on_what_repeats_and_nests() {
    for piece in PIECES {
        check(piece.repeat(400).as_bytes());
    }
}

#[test]
fn on_what_leads_back() {
    for text in [
        "* * * * * root cron\n* * * * * cron; sh /script\n",
        "[program:x]\ncommand=supervisord\n[include]\nfiles=/etc/*\n",
        "[Unit]\nWants=a@1.service default.target\n[Service]\nExecStart=systemctl restart a@%i%i.service\n",
        "foreground { execlineb -P /script } execlineb -P /script x $@",
    ] {
        check(text.as_bytes());
    }
}
