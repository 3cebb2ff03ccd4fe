//! What `--stats` tells beside an answer, which stays the same.

use serde_json::Value;

use crate::image::{Image, programs};
use crate::run::{confine, ends_with, report};

#[test]
fn statistics_for_machines_are_one_line_beside_the_same_profile() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let (expected, _) = ends_with(0, &mut confine(&["profile", &archive]));
    let flags = ["profile", &archive, "--quiet", "--no-cache", "--stats=json"];
    let (profile, stderr) = ends_with(0, &mut confine(&flags));
    assert_eq!(profile, expected);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let statistics: Value = serde_json::from_str(&stderr).unwrap();
    let words = |list: &str, field: &str| -> Vec<String> {
        let list = statistics[list].as_array().unwrap().iter();
        list.map(|entry| entry[field].as_str().unwrap().to_owned())
            .collect()
    };
    let parts = words("parts", "name");
    assert_eq!(parts.first().map(String::as_str), Some("open the image"));
    assert_eq!(
        parts.iter().filter(|part| *part == "solve").count(),
        1,
        "{parts:?}"
    );
    let analysed: Vec<String> = report(&archive, &[])
        .objects
        .into_iter()
        .map(|object| object.path)
        .collect();
    assert_eq!(words("objects", "path"), analysed);
    assert!(
        statistics["decode_once"]["instructions"].as_u64() > Some(0),
        "{stderr}"
    );
    assert!(statistics["threads"].as_u64() > Some(0), "{stderr}");
}

#[test]
fn statistics_for_people_are_lines_also_before_the_image() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let (_, stderr) = ends_with(0, &mut confine(&["profile", "--stats", &archive, "--no-cache"]));
    for expected in [" ms  total", " times that", "  threads", "  slowest objects"] {
        assert!(
            stderr.lines().any(|line| line.ends_with(expected)),
            "{expected}: {stderr}"
        );
    }
}
