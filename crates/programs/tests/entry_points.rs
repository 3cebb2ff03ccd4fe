//! The entry points of this project's own images, which have the shape of the official ones.
#![allow(missing_docs)]

use confine_image::{Config, MemoryFiles};
use confine_programs::{Asked, find};

/// Every program that a Debian image of that kind brings and that an entry point could name.
const PRESENT: &str = "awk basename bash cat chmod chown cut dash date dirname dpkg-query env envsubst find getconf gosu \
    grep gunzip head id initdb ls mariadb mariadb-install-db mariadbd md5sum mkdir mysqladmin nginx nohup perl pg_ctl \
    postgres psql pwgen redis-server rm sed sleep sort stat tail touch tr xz zstd apache2";

fn check(files: MemoryFiles, entrypoint: &str, cmd: &str, expected: &str) {
    let files = PRESENT
        .split_whitespace()
        .fold(files, |files, name| {
            files.program(&format!("/usr/bin/{name}"), &b"\x7fELF"[..])
        })
        .link("/bin", "/usr/bin")
        .link("/usr/bin/sh", "dash");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
    let config = Config {
        entrypoint: words(entrypoint),
        cmd: words(cmd),
        workdir: "/".to_owned(),
        ..Config::default()
    };
    let found = find(&files, &config, Asked::default());
    let names: Vec<&str> = found
        .programs
        .iter()
        .filter_map(|program| program.path.strip_prefix("/usr/bin/"))
        .collect();
    assert_eq!(
        names,
        expected.split_whitespace().collect::<Vec<_>>(),
        "{:#?}",
        found.assumptions
    );
    let not_covered: Vec<_> = found
        .assumptions
        .iter()
        .filter(|one| one.effect == confine_assumption::Effect::NotCovered)
        .collect();
    assert!(not_covered.is_empty(), "{not_covered:#?}");
}

macro_rules! image {
    ($name:literal) => {
        include_str!(concat!("../../../tests/images/", $name))
    };
}

#[test]
fn nginx() {
    let files = MemoryFiles::new()
        .program("/docker-entrypoint.sh", image!("nginx/docker-entrypoint.sh"))
        .program(
            "/docker-entrypoint.d/10-listen-on-ipv6.sh",
            image!("nginx/10-listen-on-ipv6.sh"),
        )
        .program(
            "/docker-entrypoint.d/20-envsubst-on-templates.sh",
            image!("nginx/20-envsubst-on-templates.sh"),
        )
        .program(
            "/docker-entrypoint.d/30-tune-worker-processes.sh",
            image!("nginx/30-tune-worker-processes.sh"),
        )
        .file(
            "/docker-entrypoint.d/15-variables.envsh",
            "export MD5=$(md5sum /etc/passwd)\n",
        );
    let expected = "awk basename dash dirname envsubst find getconf grep md5sum mkdir nginx sed sort touch";
    check(files.clone(), "/docker-entrypoint.sh", "nginx -g x", expected);
    // Another command skips the scripts.
    check(files, "/docker-entrypoint.sh", "cat", "cat dash");
}

#[test]
fn redis() {
    let files = MemoryFiles::new().program(
        "/usr/local/bin/docker-entrypoint.sh",
        image!("redis/docker-entrypoint.sh"),
    );
    let expected = "chown dash find gosu id redis-server";
    check(files.clone(), "docker-entrypoint.sh", "redis-server", expected);
    check(files, "docker-entrypoint.sh", "--port 1", expected);
}

#[test]
fn postgres() {
    let files = MemoryFiles::new()
        .program(
            "/usr/local/bin/docker-entrypoint.sh",
            image!("postgres/docker-entrypoint.sh"),
        )
        .program(
            "/docker-entrypoint-initdb.d/20-settings.sh",
            "#!/bin/sh\nstat /\n",
        )
        .file("/docker-entrypoint-initdb.d/30-sourced.sh", "tail /x\n");
    let expected =
        "bash chmod chown dash env find gosu gunzip id initdb ls mkdir pg_ctl postgres psql stat tail";
    check(files, "docker-entrypoint.sh", "postgres", expected);
}

#[test]
fn mariadb() {
    let files = MemoryFiles::new()
        .program(
            "/usr/local/bin/docker-entrypoint.sh",
            image!("mariadb/docker-entrypoint.sh"),
        )
        .file(
            "/docker-entrypoint-initdb.d/tables.sql",
            "create table x (y int);\n",
        );
    let expected =
        "awk bash chown date find gosu gunzip id mariadb mariadb-install-db mariadbd mkdir sleep zstd";
    check(files, "docker-entrypoint.sh", "mariadbd", expected);
}

#[test]
fn httpd() {
    let files = MemoryFiles::new()
        .program(
            "/usr/local/bin/httpd-foreground",
            image!("httpd/httpd-foreground"),
        )
        .file(
            "/etc/apache2/envvars",
            "unset HOME\nif [ \"${X##/etc-}\" != \"$X\" ]; then S=1; else S=; fi\nexport L=C\n",
        );
    check(files, "", "httpd-foreground", "apache2 dash rm");
}
