//! Writes an image with one more layer, as an archive, a layout, or into the Docker engine.
//!
//! The layers that are there go on as they are stored; what is new is the layer, the configuration that promises it and
//! the manifest. The same parts and layer give the same bytes: nothing depends on the time or on what is asked first.

mod addition;
mod target;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::compression::Compression;
use crate::content::Stored;
use crate::digest::{Algorithm, Digest};
use crate::docker_archive::{MANIFEST, with_tag};
use crate::oci::{CONFIGURATION_TYPE, INDEX, INDEX_TYPE, LAYER_TYPE, MANIFEST_TYPE, NAME_KEY};
use crate::{Error, FileBytes, Parts};

pub use addition::{Addition, FileToAdd};
pub use target::Target;

const LAYOUT: &str = "oci-layout";

/// Writes the image that `parts` are of with `addition` on top; the digest of its manifest, or for the Docker engine
/// and docker-archives of its configuration, by which they know it.
///
/// # Errors
/// When the configuration cannot be read, or the target cannot be written.
pub fn write(parts: &Parts, addition: &Addition, target: &Target) -> Result<String, Error> {
    let image = Written::new(parts, addition)?;
    match target {
        Target::DockerArchive(path, name) => {
            in_place(path, |file| image.archive(file, name.as_deref(), true))?;
            Ok(image.configuration.digest.to_string())
        }
        Target::OciArchive(path, name) => {
            in_place(path, |file| image.archive(file, name.as_deref(), false))?;
            Ok(image.manifest.digest.to_string())
        }
        Target::OciLayout(folder, name) => {
            image.layout(folder, name.as_deref())?;
            Ok(image.manifest.digest.to_string())
        }
        Target::Daemon(name) => {
            image.daemon(name)?;
            Ok(image.configuration.digest.to_string())
        }
    }
}

/// An image as blobs, each named by its digest.
struct Written {
    layers: Vec<Blob>,
    configuration: Blob,
    manifest: Blob,
}

struct Blob {
    digest: Digest,
    bytes: FileBytes,
    media_type: String,
}

impl Blob {
    fn new(bytes: impl Into<FileBytes>, media_type: &str) -> Self {
        let bytes = bytes.into();
        Self {
            digest: Digest::of(&bytes),
            bytes,
            media_type: media_type.to_owned(),
        }
    }

    /// A layer as it is stored. What was verified when it was read is not hashed again.
    fn stored(layer: &Stored) -> Self {
        let suffix = match layer.compression {
            Compression::Plain => "",
            Compression::Gzip => "+gzip",
            Compression::Zstd => "+zstd",
        };
        let known = layer.digest.clone();
        let known = known.filter(|digest| digest.algorithm == Algorithm::Sha256);
        Self {
            digest: known.unwrap_or_else(|| Digest::of(&layer.bytes)),
            bytes: layer.bytes.clone(),
            media_type: format!("{LAYER_TYPE}{suffix}"),
        }
    }

    fn descriptor(&self) -> Value {
        json!({
            "mediaType": self.media_type,
            "digest": self.digest.to_string(),
            "size": self.bytes.len(),
        })
    }
}

