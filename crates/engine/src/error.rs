//! What can go wrong between us and an engine.

use std::path::PathBuf;
use std::time::Duration;

/// A step that an engine, or the host on its behalf, did not take.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program could not be started at all.
    #[error("cannot start `{program}`")]
    Spawn {
        /// The program's name.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The program ran and said no.
    #[error("`{command}` ended with {outcome}: {message}")]
    Failed {
        /// The command line.
        command: String,
        /// Exit code or signal, in words.
        outcome: String,
        /// The end of what it wrote to its standard error.
        message: String,
    },
    /// The program did not end in time and was killed.
    #[error("`{command}` did not end within {limit:?}")]
    TimedOut {
        /// The command line.
        command: String,
        /// How long it was given.
        limit: Duration,
    },
    /// The user asked to end the run.
    #[error("interrupted")]
    Interrupted,
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}", path = path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// An engine answered, but not in the shape that it documents.
    #[error("`{command}` answered unexpectedly: expected {expected}")]
    Answer {
        /// The command line.
        command: String,
        /// What was looked for.
        expected: String,
    },
    /// The image names a user that its own user database does not hold.
    #[error("the image has no user `{user}`")]
    UnknownUser {
        /// As the image or the caller spelled it.
        user: String,
    },
    /// The engine can make no containers of this.
    #[error("{image}: expected {expected}")]
    Unfit {
        /// The image, as it was named.
        image: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The container did not get ready.
    #[error("the container was not ready: {why}")]
    NotReady {
        /// What was waited for and what came instead.
        why: String,
    },
    /// The kernel does not hand calls over.
    #[error("cannot {step}")]
    HandOver {
        /// What was attempted.
        step: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The kernel's log moved on before it was read.
    #[error("the kernel's log lost records while it was being read")]
    AuditLost,
    /// The kernel's tracer cannot tell so many calls from others.
    #[error("so many different calls do not fit into a filter of the kernel's tracer")]
    TraceTooWide,
    /// The kernel's tracer had no room for all that was traced.
    #[error("the kernel's trace lost calls: they were more than its buffer holds")]
    TraceLost,
}

impl Error {
    /// The error with its cause.
    #[must_use]
    pub fn in_full(&self) -> String {
        let cause = std::error::Error::source(self);
        cause.map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"))
    }

    /// For `map_err`: a file operation that failed.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
