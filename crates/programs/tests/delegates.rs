//! Programs that execute what a configuration names: each family on a configuration as packages have it.
#![allow(missing_docs)]

use confine_assumption::Kind;
use confine_image::{Config, MemoryFiles};
use confine_programs::{Asked, Programs, find};

/// Programs that are there without being anybody's.
const PRESENT: &str = "one two three four five six tool.py dash bash run-parts cron crond anacron crontab busybox \
    s6-svscan s6-supervise s6-rc execlineb foreground define ifelse if background importas runsvdir runsv runit \
    svlogd chpst systemd systemctl init startpar inetd xinetd tcpd monit incrond lighttpd sshd sftp-server login postfix master \
    pipe smtpd local sendmail postdrop python3 mount umount nologin";

fn root() -> MemoryFiles {
    PRESENT
        .split_whitespace()
        .fold(MemoryFiles::new(), |files, name| {
            files.program(&format!("/usr/bin/{name}"), &b"\x7fELF"[..])
        })
        .link("/bin", "/usr/bin")
        .link("/usr/bin/sh", "dash")
}

fn search(files: &MemoryFiles, command: &str) -> Programs {
    let config = Config {
        cmd: command.split_whitespace().map(str::to_owned).collect(),
        workdir: "/".to_owned(),
        env: vec![("PORT".to_owned(), "six".to_owned())],
        ..Config::default()
    };
    find(files, &config, Asked::default())
}

/// The numbered programs that a command leads to, and nothing of it stays open but `open`.
fn check(files: &MemoryFiles, command: &str, expected: &str, open: &[&str]) {
    let found = search(files, command);
    let numbered = ["one", "two", "three", "four", "five", "six"];
    let names: Vec<&str> = found
        .programs
        .iter()
        .filter_map(|program| program.path.strip_prefix("/usr/bin/"))
        .collect();
    let mut present: Vec<&str> = numbered
        .iter()
        .copied()
        .filter(|name| names.contains(name))
        .collect();
    let mut expected: Vec<&str> = expected.split_whitespace().collect();
    present.sort_unstable();
    expected.sort_unstable();
    assert_eq!(present, expected, "{command}: {:#?}", found.assumptions);
    let stayed: Vec<&str> = found.assumptions.iter().map(|one| one.detail.as_str()).collect();
    assert_eq!(stayed.len(), open.len(), "{command}: {stayed:#?}");
    for (detail, expected) in stayed.iter().zip(open) {
        assert!(detail.contains(expected), "{command}: {stayed:#?}");
    }
}

#[test]
fn cron() {
    let files = root()
        .file(
            "/etc/crontab",
            "SHELL=/bin/bash\n# no\n17 * * * * root cd / && run-parts --report /etc/cron.hourly\n",
        )
        .program("/etc/cron.hourly/job", "#!/bin/sh\none\n")
        .file("/etc/cron.d/jobs", "@reboot root A=b two %three\n")
        .file(
            "/var/spool/cron/crontabs/user",
            "0 0 1 1 * four >/dev/null | five\n",
        );
    check(&files, "cron -f", "one two four five", &[]);
    check(&files, "crond -n", "one two four five", &[]);
    check(&files, "anacron -d", "", &[]);
    check(
        &root().file(
            "/etc/anacrontab",
            "A=b\n1 5 cron.daily \\\n  one\n@monthly 1 x two\n",
        ),
        "anacron -d",
        "one two",
        &[],
    );
    check(
        &root().file("/x/table", "* * * * * one\n"),
        "crontab -u root /x/table",
        "one",
        &[],
    );
    check(
        &root(),
        "crontab -",
        "",
        &["a table of jobs is taken in that is not in the image"],
    );
    check(&root(), "crontab -l", "", &[]);
}

#[test]
fn a_table_that_a_script_writes() {
    let script = "#!/bin/sh\ncrontab - <<END\n* * * * * one\nEND\necho '* * * * * two' | crontab -\n";
    check(&root().program("/entry", script), "/entry", "one two", &[]);
}

#[test]
fn busybox() {
    let applets = &b"\x7fELF\0crond\0init\0runsvdir\0sh\0"[..];
    let files = root()
        .program("/usr/bin/busybox", applets)
        .file("/etc/crontabs/root", "* * * * * one\n")
        .file("/etc/cron.d/jobs", "* * * * * root two\n")
        .file(
            "/etc/inittab",
            "::sysinit:/usr/bin/three\n# no\ntty1::respawn:-/usr/bin/four\n",
        )
        .program("/sv/a/run", "#!/bin/sh\nfive\n");
    check(&files, "busybox crond -f", "one", &[]);
    check(&files, "busybox init", "three four", &[]);
    check(&files, "busybox runsvdir /sv", "five", &[]);
    let without = root()
        .program("/usr/bin/busybox", applets)
        .program("/etc/init.d/rcS", "#!/bin/sh\none\n");
    check(
        &without,
        "busybox init",
        "one",
        &[
            "reboot is no executable of the image",
            "the script /etc/profile is not in the image",
        ],
    );
}

