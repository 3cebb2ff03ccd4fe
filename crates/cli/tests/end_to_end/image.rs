//! Little programs, compiled once for all tests, and the images that hold them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/programs");

/// The loader and the library are there by the time that the server is linked.
const BUILDS: [(&str, &str); 11] = [
    ("loader", "-fPIC -shared -Wl,-e,_start"),
    ("libtiny", "-fPIC -shared -Wl,-soname,libtiny.so"),
    ("preload", "-fPIC -shared"),
    ("server", "-Wl,--dynamic-linker=/lib/loader.so libtiny"),
    (
        "embedder",
        "-Wl,--dynamic-linker=/lib/loader.so -Wl,--export-dynamic libtiny",
    ),
    ("shell", "-static"),
    ("probe", "-static"),
    ("open", "-static"),
    ("callback", "-static"),
    ("runner", "-static"),
    ("driver", "-static"),
];

/// The bytes of every program by its source's name; nothing without gcc.
pub fn programs() -> Option<&'static BTreeMap<String, Vec<u8>>> {
    static PROGRAMS: OnceLock<Option<BTreeMap<String, Vec<u8>>>> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| is_installed("gcc").then(build)).as_ref();
    if programs.is_none() {
        eprintln!("skipped: gcc is not installed (package gcc)");
    }
    programs
}

/// Whether there is such a command.
pub fn is_installed(command: &str) -> bool {
    let version = Command::new(command)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

fn build() -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, flags) in BUILDS {
        let mut gcc = Command::new("gcc");
        gcc.args(["-O1", "-nostdlib", "-nostartfiles", "-o", name])
            .arg(format!("{SOURCES}/{name}.c"))
            .args(flags.split_whitespace())
            .current_dir(folder.path());
        assert!(gcc.status().unwrap().success(), "{name} cannot be compiled");
    }
    let read = |(name, _): (&str, &str)| (name.to_owned(), fs::read(folder.path().join(name)).unwrap());
    BUILDS.into_iter().map(read).collect()
}

/// An image under construction: a root file system and a configuration.
pub struct Image {
    folder: tempfile::TempDir,
    configuration: String,
}

impl Image {
    /// An image without files that starts `configuration`, the inner object of an image's configuration.
    pub fn new(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        Self {
            folder,
            configuration: configuration.to_owned(),
        }
    }

    /// An image whose entry point is a shell script that executes a dynamic program.
    pub fn with_script(programs: &BTreeMap<String, Vec<u8>>) -> Self {
        Self::new(r#"{"Entrypoint":["/entry.sh"],"Cmd":["server"],"Env":["PATH=/usr/bin"]}"#)
            .file("/entry.sh", b"#!/bin/sh\nset -e\nexec \"$@\"\n")
            .file("/usr/bin/sh", &programs["shell"])
            .file("/usr/bin/server", &programs["server"])
            .file("/usr/bin/probe", &programs["probe"])
            .file("/lib/loader.so", &programs["loader"])
            .file("/lib/libtiny.so", &programs["libtiny"])
            .link("/bin", "usr/bin")
    }

    /// An image that starts one program and holds nothing else.
    pub fn with_program(bytes: &[u8]) -> Self {
        Self::new(r#"{"Cmd":["/app"]}"#).file("/app", bytes)
    }

    /// Adds an executable file, or replaces it.
    pub fn file(self, path: &str, bytes: &[u8]) -> Self {
        let place = self.place(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, bytes).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Adds a symbolic link.
    pub fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.place(path)).unwrap();
        self
    }

    /// Takes a file away.
    pub fn without(self, path: &str) -> Self {
        fs::remove_file(self.place(path)).unwrap();
        self
    }

    /// A folder outside the image that goes with it.
    pub fn beside(&self) -> &Path {
        self.folder.path()
    }

    /// The image as a folder, which has no configuration.
    pub fn folder(&self) -> String {
        format!("dir:{}", self.folder.path().join("root").display())
    }

    /// The image as `docker save` writes it, its layer and itself passed through the commands given.
    pub fn archive(&self, layer_through: Option<&str>, archive_through: Option<&str>) -> PathBuf {
        let layer = self.tar("root", &["."]);
        let parts = self.folder.path().join("parts");
        fs::create_dir_all(&parts).unwrap();
        let configuration = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{},"rootfs":{{"type":"layers","diff_ids":["sha256:{}"]}}}}"#,
            self.configuration,
            hexadecimal(&Sha256::digest(&layer)),
        );
        fs::write(parts.join("config.json"), configuration).unwrap();
        fs::write(
            parts.join("manifest.json"),
            r#"[{"Config":"config.json","RepoTags":["little:latest"],"Layers":["layer.tar"]}]"#,
        )
        .unwrap();
        fs::write(parts.join("layer.tar"), through(layer_through, layer)).unwrap();
        let archive = self.tar("parts", &["manifest.json", "config.json", "layer.tar"]);
        let words = [layer_through, archive_through].map(|command| command.unwrap_or("plain"));
        let path = self.folder.path().join(format!("{}.tar", words.join("-")));
        fs::write(&path, through(archive_through, archive)).unwrap();
        path
    }

    fn place(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path.trim_start_matches('/'))
    }

    fn tar(&self, folder: &str, members: &[&str]) -> Vec<u8> {
        let mut tar = Command::new("tar");
        tar.args(["--create", "--owner=0", "--group=0", "--directory"])
            .arg(self.folder.path().join(folder))
            .args(members);
        let output = tar.output().unwrap();
        assert!(output.status.success(), "tar: {output:?}");
        output.stdout
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a compressor makes of the bytes.
fn through(command: Option<&str>, bytes: Vec<u8>) -> Vec<u8> {
    let Some(command) = command else { return bytes };
    let mut child = Command::new(command)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{command}");
    output.stdout
}
