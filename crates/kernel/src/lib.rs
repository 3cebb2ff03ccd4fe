//! What the kernel, the engine and the container runtimes bring along, as data with its source and version.
//!
//! In: nothing. Out: the system calls of an architecture ([`calls`]), their arguments ([`arguments`]) and the names of
//! their values ([`describe`]), what Docker's default profile allows ([`docker_default`]), what must be allowed around
//! the image's programs ([`runtime_calls`]) and which calls reach known vulnerabilities ([`vulnerabilities`]). The data lies
//! in `data/*.tsv`, is read while this crate compiles, and a malformed row does not compile. Must not know: anything about images, programs or policies.
#![forbid(unsafe_code)]

mod arguments;
mod calls;
mod constants;
mod engine;
mod runtime;
mod tsv;
mod version;
mod vulnerabilities;

pub use arguments::{Argument, ArgumentKind, arguments, values};
pub use calls::{
    LINUX_VERSION, SystemCall, call, call_named, calls, in_linux_5_4, in_published_table, is_beyond_tables,
    name, published_table, returns,
};
pub use constants::{
    Known, Meaning, constant_named, constant_names, constants_combine, describe, describe_mask,
};
pub use engine::{
    DOCKER_CAPABILITIES, DOCKER_DEFAULT_LETS_X32_IN, DOCKER_DEFAULT_LETS_X86_IN, DOCKER_DEFAULT_VERSION,
    DefaultCall, DefaultComparison, docker_default,
};
pub use runtime::{RUNTIME_TABLE_VERSION, Requester, Runtime, RuntimeCall, runtime_calls};
pub use version::KernelVersion;
pub use vulnerabilities::{
    Access, ArgumentCondition, Entry, Equivalent, NeededCapability, Step, USER_NAME_SPACES_SINCE,
    Vulnerability, VulnerabilityClass, Way, equivalents, user_name_space, vulnerabilities,
};
