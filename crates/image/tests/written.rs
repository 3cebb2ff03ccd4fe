//! An image that was written with one more layer is the image that it was, with the layer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may fail it")]

mod common;

use std::path::Path;

use common::{Layout, configuration, docker_archive, file, folder, gzip, tar, write, zstd};
use confine_image::{Addition, FileToAdd, Image, OpenOptions, Ownership, open};

fn layers() -> Vec<Vec<u8>> {
    let empty = tar(&[]);
    vec![
        tar(&[
            folder("opt/"),
            folder("opt/app/"),
            file("opt/app/tool", b"old"),
            file("etc/kept", b"kept"),
        ]),
        empty.clone(),
        empty,
    ]
}

fn images(folder: &Path) -> Vec<Image> {
    let mut references = Vec::new();
    for (name, stored) in [
        ("plain", <[u8]>::to_vec as fn(&[u8]) -> Vec<u8>),
        ("gzip", gzip),
        ("zstd", zstd),
    ] {
        let archive = write(
            folder,
            &format!("{name}.tar"),
            &tar(&docker_archive(&layers(), stored)),
        );
        references.push(format!("docker-archive:{}", archive.display()));
    }
    let mut layout = Layout::default();
    let stored: Vec<(&str, Vec<u8>)> = layers()
        .iter()
        .map(|layer| ("application/vnd.oci.image.layer.v1.tar+gzip", gzip(layer)))
        .collect();
    let image = layout.image(&configuration(&layers()), &stored, "");
    let archive = write(folder, "layout.tar", &tar(&layout.index(&[image])));
    references.push(format!("oci-archive:{}", archive.display()));
    let open = |reference: &String| open(reference, &OpenOptions::default()).unwrap();
    references.iter().map(open).collect()
}

fn addition(image: &Image) -> Addition {
    let mut addition = Addition::new("a test");
    let add = |addition: &mut Addition, path: &str, bytes: &[u8]| {
        let file = FileToAdd {
            bytes: bytes.to_vec(),
            mode: 0o4751,
            ownership: Ownership {
                user: 7,
                group: 8,
                modified: 9,
                capabilities: false,
            },
        };
        addition.add(&*image.files, path, file);
    };
    add(&mut addition, "/opt/app/tool", b"new");
    let long = format!("/opt/app/{}/{}", "folder".repeat(20), "file".repeat(40));
    add(&mut addition, &long, b"long");
    addition
}

#[test]
fn everything_that_was_there_is_there_and_the_layer_is_on_top() {
    let folder = tempfile::tempdir().unwrap();
    for image in images(folder.path()) {
        for target in [
            "docker-archive:PATH.tar:new/name",
            "oci-archive:PATH.tar:v1",
            "oci:PATH:v1",
        ] {
            let path = folder.path().join("written");
            let target = target.replace("PATH", path.to_str().unwrap());
            let parts = image.parts.as_ref().unwrap();
            let digest = confine_image::write(parts, &addition(&image), &target.parse().unwrap()).unwrap();
            let written = open(&target, &OpenOptions::default()).unwrap();
            assert_eq!(written.digest, Some(digest), "{target}");
            assert_eq!(written.config, image.config);
            let resolved = written.files.resolve("/opt/app/tool").unwrap();
            assert_eq!(
                (resolved.mode, resolved.ownership.user, resolved.ownership.group),
                (0o4751, 7, 8)
            );
            assert_eq!(resolved.ownership.modified, 9);
            assert_eq!(written.files.read("/opt/app/tool").unwrap(), &b"new"[..]);
            assert_eq!(written.files.read("/etc/kept").unwrap(), &b"kept"[..]);
            let before = image.files.resolve("/opt/app").unwrap();
            assert_eq!(written.files.resolve("/opt/app"), Some(before));
            let deep = written.files.list("/opt/app");
            assert_eq!(deep.len(), 2, "{deep:?}");
        }
    }
}

#[test]
fn the_same_image_and_layer_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let image = images(folder.path()).remove(0);
    let bytes = |name: &str| {
        let path = folder.path().join(name);
        let target = format!("docker-archive:{}", path.display()).parse().unwrap();
        confine_image::write(image.parts.as_ref().unwrap(), &addition(&image), &target).unwrap();
        std::fs::read(path).unwrap()
    };
    assert_eq!(bytes("one"), bytes("two"));
}

#[test]
fn a_layout_keeps_its_other_images() {
    let folder = tempfile::tempdir().unwrap();
    let images = images(folder.path());
    let layout = folder.path().join("several");
    let write = |image: &Image, name: &str| {
        let target = format!("oci:{}:{name}", layout.display()).parse().unwrap();
        confine_image::write(image.parts.as_ref().unwrap(), &addition(image), &target).unwrap()
    };
    write(&images[0], "one");
    let two = write(&images[1], "two");
    let one = write(&images[3], "one");
    for (name, digest) in [("one", one), ("two", two)] {
        let reference = format!("oci:{}:{name}", layout.display());
        let image = open(&reference, &OpenOptions::default()).unwrap();
        assert_eq!(image.digest, Some(digest), "{name}");
    }
}

#[test]
fn a_configuration_of_another_shape_is_refused_and_a_history_is_not_invented() {
    let folder = tempfile::tempdir().unwrap();
    let plain = |configuration: &str| {
        let mut layout = Layout::default();
        let stored: Vec<(&str, Vec<u8>)> = layers()
            .into_iter()
            .map(|layer| ("application/vnd.oci.image.layer.v1.tar", layer))
            .collect();
        let image = layout.image(configuration, &stored, "");
        let archive = write(folder.path(), "image.tar", &tar(&layout.index(&[image])));
        open(
            &format!("oci-archive:{}", archive.display()),
            &OpenOptions::default(),
        )
        .unwrap()
    };
    let target = folder.path().join("written.tar");
    let save = |image: &Image| {
        let target = format!("oci-archive:{}", target.display()).parse().unwrap();
        confine_image::write(image.parts.as_ref().unwrap(), &addition(image), &target)
    };
    let usual = configuration(&layers());
    // serde takes an array for a structure, which is no place to look members up in.
    let start = usual.find("\"rootfs\"").unwrap();
    let list = usual[start..].find('[').map(|at| start + at).unwrap();
    let end = usual[list..].find("]}").map(|at| list + at).unwrap();
    let odd = format!(
        "{}\"rootfs\":[{}]{}",
        &usual[..start],
        &usual[list..=end],
        &usual[end + 2..]
    );
    let error = save(&plain(&odd)).unwrap_err().to_string();
    assert!(error.contains("no list of layers"), "{error}");
    save(&plain(&usual)).unwrap();
    let written = std::fs::read(&target).unwrap();
    assert!(!written.windows(9).any(|bytes| bytes == b"\"history\""));
}