#[test]
fn supervisor() {
    let files = root()
        .program("/usr/local/bin/supervisord", "#!/usr/bin/python3\n")
        .file(
            "/etc/supervisor/supervisord.conf",
            "[supervisord]\nenvironment=MODE=\"x\"\n[include]\nfiles = conf.d/*.conf\n",
        )
        .file(
            "/etc/supervisor/conf.d/a.conf",
            "[program:three]\ncommand=%(program_name)s --port=%(process_num)d ; comment\n\
             [eventlistener:b]\ncommand = bash -c 'exec two \"$MODE\"'\n[fcgi-program:c]\ncommand=%(ENV_PORT)s\n",
        )
        .file("/etc/supervisor/conf.d/b.off", "[program:x]\ncommand=four\n");
    check(&files, "supervisord -n", "two three six", &[]);
    check(
        &files,
        "supervisord -c /etc/supervisor/supervisord.conf",
        "two three six",
        &[],
    );
    check(
        &files,
        "supervisord -c /none",
        "",
        &["its configuration /none is not in the image"],
    );
}

#[test]
fn s6() {
    let files = root()
        .program(
            "/sv/a/run",
            "#!/usr/bin/execlineb -P\ndefine X one\nforeground { two x } # no\nifelse { three } { four \"{\" } $X\n",
        )
        .program("/sv/a/finish", "#!/bin/sh\nfive \"$@\"\n")
        .program("/sv/b/log/run", "#!/bin/sh\nexec chpst -u log six -tt .\n")
        .file("/sv/b/type", "longrun\n");
    check(&files, "s6-svscan -t 0 /sv", "one two three four five six", &[]);
    check(&files, "s6-supervise /sv/b", "six", &[]);
    check(&files, "runsvdir -P /sv", "one two three four five six", &[]);
    check(&files, "runsv /sv/b", "six", &[]);
    check(
        &root(),
        "s6-svscan /run/service",
        "",
        &["/run/service is not in the image"],
    );
    let files = root()
        .file("/etc/s6-rc/source/once/type", "oneshot\n")
        .file("/etc/s6-rc/source/once/up", "foreground { one } two")
        .file("/etc/s6-rc/source/long/type", "longrun\n")
        .program("/etc/s6-rc/source/long/run", "#!/bin/sh\nthree\n");
    check(&files, "s6-rc -u change all", "one two three", &[]);
    check(
        &root(),
        "execlineb -Pc 'x'",
        "",
        &["'x' is no executable of the image"],
    );
    check(
        &root().file("/script", "$1 { two }"),
        "execlineb -s1 /script if",
        "two",
        &[],
    );
    let stages = root().program("/etc/runit/2", "#!/bin/sh\nexec one\n");
    check(&stages, "runit", "one", &[]);
}

#[test]
fn systemd() {
    let files = root()
        .link("/usr/sbin/init", "/usr/bin/systemd")
        .link("/etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target")
        .file("/lib/systemd/system/multi-user.target", "[Unit]\nRequires=basic.target\n")
        .link(
            "/etc/systemd/system/multi-user.target.wants/a@six.service",
            "/lib/systemd/system/a@.service",
        )
        .file(
            "/lib/systemd/system/a@.service",
            "[Unit]\nOnFailure=b.service\n[Service]\nEnvironment=\"X=y z\"\nEnvironmentFile=-/etc/default/a\n\
             ExecStartPre=-/usr/bin/one $X ; /bin/sh -c 'two'\nExecStart=@/usr/bin/%i name ${WORD} \\\n  more\n",
        )
        .file("/etc/default/a", "WORD=three\n")
        .file("/lib/systemd/system/b.service", "[Service]\nExecStart=/usr/bin/four\n")
        .file("/lib/systemd/system/off.service", "[Service]\nExecStart=/usr/bin/five\n");
    check(&files, "/usr/sbin/init", "one two six four", &[]);
    check(&files, "systemd", "one two six four", &[]);
    check(&files, "systemctl start off", "five", &[]);
    check(&files, "systemctl status off", "", &[]);
    let drop_in = root()
        .file("/lib/systemd/system/basic.target", "[Unit]\nWants=a.socket\n")
        .file("/lib/systemd/system/a.socket", "[Socket]\nListenStream=80\n")
        .file(
            "/lib/systemd/system/a.service",
            "[Service]\nExecStart=/usr/bin/one\n",
        )
        .file(
            "/etc/systemd/system/a.service.d/x.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/two\n",
        )
        .link("/etc/rc2.d/S01old", "../init.d/old")
        .program("/etc/init.d/old", "#!/bin/sh\n[ \"$1\" = start ] && three\n");
    check(&drop_in, "systemd", "one two three", &[]);
}

