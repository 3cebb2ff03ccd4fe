//! Drives real container engines: Docker through its command line, runc and crun directly on a bundle.
//!
//! In: an image, how to start it ([`StartOptions`]) and a seccomp profile as a file. Out: a running
//! [`Container`] that can be reached, executed in, signalled, restarted and stopped, and what the kernel logged
//! about its calls ([`AuditLog`], [`CallTrace`]). A command of this host is run under a filter that asks ([`supervise`]). Everything started here is removed when its handle is dropped. Must not know:
//! how a profile was made, or what a workload expects.
#![forbid(unsafe_code)]

mod audit;
mod bundle;
mod command;
mod container;
mod docker;
mod error;
mod installed;
mod life;
mod process;
mod runtime;
mod session;
pub mod strace;
mod supervised;
mod trace;

pub use audit::{AuditLog, AuditRecord};
pub use bundle::{ImageConfig, Rootfs};
pub use command::{Finished, Interrupt, Invocation, Running};
pub use container::{Container, Endpoint, Health, Seccomp, StartOptions, Stopped};
pub use docker::{Docker, DockerContainer};
pub use error::Error;
pub use installed::{Engine, Installed, Source};
pub use life::{Life, Lived, Taken, WORKLOAD};
pub use process::{Mapped, Origin};
pub use runtime::{Runtime, RuntimeContainer};
pub use session::{End, Ready, Session, Visit, shell};
pub use supervised::{Asked, HandedOver, supervise};
pub use trace::{CallTrace, TracedCall};
