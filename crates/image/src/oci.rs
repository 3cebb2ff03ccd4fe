//! An OCI image layout: `index.json`, manifests and blobs, each verified by its digest.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::configuration::Configuration;
use crate::digest::Digest;
use crate::docker_archive::MAX_LAYERS;
use crate::layer::{Expected, Layer};
use crate::open::{Found, Platform};
use crate::store::Store;

/// The document that makes a folder or archive a layout.
pub(crate) const INDEX: &str = "index.json";
/// How deep indexes may lie in indexes: two levels are seen in the wild.
const MAX_DEPTH: usize = 4;
/// Most manifests and indexes that are looked at, over all depths.
const MAX_MANIFESTS: usize = 1000;

/// The media types of the image specification, for what is read and written.
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIGURATION_TYPE: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
/// Where it has the name of an image.
pub(crate) const NAME_KEY: &str = "org.opencontainers.image.ref.name";

const INDEX_TYPES: &[&str] = &[
    INDEX_TYPE,
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFEST_TYPES: &[&str] = &[
    MANIFEST_TYPE,
    "application/vnd.docker.distribution.manifest.v2+json",
];
const CONFIG_TYPES: &[&str] = &[
    CONFIGURATION_TYPE,
    "application/vnd.docker.container.image.v1+json",
];
/// Without the suffix that names the compression.
const LAYER_TYPES: &[&str] = &[
    LAYER_TYPE,
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
];
const COMPRESSIONS: &[&str] = &["", "+gzip", "+zstd", ".gzip", ".zstd"];

/// Where the name of an image is written: by the specification, and by containerd in full.
const NAME_KEYS: &[&str] = &[NAME_KEY, "io.containerd.image.name"];
/// What marks a manifest as saying something about another one.
const ATTESTATION_KEY: &str = "vnd.docker.reference.type";

#[derive(Debug, Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    platform: Option<DescribedPlatform>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Deserialize)]
struct DescribedPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
}

/// Finds an image: of that name if one is given, for that platform.
pub(crate) fn find(store: &Store, name: Option<&str>, platform: &Platform) -> Result<Found, Error> {
    let place = store.place_of(INDEX);
    let index: Index = parse(&place, "image index", &store.require_document(INDEX)?)?;
    let top = choose_by_name(store, index.manifests, name)?;
    let mut manifests = Vec::new();
    let mut budget = MAX_MANIFESTS;
    for descriptor in top {
        collect_manifests(store, descriptor, MAX_DEPTH, &mut budget, &mut manifests)?;
    }
    let chosen = choose_by_platform(store, &manifests, platform)?;
    read_manifest(store, chosen, platform, name)
}

fn choose_by_name(
    store: &Store,
    descriptors: Vec<Descriptor>,
    name: Option<&str>,
) -> Result<Vec<Descriptor>, Error> {
    let names: Vec<String> = descriptors.iter().filter_map(Descriptor::name).collect();
    let choice = |reason| Error::Choice {
        place: store.place.clone(),
        reason,
        found: distinct(&names),
    };
    let Some(name) = name else {
        if distinct(&names).len() > 1 {
            return Err(choice("several images, name one as oci:DIR:NAME".to_owned()));
        }
        return Ok(descriptors);
    };
    let named: Vec<Descriptor> = descriptors
        .into_iter()
        .filter(|descriptor| descriptor.has_name(name))
        .collect();
    if named.is_empty() {
        Err(choice(format!("no image is named {name:?}")))
    } else {
        Ok(named)
    }
}

/// Manifests of an index and of the indexes that it names.
fn collect_manifests(
    store: &Store,
    descriptor: Descriptor,
    depth: usize,
    budget: &mut usize,
    manifests: &mut Vec<Descriptor>,
) -> Result<(), Error> {
    *budget = budget.checked_sub(1).ok_or_else(|| Error::TooLarge {
        place: store.place.clone(),
        what: "the number of manifests",
        limit: MAX_MANIFESTS as u64,
    })?;
    if INDEX_TYPES.contains(&descriptor.media_type.as_str()) {
        let digest = Digest::parse(&store.place, &descriptor.digest)?;
        let place = store.place_of(&digest.path());
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::TooLarge {
                place,
                what: "the depth of indexes in indexes",
                limit: MAX_DEPTH as u64,
            });
        };
        // A layout may hold an index without the manifests of other platforms, but not without itself.
        let index: Index = parse(&place, "image index", &store.verified_document(&digest)?)?;
        for inner in index.manifests {
            collect_manifests(store, inner, depth, budget, manifests)?;
        }
        return Ok(());
    }
    if !MANIFEST_TYPES.contains(&descriptor.media_type.as_str()) {
        return Err(Error::MediaType {
            place: store.place.clone(),
            what: "a manifest",
            media_type: descriptor.media_type,
        });
    }
    if !descriptor.is_attestation() {
        manifests.push(descriptor);
    }
    Ok(())
}