#[test]
fn a_mount_is_told_with_its_own_unit() {
    let files = root()
        .file(
            "/lib/systemd/system/basic.target",
            "[Unit]\nWants=a.mount b.service\n",
        )
        .file("/lib/systemd/system/a.mount", "[Mount]\nWhere=/a\n")
        .file(
            "/lib/systemd/system/b.service",
            "[Service]\nExecStart=/usr/bin/one\n",
        );
    let found = search(&files, "systemd");
    let mut programs = found.programs.iter();
    let mount = programs.find(|program| program.path == "/usr/bin/mount").unwrap();
    assert_eq!(mount.found[0].place, "/lib/systemd/system/a.mount");
}

#[test]
fn system_v() {
    let files = root()
        .file(
            "/etc/inittab",
            "id:2:initdefault:\nsi::sysinit:/etc/init.d/rc S\n1:2345:respawn:+/usr/bin/one x\n",
        )
        .program(
            "/etc/init.d/rc",
            "#!/bin/sh\nfor s in /etc/rc$1.d/S*; do \"$s\" start; done\nstartpar\n",
        )
        .program("/etc/rcS.d/S01two", "#!/bin/sh\ntwo\n")
        .program("/etc/rc2.d/S01three", "#!/bin/sh\nthree\n");
    check(&files, "init", "one two three", &["known in part"]);
    check(
        &root(),
        "init",
        "",
        &["its table /etc/inittab is not in the image"],
    );
}

#[test]
fn super_servers() {
    let files = root()
        .file(
            "/etc/inetd.conf",
            "#x stream tcp nowait root /usr/bin/six six\necho stream tcp nowait root internal\n\
             a stream tcp nowait root /usr/bin/tcpd one -x\nb stream tcp nowait nobody.x /usr/bin/two two\n",
        )
        .file("/etc/xinetd.conf", "defaults\n{\n}\nincludedir /etc/xinetd.d\n")
        .file(
            "/etc/xinetd.d/a",
            "service a\n{\n  disable = no\n  server = /usr/bin/sh\n  server_args = -c three\n}\n\
             service b\n{\n  server = /usr/bin/four\n  disable = yes\n}\n",
        );
    check(&files, "inetd", "one two", &[]);
    check(&files, "xinetd -d", "three", &[]);
}

#[test]
fn monit_and_incron() {
    let files = root()
        .file(
            "/etc/monit/monitrc",
            "# start program = \"six\"\nset daemon 1\ncheck process a with pidfile /x\n  start program = \"/usr/bin/one -d\" \
             with timeout 60 seconds\n  stop program '/usr/bin/two'\n  if failed then exec \"/bin/sh -c 'three'\"\n\
             check program b with path /usr/bin/four\ncheck file c with path /usr/bin/six\ninclude conf.d/*\n",
        )
        .file("/etc/monit/conf.d/x", "if changed then exec \"/usr/bin/five\"\n")
        .file("/etc/incron.d/a", "/tmp IN_CREATE six $@/$# $$x\n");
    check(&files, "monit -I", "one two three four five", &[]);
    check(&files, "incrond -n", "six", &[]);
}

#[test]
fn lighttpd() {
    let files = root()
        .file(
            "/etc/lighttpd/lighttpd.conf",
            "include_shell \"/usr/bin/one \" + server.port # include_shell \"six\"\ninclude \"conf-enabled/*.conf\"\n\
             accesslog.filename = \"|/usr/bin/two -r\"\nserver.errorlog = \"/var/log/six\"\n",
        )
        .file(
            "/etc/lighttpd/conf-enabled/cgi.conf",
            "cgi.assign = ( \".pl\" => \"/usr/bin/three\", \"\" => \"\" )\nindex-file.names = ( \"six\" )\n\
             fastcgi.server += ( \".php\" => (( \"bin-path\" => \"/usr/bin/four -b x\", \"socket\" => \"/x\" )))\n",
        );
    check(
        &files,
        "lighttpd -D -f /etc/lighttpd/lighttpd.conf",
        "one two three four",
        &["a shell is given a text that is not known as a whole"],
    );
    check(&files, "lighttpd -v", "", &[]);
}

