//! Why nothing can be observed, or why what was observed is not all.

/// Why nothing can be observed, or why what was observed is not all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel has no type information, by which its structures are found.
    #[error(
        "this host cannot observe: its kernel has no type information in /sys/kernel/btf/vmlinux \
         (CONFIG_DEBUG_INFO_BTF): {0}"
    )]
    NoTypes(String),
    /// The kernel does not let this user in.
    #[error("observing needs root on the host, or CAP_BPF and CAP_PERFMON: {0}")]
    NotPermitted(String),
    /// The kernel took a part of it not.
    #[error(
        "this host cannot observe: its kernel, which has to be Linux 5.17 or later, refuses {part}: {reason}"
    )]
    Refused {
        /// Which part.
        part: &'static str,
        /// What the kernel says.
        reason: String,
    },
    /// A host name is what its processes are recognised by.
    #[error("the container's host name {0:?} is not between 1 and 63 bytes long")]
    HostName(String),
    /// Its tables could not be read.
    #[error("cannot read what was counted in the kernel: {0}")]
    Tables(String),
    /// What was counted is not all that happened.
    #[error("the observation is incomplete: {0}")]
    Incomplete(String),
}
