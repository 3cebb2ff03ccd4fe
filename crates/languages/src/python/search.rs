//! Where Python looks for modules.
//!
//! The search path is put together as `site` and `getpath` do (Python 3's library reference, "sys.path initialization"):
//! the script's folder or the working folder, `PYTHONPATH`, the standard library beside the interpreter, the folders of
//! installed packages, with what their `.pth` files add, and those of a virtual environment.
//!
//! Over-approximates: a module that several folders hold is taken from all of them, since their order may be changed
//! at run time; the folders of every version that is installed beside the interpreter count where its name has none.

use std::collections::{BTreeMap, BTreeSet};

use confine_image::Files;

use crate::walk::Walk;
use crate::{Roots, Start, folders};

/// What a compiled module's loader looks up: PyInit_NAME, PyInitU_NAME for names that are not ASCII, and what version
/// 2 looks up (PEP 489).
pub const ROOTS: Roots = Roots::Prefixes(&["PyInit", "init"]);

/// How long a `.pth` file or a virtual environment's configuration may be, in bytes.
const LONGEST_FILE: u64 = 1 << 16;

/// The folders in which modules are searched, and what was found in them.
pub struct Search {
    entries: Vec<String>,
    /// The names in a folder.
    listed: BTreeMap<String, BTreeSet<String>>,
    imported: BTreeSet<String>,
    /// Statements in `.pth` files.
    pub statements: Vec<(String, String)>,
    /// Files that are too large, or cannot be read.
    pub left_out: Vec<String>,
}

impl Search {
    /// The search path of an interpreter that is started like this.
    pub fn new(start: &Start<'_>, first: &str) -> Self {
        let mut search = Self {
            entries: Vec::new(),
            listed: BTreeMap::new(),
            imported: BTreeSet::new(),
            statements: Vec::new(),
            left_out: Vec::new(),
        };
        search.enter(start.files, first);
        for entry in start
            .variables
            .get("PYTHONPATH")
            .into_iter()
            .flat_map(|path| path.split(':'))
        {
            search.enter(start.files, &folders::absolute(entry, start.workdir));
        }
        for prefix in prefixes(start, &mut search.left_out) {
            for version in versions(start, &prefix) {
                let library = format!("{prefix}/lib/{version}");
                search.enter(start.files, &library);
                search.enter(start.files, &format!("{library}/lib-dynload"));
                for site in ["site-packages", "dist-packages"] {
                    search.enter_site(start.files, &format!("{library}/{site}"));
                }
            }
            search.enter_site(start.files, &format!("{prefix}/lib/python3/dist-packages"));
        }
        search
    }

    /// Adds a folder to the search path.
    pub fn enter(&mut self, files: &dyn Files, path: &str) {
        if let Some(folder) = folders::folder(files, path)
            && !self.entries.contains(&folder)
        {
            self.entries.push(folder);
        }
    }

    /// Adds a folder of packages and what the `.pth` files in it name.
    fn enter_site(&mut self, files: &dyn Files, path: &str) {
        let Some(site) = folders::folder(files, path) else {
            return;
        };
        if self.entries.contains(&site) {
            return;
        }
        self.entries.push(site.clone());
        for name in files
            .list(&site)
            .into_iter()
            .filter(|name| name.ends_with(".pth"))
        {
            let file = format!("{site}/{name}");
            for line in small_text(files, &file, &mut self.left_out).lines() {
                if line.starts_with("import ") || line.starts_with("import\t") {
                    self.statements.push((file.clone(), line.to_owned()));
                } else if !line.starts_with('#') && !line.trim().is_empty() {
                    self.enter(files, &folders::absolute(line.trim(), &site));
                }
            }
        }
    }

    /// The folders of the search path.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// Whether a name is a module's that the search path holds directly.
    pub fn is_top(&mut self, files: &dyn Files, name: &str) -> bool {
        let entries = self.entries.clone();
        entries.iter().any(|entry| {
            let names = self.names(files, entry);
            names.contains(name)
                || names.contains(&format!("{name}.py"))
                || names
                    .range(format!("{name}.")..)
                    .next()
                    .is_some_and(|next| is_compiled(next, name))
        })
    }

    /// Imports a module by its dotted name with all packages around it; whether all of it was found.
    pub fn import(&mut self, walk: &mut Walk<'_>, dotted: &str, why: &str) -> bool {
        let entries = self.entries.clone();
        self.import_from(walk, &entries, dotted, why)
    }

    /// The same from some folders, for names that are relative to a package.
    pub fn import_from(&mut self, walk: &mut Walk<'_>, from: &[String], dotted: &str, why: &str) -> bool {
        let mut within: Vec<String> = from.to_vec();
        // Bounded by the parts of the name.
        for part in dotted.split('.') {
            if part.is_empty() {
                return false;
            }
            let mut next = Vec::new();
            let mut found = false;
            for folder in &within {
                found |= self.import_part(walk, folder, part, why, &mut next);
            }
            if !found {
                return false;
            }
            within = next;
        }
        true
    }

