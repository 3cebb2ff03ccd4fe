//! Every place and form that an image can come in gives the same root file system.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may fail it")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Item, Layout, configuration, docker_archive, file, folder, gzip, link, tar, write, zstd};
use confine_image::{FileKind, Image, OpenOptions, Platform, open};

const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

fn layers() -> Vec<Vec<u8>> {
    // The large file is neither program nor configuration nor small: it is read again from a compressed layer.
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    vec![
        tar(&[
            folder("bin/"),
            file("bin/app", b"\x7fELF first"),
            file("etc/gone", b"gone"),
            file("usr/share/large", &large),
            folder("var/old/"),
            file("var/old/inside", b"old"),
        ]),
        tar(&[
            file("bin/app", b"\x7fELF second"),
            link("bin/sh", "../../../bin/app"),
            file("etc/.wh.gone", b""),
            file("var/old/.wh..wh..opq", b""),
            file("var/old/new", b"new"),
        ]),
    ]
}

fn check_image(image: &Image) {
    let files = image.files.as_ref();
    assert_eq!(files.read("/bin/sh").unwrap(), &b"\x7fELF second"[..]);
    assert_eq!(files.resolve("/bin/sh").unwrap().path, "/bin/app");
    assert_eq!(files.list("/var/old"), ["new"]);
    assert_eq!(files.list("/"), ["bin", "etc", "usr", "var"]);
    assert!(files.resolve("/etc/gone").is_none());
    assert_eq!(files.resolve("/etc").unwrap().kind, FileKind::Folder);
    let large = files.read("/usr/share/large").unwrap();
    assert_eq!((large.len(), &large[4..8]), (1_200_000, &[1, 0, 0, 0][..]));
    assert_eq!(
        files.read("/usr/share/large").unwrap(),
        large,
        "the second time from the cache"
    );
    assert!(image.problems.is_empty(), "{:?}", image.problems);
}

