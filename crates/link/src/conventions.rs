//! What the C library loads or looks up by name, by its own rules.
//!
//! One table, [`TABLE`]. Each row says which functions set a convention off and why it exists; the caller knows
//! which functions are reached and asks for the requests when one of them is. The functions are those that the C
//! library exports: its internal calls go to the same addresses. Requests are optional throughout, because the
//! C library copes without these objects.
//!
//! Over-approximates: every name service that the configuration or a default names for a database, every
//! conversion module in the folder. Misses: modules in folders that GCONV_PATH names.

use confine_image::Files;

use crate::bind::Scope;
use crate::late::{LateRequest, NamePattern, Roots};
use crate::linked::{Linked, Loader};
use crate::name_services::{DATABASES, Database, is_service_function};
use crate::opaque::matches;

/// A rule of the C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Convention {
    /// Users, groups, hosts and so on come from the services that `/etc/nsswitch.conf` names for a database.
    NameService(Database),
    /// `iconv` loads a module for each character set.
    CharacterConversion,
    /// Wide characters in a locale whose character set needs a module.
    LocaleConversion,
    /// Cancelling or ending a thread and walking the stack need the unwinder.
    Unwinding,
    /// Host names that are not ASCII need a library.
    InternationalNames,
}

/// One convention.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Which one.
    pub convention: Convention,
    /// The functions that set it off; one that ends in `*` stands for all that begin like it.
    pub triggers: &'static [&'static str],
    /// Why the C library does it.
    pub reason: &'static str,
    requests: fn(&dyn Files, &Asking<'_>) -> Vec<LateRequest>,
}

/// All conventions but the name services, which have a table of their own ([`DATABASES`]). They are glibc's; musl
/// loads nothing by its own rules.
pub const TABLE: [Row; 4] = [
    Row {
        convention: Convention::CharacterConversion,
        triggers: &["iconv_open", "__gconv_open", "__gconv_create_spec"],
        reason: "a character set that is not built in has a module in the gconv folder, which offers gconv, \
                 gconv_init and gconv_end",
        requests: conversions,
    },
    Row {
        convention: Convention::LocaleConversion,
        triggers: &[
            "setlocale",
            "newlocale",
            "mbrtowc*",
            "mbsrtowcs",
            "mbsnrtowcs",
            "wcrtomb",
            "wcsrtombs",
            "wcsnrtombs",
            "btowc",
            "wctob",
            "fwide",
            "fgetwc",
            "fputwc",
        ],
        reason: "wide characters of a locale go through its character set's gconv module; an image that has only \
                 the C locales needs none",
        requests: locale_conversions,
    },
    Row {
        convention: Convention::Unwinding,
        triggers: &[
            "pthread_cancel",
            "pthread_exit",
            "thrd_exit",
            "backtrace",
            "__backtrace",
            "__pthread_unwind*",
            "__libc_unwind_link_get",
        ],
        reason: "the C library has no unwinder of its own and opens GCC's when it first needs one",
        requests: unwinder,
    },
    Row {
        convention: Convention::InternationalNames,
        triggers: &["getaddrinfo", "getnameinfo"],
        reason: "with AI_IDN and NI_IDN names are converted by a library that is opened when first needed",
        requests: international_names,
    },
];

/// The conventions that a function of the C library sets off.
pub fn triggered_by(function: &str) -> impl Iterator<Item = Convention> + use<'_> {
    let rows = TABLE
        .iter()
        .filter(move |row| row.triggers.iter().any(|trigger| matches(trigger, function)))
        .map(|row| row.convention);
    let databases = DATABASES
        .into_iter()
        .filter(move |database| database.is_asked_by(function))
        .map(Convention::NameService);
    rows.chain(databases)
}

