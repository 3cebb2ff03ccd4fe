//! Opens an image by its reference.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::configuration::Configuration;
use crate::content::Stored;
use crate::folder::Folder;
use crate::layer::{Budget, Entry, Layer};
pub use crate::platform::{InvalidPlatform, Platform};
use crate::reference::{Input, Reference};
use crate::store::Store;
use crate::tree::Tree;
use crate::verified::{Memory, Verified};
use crate::{Config, Error, FileBytes, Files, docker_archive, oci};

/// An image: what to run, and the files to run it from.
pub struct Image {
    /// The configuration; defaults if there is none.
    pub config: Config,
    /// The root file system.
    pub files: Box<dyn Files>,
    /// The reference with its transport and, where the image has one, its name.
    pub reference: String,
    /// Digest of the manifest (OCI) or of the configuration (Docker); none for a folder.
    pub digest: Option<String>,
    /// Whether the image has a configuration at all: a folder has none.
    pub has_config: bool,
    /// What was odd about the image's files and was worked around, in words.
    pub problems: Vec<String>,
    /// What it is stored as; none for a folder.
    pub parts: Option<Parts>,
}

/// What an image is stored as, so that another one can be made of it.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The configuration as it is written.
    pub(crate) configuration: FileBytes,
    /// The layers as they are stored, compressed or not, the lowest one first.
    pub(crate) layers: Vec<Stored>,
}

/// How to open an image.
#[derive(Clone, Default)]
pub struct OpenOptions {
    /// Which of a multi-platform image's images; any other image has to be for it.
    pub platform: Platform,
    /// Is told how far the long parts are, from several threads and often.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    /// Knows which layers of which archives were verified before; each is verified without it.
    pub verified: Option<Arc<dyn Memory>>,
}

/// How far a long part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which part.
    pub stage: Stage,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, if that is known.
    pub total: Option<u64>,
}

/// The parts of opening an image that take their time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// An archive arrives from the engine or the standard input.
    Receiving,
    /// An archive that is compressed as a whole is decompressed.
    Decompressing,
    /// Layers are verified and indexed.
    Layers,
}

/// An image that was found and whose layers are still to be indexed.
pub(crate) struct Found {
    pub(crate) layers: Vec<Layer>,
    /// The configuration as it is written.
    pub(crate) written: FileBytes,
    pub(crate) configuration: Configuration,
    pub(crate) digest: String,
    pub(crate) name: Option<String>,
}

/// Passes progress on, if anybody wants it.
pub(crate) struct Reporter {
    progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    /// Knows what was verified before.
    pub(crate) verified: Option<Arc<dyn Memory>>,
}

impl Reporter {
    pub(crate) fn report(&self, stage: Stage, done: u64, total: Option<u64>) {
        if let Some(progress) = &self.progress {
            progress(Progress { stage, done, total });
        }
    }
}

/// Opens the image that `reference` names.
///
/// References are `docker-archive:FILE[:NAME]`, `oci-archive:FILE[:NAME]`, `oci:DIR[:NAME]`, `dir:ROOTFS`,
/// `docker-daemon:NAME`, or a bare file, folder or name, which are recognised in this order. `-` is an archive on
/// the standard input. Archives may be compressed as a whole; such an archive, the standard input and what the
/// engine sends go through an anonymous temporary file, since an archive has to be read at several places. A
/// file that is not compressed is mapped and must not be shortened meanwhile.
///
/// # Errors
/// When the reference means nothing, or the image is absent, broken or not for the wanted platform.
pub fn open(reference: &str, options: &OpenOptions) -> Result<Image, Error> {
    let reporter = Reporter {
        progress: options.progress.clone(),
        verified: options.verified.clone(),
    };
    let platform = &options.platform;
    match Reference::parse(reference)? {
        Reference::DockerArchive(input, name) => {
            let store = archive(&input, &reporter)?;
            let found = docker_archive::find(&store, name.as_deref(), platform)?;
            assemble(&store, found, &format!("docker-archive:{input}"), &reporter)
        }
        Reference::OciArchive(input, name) => {
            let store = archive(&input, &reporter)?;
            let found = oci::find(&store, name.as_deref(), platform)?;
            assemble(&store, found, &format!("oci-archive:{input}"), &reporter)
        }
        Reference::OciLayout(path, name) => {
            let store = Store::folder(&path);
            let found = oci::find(&store, name.as_deref(), platform)?;
            assemble(&store, found, &format!("oci:{}", path.display()), &reporter)
        }
        Reference::Archive(input) => {
            let store = archive(&input, &reporter)?;
            let (transport, found) = recognise(&store, platform)?;
            assemble(&store, found, &format!("{transport}:{input}"), &reporter)
        }
        Reference::Daemon(name) => from_engine(&name, platform, &reporter),
        Reference::RootFs(path) => root_file_system(&path),
    }
}