    fn import_part(
        &mut self,
        walk: &mut Walk<'_>,
        folder: &str,
        part: &str,
        why: &str,
        packages: &mut Vec<String>,
    ) -> bool {
        let names = self.names(walk.files, folder);
        let is_package = names.contains(part);
        let is_source = names.contains(&format!("{part}.py"));
        let compiled: Vec<String> = names
            .range(format!("{part}.")..)
            .take_while(|name| name.starts_with(part))
            .filter(|name| is_compiled(name, part))
            .cloned()
            .collect();
        let without_source = !is_source && names.contains(&format!("{part}.pyc"));
        let base = format!("{}/{part}", folder.trim_end_matches('/'));
        let mut found = is_source || !compiled.is_empty();
        if is_package && let Some(package) = folders::folder(walk.files, &base) {
            found = true;
            self.initialise(walk, &package, why);
            packages.push(package);
        }
        if self.imported.insert(base.clone()) {
            if is_source {
                walk.add_file(&format!("{base}.py"));
            }
            for name in &compiled {
                if let Some(module) = walk.regular(&format!("{}/{name}", folder.trim_end_matches('/'))) {
                    walk.module(module, format!("imported by {why}"), ROOTS);
                }
            }
            if without_source {
                found = true;
                walk.open = true;
                let detail = "a module without its source, so that what it imports and executes is not known";
                walk.assume(
                    confine_assumption::Kind::UnreadableFile,
                    format!("{base}.pyc"),
                    detail,
                    confine_assumption::Effect::WidenedToCandidates,
                );
            }
        }
        found
    }

    fn initialise(&mut self, walk: &mut Walk<'_>, package: &str, why: &str) {
        let base = format!("{package}/__init__");
        if !self.imported.insert(base) {
            return;
        }
        walk.add_file(&format!("{package}/__init__.py"));
        let names = self.names(walk.files, package);
        let compiled: Vec<String> = names
            .iter()
            .filter(|name| is_compiled(name, "__init__"))
            .cloned()
            .collect();
        for name in compiled {
            if let Some(module) = walk.regular(&format!("{package}/{name}")) {
                walk.module(module, format!("imported by {why}"), ROOTS);
            }
        }
    }

    /// The modules directly in a package: names without endings.
    pub fn modules_of(&mut self, files: &dyn Files, package: &str) -> BTreeSet<String> {
        let entries = self.entries.clone();
        let folders = entries
            .iter()
            .map(|entry| format!("{entry}/{}", package.replace('.', "/")));
        let mut modules = BTreeSet::new();
        for folder in folders {
            let names = self.names(files, &folder);
            modules.extend(names.iter().filter_map(|name| {
                let stem = name.split('.').next()?;
                let is_module = name.ends_with(".py") || name.ends_with(".so") || stem == name;
                (is_module && !stem.starts_with("__")).then(|| stem.to_owned())
            }));
        }
        modules
    }

    fn names(&mut self, files: &dyn Files, folder: &str) -> &BTreeSet<String> {
        self.listed
            .entry(folder.to_owned())
            .or_insert_with(|| files.list(folder).into_iter().collect())
    }
}

/// Whether a file is the compiled module of this name: `NAME.so`, `NAME.abi3.so`, `NAME.cpython-311-x86_64-linux-gnu.so`.
fn is_compiled(file: &str, name: &str) -> bool {
    let middle = file.strip_prefix(name).and_then(|rest| rest.strip_suffix("so"));
    middle.is_some_and(|middle| {
        middle == "." || middle.starts_with(".cpython-") || middle.starts_with(".pypy") || middle == ".abi3."
    })
}

/// The folders above the interpreter's own, of a virtual environment and what that was made from.
fn prefixes(start: &Start<'_>, left_out: &mut Vec<String>) -> Vec<String> {
    let mut prefixes: Vec<String> = Vec::new();
    let mut add = |prefix: String| {
        if !prefix.is_empty() && !prefixes.contains(&prefix) {
            prefixes.push(prefix);
        }
    };
    for interpreter in [start.named, start.path] {
        let bin = folders::parent(interpreter);
        let prefix = folders::parent(bin).to_owned();
        for place in [bin, prefix.as_str()] {
            let configuration = small_text(start.files, &format!("{place}/pyvenv.cfg"), left_out);
            let home = configuration.lines().filter_map(|line| line.split_once('='));
            for (_, home) in home.filter(|(key, _)| key.trim() == "home") {
                add(folders::parent(home.trim()).to_owned());
            }
        }
        add(prefix);
    }
    if let Some(home) = start.variables.get("PYTHONHOME") {
        home.split(':').for_each(|home| add(home.to_owned()));
    }
    let home = start.variables.get("HOME").map_or("/root", String::as_str);
    add(format!("{home}/.local"));
    add("/usr".to_owned());
    add("/usr/local".to_owned());
    prefixes
}

/// The names of the library's folders for this interpreter: of its version, or of all if its name has none.
fn versions(start: &Start<'_>, prefix: &str) -> Vec<String> {
    let name = folders::base_name(start.path);
    let all = start.files.list(&format!("{prefix}/lib")).into_iter();
    let all: Vec<String> = all
        .filter(|name| name.starts_with("python") || name.starts_with("pypy"))
        .collect();
    match all.iter().find(|folder| *folder == name && name.contains('.')) {
        Some(own) => vec![own.clone()],
        // A version of the interpreter's own that is not here: nothing of other versions is its.
        None if name.starts_with("python") && name.contains('.') => Vec::new(),
        None => all,
    }
}

fn small_text(files: &dyn Files, path: &str, left_out: &mut Vec<String>) -> String {
    let Some(file) = folders::regular(files, path) else {
        return String::new();
    };
    let small = file.size <= LONGEST_FILE;
    match small.then(|| files.read(&file.path).ok()).flatten() {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => {
            left_out.push(file.path);
            String::new()
        }
    }
}