/// What a convention asks for in this image; nothing if the program's C library does not have it.
#[must_use]
pub fn requests(convention: Convention, files: &dyn Files, linked: &Linked) -> Vec<LateRequest> {
    if linked.loader == Loader::Musl {
        return Vec::new();
    }
    let caller = c_library(linked).unwrap_or_default();
    let asking = Asking { linked, caller };
    if let Convention::NameService(database) = convention {
        return name_service(&database, files, &asking);
    }
    TABLE
        .iter()
        .filter(|row| row.convention == convention)
        .flat_map(|row| (row.requests)(files, &asking))
        .collect()
}

/// The functions that the loader looks up by name at start-up, besides what relocations name: (object, symbol).
///
/// glibc's hands over to the program's allocator once that is relocated, and lets the C library set itself up
/// before any constructor runs; musl's continues in functions that it finds through its own symbol table.
#[must_use]
pub fn start_up_functions(linked: &Linked) -> Vec<(usize, u32)> {
    let names: &[&str] = match linked.loader {
        Loader::None => &[],
        Loader::Glibc => &["__libc_early_init", "malloc", "calloc", "realloc", "free"],
        Loader::Musl => &["__dls2b", "__dls3"],
    };
    names
        .iter()
        .filter_map(|name| linked.lookup_index(name, None, Scope::Global))
        .collect()
}

/// Functions of the C library that its own tables name, but that are called only if the configuration says so:
/// their requests name them, too.
#[must_use]
pub fn configured_functions(linked: &Linked) -> Vec<(usize, u32)> {
    let Some(library) = c_library(linked).filter(|_| linked.loader == Loader::Glibc) else {
        return Vec::new();
    };
    let object = &linked.objects[library];
    let name = |index: u32| {
        object
            .elf
            .dynamic_symbols
            .get(index as usize)
            .map(|symbol| symbol.name.as_str())
    };
    let exports = object.exports.symbols().into_iter();
    exports
        .filter(|index| name(*index).is_some_and(is_service_function))
        .map(|index| (library, index))
        .collect()
}

/// The object that is the C library; none for a static program.
#[must_use]
pub fn c_library(linked: &Linked) -> Option<usize> {
    linked
        .lookup_index("__libc_start_main", None, Scope::Global)
        .map(|(object, _)| object)
}

/// Who asks.
struct Asking<'a> {
    linked: &'a Linked,
    caller: usize,
}

impl Asking<'_> {
    fn request(&self, name: impl Into<String>, by: &str, roots: Vec<NamePattern>) -> LateRequest {
        LateRequest {
            name: name.into(),
            caller: self.caller,
            by: by.to_owned(),
            optional: true,
            roots: Roots::Named(roots),
        }
    }
}

fn exact(names: &[&str]) -> Vec<NamePattern> {
    names
        .iter()
        .map(|name| NamePattern::Exact((*name).to_owned()))
        .collect()
}

/// The modules of a database's services, and the C library itself for those that are built in.
fn name_service(database: &Database, files: &dyn Files, asking: &Asking<'_>) -> Vec<LateRequest> {
    let by = "the C library, for /etc/nsswitch.conf";
    let library = asking.linked.objects.get(asking.caller);
    let itself = library.map(|library| library.path.clone());
    database
        .services(files)
        .into_iter()
        .flat_map(|(service, functions)| {
            let roots: Vec<NamePattern> = functions.into_iter().map(NamePattern::Prefix).collect();
            let module = asking.request(format!("libnss_{service}.so.2"), by, roots.clone());
            let built_in = itself.clone().map(|path| asking.request(path, by, roots));
            std::iter::once(module).chain(built_in)
        })
        .collect()
}

