//! State of the C library that only its own functions set.
//!
//! The C library's code tests a mutex's protocol or a thread's attributes at every use, while hardly any program sets
//! them. What the code does then is out of reach for a program that never calls a function which could have set
//! them: the objects are opaque by POSIX, so only those functions write them. One table, [`TABLE`].
//!
//! Assumed of a program: it does not forge such an object, nor share memory that holds one with a program which
//! sets it.

use confine_elf::Object;

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
    /// Whether the helpers look at the state themselves, so that it does not matter who else enters them; otherwise a
    /// carrier may have looked at it for them.
    helpers_look: bool,
    /// What those helpers call only where the state is set.
    guarded: &'static [&'static str],
    /// The only functions that set it, or do what it asks for without looking at it.
    setters: &'static [&'static str],
    /// Whether they set it only by these bits of their second argument; by any call, without.
    bits: Option<u64>,
}

/// All rows, by glibc's sources: nptl/tpp.c is entered for mutexes of the protocol PTHREAD_PRIO_PROTECT alone;
/// nptl/pthread_create.c and sysdeps/unix/sysv/linux/spawni.c do what the attributes and file actions say, the flags
/// being those of posix/spawn.h; sunrpc/rpc_thread.c tidies up the variables of a thread that used remote procedure calls.
pub const TABLE: [Row; 11] = [
    Row {
        state: "the protocol of a mutex",
        carriers: &[
            "pthread_mutex_*",
            "__pthread_mutex_*",
            "mtx_*",
            "pthread_cond_*",
            "cnd_*",
        ],
        helpers_look: false,
        guarded: SCHEDULING,
        setters: &[
            "pthread_mutexattr_setprotocol",
            "pthread_mutexattr_setprioceiling",
            "pthread_mutexattr_getprioceiling",
            "pthread_mutex_setprioceiling",
        ],
        bits: None,
    },
    Row {
        state: "the scheduling that a thread's attributes ask for",
        carriers: &["pthread_create", "thrd_create"],
        helpers_look: false,
        guarded: SCHEDULING,
        setters: &[
            "pthread_attr_setinheritsched",
            "pthread_attr_setschedparam",
            "pthread_attr_setschedpolicy",
            "pthread_setattr_default_np",
        ],
        bits: None,
    },
    spawn_flag("the user of a new process", 0x01, &["getuid", "getgid"]),
    spawn_flag("the process group of a new process", 0x02, &["setpgid"]),
    spawn_flag(
        "the scheduling parameter of a new process",
        0x10,
        &["sched_setparam"],
    ),
    spawn_flag(
        "the scheduling policy of a new process",
        0x20,
        &["sched_setscheduler"],
    ),
    spawn_flag("the session of a new process", 0x80, &["setsid"]),
    spawn_action(
        "the folder of a new process by its path",
        &["chdir"],
        &["posix_spawn_file_actions_addchdir_np"],
    ),
    spawn_action(
        "the folder of a new process by its descriptor",
        &["fchdir"],
        &["posix_spawn_file_actions_addfchdir_np"],
    ),
    spawn_action(
        "the terminal of a new process",
        &["getpgid", "tcsetpgrp"],
        &["posix_spawn_file_actions_addtcsetpgrp_np"],
    ),
    Row {
        state: "a thread's variables for remote procedure calls",
        carriers: &[
            "pthread_create",
            "thrd_create",
            "pthread_exit",
            "exit",
            "__libc_start_main",
            "__libc_freeres",
        ],
        helpers_look: true,
        guarded: REMOTE_CALLS,
        setters: REMOTE_CALLS,
        bits: None,
    },
];

/// What starts a process by attributes and file actions.
const SPAWN: &[&str] = &["posix_spawn", "posix_spawnp", "popen", "system"];

const fn spawn_flag(state: &'static str, flag: u64, guarded: &'static [&'static str]) -> Row {
    Row {
        state,
        carriers: SPAWN,
        helpers_look: false,
        guarded,
        setters: &["posix_spawnattr_setflags"],
        bits: Some(flag),
    }
}

const fn spawn_action(
    state: &'static str,
    guarded: &'static [&'static str],
    setters: &'static [&'static str; 1],
) -> Row {
    Row {
        state,
        carriers: SPAWN,
        helpers_look: false,
        guarded,
        setters,
        bits: None,
    }
}

const SCHEDULING: &[&str] = &[
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setparam",
    "sched_setscheduler",
];

/// The older C libraries' remote procedure calls: whoever uses them calls one of these first.
const REMOTE_CALLS: &[&str] = &[
    "svc*",
    "clnt*",
    "pmap_*",
    "xprt_*",
    "auth*_create*",
    "callrpc",
    "__rpc_thread_*",
];

/// A row for one program: dynamic symbols of its C library, by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpaqueState {
    /// The C library's index in [`Linked::objects`].
    pub object: usize,
    /// See [`Row`]; sorted.
    pub carriers: Vec<u32>,
    /// Whether it does not matter who else enters the helpers.
    pub helpers_look: bool,
    /// See [`Row`]; sorted.
    pub guarded: Vec<u32>,
    /// See [`Row`]; sorted.
    pub setters: Vec<u32>,
    /// See [`Row`].
    pub bits: Option<u64>,
}

/// The rows that apply to a program: none if its C library is not glibc.
#[must_use]
pub fn states(linked: &Linked) -> Vec<OpaqueState> {
    let library = match linked.loader {
        Loader::Glibc => c_library(linked),
        Loader::None | Loader::Musl => None,
    };
    let Some((index, library)) = library.and_then(|index| Some((index, linked.objects.get(index)?))) else {
        return Vec::new();
    };
    // Looked up once, whichever programs load the library.
    let states = library.opaque.get_or_init(|| states_of(&library.elf));
    let of_this = |state: &OpaqueState| OpaqueState {
        object: index,
        ..state.clone()
    };
    states.iter().map(of_this).collect()
}

fn states_of(library: &Object) -> Vec<OpaqueState> {
    // Those of older versions count as well, which only old programs bind to.
    let symbols = |names: &[&str]| -> Vec<u32> {
        let all = (0..).zip(&library.dynamic_symbols);
        all.filter(|(_, symbol)| symbol.defined && names.iter().any(|name| matches(name, &symbol.name)))
            .map(|(index, _)| index)
            .collect()
    };
    TABLE
        .iter()
        .map(|row| {
            let state = OpaqueState {
                object: 0,
                carriers: symbols(row.carriers),
                helpers_look: row.helpers_look,
                guarded: symbols(row.guarded),
                setters: symbols(row.setters),
                bits: row.bits,
            };
            (row, state)
        })
        // In a release whose setters are elsewhere (libpthread before glibc 2.34) the row says nothing.
        .filter(|(row, state)| state.setters.len() >= row.setters.len())
        .map(|(_, state)| state)
        .collect()
}

/// Whether a name is meant by one that may end in `*`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}
