//! What is broken is said in a message that names the place and the offence, and nothing leaves the root.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may fail it")]

mod common;

use std::os::unix::fs::symlink;

use common::{
    Item, Layout, configuration, docker_archive, file, folder, gzip, hard, link, sha256, tar, write,
};
use confine_image::{FileKind, Image, OpenOptions, open};

const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";
const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Opens bytes as a bare archive; the message has the archive's path replaced by `FILE`.
fn open_bytes(bytes: &[u8]) -> Result<Image, String> {
    let temporary = tempfile::tempdir().unwrap();
    let path = write(temporary.path(), "image.tar", bytes);
    let path = path.to_str().unwrap();
    open(path, &OpenOptions::default()).map_err(|error| error.to_string().replace(path, "FILE"))
}

fn check(bytes: &[u8], expected: &str) {
    match open_bytes(bytes) {
        Ok(_) => panic!("opened, but expected: {expected}"),
        Err(message) => assert!(
            message.starts_with(expected),
            "\nexpected {expected}\n   found {message}"
        ),
    }
}

fn archive(manifest: &str, config: &str, layer: &[u8]) -> Vec<u8> {
    tar(&[
        file("config.json", config.as_bytes()),
        file("0/layer.tar", layer),
        file("manifest.json", manifest.as_bytes()),
    ])
}

const MANIFEST: &str = r#"[{"Config":"config.json","RepoTags":["app:latest"],"Layers":["0/layer.tar"]}]"#;

fn layer() -> Vec<u8> {
    tar(&[file("bin/app", b"\x7fELF"), file("usr/share/text", &[b'x'; 3000])])
}

#[test]
fn archives_that_are_none() {
    check(b"", "FILE: not a container image: it is empty");
    check(b"hello", "FILE: not a container image: it is no tar archive");
    check(&[0; 1024], "FILE: not a container image: it is no tar archive");
    check(
        &gzip(b"hello"),
        "FILE: not a container image: it is no tar archive",
    );
    check(
        &tar(&[file("a", b"b")]),
        "FILE: not a container image: the archive has neither manifest.json nor index.json (is it cut off?)",
    );
    check(
        b"\xfd7zXZ\0 and so on",
        "FILE: compressed with xz; only gzip and zstd are read",
    );
    check(b"\x28\xb5\x2f\xfd", "FILE: ");
}

#[test]
fn archives_cut_anywhere() {
    let layers = [layer()];
    for stored in [<[u8]>::to_vec, gzip] {
        let whole = tar(&docker_archive(&layers, stored));
        // The closing zero blocks may be missing.
        let needed = whole.len() - 1024;
        for length in (0..needed).step_by(97) {
            match open_bytes(&whole[..length]) {
                Err(message) => assert!(
                    message.contains("cut off") || message.contains("not a container image"),
                    "{length}: {message}"
                ),
                // The last member's padding may be missing: nothing is lost.
                Ok(_) => assert!(needed - length < 512, "opened at {length} of {needed}"),
            }
        }
        let compressed = gzip(&whole);
        check(
            &compressed[..compressed.len() / 2],
            "FILE: compressed data are cut off",
        );
    }
    let cut = gzip(&layer());
    check(
        &archive(MANIFEST, &configuration(&[layer()]), &cut[..cut.len() / 2]),
        "FILE: 0/layer.tar: compressed data are cut off",
    );
}

