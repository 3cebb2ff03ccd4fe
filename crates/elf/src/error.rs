//! Why a file is no object that could be loaded.

/// Why a file is no object that a 64-bit little-endian loader would map. The caller knows the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too short for a header.
    #[error("expected an elf header of 64 bytes, found a file of {0} bytes")]
    TooShort(usize),
    /// Something else than ELF.
    #[error("expected the elf magic 7f 45 4c 46, found {0:02x?}")]
    NotElf([u8; 4]),
    /// ELFCLASS32.
    #[error("expected a 64-bit object, found a 32-bit one")]
    Class32,
    /// Neither 32 nor 64 bits.
    #[error("expected elf class 2 (64-bit), found {0}")]
    Class(u8),
    /// Big-endian or nonsense.
    #[error("expected elf data encoding 1 (little-endian), found {0}")]
    Encoding(u8),
    /// A relocatable object, a core dump or nonsense.
    #[error("expected an executable (elf type 2) or a shared object (3), found type {0}")]
    Type(u16),
    /// Program headers of a size that no loader knows.
    #[error("expected program headers of 56 bytes, found {0}")]
    HeaderSize(u16),
    /// Program headers beyond the end of the file.
    #[error(
        "expected {count} program headers at offset {offset:#x}, which end behind the file's {length:#x} bytes"
    )]
    HeadersOutside {
        /// `e_phnum`.
        count: u16,
        /// `e_phoff`.
        offset: u64,
        /// The file's length.
        length: usize,
    },
    /// Nothing that could be mapped.
    #[error("expected at least one loadable segment, found none that fits into an address space")]
    NothingToLoad,
}
