//! What a release's archive has: which packages bring which executables, and what each needs.
//!
//! Dependencies are followed as far as files go: of alternatives the first that exists, of a virtual package the first
//! that provides it, no versions, nothing that is only recommended. Packages for all architectures hold no machine
//! code; they are followed and not unpacked.

use std::collections::{BTreeMap, BTreeSet};

/// A package that can be had.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Package {
    /// Each with its alternatives.
    needs: Vec<Vec<String>>,
    /// Whether it is built for a machine.
    has_code: bool,
    /// What its files take, in KiB.
    size: u64,
}

/// Every package by name.
#[derive(Debug, Default)]
pub struct Packages {
    packages: BTreeMap<String, Package>,
    /// Virtual packages.
    providers: BTreeMap<String, BTreeSet<String>>,
}

impl Packages {
    /// Reads records as `apt-cache dumpavail` prints them.
    pub fn read(text: &str) -> Self {
        let mut all = Self::default();
        for record in text.split("\n\n") {
            let mut name = "";
            let mut package = Package::default();
            let mut provides = Vec::new();
            for (field, value) in record.lines().filter_map(|line| line.split_once(": ")) {
                match field {
                    "Package" => name = value.trim(),
                    "Architecture" => package.has_code = value.trim() != "all",
                    "Installed-Size" => package.size = value.trim().parse().unwrap_or_default(),
                    "Depends" | "Pre-Depends" => package.needs.extend(value.split(',').map(names)),
                    "Provides" => provides = value.split(',').flat_map(names).collect(),
                    _ => {}
                }
            }
            if name.is_empty() {
                continue;
            }
            for provided in provides {
                all.providers.entry(provided).or_default().insert(name.to_owned());
            }
            all.packages.insert(name.to_owned(), package);
        }
        all
    }

    /// Whether there is such a package.
    pub fn has(&self, name: &str) -> bool {
        self.packages.contains_key(name)
    }

    /// Those of these packages and of all that they need that hold machine code that programs load.
    pub fn closure<'a>(&'a self, names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut pending: Vec<&str> = names.collect();
        let mut closure = BTreeSet::new();
        while let Some(name) = pending.pop() {
            let Some((name, package)) = self.packages.get_key_value(name) else {
                continue;
            };
            if closure.insert(name.as_str()) {
                let needed = package.needs.iter();
                pending.extend(needed.filter_map(|alternatives| self.first(alternatives)));
            }
        }
        // What compilers read, and what debuggers do.
        let is_for_others = |name: &str| name.ends_with("-dev") || name.ends_with("-dbg");
        closure.retain(|name| {
            let package = self.packages.get(*name);
            package.is_some_and(|package| package.has_code) && !is_for_others(name)
        });
        closure
    }

    /// What the files of packages take, in KiB.
    pub fn size(&self, names: &BTreeSet<&str>) -> u64 {
        let packages = names.iter().filter_map(|name| self.packages.get(*name));
        packages.map(|package| package.size).sum()
    }

    fn first<'a>(&'a self, alternatives: &'a [String]) -> Option<&'a str> {
        let real = alternatives.iter().find(|name| self.has(name));
        let provided = || {
            alternatives
                .iter()
                .find_map(|name| self.providers.get(name)?.first())
        };
        real.or_else(provided).map(String::as_str)
    }
}

/// The names of alternatives, without versions and architectures.
fn names(alternatives: &str) -> Vec<String> {
    let words = alternatives.split('|').filter_map(|one| {
        let word = one.split_whitespace().next()?;
        word.split(':').next().map(str::to_owned)
    });
    words.collect()
}

/// The executables that packages bring, with the package, by path; `text` holds a path and `AREA/PACKAGE,…` a line.
pub fn executables(text: &str, packages: &Packages) -> BTreeMap<String, String> {
    let entries = text.lines().filter_map(|line| {
        let (path, owners) = line.rsplit_once(char::is_whitespace)?;
        let owner = owners.split(',').next()?.rsplit('/').next()?;
        Some((format!("/{}", path.trim()), owner.to_owned()))
    });
    entries.filter(|(_, package)| packages.has(package)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVAILABLE: &str = "\
Package: tool
Architecture: amd64
Installed-Size: 100
Depends: libtool1 (>= 2) | libother, tool-data, tool-dev, mail-agent, python3:any
Description: a tool
 with: more

Package: libtool1
Architecture: amd64
Installed-Size: 50
Pre-Depends: libc6

Package: tool-data
Architecture: all
Depends: font-server

Package: tool-dev
Architecture: amd64

Package: exim
Architecture: amd64
Provides: mail-agent (= 1), other

Package: font-server
Architecture: amd64

Package: libc6
Architecture: amd64
";

    #[test]
    fn what_is_needed_is_followed_and_only_code_is_kept() {
        let packages = Packages::read(AVAILABLE);
        let closure = packages.closure(["tool", "unknown"].into_iter());
        let names: Vec<&str> = closure.iter().copied().collect();
        assert_eq!(names, ["exim", "font-server", "libc6", "libtool1", "tool"]);
        assert_eq!(packages.size(&closure), 150);
    }

    #[test]
    fn executables_are_those_of_packages_that_there_are() {
        let contents =
            "usr/bin/tool     utils/tool,utils/other\nusr/bin/x  non-free/gone\nusr/sbin/y admin/exim\n";
        let found = executables(contents, &Packages::read(AVAILABLE));
        let expected = [("/usr/bin/tool", "tool"), ("/usr/sbin/y", "exim")];
        let expected = expected.map(|(path, package)| (path.to_owned(), package.to_owned()));
        assert_eq!(found, expected.into());
    }
}