#[test]
fn manifests_that_lie() {
    let good = configuration(&[layer()]);
    check(
        &archive("[", &good, &layer()),
        "FILE: manifest.json: not a valid docker-archive manifest: EOF",
    );
    check(
        &archive("[]", &good, &layer()),
        "FILE: not a container image: manifest.json names no image",
    );
    check(
        &archive(MANIFEST, "", &layer()),
        "FILE: config.json: not a valid image configuration: EOF",
    );
    check(
        &archive(MANIFEST, "{}", &layer()),
        "FILE: config.json: 0 layers are promised and 1 are there",
    );
    check(
        &archive(&MANIFEST.replace("0/layer.tar", "1/layer.tar"), &good, &layer()),
        "FILE: 1/layer.tar is missing (is the image cut off?)",
    );
    check(
        &archive(&MANIFEST.replace("config.json", "other.json"), &good, &layer()),
        "FILE: other.json is missing",
    );
    let huge = format!("[{}]", " ".repeat(17 << 20));
    check(
        &archive(&huge, &good, &layer()),
        "FILE: manifest.json: its size exceeds the limit of 16777216",
    );
    check(
        &archive(MANIFEST, &good.replace("amd64", "arm64"), &layer()),
        "FILE: no image for linux/amd64; there is linux/arm64",
    );
    check(
        &archive(MANIFEST, &good.replace("sha256:", "sha256:zz"), &layer()),
        "FILE: config.json: \"sha256:zz",
    );
    let two = format!("[{0},{0}]", &MANIFEST[1..MANIFEST.len() - 1]);
    check(
        &archive(&two, &good, &layer()),
        "FILE: several images, name one as docker-archive:FILE:NAME; there is app:latest, app:latest",
    );
}

#[test]
fn layers_that_are_not_what_they_promise() {
    let other = tar(&[file("bin/app", b"\x7fELF other")]);
    let message = format!(
        "FILE: 0/layer.tar: digest mismatch: expected sha256:{}, found sha256:{}",
        sha256(&layer()),
        sha256(&other)
    );
    check(&archive(MANIFEST, &configuration(&[layer()]), &other), &message);
    check(
        &archive(MANIFEST, &configuration(&[layer()]), &gzip(&other)),
        &message,
    );
    let broken = b"no archive".repeat(100);
    check(
        &archive(MANIFEST, &configuration(std::slice::from_ref(&broken)), &broken),
        "FILE: 0/layer.tar: broken tar archive: wrong header checksum at byte 0",
    );
}