/// The first that fits, as the specification has it; one that does not say is taken at its configuration's
/// word.
fn choose_by_platform<'a>(
    store: &Store,
    manifests: &'a [Descriptor],
    wanted: &Platform,
) -> Result<&'a Descriptor, Error> {
    let fits = |descriptor: &&Descriptor| match &descriptor.platform {
        Some(platform) => wanted.fits(platform.parts()),
        None => true,
    };
    manifests.iter().find(fits).ok_or_else(|| match manifests {
        [] => Error::NotAnImage {
            place: store.place.clone(),
            reason: format!("{INDEX} names no image manifest"),
        },
        _ => {
            let found: Vec<String> = manifests
                .iter()
                .filter_map(|descriptor| descriptor.platform.as_ref())
                .map(|platform| Platform::show(platform.parts()))
                .collect();
            Error::Platform {
                place: store.place.clone(),
                wanted: wanted.to_string(),
                found: distinct(&found),
            }
        }
    })
}

fn read_manifest(
    store: &Store,
    descriptor: &Descriptor,
    platform: &Platform,
    name: Option<&str>,
) -> Result<Found, Error> {
    let digest = Digest::parse(&store.place, &descriptor.digest)?;
    let place = store.place_of(&digest.path());
    let manifest: Manifest = parse(&place, "image manifest", &store.verified_document(&digest)?)?;
    let unknown = |what, media_type: &str| Error::MediaType {
        place: place.clone(),
        what,
        media_type: media_type.to_owned(),
    };
    if !CONFIG_TYPES.contains(&manifest.config.media_type.as_str()) {
        return Err(unknown("the configuration", &manifest.config.media_type));
    }
    if manifest.layers.len() > MAX_LAYERS {
        return Err(Error::TooLarge {
            place,
            what: "the number of layers",
            limit: MAX_LAYERS as u64,
        });
    }
    let config_digest = Digest::parse(&place, &manifest.config.digest)?;
    let config = store.verified_document(&config_digest)?;
    let configuration = Configuration::parse(&store.place_of(&config_digest.path()), &config)?;
    platform.check(&store.place, configuration.platform())?;
    let layer = |(number, layer): (usize, &Descriptor)| {
        if !is_layer_type(&layer.media_type) {
            return Err(unknown("a layer", &layer.media_type));
        }
        let digest = Digest::parse(&place, &layer.digest)?;
        let path = digest.path();
        Ok(Layer {
            place: store.place_of(&path),
            number,
            bytes: store.require(&path)?,
            expected: Expected::Stored(digest),
        })
    };
    Ok(Found {
        layers: manifest
            .layers
            .iter()
            .enumerate()
            .map(layer)
            .collect::<Result<_, _>>()?,
        configuration,
        written: config,
        digest: digest.to_string(),
        name: name.map(str::to_owned).or_else(|| descriptor.name()),
    })
}

fn is_layer_type(media_type: &str) -> bool {
    LAYER_TYPES.iter().any(|known| {
        media_type
            .strip_prefix(known)
            .is_some_and(|suffix| COMPRESSIONS.contains(&suffix))
    })
}

fn parse<T: DeserializeOwned>(place: &str, what: &'static str, json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json).map_err(|source| Error::Json {
        place: place.to_owned(),
        what,
        source,
    })
}

fn distinct(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

impl Descriptor {
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The fullest name that it carries.
    fn name(&self) -> Option<String> {
        NAME_KEYS
            .iter()
            .rev()
            .find_map(|key| self.annotation(key))
            .map(str::to_owned)
    }

    /// Whether it is called so, in full or by its tag.
    fn has_name(&self, name: &str) -> bool {
        let ends_so = |full: &str| {
            full.strip_suffix(name)
                .is_some_and(|rest| rest.ends_with([':', '/']))
        };
        NAME_KEYS
            .iter()
            .filter_map(|key| self.annotation(key))
            .any(|full| full == name || ends_so(full))
    }

    fn is_attestation(&self) -> bool {
        self.annotation(ATTESTATION_KEY).is_some()
            || self
                .platform
                .as_ref()
                .is_some_and(|platform| platform.os == "unknown")
    }
}

impl DescribedPlatform {
    fn parts(&self) -> (&str, &str, &str) {
        (&self.os, &self.architecture, &self.variant)
    }
}
