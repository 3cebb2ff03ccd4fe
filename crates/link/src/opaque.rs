//! State of the C library that only its own functions set.
//!
//! The C library's code tests a mutex's protocol or a thread's attributes at every use, while hardly any program sets
//! them. What the code does then is out of reach for a program that never calls a function which could have set
//! them: the objects are opaque by POSIX, so only those functions write them. One table, [`TABLE`].
//!
//! Assumed of a program: it does not forge such an object, nor share memory that holds one with a program which
//! sets it.

use crate::conventions::c_library;
use crate::linked::{Linked, Loader};

/// A state, who sets it and what depends on it. Names are exported functions of the C library; one that ends in
/// `*` stands for all that begin like it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it is.
    pub state: &'static str,
    /// Functions whose internal helpers act on the state.
    carriers: &'static [&'static str],
    /// What those helpers call only where the state is set.
    guarded: &'static [&'static str],
    /// The only functions that set it, or do what it asks for without looking at it.
    setters: &'static [&'static str],
}

/// All rows. glibc: nptl/tpp.c (`__pthread_tpp_change_priority`, `__init_sched_fifo_prio`) is entered for mutexes of
/// the protocol PTHREAD_PRIO_PROTECT alone; nptl/pthread_create.c and posix/spawni.c set a scheduling policy where
/// the attributes say so.
pub const TABLE: [Row; 1] = [Row {
    state: "scheduling by mutexes and attributes",
    carriers: &[
        "pthread_mutex_*",
        "__pthread_mutex_*",
        "mtx_*",
        "pthread_cond_*",
        "cnd_*",
        "pthread_create",
        "thrd_create",
        "posix_spawn",
        "posix_spawnp",
    ],
    guarded: &[
        "sched_get_priority_max",
        "sched_get_priority_min",
        "sched_getparam",
        "sched_getscheduler",
        "sched_setparam",
        "sched_setscheduler",
    ],
    setters: &[
        "pthread_mutexattr_setprotocol",
        "pthread_mutexattr_setprioceiling",
        "pthread_mutexattr_getprioceiling",
        "pthread_mutex_setprioceiling",
        "pthread_attr_setinheritsched",
        "pthread_attr_setschedparam",
        "pthread_attr_setschedpolicy",
        "pthread_setattr_default_np",
        "posix_spawnattr_setflags",
    ],
}];

/// As many setters as a C library must export for it to be the one that [`TABLE`] is about.
const SETTERS_THAT_MUST_BE_THERE: usize = 6;

/// A row for one program: dynamic symbols of its C library, by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpaqueState {
    /// The C library's index in [`Linked::objects`].
    pub object: usize,
    /// See [`Row`]; sorted.
    pub carriers: Vec<u32>,
    /// See [`Row`]; sorted.
    pub guarded: Vec<u32>,
    /// See [`Row`]; sorted.
    pub setters: Vec<u32>,
}

/// The rows that apply to a program: none if its C library is not glibc.
#[must_use]
pub fn states(linked: &Linked) -> Vec<OpaqueState> {
    let library = match linked.loader {
        Loader::Glibc => c_library(linked),
        Loader::None | Loader::Musl => None,
    };
    let Some(object) = library else {
        return Vec::new();
    };
    let symbols = |names: &[&str]| -> Vec<u32> {
        let exports = linked.objects[object].exports.symbols().into_iter();
        let named = |index: &u32| {
            let symbol = linked.objects[object].elf.dynamic_symbols.get(*index as usize);
            symbol.is_some_and(|symbol| names.iter().any(|name| matches(name, &symbol.name)))
        };
        let mut found: Vec<u32> = exports.filter(named).collect();
        found.sort_unstable();
        found
    };
    TABLE
        .iter()
        .map(|row| OpaqueState {
            object,
            carriers: symbols(row.carriers),
            guarded: symbols(row.guarded),
            setters: symbols(row.setters),
        })
        // In a release whose setters are elsewhere (libpthread before glibc 2.34) the row says nothing.
        .filter(|state| state.setters.len() >= SETTERS_THAT_MUST_BE_THERE)
        .collect()
}

/// Whether a name is meant by one that may end in `*`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}