#[test]
fn layouts_that_lie() {
    let image = |kind: &str, change: &dyn Fn(&mut Vec<Item>)| {
        let mut layout = Layout::default();
        let config = configuration(&[layer()]);
        let image = layout.image(&config, &[(kind, layer())], "");
        let mut items = layout.index(&[image]);
        change(&mut items);
        tar(&items)
    };
    let digest = sha256(&layer());
    let blob = format!("blobs/sha256/{digest}");
    assert!(open_bytes(&image(PLAIN, &|_| {})).is_ok());
    let unknown = open_bytes(&image("application/x-odd", &|_| {})).err().unwrap();
    assert!(
        unknown.ends_with("unknown media type \"application/x-odd\" of a layer"),
        "{unknown}"
    );
    let missing = image(PLAIN, &|items| {
        items.retain(|item| !matches!(item, Item::File(name, _) if *name == blob))
    });
    check(
        &missing,
        &format!("FILE: {blob} is missing (is the image cut off?)"),
    );
    for kind in [PLAIN, GZIP] {
        let other = tar(&[file("other", b"other")]);
        let other = if kind == GZIP { gzip(&other) } else { other };
        let changed = image(kind, &|items| {
            for item in items {
                if let Item::File(name, bytes) = item
                    && *name == blob
                {
                    *bytes = other.clone();
                }
            }
        });
        let found = sha256(&other);
        check(
            &changed,
            &format!("FILE: {blob}: digest mismatch: expected sha256:{digest}, found sha256:{found}"),
        );
    }
    let index = |manifest: &str| tar(&Layout::default().index(&[manifest.to_owned()]));
    check(
        &index("3"),
        "FILE: index.json: not a valid image index: invalid type",
    );
    check(
        &index(r#"{"mediaType":"application/x-odd","digest":"sha256:0"}"#),
        "FILE: unknown media type \"application/x-odd\" of a manifest",
    );
    check(
        &index(r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:../../x"}"#),
        "FILE: \"sha256:../../x\" is not a sha256 or sha512 digest",
    );
    check(
        &tar(&Layout::default().index(&[])),
        "FILE: not a container image: index.json names no image manifest",
    );
}

fn open_layers(layers: &[Vec<u8>]) -> Image {
    open_bytes(&tar(&docker_archive(layers, <[u8]>::to_vec))).unwrap()
}

#[test]
fn links_and_names_stay_inside() {
    let image = open_layers(&[tar(&[
        file("etc/passwd", b"inside"),
        link("up", "../../../../../../etc/passwd"),
        link("absolute", "/etc/passwd"),
        link("folder", "/../../etc"),
        link("loop", "loop2"),
        link("loop2", "/loop"),
        link("dangling", "/nowhere"),
        hard("hard", "../../etc/passwd"),
        hard("hard-absent", "/etc/shadow"),
        file("/../../etc/escaped", b"1"),
        file("a/../../etc/dots", b"2"),
        file("", b"nothing"),
        file("..", b"nothing"),
        folder("./"),
        file(".wh...", b""),
        file(".wh.", b""),
    ])]);
    let files = image.files.as_ref();
    for path in [
        "/up",
        "/absolute",
        "/folder/passwd",
        "/hard",
        "/../etc/passwd",
        "etc/passwd",
    ] {
        assert_eq!(files.read(path).unwrap(), &b"inside"[..], "{path}");
    }
    for path in [
        "/loop",
        "/loop/x",
        "/dangling",
        "/etc/passwd/",
        "/etc/passwd/..",
        "/absent/../etc",
    ] {
        assert!(files.resolve(path).is_none(), "{path}");
    }
    assert_eq!(files.list("/etc"), ["dots", "escaped", "passwd"]);
    assert_eq!(
        files.read("/hard-absent").unwrap_err().to_string(),
        "/hard-absent: a hard link to \"/etc/shadow\", which is no file of the image"
    );
    assert_eq!(image.problems.len(), 3, "{:?}", image.problems);
}

#[test]
fn a_folder_of_the_host_is_a_root() {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path().join("root");
    write(temporary.path(), "secret", b"outside");
    write(&root, "etc/passwd", b"inside");
    symlink("../../../../etc/passwd", root.join("up")).unwrap();
    symlink("/etc/passwd", root.join("absolute")).unwrap();
    symlink(temporary.path(), root.join("out")).unwrap();
    symlink("../secret", root.join("secret")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    write(&root, "proc/self/exe", b"whoever looks");
    symlink("/proc/self/exe", root.join("self")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let image = open(&format!("dir:{}", root.display()), &OpenOptions::default()).unwrap();
    let files = image.files.as_ref();
    assert!(!image.has_config && image.digest.is_none());
    for path in ["/up", "absolute", "/etc/../etc/passwd"] {
        assert_eq!(files.read(path).unwrap(), &b"inside"[..], "{path}");
    }
    for path in [
        "/secret",
        "/out",
        "/out/secret",
        "/loop",
        "/../secret",
        "/etc/passwd/..",
        "/proc/self",
        "/self",
    ] {
        assert!(files.resolve(path).is_none(), "{path}");
    }
    assert_eq!(files.resolve("/socket").unwrap().kind, FileKind::Other);
    assert_eq!(
        files.read("/socket").unwrap_err().to_string(),
        "/socket: no such regular file in the image"
    );
    assert_eq!(
        files.list("/"),
        [
            "absolute", "etc", "loop", "out", "proc", "secret", "self", "socket", "up"
        ]
    );
    // A container has its own.
    assert!(files.list("/proc").is_empty());
    assert_eq!(files.resolve("/../..").unwrap().path, "/");
}

#[test]
fn a_root_that_is_no_folder() {
    let error = open("dir:/proc/self/exe/absent", &OpenOptions::default())
        .err()
        .unwrap()
        .to_string();
    assert_eq!(error, "/proc/self/exe/absent: Not a directory (os error 20)");
}