fn check(name: &str, items: &[Item], wrap: impl Fn(&[u8]) -> Vec<u8>, reference: &str) {
    let temporary = tempfile::tempdir().unwrap();
    let path = write(temporary.path(), "image.tar", &wrap(&tar(items)));
    let reference = reference.replace("FILE", path.to_str().unwrap());
    let image = open(&reference, &OpenOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
    check_image(&image);
    assert_eq!(image.config.cmd, ["/bin/app"], "{name}");
    assert!(
        image.has_config && image.digest.is_some_and(|digest| digest.starts_with("sha256:")),
        "{name}"
    );
}

fn layout(media_type: &str, stored: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Item> {
    let mut layout = Layout::default();
    let stored: Vec<(&str, Vec<u8>)> = layers().iter().map(|layer| (media_type, stored(layer))).collect();
    let name = r#","annotations":{"org.opencontainers.image.ref.name":"v1"}"#;
    let image = layout.image(&configuration(&layers()), &stored, name);
    layout.index(&[image])
}

#[test]
fn every_form_gives_the_same_files() {
    let plain = <[u8]>::to_vec;
    check(
        "plain layers",
        &docker_archive(&layers(), plain),
        plain,
        "docker-archive:FILE",
    );
    check(
        "gzip layers",
        &docker_archive(&layers(), gzip),
        plain,
        "docker-archive:FILE:app:latest",
    );
    check(
        "zstd layers",
        &docker_archive(&layers(), zstd),
        plain,
        "docker-archive:FILE:app",
    );
    check("gzip around it", &docker_archive(&layers(), plain), gzip, "FILE");
    check("zstd around it", &docker_archive(&layers(), gzip), zstd, "FILE");
    check("layout, plain", &layout(PLAIN, plain), plain, "oci-archive:FILE");
    check("layout, gzip", &layout(GZIP, gzip), plain, "oci-archive:FILE:v1");
    check("layout, zstd", &layout(ZSTD, zstd), plain, "FILE");
    check("a media type that lies", &layout(PLAIN, gzip), plain, "FILE");
    let two_frames = |bytes: &[u8]| {
        let (first, second) = bytes.split_at(1000);
        [
            zstd(first),
            vec![0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7],
            zstd(second),
        ]
        .concat()
    };
    check(
        "zstd frames, one to skip",
        &layout(ZSTD, two_frames),
        plain,
        "FILE",
    );
    let two_members = |bytes: &[u8]| {
        let (first, second) = bytes.split_at(1000);
        [gzip(first), gzip(second)].concat()
    };
    check("gzip members", &layout(GZIP, two_members), plain, "FILE");
    let both = [docker_archive(&layers(), plain), layout(GZIP, gzip)].concat();
    check("what docker save writes today", &both, plain, "FILE");
}

#[test]
fn a_layout_in_a_folder() {
    let temporary = tempfile::tempdir().unwrap();
    for item in layout(GZIP, gzip) {
        if let Item::File(name, bytes) = item {
            write(temporary.path(), &name, &bytes);
        }
    }
    let path = temporary.path().to_str().unwrap();
    for reference in [path.to_owned(), format!("oci:{path}"), format!("oci:{path}:v1")] {
        let image = open(&reference, &OpenOptions::default()).unwrap();
        check_image(&image);
        assert_eq!(image.reference, format!("oci:{path}:v1"));
    }
}

#[test]
fn duplicate_layers_are_links_in_older_archives() {
    let layer = tar(&[file("a", b"1")]);
    let config = configuration(&[layer.clone(), layer.clone()]);
    let items = [
        file("config.json", config.as_bytes()),
        file("one/layer.tar", &layer),
        link("two/layer.tar", "../one/layer.tar"),
        file(
            "manifest.json",
            br#"[{"Config":"config.json","RepoTags":null,"Layers":["one/layer.tar","two/layer.tar"]}]"#,
        ),
    ];
    let temporary = tempfile::tempdir().unwrap();
    let path = write(temporary.path(), "image.tar", &tar(&items));
    let image = open(path.to_str().unwrap(), &OpenOptions::default()).unwrap();
    assert_eq!(image.files.read("/a").unwrap(), &b"1"[..]);
}

#[test]
fn the_platform_is_chosen_from_indexes_in_indexes() {
    let mut layout = Layout::default();
    let mut image = |architecture: &str| {
        let layer = tar(&[file("which", architecture.as_bytes())]);
        let config = configuration(std::slice::from_ref(&layer)).replace("amd64", architecture);
        let platform = format!(r#","platform":{{"os":"linux","architecture":"{architecture}"}}"#);
        layout.image(&config, &[(PLAIN, layer)], &platform)
    };
    let (arm, amd) = (image("arm64"), image("amd64"));
    let attestation = arm
        .replace("\"arm64\"", "\"unknown\"")
        .replace("\"linux\"", "\"unknown\"");
    let inner = format!(r#"{{"manifests":[{attestation},{arm},{amd}]}}"#);
    let inner = layout.blob("application/vnd.oci.image.index.v1+json", inner.as_bytes(), "");
    let temporary = tempfile::tempdir().unwrap();
    let path = write(temporary.path(), "image.tar", &tar(&layout.index(&[inner])));
    let which = |platform: Platform| {
        let options = OpenOptions {
            platform,
            ..OpenOptions::default()
        };
        open(path.to_str().unwrap(), &options).map(|image| image.files.read("/which").unwrap())
    };
    assert_eq!(which(Platform::default()).unwrap(), &b"amd64"[..]);
    assert_eq!(which("linux/arm64".parse().unwrap()).unwrap(), &b"arm64"[..]);
    let error = which("linux/riscv64".parse().unwrap()).unwrap_err().to_string();
    assert!(
        error.ends_with("no image for linux/riscv64; there is linux/amd64, linux/arm64"),
        "{error}"
    );
}

#[test]
fn progress_reaches_the_total() {
    let temporary = tempfile::tempdir().unwrap();
    for stored in [<[u8]>::to_vec, gzip] {
        let path = write(
            temporary.path(),
            "image.tar",
            &tar(&docker_archive(&layers(), stored)),
        );
        let most = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&most);
        let progress = move |progress: confine_image::Progress| {
            assert!(progress.total.is_some_and(|total| progress.done <= total));
            seen.fetch_max(progress.done, Ordering::Relaxed);
        };
        let options = OpenOptions {
            progress: Some(Arc::new(progress)),
            ..OpenOptions::default()
        };
        open(path.to_str().unwrap(), &options).unwrap();
        let total: usize = layers().iter().map(|layer| stored(layer).len()).sum();
        assert_eq!(most.load(Ordering::Relaxed), total as u64);
    }
}