#[cfg(feature = "daemon")]
fn from_engine(name: &str, platform: &Platform, reporter: &Reporter) -> Result<Image, Error> {
    let stream = crate::engine::export(name)?;
    let store = Store::archive_stream(format!("docker-daemon:{name}"), stream, reporter)?;
    let (_, found) = recognise(&store, platform)?;
    // The archive may lack the name under which the image was asked for.
    let found = Found { name: None, ..found };
    assemble(&store, found, &format!("docker-daemon:{name}"), reporter)
}

#[cfg(not(feature = "daemon"))]
fn from_engine(name: &str, _: &Platform, _: &Reporter) -> Result<Image, Error> {
    Err(Error::Engine {
        place: name.to_owned(),
        reason: "no such file or folder, and this build does not ask the Docker engine".to_owned(),
    })
}

fn archive(input: &Input, reporter: &Reporter) -> Result<Store, Error> {
    match input {
        Input::File(path) => Store::archive_file(path, reporter),
        Input::Stdin => Store::archive_stream("standard input".to_owned(), io::stdin().lock(), reporter),
    }
}

/// What `docker save` writes today is both a docker-archive and an OCI layout: its own manifest is preferred,
/// since it carries the names, but only the layout can hold several platforms.
fn recognise(store: &Store, platform: &Platform) -> Result<(&'static str, Found), Error> {
    let is_docker = store.get(docker_archive::MANIFEST)?.is_some();
    let is_oci = store.get(oci::INDEX)?.is_some();
    match (is_docker, is_oci) {
        (true, false) => Ok(("docker-archive", docker_archive::find(store, None, platform)?)),
        (false, true) => Ok(("oci-archive", oci::find(store, None, platform)?)),
        (true, true) => match docker_archive::find(store, None, platform) {
            Err(Error::Platform { .. }) => Ok(("oci-archive", oci::find(store, None, platform)?)),
            found => Ok(("docker-archive", found?)),
        },
        (false, false) => Err(Error::NotAnImage {
            place: store.place.clone(),
            reason: format!(
                "the archive has neither {} nor {} (is it cut off?)",
                docker_archive::MANIFEST,
                oci::INDEX
            ),
        }),
    }
}

fn assemble(store: &Store, found: Found, reference: &str, reporter: &Reporter) -> Result<Image, Error> {
    let (tree, layers) = merge(store, &found.layers, reporter)?;
    Ok(Image {
        config: found.configuration.into_config(),
        reference: match found.name {
            Some(name) => format!("{reference}:{name}"),
            None => reference.to_owned(),
        },
        digest: Some(found.digest),
        has_config: true,
        problems: tree.problems().to_vec(),
        files: Box::new(tree),
        parts: Some(Parts {
            configuration: found.written,
            layers,
        }),
    })
}

fn root_file_system(path: &Path) -> Result<Image, Error> {
    Ok(Image {
        config: Config {
            workdir: "/".to_owned(),
            shell: default_shell(),
            ..Config::default()
        },
        files: Box::new(Folder::open(path)?),
        reference: format!("dir:{}", path.display()),
        digest: None,
        has_config: false,
        problems: Vec::new(),
        parts: None,
    })
}

/// The shell of shell forms where an image names none.
pub(crate) fn default_shell() -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned()]
}

fn merge(store: &Store, layers: &[Layer], reporter: &Reporter) -> Result<(Tree, Vec<Stored>), Error> {
    let place = &store.place;
    let mut tree = Tree::new();
    let mut stored = Vec::new();
    for indexed in index(layers, store.verified.as_ref(), reporter) {
        let (entries, layer) = indexed?;
        tree.apply(entries).map_err(|limit| limit.error(place))?;
        stored.push(layer);
    }
    tree.set_layers(stored.clone());
    Ok((tree, stored))
}

type Indexed = Result<(Vec<Entry>, Stored), Error>;

/// Indexes layers on all processors; results come in the order of the layers.
fn index(layers: &[Layer], verified: Option<&Verified>, reporter: &Reporter) -> Vec<Indexed> {
    let budget = Budget::default();
    let total: u64 = layers.iter().map(|layer| layer.bytes.len() as u64).sum();
    let done = AtomicU64::new(0);
    let progress = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        reporter.report(Stage::Layers, done, Some(total));
    };
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    // The largest layers first, so that none is left to run alone at the end.
    let mut order: Vec<&Layer> = layers.iter().collect();
    order.sort_by_key(|layer| std::cmp::Reverse(layer.bytes.len()));
    let work = || {
        while let Some(layer) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let indexed = layer.index(&budget, verified, &progress);
            results
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((layer.number, indexed));
        }
    };
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(layers.len());
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, indexed)| indexed).collect()
}
