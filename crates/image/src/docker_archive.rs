//! What `docker save` writes: `manifest.json` with, for each image, its configuration, names and layers.
//!
//! Layers are promised by the configuration's `diff_ids`, the digests of their uncompressed form.

use serde::Deserialize;

use crate::Error;
use crate::configuration::Configuration;
use crate::digest::Digest;
use crate::layer::{Expected, Layer};
use crate::open::{Found, Platform};
use crate::store::Store;

/// The document that makes an archive a docker-archive.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Most layers of an image; engines stop at 127.
pub(crate) const MAX_LAYERS: usize = 4096;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

/// Finds an image: the one of that name, or the only one.
pub(crate) fn find(store: &Store, name: Option<&str>, platform: &Platform) -> Result<Found, Error> {
    let place = store.place_of(MANIFEST);
    let json = store.require_document(MANIFEST)?;
    let items: Vec<Item> = serde_json::from_slice(&json).map_err(|source| Error::Json {
        place: place.clone(),
        what: "docker-archive manifest",
        source,
    })?;
    let item = choose(store, &items, name)?;
    let config_place = store.place_of(&item.config);
    let config = store.require_document(&item.config)?;
    let digest = Digest::of(&config);
    if let Some(promised) = item.config.strip_prefix("blobs/sha256/") {
        Digest::parse(&place, &format!("sha256:{promised}"))?.compare(&config_place, &digest)?;
    }
    let configuration = Configuration::parse(&config_place, &config)?;
    platform.check(&store.place, configuration.platform())?;
    Ok(Found {
        layers: layers(store, item, &configuration)?,
        configuration,
        written: config,
        digest: digest.to_string(),
        name: name
            .map(str::to_owned)
            .or_else(|| item.repo_tags.iter().flatten().next().cloned()),
    })
}

fn choose<'a>(store: &Store, items: &'a [Item], name: Option<&str>) -> Result<&'a Item, Error> {
    let choice = |reason: String| Error::Choice {
        place: store.place.clone(),
        reason,
        found: items
            .iter()
            .map(|item| {
                item.repo_tags
                    .iter()
                    .flatten()
                    .next()
                    .unwrap_or(&item.config)
                    .clone()
            })
            .collect(),
    };
    match (name, items) {
        (_, []) => Err(Error::NotAnImage {
            place: store.place.clone(),
            reason: format!("{MANIFEST} names no image"),
        }),
        (None, [item]) => Ok(item),
        (None, _) => Err(choice(
            "several images, name one as docker-archive:FILE:NAME".to_owned(),
        )),
        (Some(name), _) => {
            let tagged = with_tag(name);
            let has_name = |item: &&Item| {
                item.config == name
                    || item
                        .repo_tags
                        .iter()
                        .flatten()
                        .any(|tag| *tag == tagged || tag == name)
            };
            items
                .iter()
                .find(has_name)
                .ok_or_else(|| choice(format!("no image is named {name:?}")))
        }
    }
}

/// `docker save` writes names with their tags.
pub(crate) fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

fn layers(store: &Store, item: &Item, configuration: &Configuration) -> Result<Vec<Layer>, Error> {
    let names = item.layers.as_deref().unwrap_or_default();
    let diff_ids = configuration.diff_ids();
    let place = store.place_of(&item.config);
    if names.len() != diff_ids.len() {
        let reason = format!(
            "{} layers are promised and {} are there",
            diff_ids.len(),
            names.len()
        );
        return Err(Error::Inconsistent { place, reason });
    }
    if names.len() > MAX_LAYERS {
        return Err(Error::TooLarge {
            place,
            what: "the number of layers",
            limit: MAX_LAYERS as u64,
        });
    }
    let layer = |(number, (name, diff_id)): (usize, (&String, &String))| {
        Ok(Layer {
            place: store.place_of(name),
            number,
            bytes: store.require(name)?,
            expected: Expected::Uncompressed(Digest::parse(&place, diff_id)?),
        })
    };
    names.iter().zip(diff_ids).enumerate().map(layer).collect()
}
