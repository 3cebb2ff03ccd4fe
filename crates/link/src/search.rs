//! Where a library is looked for by its name.
//!
//! glibc: DT_RPATH of the object that asks and of those that loaded it (unless it has DT_RUNPATH),
//! LD_LIBRARY_PATH, DT_RUNPATH, `/etc/ld.so.cache`, default folders. musl: LD_LIBRARY_PATH, the rpaths of the
//! object and of those that loaded it, its path file or default folders.
//!
//! Over-approximates where the answer depends on the host's processor: every variant in a hardware-capability
//! folder is given besides the common file. Misses what depends on the working folder (empty path elements).

use confine_elf::Object;
use confine_image::{FileKind, Files};

use crate::cache::Cache;
use crate::configuration;

/// Folders under every searched folder that hold variants for newer processors, as glibc 2.33 and later look
/// for them.
const CAPABILITY_FOLDERS: [&str; 3] = [
    "glibc-hwcaps/x86-64-v4",
    "glibc-hwcaps/x86-64-v3",
    "glibc-hwcaps/x86-64-v2",
];

/// The same before glibc 2.37. Later loaders ignore them; where an image still has them, its loader is old or
/// they are candidates too many.
const LEGACY_CAPABILITY_FOLDERS: [&str; 6] = [
    "tls",
    "haswell",
    "xeon_phi",
    "x86_64",
    "haswell/x86_64",
    "haswell/avx512_1",
];

/// Default folders of the common distributions, for a loader that does not show its own.
const DEFAULT_FOLDERS: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// Whose rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// The GNU C library's `ld.so`.
    Glibc,
    /// musl's `libc.so`, which is the loader.
    Musl,
}

/// What an image's configuration says about libraries, for all programs alike.
#[derive(Debug, Default)]
pub(crate) struct SystemFolders {
    cache: Cache,
    configured: Vec<String>,
    musl: Vec<String>,
    preloaded: Vec<String>,
}

impl SystemFolders {
    pub(crate) fn read(files: &dyn Files) -> Self {
        let cache = files
            .read("/etc/ld.so.cache")
            .ok()
            .and_then(|bytes| Cache::parse(&bytes));
        Self {
            cache: cache.unwrap_or_default(),
            configured: configuration::library_folders(files),
            musl: configuration::musl_folders(files),
            preloaded: configuration::preloaded(files),
        }
    }

    /// What `/etc/ld.so.preload` names, which musl does not read.
    pub(crate) fn preloaded(&self, flavour: Flavour) -> &[String] {
        match flavour {
            Flavour::Glibc => &self.preloaded,
            Flavour::Musl => &[],
        }
    }
}

/// How one program's loader searches.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) flavour: Flavour,
    library_path: Vec<String>,
    defaults: Vec<String>,
}

/// The part of a searching object that matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) elf: &'a Object,
    /// The path that it was loaded by, for `$ORIGIN`.
    pub(crate) found: &'a str,
}

/// A file to try, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) path: String,
    /// Only for processors with certain features.
    pub(crate) variant: bool,
}

impl Search {
    pub(crate) fn new(flavour: Flavour, interpreter: Option<&Object>, library_path: &[String]) -> Self {
        let library_path = library_path.iter().flat_map(|part| part.split([':', ';']));
        let shown = interpreter.map(folders_in_loader).unwrap_or_default();
        Self {
            flavour,
            library_path: library_path
                .filter(|folder| !folder.is_empty())
                .map(str::to_owned)
                .collect(),
            defaults: if shown.is_empty() {
                DEFAULT_FOLDERS.map(str::to_owned).to_vec()
            } else {
                shown
            },
        }
    }

    /// The folders that are searched whoever asks.
    pub(crate) fn common_folders(&self, system: &SystemFolders) -> Vec<String> {
        let musl = if self.flavour == Flavour::Musl {
            system.musl.as_slice()
        } else {
            &[]
        };
        let common = self
            .defaults
            .iter()
            .chain(&system.configured)
            .chain(musl)
            .cloned();
        common.chain(DEFAULT_FOLDERS.map(str::to_owned)).collect()
    }

