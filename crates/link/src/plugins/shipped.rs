//! Modules that come with a library and are loaded by their names alone, never because they lie in its folder: one counts only
//! where something names it.
//!
//! OpenSSL builds as modules what few want: `afalg` alone makes eight calls for the kernel's ciphers. Modules that
//! others put into the same folder are there to be used, and count.
//!
//! Misses: names that come from a client or a user, as `openssl speed -engine` has it, unless the program's arguments are not
//! known and it looks modules up itself.

use confine_elf::Object;
use confine_image::Files;

use super::named::lines;
use super::{folder_of, words};
use crate::configuration;
use crate::linked::{Linked, LinkedObject};

/// Such modules of a library.
struct Row {
    /// How the last part of their folder's path begins.
    folder: &'static str,
    /// What they are called, without their ending.
    modules: &'static [&'static str],
    /// The function that looks a module up by its name.
    by: &'static str,
    /// How the names of the library and of those that are built with it begin, which call it for others.
    own: &'static [&'static str],
    /// The library's configurations, which name modules, too.
    configurations: &'static [&'static str],
}

const TABLE: [Row; 1] = [
    // ENGINE_by_id(3): a name that is not known yet is the file's. Configurations: OPENSSLDIR of OpenSSL itself, Debian, Fedora.
    Row {
        folder: "engines-",
        modules: &["afalg", "capi", "dasync", "loader_attic", "ossltest", "padlock"],
        by: "ENGINE_by_id",
        own: &["libcrypto.so", "libssl.so"],
        configurations: &[
            "/usr/local/ssl/openssl.cnf",
            "/usr/lib/ssl/openssl.cnf",
            "/etc/ssl/openssl.cnf",
            "/etc/pki/tls/openssl.cnf",
        ],
    },
];

/// The names of all such modules.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|row| row.modules).copied()
}

/// What is known of who may name such modules.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Whether the program's arguments, its environment or its sources have a name.
    pub is_told: &'a dyn Fn(&str) -> bool,
    /// Whether its arguments are known.
    pub arguments_known: bool,
}

impl Default for Asking<'_> {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            is_told: &|_| false,
            arguments_known: false,
        }
    }
}

/// Whether nothing names a module that is loaded by its name alone. `texts` are configurations that the program's data names.
pub(super) fn is_unasked(
    files: &dyn Files,
    linked: &Linked,
    texts: &[(String, String)],
    asking: Asking<'_>,
    module: &str,
) -> bool {
    let folder = folder_of(module).unwrap_or_default();
    let last = folder.rsplit('/').next().unwrap_or_default();
    let name = module.rsplit('/').next().unwrap_or_default();
    let name = name.strip_suffix(".so").unwrap_or(name);
    let is_shipped = |row: &&Row| last.starts_with(row.folder) && row.modules.contains(&name);
    let Some(row) = TABLE.iter().find(is_shipped) else {
        return false;
    };
    let configures = |texts: &[(String, String)]| {
        let mut words = lines(texts).flat_map(|(_, line)| words(line));
        words.any(|word| word == name)
    };
    let in_configuration = || {
        let own = row.configurations.iter();
        let own = own.filter_map(|path| Some(((*path).to_owned(), configuration::text(files, path)?)));
        configures(texts) || configures(&own.collect::<Vec<_>>())
    };
    let looks_up = || linked.objects.iter().any(|object| asks_for(&object.elf, row));
    let is_open = !asking.arguments_known && looks_up();
    let in_data = || linked.objects.iter().any(|object| has_text(object, name));
    !(is_open || (asking.is_told)(name) || in_configuration() || in_data())
}

/// Whether an object that is not the library's looks modules up.
fn asks_for(object: &Object, row: &Row) -> bool {
    let soname = object.dynamic.soname.as_deref().unwrap_or_default();
    let is_own = row.own.iter().any(|own| soname.starts_with(own));
    let mut symbols = object.dynamic_symbols.iter();
    // A program that has the library within itself defines it.
    !is_own && symbols.any(|symbol| symbol.name == row.by)
}

/// Whether an object's data has a name for a text, or for the end of one: linkers let texts share their ends.
fn has_text(object: &LinkedObject, name: &str) -> bool {
    let mut texts = object.name_texts().iter();
    texts.any(|text| text.ends_with(name.as_bytes()))
}
