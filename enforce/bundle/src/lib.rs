//! How policies travel to the code that installs them: one definition for who writes and who reads.
//!
//! In: bytes of a bundle, a program's memory or file. Out: the filters of that program. A [`Bundle`] holds filters by
//! the [`Fingerprint`] of the program that they are for; a [`Prologue`] tells code that was grafted into an ELF file
//! where its bundle lies and where the file's own code begins. Must not know: system calls, policies, how either is
//! made, paths.
//!
//! No allocation, no panic on any input and nothing but `core`, as it is a part of code that runs before any library
//! does.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod bundle;
pub mod elf;
mod fingerprint;
pub mod probe;
mod prologue;
mod siphash;

pub use bundle::{
    Broken, Bundle, ENTRY_BYTES, Entry, Filters, HEADER_BYTES, Header, INSTRUCTION_BYTES,
    MAXIMUM_INSTRUCTIONS, checksum,
};
pub use fingerprint::{Fingerprint, Memory, fingerprint};
pub use prologue::{Kind, PROLOGUE_BYTES, Prologue};

/// The exit code of a program that was not started because its policy could not be installed.
pub const REFUSED: i32 = 120;

/// A number at an offset; `None` where the bytes end before.
fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk::<2>()?;
    Some(u16::from_le_bytes(*bytes))
}

/// A number at an offset; `None` where the bytes end before.
fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// A number at an offset; `None` where the bytes end before.
fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let bytes = bytes.get(offset..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*bytes))
}

/// Copies a field into its place. What lies outside is left out, which no caller's constants make happen.
fn put(bytes: &mut [u8], offset: usize, field: &[u8]) {
    let places = bytes.iter_mut().skip(offset);
    for (place, byte) in places.zip(field) {
        *place = *byte;
    }
}
