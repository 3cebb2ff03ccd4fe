//! `confine check` on a real engine: what passes, what is found, and that nothing is left behind. Where no Docker engine
//! answers or gcc is missing, the tests say so and pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::image::{Image, is_installed};
use crate::run::{confine, ends_with};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/programs/service.c");

const ASK: &str = "exec 3<>/dev/tcp/$HOST/$HOST_PORT; echo please >&3; cat <&3";

/// An image of the service on the engine, under a name of its own; removed when dropped.
struct OnEngine {
    name: String,
    image: Image,
}

impl OnEngine {
    fn new(name: &str) -> Option<Self> {
        if !is_installed("gcc") || !docker(&["version"]).0 {
            eprintln!("skipped: gcc and a Docker engine that answers are needed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("service");
        let gcc = Command::new("gcc")
            .args(["-O1", "-static", "-w", "-o"])
            .arg(&program)
            .arg(SOURCE)
            .status();
        assert!(gcc.unwrap().success());
        let configuration = r#"{"Cmd":["/service"],"ExposedPorts":{"8080/tcp":{}}}"#;
        let image = Image::new(configuration).file("/service", &fs::read(program).unwrap());
        let name = format!("confine-test-check:{name}-{}", std::process::id());
        let root = image.beside().join("root.tar");
        let tar = Command::new("tar")
            .args(["--create", "--owner=0", "--group=0", "--file"])
            .arg(&root)
            .arg("--directory")
            .arg(image.beside().join("root"))
            .arg(".")
            .status();
        assert!(tar.unwrap().success());
        let root = root.display().to_string();
        let changes = ["--change", "CMD [\"/service\"]", "--change", "EXPOSE 8080"];
        let mut words = vec!["import"];
        words.extend(changes);
        words.extend([root.as_str(), name.as_str()]);
        let (imported, said) = docker(&words);
        assert!(imported, "{said}");
        Some(Self { name, image })
    }

    /// The image's own profile without some calls.
    fn profile_without(&self, calls: &[&str]) -> PathBuf {
        let (text, _) = ends_with(0, &mut confine(&["profile", &self.name, "--quiet"]));
        let mut profile: Value = serde_json::from_str(&text).unwrap();
        for entry in profile["syscalls"].as_array_mut().unwrap() {
            let names = entry["names"].as_array_mut().unwrap();
            names.retain(|name| !calls.contains(&name.as_str().unwrap()));
        }
        let entries = profile["syscalls"].as_array_mut().unwrap();
        entries.retain(|entry| !entry["names"].as_array().unwrap().is_empty());
        let path = self
            .image
            .beside()
            .join(format!("without-{}.json", calls.join("-")));
        fs::write(&path, profile.to_string()).unwrap();
        path
    }

    fn check(&self, arguments: &[&str]) -> Command {
        let mut command = confine(&["check", &self.name, "--quiet", "--workload", ASK]);
        command.args(arguments);
        command
    }
}

impl Drop for OnEngine {
    fn drop(&mut self) {
        docker(&["rmi", "--force", &self.name]);
    }
}

/// Whether Docker did it, and what it said.
fn docker(arguments: &[&str]) -> (bool, String) {
    let Ok(output) = Command::new("docker").args(arguments).output() else {
        return (false, "docker is not installed".to_owned());
    };
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// What a run that ends with this code writes as JSON.
fn findings(code: i32, command: &mut Command) -> Value {
    let (stdout, _) = ends_with(code, command.args(["--format", "json"]));
    serde_json::from_str(&stdout).unwrap()
}

/// Whether this host lets denied calls be watched for.
fn is_watched(verdict: &Value) -> bool {
    let complete = verdict["observation"] == "complete";
    if !complete {
        eprintln!("skipped: {}", verdict["observation"]);
    }
    complete
}

#[test]
fn a_service_that_is_not_the_same_twice_passes_under_its_own_profile() {
    let Some(service) = OnEngine::new("own") else {
        return;
    };
    let found = findings(0, &mut service.check(&["--runs", "3"]));
    let steps: Vec<&str> = found["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step[0].as_str().unwrap())
        .collect();
    let expected = [
        "ready",
        "workload",
        "exec",
        "ready after restart",
        "workload after restart",
        "stop",
    ];
    assert_eq!(steps, expected);
    let verdict = &found["verdicts"][0];
    assert_eq!(verdict["differences"], serde_json::json!([]));
    assert_eq!(verdict["denied"], serde_json::json!([]));
    nothing_is_left();
}

#[test]
fn a_call_that_is_taken_away_is_named_with_its_program_and_arguments() {
    let Some(service) = OnEngine::new("crippled") else {
        return;
    };
    let profile = service.profile_without(&["bind"]).display().to_string();
    let found = findings(4, &mut service.check(&["--runs", "1", "--policy", &profile]));
    let verdict = &found["verdicts"][0];
    let differences = verdict["differences"].as_array().unwrap();
    let outcome = differences.iter().find(|one| one["kind"] == "outcome").unwrap();
    assert_eq!(outcome["found"], "exit code 3");
    let log = differences.iter().find(|one| one["kind"] == "log").unwrap();
    assert!(log["found"].as_str().unwrap().starts_with("bind: "), "{log}");
    if is_watched(verdict) {
        let denied = verdict["denied"].as_array().unwrap();
        assert_eq!(denied.len(), 1, "{denied:?}");
        assert_eq!(denied[0]["call"], "bind");
        assert_eq!(denied[0]["program"], "/service");
        assert_eq!(denied[0]["foreseen"], "yes");
        let arguments = denied[0]["arguments"][0].as_str().unwrap();
        assert!(
            arguments.ends_with("umyaddr=<pointer>, addrlen=16"),
            "{arguments}"
        );
        assert_eq!(denied[0]["sites"][0]["object"], "/service");
        assert_eq!(denied[0]["sites"][0]["function"], "bind");
    }
    nothing_is_left();
}

#[test]
fn a_denied_call_that_changes_nothing_fails_unless_it_is_tolerated() {
    let Some(service) = OnEngine::new("tolerated") else {
        return;
    };
    let profile = service.profile_without(&["chmod"]).display().to_string();
    let flags = ["--runs", "1", "--env", "STEADY=yes", "--policy", profile.as_str()];
    let mut tolerant = service.check(&flags);
    let found = findings(0, tolerant.arg("--tolerate-denied"));
    let verdict = &found["verdicts"][0];
    assert_eq!(verdict["differences"], serde_json::json!([]));
    if is_watched(verdict) {
        assert_eq!(verdict["denied"][0]["call"], "chmod");
        let (xml, _) = ends_with(4, service.check(&flags).args(["--format", "junit"]));
        assert!(
            xml.contains("<failure message=\"chmod by /service denied"),
            "{xml}"
        );
    }
    nothing_is_left();
}

/// crun leaves its containers in the control group of whoever starts it.
#[test]
fn denied_calls_are_seen_without_a_control_group_of_their_own() {
    let Some(service) = OnEngine::new("crun") else {
        return;
    };
    if !is_installed("crun") {
        eprintln!("skipped: crun is needed");
        return;
    }
    let profile = service.profile_without(&["chmod"]).display().to_string();
    let flags = ["--runs", "1", "--env", "STEADY=yes", "--policy", profile.as_str()];
    let mut check = service.check(&flags);
    let found = findings(0, check.args(["--engine", "crun", "--tolerate-denied"]));
    let verdict = &found["verdicts"][0];
    if is_watched(verdict) {
        let denied = verdict["denied"].as_array().unwrap();
        assert_eq!(denied.len(), 1, "{denied:?}");
        assert_eq!(denied[0]["call"], "chmod");
    }
    nothing_is_left();
}

/// Whoever interrupts a wait for the kernel's log wants no verdict without denied calls.
#[test]
fn an_interrupt_while_another_check_reads_the_log_is_no_verdict() {
    let Some(service) = OnEngine::new("waiting") else {
        return;
    };
    // In a folder of our own, so that nobody else waits.
    let temporary = tempfile::tempdir().unwrap();
    let lock = fs::File::create(temporary.path().join("confine-audit.lock")).unwrap();
    lock.lock().unwrap();
    let profile = service.profile_without(&[]).display().to_string();
    let mut check = service
        .check(&["--runs", "1", "--env", "STEADY=yes", "--policy", &profile])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It has the lock open when it waits, and only then.
    let deadline = Instant::now() + Duration::from_secs(120);
    let opened = || {
        let files = fs::read_dir(format!("/proc/{}/fd", check.id())).unwrap();
        let mut files = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        files.any(|file| file.ends_with("confine-audit.lock"))
    };
    while !opened() {
        assert!(Instant::now() < deadline, "it does not come to the log");
        std::thread::sleep(Duration::from_millis(100));
    }
    let kill = Command::new("kill")
        .args(["-s", "INT", &check.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(check.wait().unwrap().code(), Some(2));
    nothing_is_left();
}

#[test]
fn an_archive_is_taken_in_and_taken_back() {
    let Some(service) = OnEngine::new("archive") else {
        return;
    };
    let archive = service.image.archive(None, None);
    let before = docker(&["images", "--all", "--quiet", "little"]).1;
    let mut command = confine(&[
        "check",
        "--quiet",
        "--runs",
        "1",
        "--env",
        "STEADY=yes",
        "--workload",
        ASK,
    ]);
    let (text, _) = ends_with(0, command.arg(&archive));
    assert!(
        text.contains("no difference, no denied call") || text.contains("could not be seen"),
        "{text}"
    );
    assert_eq!(docker(&["images", "--all", "--quiet", "little"]).1, before);
    nothing_is_left();
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let Some(service) = OnEngine::new("interrupted") else {
        return;
    };
    for signal in ["INT", "TERM"] {
        let mut check = confine(&["check", &service.name, "--quiet", "--workload", "sleep 60"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let prefix = format!("confine-check-{}-", check.id());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !docker(&["ps", "--format", "{{.Names}}"]).1.contains(&prefix) {
            assert!(Instant::now() < deadline, "no container came up");
            std::thread::sleep(Duration::from_millis(100));
        }
        let kill = Command::new("kill")
            .args(["-s", signal, &check.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(check.wait().unwrap().code(), Some(2), "{signal}");
        let (_, names) = docker(&["ps", "--all", "--format", "{{.Names}}"]);
        assert!(!names.contains(&prefix), "{names}");
        let temporary: Vec<PathBuf> = fs::read_dir(std::env::temp_dir())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.display().to_string().contains(&prefix))
            .collect();
        assert!(temporary.is_empty(), "{temporary:?}");
    }
}

/// What an engine does when it has time: a container that only lends its files is removed, also after an interrupt.
const ENGINE: &str = r#"#!/bin/sh
log=$(dirname "$0")/log
case "$1 $4" in
    "--version ") echo "runc version 1" ;;
    "image -") echo - ;;
    "image "*) echo "{}" ;;
    "create "*) echo 0123456789ab ;;
    "export "*) echo exporting >>"$log" && sleep 60 ;;
    "rm "*) sleep 1 && echo "removed $4" >>"$log" ;;
    *) exit 1 ;;
esac
"#;

#[test]
fn a_container_that_lends_its_files_is_removed_after_an_interrupt() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    for name in ["docker", "runc"] {
        let path = folder.path().join(name);
        fs::write(&path, ENGINE).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut check = confine(&["check", "lent:1", "--quiet", "--engine", "runc"])
        .env("PATH", path)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !said().contains("exporting") {
        assert!(Instant::now() < deadline, "nothing is exported");
        std::thread::sleep(Duration::from_millis(50));
    }
    let kill = Command::new("kill")
        .args(["-s", "INT", &check.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(check.wait().unwrap().code(), Some(2));
    assert_eq!(said(), "exporting\nremoved 0123456789ab\n");
}

#[test]
fn what_cannot_be_checked_is_told() {
    let nowhere = Path::new("/no/such/folder");
    let mut command = confine(&["check", "some-image"]);
    let (_, stderr) = ends_with(2, command.env("PATH", nowhere));
    assert!(
        stderr.contains("containers are run by docker, which does not answer"),
        "{stderr}"
    );
    let (_, stderr) = ends_with(2, &mut confine(&["check", "x", "--program", "/bin/sh"]));
    assert!(stderr.contains("a check runs the whole container"), "{stderr}");

    let Some(service) = OnEngine::new("bad") else {
        return;
    };
    for (flags, expected) in [
        (
            ["--policy", "/no/such/policy.json"].as_slice(),
            "cannot read the policy /no/such/policy.json",
        ),
        (
            &["--ready", "log:never written", "--ready-timeout", "1s"],
            "does not get through its life without a policy: ready: it does not write `never written` within 1s",
        ),
        (&["--inside", "'open"], "--inside: expected words"),
        (
            &["--workload-file", "/no/such/script"],
            "cannot read /no/such/script",
        ),
        (
            &["-o", "/no/such/folder/result"],
            "cannot write /no/such/folder/result",
        ),
    ] {
        let mut command = confine(&["check", &service.name, "--quiet"]);
        let (stdout, stderr) = ends_with(2, command.args(flags));
        assert_eq!(stdout, "");
        assert!(stderr.contains(expected), "{stderr}");
    }
    let (_, stderr) = ends_with(2, &mut confine(&["check", "confine-test-check:no-such-image"]));
    assert!(
        stderr.contains("expected an image that the engine holds"),
        "{stderr}"
    );
    nothing_is_left();
}

/// No container of a check that has ended is there: those of checks that run at the same time belong to these.
fn nothing_is_left() {
    let (_, names) = docker(&["ps", "--all", "--format", "{{.Names}}"]);
    for name in names.lines() {
        let owner = name
            .strip_prefix("confine-check-")
            .and_then(|rest| rest.split('-').next());
        let is_left = owner.is_some_and(|process| !Path::new("/proc").join(process).exists());
        assert!(!is_left, "{name} is left");
    }
}
