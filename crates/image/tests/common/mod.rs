//! Little images, made in the test: layers by the tar crate, archives and layouts around them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may fail it")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A member of a layer or archive.
#[derive(Debug, Clone)]
pub enum Item {
    File(String, Vec<u8>),
    Folder(String),
    Link(String, String),
    Hard(String, String),
}

pub fn file(name: &str, bytes: &[u8]) -> Item {
    Item::File(name.to_owned(), bytes.to_vec())
}

pub fn folder(name: &str) -> Item {
    Item::Folder(name.to_owned())
}

pub fn link(name: &str, target: &str) -> Item {
    Item::Link(name.to_owned(), target.to_owned())
}

pub fn hard(name: &str, target: &str) -> Item {
    Item::Hard(name.to_owned(), target.to_owned())
}

/// A tar archive with names exactly as given, however hostile.
pub fn tar(items: &[Item]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let (kind, name, target, bytes): (_, _, _, &[u8]) = match item {
            Item::File(name, bytes) => (tar::EntryType::Regular, name, None, bytes),
            Item::Folder(name) => (tar::EntryType::Directory, name, None, &[]),
            Item::Link(name, target) => (tar::EntryType::Symlink, name, Some(target), &[]),
            Item::Hard(name, target) => (tar::EntryType::Link, name, Some(target), &[]),
        };
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(if kind == tar::EntryType::Directory {
            0o755
        } else {
            0o644
        });
        header.set_size(bytes.len() as u64);
        // The crate's own setters refuse hostile names.
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(target) = target {
            old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A configuration for those uncompressed layers.
pub fn configuration(layers: &[Vec<u8>]) -> String {
    let diff_ids: Vec<String> = layers
        .iter()
        .map(|layer| format!("\"sha256:{}\"", sha256(layer)))
        .collect();
    format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["/bin/app"]}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    )
}

/// The members of a docker-archive; `stored` turns a layer into what the archive holds.
pub fn docker_archive(layers: &[Vec<u8>], stored: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Item> {
    let config = configuration(layers);
    let mut items = vec![file("config.json", config.as_bytes())];
    let mut names = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let name = format!("{number}/layer.tar");
        items.push(file(&name, &stored(layer)));
        names.push(format!("\"{name}\""));
    }
    let manifest = format!(
        r#"[{{"Config":"config.json","RepoTags":["app:latest"],"Layers":[{}]}}]"#,
        names.join(",")
    );
    items.push(file("manifest.json", manifest.as_bytes()));
    items
}

/// The blobs and index of an OCI layout under construction.
#[derive(Debug, Default, Clone)]
pub struct Layout {
    pub items: Vec<Item>,
}

impl Layout {
    /// Adds a blob and gives its descriptor.
    pub fn blob(&mut self, media_type: &str, bytes: &[u8], more: &str) -> String {
        let digest = sha256(bytes);
        self.items.push(file(&format!("blobs/sha256/{digest}"), bytes));
        format!(
            r#"{{"mediaType":"{media_type}","digest":"sha256:{digest}","size":{}{more}}}"#,
            bytes.len()
        )
    }

    /// Adds an image and gives its manifest's descriptor.
    pub fn image(&mut self, config: &str, layers: &[(&str, Vec<u8>)], more: &str) -> String {
        let config = self.blob("application/vnd.oci.image.config.v1+json", config.as_bytes(), "");
        let layers: Vec<String> = layers
            .iter()
            .map(|(kind, bytes)| self.blob(kind, bytes, ""))
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#,
            layers.join(",")
        );
        self.blob(
            "application/vnd.oci.image.manifest.v1+json",
            manifest.as_bytes(),
            more,
        )
    }

    /// Closes the layout with an index of those descriptors.
    pub fn index(mut self, manifests: &[String]) -> Vec<Item> {
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, manifests.join(","));
        self.items
            .push(file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#));
        self.items.push(file("index.json", index.as_bytes()));
        self.items
    }
}

/// Writes bytes to a file of a temporary folder.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}