#[test]
fn sshd() {
    let files = root()
        .file(
            "/etc/ssh/sshd_config",
            "Include sshd_config.d/*.conf\nSubsystem sftp /usr/bin/sftp-server -l INFO\nForceCommand two\n",
        )
        .file(
            "/etc/ssh/sshd_config.d/a.conf",
            "AuthorizedKeysCommand /usr/bin/three %u\n# ForceCommand six\nSubsystem x internal-sftp\n",
        )
        .file(
            "/etc/passwd",
            "root:x:0:0::/home/it:/bin/bash\nx:x:1:1::/:/usr/bin/nologin\n",
        )
        .file("/etc/profile", "four\n")
        .file("/home/it/.bashrc", "five\n");
    let open = "users may give their shell /bin/bash any command";
    check(&files, "sshd -D", "two three four five", &[open]);
    check(
        &files,
        "sshd -D -o ForceCommand=one",
        "one two three four five",
        &[open],
    );
    let found = search(&files, "sshd -D");
    let paths: Vec<&str> = found
        .programs
        .iter()
        .map(|program| program.path.as_str())
        .collect();
    assert!(
        paths.contains(&"/usr/bin/sftp-server") && paths.contains(&"/usr/bin/nologin"),
        "{paths:?}"
    );
    check(&files, "login", "four five", &[open]);
}

#[test]
fn postfix() {
    let files = root()
        .file(
            "/etc/postfix/main.cf",
            "daemon_directory = /usr/bin\ncommand_directory = $daemon_directory\n\
             mailbox_command = five -x $USER\nalias_maps = hash:/etc/mail\n",
        )
        .program(
            "/usr/bin/postfix-script",
            "#!/bin/sh\n$daemon_directory/master -t\none\n",
        )
        .file(
            "/etc/postfix/master.cf",
            "smtp inet n - y - - smtpd\n  -o x=y\n#six unix - - - - - six\nlocal unix - n n - - local\n\
             p unix - n n - - pipe\n  flags=R user=x argv=/usr/bin/two ${recipient}\n",
        )
        .file("/etc/mail", "a: \"|three x\"\nb: c, |four\n");
    check(&files, "postfix start", "one two three four five", &[]);
    let found = search(&files, "postfix start");
    let paths: Vec<&str> = found
        .programs
        .iter()
        .map(|program| program.path.as_str())
        .collect();
    for name in ["smtpd", "pipe", "local", "master", "postdrop"] {
        assert!(
            paths.contains(&format!("/usr/bin/{name}").as_str()),
            "{name}: {paths:?}"
        );
    }
    check(&root(), "master", "", &[]);
}

#[test]
fn what_is_not_read_says_so() {
    let files = root().program("/usr/bin/atd", &b"\x7fELF"[..]);
    check(
        &files,
        "atd -f",
        "",
        &["what atd executes by its queue is not followed"],
    );
}

#[test]
fn a_job_tells_its_table_and_line() {
    let files = root().file("/etc/cron.d/jobs", "\n@reboot root exec one\n");
    let found = search(&files, "cron");
    let shell = found
        .programs
        .iter()
        .find(|program| program.path == "/usr/bin/dash")
        .unwrap();
    assert_eq!(shell.found[0].place, "/etc/cron.d/jobs:2");
    assert_eq!(shell.found[0].parent.as_deref(), Some("/usr/bin/cron"));
    assert_eq!(
        shell.found[0].how,
        "`/bin/sh` by cron, which runs the jobs of its tables"
    );
    assert!(found.assumptions.iter().all(|one| one.kind != Kind::OpenCommand));
}

#[test]
fn a_configuration_that_is_not_known_is_open() {
    let files = root()
        .file("/etc/postfix/main.cf", "a = b\n")
        .file("/etc/inetd.conf", "a stream tcp nowait root one one\n");
    for (command, open) in [
        ("anacron -t $UNKNOWN", "a file that is not known"),
        ("/bin/busybox crond -c $UNKNOWN", "a folder that is not known"),
        ("master -c $UNKNOWN", "a file that is not known"),
        ("postfix -c $UNKNOWN start", "a file that is not known"),
        ("inetd $UNKNOWN", "a file that is not known"),
        ("supervisord -c $UNKNOWN", "a file that is not known"),
    ] {
        let files = files
            .clone()
            .program("/usr/bin/supervisord", &b"\x7fELF"[..])
            .program("/bin/busybox", &b"\x7fELF\0crond\0"[..])
            .program("/entry", format!("#!/bin/sh\n{command}\n"));
        check(&files, "/entry", "", &[open]);
    }
}
