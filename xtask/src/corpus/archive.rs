//! A sample over a whole release: executables picked at random from all that the archive's packages bring, each with
//! the packages that it needs, unpacked over each other into one root file system on top of a minimal Debian.
//!
//! Nothing of it is installed or run: what maintainers' scripts would make is not there. Where they would link one of
//! several alternatives of a library, the first by path is linked. Files of packages that conflict overwrite each other.

mod packages;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use confine_engine::{Docker, Interrupt, Invocation, Rootfs};
use confine_image::{Files, OpenOptions};

use super::is_elf;
use super::said::Analysis;
use crate::images::build;
use packages::Packages;
use table::Row;

/// How much packages may say that they take, in KiB; unpacked, without what is left out, it is much less.
const MOST: u64 = 24 << 20;

/// Picks, unpacks and analyses; prints the averages.
pub fn run(root: &Path, release: &str, count: usize, seed: u64, write: bool) -> anyhow::Result<bool> {
    let started = Instant::now();
    let interrupt = crate::interrupt()?;
    let docker = Docker::new(&interrupt);
    let confine = build::confine(root, &interrupt)?;
    let pool = Pool::prepare(root, &docker, &interrupt, release)?;
    let packages = Packages::read(&pool.read("available")?);
    let owners = packages::executables(&pool.read("contents")?, &packages);
    let paths: Vec<String> = owners.keys().cloned().collect();
    let order = super::order(&paths, seed);

    // Not every path is an ELF file, and which is shows when it is unpacked: those that are not are replaced.
    let mut chosen: BTreeMap<String, &str> = BTreeMap::new();
    let mut candidates = order.iter();
    let mut unpacked = BTreeSet::new();
    while chosen.len() < count {
        let some: Vec<&String> = candidates.by_ref().take(count - chosen.len()).collect();
        if some.is_empty() {
            break;
        }
        let owner = |path: &String| owners.get(path).map(String::as_str);
        unpacked.extend(packages.closure(some.iter().filter_map(|path| owner(path))));
        let size = packages.size(&unpacked);
        eprintln!("{} packages of {} MiB in all", unpacked.len(), size >> 10);
        ensure!(
            size < MOST,
            "the packages take {} MiB, at most {} are wanted",
            size >> 10,
            MOST >> 10
        );
        pool.unpack(&unpacked)?;
        let files = pool.files()?;
        for path in some {
            let found = files.resolve(path).map(|found| found.path);
            if let (Some(found), Some(owner)) = (found.filter(|found| is_elf(&*files, found)), owner(path)) {
                chosen.insert(found, owner);
            }
        }
    }
    pool.link_alternatives()?;

    let analysis = Analysis {
        confine: &confine,
        rootfs: &pool.rootfs,
        output: &pool.folder,
        interrupt: &interrupt,
    };
    let names: Vec<String> = chosen.keys().cloned().collect();
    let mut rows = Vec::new();
    analysis.each(&names, |report, program| {
        let package = chosen.get(&program.path).copied().unwrap_or_default();
        rows.push(Row::new(report, program, package));
    })?;
    let text = table::render(&rows, seed, paths.len());
    println!("{text}");
    eprintln!("took {} minutes", started.elapsed().as_secs() / 60);
    if write {
        crate::write_page(root, "sample.md", include_str!("archive/page.md"), &text)?;
    }
    Ok(true)
}

/// What is kept of a release's archive.
struct Pool {
    folder: PathBuf,
    rootfs: PathBuf,
    scripts: PathBuf,
    base: String,
    interrupt: Interrupt,
}

impl Pool {
    fn prepare(root: &Path, docker: &Docker, interrupt: &Interrupt, release: &str) -> anyhow::Result<Self> {
        let base = build::base_image(docker, interrupt, &root.join("tests/images"), release)?;
        let folder = root.join("target/corpus/archive").join(release);
        let rootfs = folder.join("rootfs");
        let pool = Self {
            folder,
            rootfs,
            scripts: root.join("tests/corpus/archive"),
            base,
            interrupt: interrupt.clone(),
        };
        if !pool.rootfs.is_dir() {
            let flat = pool.folder.join("flat.tar");
            std::fs::create_dir_all(&pool.folder)
                .with_context(|| format!("cannot create {}", pool.folder.display()))?;
            docker.export(&pool.base, &flat)?;
            Rootfs::unpack(&flat, &pool.rootfs)?;
            std::fs::remove_file(&flat)?;
        }
        if !pool.folder.join("contents").is_file() {
            eprintln!("reading what the archive has");
            pool.script("index", Duration::from_secs(900))?;
        }
        Ok(pool)
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    fn files(&self) -> anyhow::Result<Box<dyn Files>> {
        let reference = format!("dir:{}", self.rootfs.display());
        Ok(confine_image::open(&reference, &OpenOptions::default())?.files)
    }

    /// Brings the files of packages into the root, but for those that are there.
    fn unpack(&self, packages: &BTreeSet<&str>) -> anyhow::Result<()> {
        let wanted: Vec<&str> = packages
            .iter()
            .copied()
            .filter(|package| !self.folder.join("unpacked").join(package).exists())
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        eprintln!("unpacking {} packages", wanted.len());
        std::fs::write(self.folder.join("wanted"), wanted.join("\n") + "\n")?;
        self.script("unpack", Duration::from_secs(3600))
    }

    /// Runs a script in a container of the release, with the pool at /pool.
    fn script(&self, name: &str, limit: Duration) -> anyhow::Result<()> {
        let mut container = Invocation::new("docker")
            .args(["run", "--rm", "--init", "--network", "host", "--volume"])
            .arg(format!("{}:/pool", self.folder.display()))
            .arg("--volume")
            .arg(format!("{}:/scripts:ro", self.scripts.display()));
        for name in ["http_proxy", "https_proxy", "no_proxy"] {
            container = container.args(["--env", name]);
        }
        container
            .arg(&self.base)
            .args([&format!("/scripts/{name}"), "/pool"])
            .limit(limit)
            .interrupt(&self.interrupt)
            .output()?;
        Ok(())
    }

    /// Links libraries that lie in a folder below the loader's into that, as alternatives are where they are installed.
    fn link_alternatives(&self) -> anyhow::Result<()> {
        let library = self.rootfs.join("usr/lib/x86_64-linux-gnu");
        let folders = entries(&library)?;
        for path in folders.iter().filter(|path| path.is_dir()) {
            for path in entries(path)? {
                let name = path.file_name().unwrap_or_default();
                let is_library = name
                    .to_str()
                    .is_some_and(|name| name.starts_with("lib") && name.contains(".so."));
                let link = library.join(name);
                if is_library && link.symlink_metadata().is_err() {
                    let target = path.strip_prefix(&library).unwrap_or(&path);
                    std::os::unix::fs::symlink(target, &link)
                        .with_context(|| format!("cannot link {}", link.display()))?;
                }
            }
        }
        Ok(())
    }
}

/// What lies in a folder, sorted.
fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = listed
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}
