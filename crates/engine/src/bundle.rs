//! An OCI bundle of an image: its unpacked root file system, and a `config.json` that starts it as Docker would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use confine_kernel::DOCKER_CAPABILITIES;
use serde_json::{Value, json};

use crate::command::Invocation;
use crate::container::{Seccomp, StartOptions};
use crate::error::Error;

/// The part of an image's configuration that decides how its container starts and stops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The entry point.
    pub entrypoint: Vec<String>,
    /// The command: the entry point's arguments, or what is executed where there is none.
    pub command: Vec<String>,
    /// The environment, as `NAME=value`.
    pub environment: Vec<String>,
    /// The user; empty means root.
    pub user: String,
    /// The working folder; empty means `/`.
    pub folder: String,
    /// The signal that asks it to stop; empty means SIGTERM.
    pub stop_signal: String,
    /// The TCP ports that it says it listens on, ascending.
    pub ports: Vec<u16>,
    /// The command that tells whether it is healthy; empty if it brings none.
    pub healthcheck: Vec<String>,
}

impl ImageConfig {
    /// Reads the `Config` object that Docker shows of an image; what is missing is empty.
    #[must_use]
    pub fn from_docker(config: &Value) -> Self {
        let text = |field: &str| {
            config
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let list = |field: &str| strings(config.get(field));
        Self {
            entrypoint: list("Entrypoint"),
            command: list("Cmd"),
            environment: list("Env"),
            user: text("User"),
            folder: text("WorkingDir"),
            stop_signal: text("StopSignal"),
            ports: tcp_ports(config),
            healthcheck: healthcheck(config),
        }
    }

    /// The command line under the given options: entry point, then command.
    fn command_line(&self, options: &StartOptions) -> Vec<String> {
        let (entrypoint, command) = match &options.entrypoint {
            Some(program) => (std::slice::from_ref(program), [].as_slice()),
            None => (self.entrypoint.as_slice(), self.command.as_slice()),
        };
        let command = match options.command.as_slice() {
            [] => command,
            given => given,
        };
        entrypoint.iter().chain(command).cloned().collect()
    }

    /// The stop signal by its name without the `SIG`, as both runtimes take it.
    #[must_use]
    pub fn stop_signal_name(&self) -> &str {
        let name = self.stop_signal.strip_prefix("SIG").unwrap_or(&self.stop_signal);
        if name.is_empty() { "TERM" } else { name }
    }
}

/// The ports of `ExposedPorts`, whose keys are like `80/tcp`.
fn tcp_ports(config: &Value) -> Vec<u16> {
    let exposed = config.get("ExposedPorts").and_then(Value::as_object);
    let keys = exposed.into_iter().flatten().map(|(key, _)| key.as_str());
    let mut ports: Vec<u16> = keys
        .filter_map(|key| key.strip_suffix("/tcp").unwrap_or(key).parse().ok())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The command of `Healthcheck`, of which the first word says how it is written: in words, or as a line for the image's
/// own shell.
fn healthcheck(config: &Value) -> Vec<String> {
    let mut test = strings(config.get("Healthcheck").and_then(|check| check.get("Test"))).into_iter();
    let command = match test.next().as_deref() {
        Some("CMD") => Vec::new(),
        Some("CMD-SHELL") if test.len() == 1 => match strings(config.get("Shell")) {
            shell if shell.is_empty() => vec!["/bin/sh".to_owned(), "-c".to_owned()],
            shell => shell,
        },
        _ => return Vec::new(),
    };
    command.into_iter().chain(test).collect()
}

/// The texts in a list.
fn strings(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An image's files, unpacked once and never written to: each container has its changes in a layer of its own.
#[derive(Debug, Clone)]
pub struct Rootfs {
    folder: PathBuf,
}

impl Rootfs {
    /// Unpacks a flat archive, as [`Docker::export`](crate::Docker::export) writes it, to a folder.
    pub fn unpack(archive: &Path, folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let unpack =
            Invocation::new("tar").args(["--extract", "--numeric-owner", "--same-permissions", "--file"]);
        unpack
            .arg(archive)
            .arg("--directory")
            .arg(folder)
            .limit(Duration::from_secs(300))
            .output()?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// A folder that was unpacked before.
    #[must_use]
    pub fn existing(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }
}

/// A bundle's folder, with the image's files mounted under a fresh writable layer; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Bundle {
    folder: PathBuf,
}

impl Bundle {
    /// Mounts the files and writes `config.json`.
    pub(crate) fn create(
        folder: &Path,
        rootfs: &Rootfs,
        image: &ImageConfig,
        options: &StartOptions,
    ) -> Result<Self, Error> {
        for name in ["upper", "work", "rootfs"] {
            let part = folder.join(name);
            std::fs::create_dir_all(&part).map_err(Error::file("create", part))?;
        }
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            rootfs.folder.display(),
            folder.join("upper").display(),
            folder.join("work").display()
        );
        let mount = Invocation::new("mount").args(["-t", "overlay", "overlay", "-o", layers.as_str()]);
        mount.arg(folder.join("rootfs")).output()?;
        let bundle = Self {
            folder: folder.to_owned(),
        };

        // What an engine puts there for every container.
        let hosts = bundle.rootfs().join("etc/hosts");
        std::fs::create_dir_all(bundle.rootfs().join("etc")).map_err(Error::file("create", &hosts))?;
        std::fs::write(&hosts, "127.0.0.1 localhost\n::1 localhost\n")
            .map_err(Error::file("write", &hosts))?;

        let path = folder.join("config.json");
        let configuration = configuration(&bundle.rootfs(), image, options)?;
        std::fs::write(&path, configuration.to_string()).map_err(Error::file("write", &path))?;
        Ok(bundle)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn rootfs(&self) -> PathBuf {
        self.folder.join("rootfs")
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        // Lazily: what still holds the mount lets go of it when it ends.
        let _ = Invocation::new("umount").arg("--lazy").arg(self.rootfs()).run();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The runtime configuration for an image under the given options.
fn configuration(rootfs: &Path, image: &ImageConfig, options: &StartOptions) -> Result<Value, Error> {
    let user = User::resolve(rootfs, options.user.as_deref().unwrap_or(&image.user))?;
    let mut environment = vec![
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        format!("HOSTNAME={}", options.name),
        format!("HOME={}", user.home),
    ];
    environment.extend(image.environment.iter().chain(&options.environment).cloned());
    // Later settings win, and only one may be left: programs disagree on which of two they see.
    let mut seen = std::collections::BTreeSet::new();
    environment.reverse();
    environment.retain(|variable| seen.insert(variable.split('=').next().unwrap_or_default().to_owned()));
    environment.reverse();

    // A user other than root keeps what Docker leaves to it: nothing beyond the bounding set.
    let held: &[&str] = if user.id == 0 { &DOCKER_CAPABILITIES } else { &[] };
    let folder = match options.folder.as_deref().unwrap_or(&image.folder) {
        "" => "/",
        folder => folder,
    };
    let mut configuration = json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false,
            "user": { "uid": user.id, "gid": user.group },
            "args": image.command_line(options),
            "env": environment,
            "cwd": folder,
            "capabilities": { "bounding": DOCKER_CAPABILITIES, "effective": held, "permitted": held },
            "noNewPrivileges": options.no_new_privileges,
        },
        "root": { "path": "rootfs", "readonly": false },
        "hostname": options.name,
        "mounts": mounts(),
        "linux": {
            "namespaces": [
                { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" },
            ],
            // As Docker sets it: without it only root could serve on port 80.
            "sysctl": { "net.ipv4.ip_unprivileged_port_start": "0" },
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    });
    if let Seccomp::Profile(path) = &options.seccomp {
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        let profile: Value = serde_json::from_str(&text).map_err(|source| Error::File {
            action: "parse",
            path: path.clone(),
            source: source.into(),
        })?;
        if let Some(linux) = configuration.get_mut("linux").and_then(Value::as_object_mut) {
            linux.insert("seccomp".to_owned(), profile);
        }
    }
    Ok(configuration)
}

fn mounts() -> Value {
    json!([
        { "destination": "/proc", "type": "proc", "source": "proc" },
        { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
          "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
        { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
          "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
        { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
          "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
        { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
          "options": ["nosuid", "noexec", "nodev"] },
        { "destination": "/sys", "type": "sysfs", "source": "sysfs",
          "options": ["nosuid", "noexec", "nodev", "ro"] },
    ])
}

/// A user as the kernel knows it.
#[derive(Debug, PartialEq, Eq)]
struct User {
    id: u32,
    group: u32,
    home: String,
}

impl User {
    /// `name`, `number`, or either with `:group`, looked up in the image's own user database.
    fn resolve(rootfs: &Path, text: &str) -> Result<Self, Error> {
        let database = |name: &str| {
            // Reading through a link of the image could leave the root; its own databases are plain files.
            std::fs::read_to_string(rootfs.join("etc").join(name)).unwrap_or_default()
        };
        Self::look_up(text, &database("passwd"), &database("group"))
    }

    fn look_up(text: &str, passwd: &str, groups: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownUser {
            user: text.to_owned(),
        };
        let (name, group) = match text.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (text, None),
        };
        let name = if name.is_empty() { "0" } else { name };
        let entry = passwd
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| {
                fields.first() == Some(&name) || (name.parse::<u32>().is_ok() && fields.get(2) == Some(&name))
            });
        let field = |index: usize| entry.as_ref().and_then(|fields| fields.get(index)).copied();
        let id = field(2).unwrap_or(name).parse().map_err(|_| unknown())?;
        let group = match group {
            Some(group) => {
                let listed = groups.lines().find_map(|line| {
                    let mut fields = line.split(':');
                    (fields.next() == Some(group)).then(|| fields.nth(1)).flatten()
                });
                listed.unwrap_or(group).parse().map_err(|_| unknown())?
            }
            None => field(3).unwrap_or("0").parse().map_err(|_| unknown())?,
        };
        Ok(Self {
            id,
            group,
            home: field(5).unwrap_or("/").to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv/www:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nstaff:x:50:\n";

    fn check(text: &str, expected: Option<(u32, u32, &str)>) {
        let found = User::look_up(text, PASSWD, GROUP)
            .ok()
            .map(|user| (user.id, user.group, user.home));
        let expected = expected.map(|(id, group, home)| (id, group, home.to_owned()));
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn users_are_looked_up_as_an_engine_does() {
        check("", Some((0, 0, "/root")));
        check("root", Some((0, 0, "/root")));
        check("web", Some((33, 34, "/srv/www")));
        check("33", Some((33, 34, "/srv/www")));
        check("web:staff", Some((33, 50, "/srv/www")));
        check("1234", Some((1234, 0, "/")));
        check("1234:99", Some((1234, 99, "/")));
        check("nobody-here", None);
        check("web:nobody-here", None);
    }

    #[test]
    fn the_stop_signal_has_a_default() {
        let with = |signal: &str| ImageConfig {
            stop_signal: signal.to_owned(),
            ..ImageConfig::default()
        };
        assert_eq!(with("").stop_signal_name(), "TERM");
        assert_eq!(with("SIGQUIT").stop_signal_name(), "QUIT");
        assert_eq!(with("INT").stop_signal_name(), "INT");
    }

    #[test]
    fn a_configuration_may_leave_everything_out() {
        assert_eq!(
            ImageConfig::from_docker(&json!({ "Cmd": null })),
            ImageConfig::default()
        );
    }

    #[test]
    fn ports_and_checks_are_read() {
        let config = ImageConfig::from_docker(&json!({
            "ExposedPorts": { "8080/tcp": {}, "53/udp": {}, "80/tcp": {} },
            "Healthcheck": { "Test": ["CMD-SHELL", "curl localhost"] },
        }));
        assert_eq!(config.ports, [80, 8080]);
        assert_eq!(config.healthcheck, ["/bin/sh", "-c", "curl localhost"]);
        for (test, expected) in [
            (json!(["CMD", "check", "-q"]), ["check", "-q"].as_slice()),
            (json!(["NONE"]), &[]),
            (json!(null), &[]),
        ] {
            let config = ImageConfig::from_docker(&json!({ "Healthcheck": { "Test": test } }));
            assert_eq!(config.healthcheck, expected);
        }
        let config = ImageConfig::from_docker(&json!({
            "Shell": ["/bin/bash", "-eu", "-c"],
            "Healthcheck": { "Test": ["CMD-SHELL", "[[ -e /up ]]"] },
        }));
        assert_eq!(config.healthcheck, ["/bin/bash", "-eu", "-c", "[[ -e /up ]]"]);
    }

    #[test]
    fn an_entry_point_of_ones_own_drops_the_images_command() {
        let image = ImageConfig {
            entrypoint: vec!["start".to_owned()],
            command: vec!["server".to_owned()],
            ..ImageConfig::default()
        };
        for (entrypoint, command, expected) in [
            (None, [].as_slice(), ["start", "server"].as_slice()),
            (None, &["other", "-v"], &["start", "other", "-v"]),
            (Some("sh"), &[], &["sh"]),
            (Some("sh"), &["-c", "true"], &["sh", "-c", "true"]),
        ] {
            let options = StartOptions {
                entrypoint: entrypoint.map(str::to_owned),
                command: command.iter().map(|word| (*word).to_owned()).collect(),
                ..StartOptions::new("name", Seccomp::Unconfined)
            };
            assert_eq!(image.command_line(&options), expected);
        }
    }
}
