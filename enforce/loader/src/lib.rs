//! Runs in front of a program: installs its policy, then leaves the machine as the kernel left it.
//!
//! In: the stack of a program that was just started, a [`Prologue`] and its bundle. Out: the address to go on at; or
//! the end of the process, with a message and the exit code [`confine_bundle::REFUSED`]. It is grafted into the file of
//! a dynamic loader, or of a program that needs none, as a segment that the entry point leads to, so the kernel maps
//! it with that file: nothing is opened, looked for or mapped, and the program sees the path, the arguments, the
//! environment and the auxiliary vector that it always saw.
//!
//! Must not know: what policies are made of, how anything was grafted.
//!
//! What happens before the last call of [`policy::install`] is under the filters of whoever executed this, so those
//! have to allow the few calls that are made here: the list is in the documentation of `confine harden`.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

mod command_line;
mod identity;
mod policy;

use confine_bundle::{Bundle, Kind, Prologue};
use confine_sys::{AUXILIARY_ENTRY, Start};

use crate::identity::Identity;
use crate::policy::Refusal;

/// Does everything that is to be done before the file's own code runs; the address where that begins.
///
/// `prologue_address` is where the prologue lies, `own_entry` the entry point that stands behind it.
pub fn run(
    start: &mut Start,
    prologue: &Prologue,
    prologue_address: u64,
    own_entry: u64,
    bundle: &[u8],
) -> u64 {
    let entry = prologue_address.wrapping_add(prologue.entry);
    // The kernel started this file itself: a program without an interpreter, or `ld.so PROGRAM`.
    let is_program = start.auxiliary(AUXILIARY_ENTRY) == Some(own_entry);
    if is_program {
        // What the file's own code compares its entry point with: a loader tells from it that it runs as a program.
        start.set_auxiliary(AUXILIARY_ENTRY, entry);
    }
    if let Err(refusal) = confine(start, prologue.kind, is_program, bundle) {
        policy::refuse(start, refusal);
    }
    entry
}

fn confine(start: &Start, kind: Kind, is_program: bool, bundle: &[u8]) -> Result<(), Refusal> {
    let bundle = Bundle::read(bundle).map_err(Refusal::Bundle)?;
    let identity = match (kind, is_program) {
        (Kind::Program, _) => return policy::install_only(&bundle),
        (Kind::Interpreter, false) => identity::of_running(start),
        (Kind::Interpreter, true) => identity::of_argument(start),
    };
    match identity {
        Identity::Nothing => Ok(()),
        Identity::Unknown => policy::unknown(&bundle),
        Identity::Known(fingerprint) => match bundle.find(&fingerprint) {
            Some(entry) => policy::install(&bundle, &entry),
            None => policy::unknown(&bundle),
        },
    }
}
