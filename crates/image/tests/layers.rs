//! Random layer stacks against a model: a map from paths to what is there, changed layer by layer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may fail it")]

mod common;

use std::collections::BTreeMap;

use common::{Item, docker_archive, file, folder, gzip, link, tar, write};
use confine_image::{FileKind, OpenOptions, open};
use proptest::prelude::*;

/// What a layer does, in terms of the file system that its author saw.
#[derive(Debug, Clone)]
enum Change {
    File(String, Vec<u8>),
    Folder(String),
    Link(String, String),
    Remove(String),
    Opaque(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    File(Vec<u8>),
    Folder,
    Link(String),
}

type Model = BTreeMap<String, Node>;

fn remove(model: &mut Model, path: &str) {
    model.retain(|known, _| known != path && !known.starts_with(&format!("{path}/")));
}

/// Puts a node there, its folders before it, whatever was in the way.
fn put(model: &mut Model, path: &str, node: Node) {
    for (index, _) in path.match_indices('/').skip(1) {
        let parent = &path[..index];
        if model.get(parent) != Some(&Node::Folder) {
            remove(model, parent);
            model.insert(parent.to_owned(), Node::Folder);
        }
    }
    if !(node == Node::Folder && model.get(path) == Some(&Node::Folder)) {
        remove(model, path);
        model.insert(path.to_owned(), node);
    }
}

fn apply(model: &mut Model, layer: &[Change]) {
    // Removals are of lower layers, so they go first.
    for change in layer {
        match change {
            Change::Remove(path) => remove(model, path),
            Change::Opaque(path) if model.get(path) == Some(&Node::Folder) => {
                remove(model, path);
                model.insert(path.clone(), Node::Folder);
            }
            _ => {}
        }
    }
    for change in layer {
        match change {
            Change::File(path, bytes) => put(model, path, Node::File(bytes.clone())),
            Change::Folder(path) => put(model, path, Node::Folder),
            Change::Link(path, target) => put(model, path, Node::Link(target.clone())),
            Change::Remove(_) => {}
            Change::Opaque(path) => put(model, path, Node::Folder),
        }
    }
}

fn item(change: &Change) -> Vec<Item> {
    let relative = |path: &str| path.trim_start_matches('/').to_owned();
    match change {
        Change::File(path, bytes) => vec![file(&relative(path), bytes)],
        Change::Folder(path) => vec![folder(&relative(path))],
        Change::Link(path, target) => vec![link(&relative(path), target)],
        Change::Remove(path) => {
            let (parent, name) = path.rsplit_once('/').unwrap();
            vec![file(&relative(&format!("{parent}/.wh.{name}")), b"")]
        }
        Change::Opaque(path) => {
            vec![
                file(&relative(&format!("{path}/.wh..wh..opq")), b""),
                folder(&relative(path)),
            ]
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let path = || proptest::collection::vec("[abc]", 1..4).prop_map(|parts| format!("/{}", parts.join("/")));
    prop_oneof![
        4 => (path(), proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(path, bytes)| Change::File(path, bytes)),
        2 => path().prop_map(Change::Folder),
        1 => (path(), path()).prop_map(|(path, target)| Change::Link(path, target)),
        2 => path().prop_map(Change::Remove),
        1 => path().prop_map(Change::Opaque),
    ]
}

/// A layer never names a path twice, nor something below its own file or link, as no file system could.
fn layer() -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec(change(), 0..8).prop_map(|changes| {
        let mut kept: Vec<Change> = Vec::new();
        for change in changes {
            let path = path_of(&change);
            let clash = kept.iter().any(|other| {
                let other_path = path_of(other);
                other_path == path
                    || below(path, other_path) && !is_folder(other)
                    || below(other_path, path) && !is_folder(&change)
            });
            if !clash {
                kept.push(change);
            }
        }
        kept
    })
}

fn path_of(change: &Change) -> &str {
    match change {
        Change::File(path, _)
        | Change::Folder(path)
        | Change::Link(path, _)
        | Change::Remove(path)
        | Change::Opaque(path) => path,
    }
}

fn is_folder(change: &Change) -> bool {
    matches!(change, Change::Folder(_) | Change::Opaque(_))
}

fn below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Where a path leads in the model, links followed inside the root.
fn walk(model: &Model, path: &str) -> Option<(String, Node)> {
    let mut pending: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut here = String::new();
    let mut links = 0;
    while let Some(part) = pending.pop() {
        if part.is_empty() {
            continue;
        }
        let next = format!("{here}/{part}");
        match model.get(&next)? {
            Node::Link(target) => {
                links += 1;
                if links > 40 {
                    return None;
                }
                here = String::new();
                pending.extend(target.split('/').rev().map(str::to_owned));
            }
            Node::File(_) if pending.iter().any(|part| !part.is_empty()) => return None,
            _ => here = next,
        }
    }
    let node = if here.is_empty() {
        Node::Folder
    } else {
        model.get(&here)?.clone()
    };
    Some((if here.is_empty() { "/".to_owned() } else { here }, node))
}

fn names(model: &Model, folder: &str) -> Vec<String> {
    let prefix = format!("{}/", folder.trim_end_matches('/'));
    let below = model.keys().filter_map(|path| path.strip_prefix(&prefix));
    below
        .filter(|rest| !rest.contains('/'))
        .map(str::to_owned)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn layers_merge_as_the_model_says(stack in proptest::collection::vec(layer(), 1..5), compressed: bool) {
        let mut model = Model::new();
        let mut archives = Vec::new();
        for layer in &stack {
            apply(&mut model, layer);
            archives.push(tar(&layer.iter().flat_map(item).collect::<Vec<_>>()));
        }
        let stored = if compressed { gzip } else { <[u8]>::to_vec };
        let temporary = tempfile::tempdir().unwrap();
        let path = write(temporary.path(), "image.tar", &tar(&docker_archive(&archives, stored)));
        let image = open(path.to_str().unwrap(), &OpenOptions::default()).unwrap();
        prop_assert_eq!(image.files.list("/"), names(&model, "/"));
        for path in model.keys() {
            let expected = walk(&model, path);
            let found = image.files.resolve(path);
            prop_assert_eq!(found.as_ref().map(|found| &found.path), expected.as_ref().map(|(path, _)| path));
            match expected {
                Some((_, Node::File(bytes))) => prop_assert_eq!(image.files.read(path).unwrap(), bytes),
                Some((folder, Node::Folder)) => {
                    prop_assert_eq!(found.unwrap().kind, FileKind::Folder);
                    prop_assert_eq!(image.files.list(path), names(&model, &folder));
                }
                _ => {}
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), at in 0_usize..4000) {
        let mut archive = tar(&docker_archive(&[tar(&[file("a", b"b")])], <[u8]>::to_vec));
        let at = at.min(archive.len());
        let end = (at + bytes.len()).min(archive.len());
        archive[at..end].copy_from_slice(&bytes[..end - at]);
        let temporary = tempfile::tempdir().unwrap();
        let path = write(temporary.path(), "image.tar", &archive);
        let _ = open(path.to_str().unwrap(), &OpenOptions::default());
    }
}
