//! The published schema is the one of the types; `CONFINE_UPDATE=1 cargo test -p confine-record` writes it anew.
#![allow(clippy::panic, reason = "a test fails by it")]

use std::path::Path;

#[test]
fn the_published_schema_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/record.schema.json");
    let schema = confine_record::schema().expect("a schema can be written");
    if std::env::var_os("CONFINE_UPDATE").is_some() {
        std::fs::write(&path, &schema).expect("docs/ is writable");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == schema,
        "docs/record.schema.json is stale: run this test with CONFINE_UPDATE=1"
    );
}