fn conversions(files: &dyn Files, asking: &Asking<'_>) -> Vec<LateRequest> {
    let mut folders: Vec<String> = Vec::new();
    let beside = asking
        .linked
        .objects
        .get(asking.caller)
        .and_then(|library| library.path.rsplit_once('/'));
    let common = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
    for folder in beside.map(|(folder, _)| folder).into_iter().chain(common) {
        let Some(folder) = files
            .resolve(&format!("{folder}/gconv"))
            .map(|folder| folder.path)
        else {
            continue;
        };
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let modules = folders.iter().flat_map(|folder| {
        let names = files
            .list(folder)
            .into_iter()
            .filter(|name| name.ends_with(".so"));
        names.map(move |name| format!("{folder}/{name}"))
    });
    let roots = ["gconv", "gconv_init", "gconv_end"];
    modules
        .map(|path| asking.request(path, "the C library, for a character set", exact(&roots)))
        .collect()
}

fn locale_conversions(files: &dyn Files, asking: &Asking<'_>) -> Vec<LateRequest> {
    let is_other = |name: &String| !["C.utf8", "C.UTF-8"].contains(&name.as_str());
    let locales = files
        .list("/usr/lib/locale")
        .into_iter()
        .any(|name| is_other(&name));
    if locales {
        conversions(files, asking)
    } else {
        Vec::new()
    }
}

fn unwinder(_: &dyn Files, asking: &Asking<'_>) -> Vec<LateRequest> {
    let roots = [
        "_Unwind_Backtrace",
        "_Unwind_ForcedUnwind",
        "_Unwind_GetCFA",
        "_Unwind_GetIP",
        "_Unwind_Resume",
        "__gcc_personality_v0",
    ];
    vec![asking.request(
        "libgcc_s.so.1",
        "the C library, to unwind the stack",
        exact(&roots),
    )]
}

fn international_names(_: &dyn Files, asking: &Asking<'_>) -> Vec<LateRequest> {
    let roots = vec![NamePattern::Prefix("idn2_".to_owned())];
    vec![asking.request(
        "libidn2.so.0",
        "the C library, for host names that are not ascii",
        roots,
    )]
}

#[cfg(test)]
mod tests {
    use confine_image::MemoryFiles;

    use super::*;
    use crate::linked::{Environment, link};
    use crate::store::ObjectStore;

    fn check(convention: Convention, files: &MemoryFiles, expected: &[&str]) {
        let linked = link(files, &ObjectStore::new(), "/none", &Environment::default());
        let names: Vec<String> = requests(convention, files, &linked)
            .into_iter()
            .map(|r| r.name)
            .collect();
        assert_eq!(names, expected, "{convention:?}");
    }

    #[test]
    fn conversion_modules_are_those_in_the_folder() {
        let folder = "/usr/lib/x86_64-linux-gnu/gconv";
        let files = MemoryFiles::new()
            .file(&format!("{folder}/gconv-modules.cache"), "")
            .file(&format!("{folder}/UTF-16.so"), "");
        check(
            Convention::CharacterConversion,
            &files,
            &["/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so"],
        );
        check(Convention::LocaleConversion, &files, &[]);
        let files = files.file("/usr/lib/locale/C.utf8/LC_CTYPE", "");
        check(Convention::LocaleConversion, &files, &[]);
        let files = files.file("/usr/lib/locale/locale-archive", "");
        check(
            Convention::LocaleConversion,
            &files,
            &["/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so"],
        );
    }

    #[test]
    fn the_unwinder_and_international_names_have_one_library_each() {
        check(Convention::Unwinding, &MemoryFiles::new(), &["libgcc_s.so.1"]);
        check(
            Convention::InternationalNames,
            &MemoryFiles::new(),
            &["libidn2.so.0"],
        );
    }

    fn check_trigger(function: &str, expected: &[Convention]) {
        assert_eq!(triggered_by(function).collect::<Vec<_>>(), expected, "{function}");
    }

    #[test]
    fn functions_set_off_their_conventions() {
        check_trigger("iconv_open", &[Convention::CharacterConversion]);
        check_trigger("pthread_exit", &[Convention::Unwinding]);
        check_trigger("getgroups", &[]);
        let databases =
            triggered_by("getaddrinfo").filter(|convention| matches!(convention, Convention::NameService(_)));
        assert_eq!(databases.count(), 2);
    }
}