impl Written {
    fn new(parts: &Parts, addition: &Addition) -> Result<Self, Error> {
        let layer = addition
            .layer()
            .map_err(|source| Error::io("the new layer", source))?;
        let layer = Blob::new(layer, LAYER_TYPE);
        let configuration = configuration(parts, addition, &layer.digest)?;
        let layers: Vec<Blob> = parts.layers.iter().map(Blob::stored).chain([layer]).collect();
        let configuration = Blob::new(to_json(&configuration), CONFIGURATION_TYPE);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": configuration.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
        });
        Ok(Self {
            layers,
            configuration,
            manifest: Blob::new(to_json(&manifest), MANIFEST_TYPE),
        })
    }

    /// Every blob once, by its path. Empty layers are the same blob.
    fn blobs(&self) -> BTreeMap<String, &Blob> {
        let all = self.layers.iter().chain([&self.configuration, &self.manifest]);
        all.map(|blob| (blob.digest.path(), blob)).collect()
    }

    fn index_entry(&self, name: Option<&str>) -> Value {
        let mut entry = self.manifest.descriptor();
        if let (Some(name), Some(entry)) = (name, entry.as_object_mut()) {
            entry.insert("annotations".to_owned(), json!({ NAME_KEY: name }));
        }
        entry
    }

    /// A layout in an archive, which is also what `docker load` takes if it has that manifest.
    fn archive(&self, file: &mut dyn Write, name: Option<&str>, for_docker: bool) -> io::Result<()> {
        let mut archive = tar::Builder::new(file);
        for (path, blob) in self.blobs() {
            append(&mut archive, &path, &blob.bytes)?;
        }
        append(
            &mut archive,
            INDEX,
            &to_json(&index(vec![self.index_entry(name)])),
        )?;
        if for_docker {
            let layers: Vec<String> = self.layers.iter().map(|layer| layer.digest.path()).collect();
            let manifest = json!([{
                "Config": self.configuration.digest.path(),
                "RepoTags": name.map(|name| vec![with_tag(name)]),
                "Layers": layers,
            }]);
            append(&mut archive, MANIFEST, &to_json(&manifest))?;
        }
        append(&mut archive, LAYOUT, &layout_mark())?;
        archive.into_inner()?.flush()
    }

    /// A layout in a folder. One that is there keeps its other images.
    fn layout(&self, folder: &Path, name: Option<&str>) -> Result<(), Error> {
        let place = |path: &Path| path.display().to_string();
        for (path, blob) in self.blobs() {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(|source| Error::io(place(parent), source))?;
            }
            in_place(&path, |file| file.write_all(&blob.bytes))?;
        }
        let path = folder.join(INDEX);
        let mut entries = match fs::read(&path) {
            Ok(json) => entries(&path, &json)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(Error::io(place(&path), source)),
        };
        let own = self.index_entry(name);
        entries.retain(|entry| entry["annotations"][NAME_KEY] != own["annotations"][NAME_KEY]);
        entries.push(own);
        in_place(&folder.join(LAYOUT), |file| file.write_all(&layout_mark()))?;
        in_place(&path, |file| file.write_all(&to_json(&index(entries))))
    }

    #[cfg(feature = "daemon")]
    fn daemon(&self, name: &str) -> Result<(), Error> {
        let spool = |source| Error::io("temporary file", source);
        let mut file = tempfile::tempfile().map_err(spool)?;
        self.archive(&mut file, Some(name), true).map_err(spool)?;
        let bytes = crate::mapping::map(&file).map_err(spool)?;
        crate::engine::import(name, bytes)
    }

    #[cfg(not(feature = "daemon"))]
    fn daemon(&self, name: &str) -> Result<(), Error> {
        Err(Error::Engine {
            place: name.to_owned(),
            reason: "this build does not speak to the Docker engine".to_owned(),
        })
    }
}

/// The image's configuration with one more layer in its list and its history.
fn configuration(parts: &Parts, addition: &Addition, layer: &Digest) -> Result<Value, Error> {
    let place = "the image's configuration";
    let mut configuration: Value =
        serde_json::from_slice(&parts.configuration).map_err(|source| Error::Json {
            place: place.to_owned(),
            what: "image configuration",
            source,
        })?;
    let unusual = |reason: &str| Error::Inconsistent {
        place: place.to_owned(),
        reason: reason.to_owned(),
    };
    let created = configuration.get("created").cloned();
    let layers = configuration.pointer_mut("/rootfs/diff_ids");
    layers
        .and_then(Value::as_array_mut)
        .ok_or_else(|| unusual("it has no list of layers"))?
        .push(layer.to_string().into());
    // The history may be missing, but where it is there it has as many entries as layers.
    if let Some(history) = configuration.get_mut("history").and_then(Value::as_array_mut) {
        let mut entry = json!({ "created_by": addition.created_by });
        if let (Some(created @ Value::String(_)), Some(entry)) = (created, entry.as_object_mut()) {
            entry.insert("created".to_owned(), created);
        }
        history.push(entry);
    }
    Ok(configuration)
}

fn index(entries: Vec<Value>) -> Value {
    json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries })
}

fn entries(path: &Path, json: &[u8]) -> Result<Vec<Value>, Error> {
    let index: Value = serde_json::from_slice(json).map_err(|source| Error::Json {
        place: path.display().to_string(),
        what: "image index",
        source,
    })?;
    Ok(index["manifests"].as_array().cloned().unwrap_or_default())
}

fn layout_mark() -> Vec<u8> {
    to_json(&json!({ "imageLayoutVersion": "1.0.0" }))
}

/// JSON without spaces, keys in order.
fn to_json(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn append(archive: &mut tar::Builder<&mut dyn Write>, path: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

/// Writes a file that appears when all of it is there.
fn in_place(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let io = |source| Error::io(path.display(), source);
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let temporary = tempfile::Builder::new()
        .prefix(".confine-")
        .tempfile_in(folder)
        .map_err(io)?;
    let mut buffered = io::BufWriter::new(temporary);
    write(&mut buffered).map_err(io)?;
    let temporary = buffered.into_inner().map_err(|error| io(error.into_error()))?;
    readable(temporary.as_file()).map_err(io)?;
    temporary.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// Temporary files are private; what comes of one is as readable as other files.
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}