    /// The files to try for a name, in order. `chain` is the object that asks, then the one that loaded it, and
    /// so on to the program.
    pub(crate) fn candidates(
        &self,
        files: &dyn Files,
        system: &SystemFolders,
        name: &str,
        chain: &[Asking<'_>],
    ) -> Vec<Candidate> {
        let common = |path: String| Candidate { path, variant: false };
        if name.contains('/') {
            return self.expand(name, chain.first()).into_iter().map(common).collect();
        }
        let mut candidates = Vec::new();
        let mut folders = |folders: Vec<String>| {
            for folder in folders {
                self.in_folder(files, &folder, name, &mut candidates);
            }
        };
        match self.flavour {
            Flavour::Glibc => {
                folders(self.inherited(chain));
                folders(self.library_path(chain));
                folders(
                    chain
                        .first()
                        .map(|first| self.expanded(&first.elf.dynamic.runpath, first))
                        .unwrap_or_default(),
                );
                for cached in system.cache.libraries(name) {
                    candidates.push(Candidate {
                        path: cached.path.clone(),
                        variant: cached.variant,
                    });
                }
                let mut folders = |folders: &[String]| {
                    for folder in folders {
                        self.in_folder(files, folder, name, &mut candidates);
                    }
                };
                folders(&self.defaults);
                // A loader without a cache does not read this, but the cache may be stale or made at start.
                folders(&system.configured);
            }
            Flavour::Musl => {
                folders(self.library_path(chain));
                for asking in chain {
                    let dynamic = &asking.elf.dynamic;
                    let paths = if dynamic.runpath.is_empty() {
                        &dynamic.rpath
                    } else {
                        &dynamic.runpath
                    };
                    folders(self.expanded(paths, asking));
                }
                folders(system.musl.clone());
            }
        }
        candidates
    }

    /// The DT_RPATHs that glibc asks: none if the object has DT_RUNPATH, else its own and its loaders'.
    fn inherited(&self, chain: &[Asking<'_>]) -> Vec<String> {
        if chain
            .first()
            .is_none_or(|first| !first.elf.dynamic.runpath.is_empty())
        {
            return Vec::new();
        }
        let with_rpath = chain
            .iter()
            .filter(|asking| asking.elf.dynamic.runpath.is_empty());
        with_rpath
            .flat_map(|asking| self.expanded(&asking.elf.dynamic.rpath, asking))
            .collect()
    }

    /// LD_LIBRARY_PATH, whose tokens are the program's.
    fn library_path(&self, chain: &[Asking<'_>]) -> Vec<String> {
        self.library_path
            .iter()
            .flat_map(|folder| self.expand(folder, chain.last()))
            .collect()
    }

    fn expanded(&self, folders: &[String], asking: &Asking<'_>) -> Vec<String> {
        folders
            .iter()
            .filter(|folder| !folder.is_empty())
            .flat_map(|folder| self.expand(folder, Some(asking)))
            .collect()
    }

    /// `$ORIGIN`, `$LIB` and `$PLATFORM` replaced; several where the platform's name depends on the processor.
    fn expand(&self, text: &str, asking: Option<&Asking<'_>>) -> Vec<String> {
        if !text.contains('$') {
            return vec![text.to_owned()];
        }
        let origin = asking
            .and_then(|asking| asking.found.rsplit_once('/'))
            .map_or("", |(folder, _)| folder);
        let library = self
            .defaults
            .first()
            .map_or("lib", |folder| folder.trim_matches('/'));
        let replaced = replace(&replace(text, "ORIGIN", origin), "LIB", library);
        let platforms: &[&str] = if self.flavour == Flavour::Glibc {
            &["haswell", "xeon_phi", "x86_64"]
        } else {
            &[]
        };
        let platform = |name: &&str| replace(&replaced, "PLATFORM", name);
        if replace(&replaced, "PLATFORM", "") == replaced {
            vec![replaced]
        } else {
            platforms.iter().map(platform).collect()
        }
    }

    fn in_folder(&self, files: &dyn Files, folder: &str, name: &str, candidates: &mut Vec<Candidate>) {
        let is_folder = |path: &str| {
            files
                .resolve(path)
                .is_some_and(|found| found.kind == FileKind::Folder)
        };
        if !is_folder(folder) {
            return;
        }
        let mut add = |path: String, variant: bool| {
            if files
                .resolve(&path)
                .is_some_and(|found| found.kind == FileKind::Regular)
            {
                candidates.push(Candidate { path, variant });
            }
        };
        let folder = folder.trim_end_matches('/');
        if self.flavour == Flavour::Glibc {
            for capability in CAPABILITY_FOLDERS.iter().chain(&LEGACY_CAPABILITY_FOLDERS) {
                add(format!("{folder}/{capability}/{name}"), true);
            }
        }
        add(format!("{folder}/{name}"), false);
    }
}

/// Both spellings of a token; the one without braces ends where no letter follows.
fn replace(text: &str, token: &str, value: &str) -> String {
    let text = text.replace(&format!("${{{token}}}"), value);
    let bare = format!("${token}");
    let mut parts = text.split(bare.as_str());
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let goes_on = part.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        replaced.push_str(if goes_on { &bare } else { value });
        replaced.push_str(part);
    }
    replaced
}

/// The default folders that glibc's loader has in its read-only data: paths that end in a slash, one behind the
/// other, of which the last ends in `lib/` or `lib64/` or a folder below.
fn folders_in_loader(loader: &Object) -> Vec<String> {
    let mut run: Vec<String> = Vec::new();
    for bytes in loader.read_only_data() {
        for text in bytes.split(|byte| *byte == 0) {
            let folder = std::str::from_utf8(text)
                .ok()
                .filter(|text| is_library_folder(text));
            match folder {
                Some(folder) => run.push(folder.trim_end_matches('/').to_owned()),
                None if run.len() >= 2 => return run,
                None => run.clear(),
            }
        }
    }
    Vec::new()
}

fn is_library_folder(text: &str) -> bool {
    text.starts_with('/')
        && text.ends_with('/')
        && text.split('/').any(|part| part.starts_with("lib"))
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "/._-+".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(replace(text, "ORIGIN", "/opt"), expected);
    }

    #[test]
    fn tokens_are_replaced_in_both_spellings() {
        check("$ORIGIN/lib", "/opt/lib");
        check("${ORIGIN}/lib:$ORIGIN", "/opt/lib:/opt");
        check("$ORIGINAL/$OTHER", "$ORIGINAL/$OTHER");
    }
}
