//! Addresses of which it is in doubt whether code begins there: they lie in the middle of functions that unwind data
//! describes, and come from where numbers may look like addresses.
//!
//! What was decoded decides: compilers write no instruction into another, so that an address inside one that control comes
//! to is none of an instruction. Misses: hand-written code that jumps by a table into the middle of an instruction of another
//! function.

use confine_elf::{Address, Placement};

use super::Discovery;
use crate::layout;

impl Discovery<'_> {
    /// Makes starts of the doubtful addresses at which, now that everything is decoded, no instruction goes on: what looks
    /// like an address by accident mostly hits the middle of one. Whether there were any.
    pub(super) fn add_unreached(&mut self) -> bool {
        let object = self.object;
        let mut added = false;
        for address in std::mem::take(&mut self.doubtful) {
            let around = self.pieces.range(..=address).next_back();
            match around.and_then(|(_, state)| Some((state.jumps, state.decoded.as_ref()?))) {
                Some((_, decoded)) if decoded.covers(object, address) => {}
                Some((jumps, _)) => {
                    match jumps {
                        true => self.add_entry(address),
                        false => self.add_start(address),
                    }
                    let around = self.pieces.range(..=address).next_back();
                    added |= around.is_some_and(|(_, state)| state.decoded.is_none());
                }
                // Another of them lies in the same piece.
                None => {
                    self.doubtful.insert(address);
                }
            }
        }
        added
    }

    /// An entry of a table leads out of the piece that uses it: to the start of a function, to a part of the same function
    /// that lies apart, or nowhere, since the table is none.
    pub(super) fn add_distant(&mut self, target: Address) {
        if self.is_ruled_out(target) {
            self.doubtful.insert(target);
        } else {
            self.add_mentioned(target, false);
        }
    }

    /// Whether an instruction begins there that was decoded.
    fn is_visited(&self, address: Address) -> bool {
        let around = self.pieces.range(..=address).next_back();
        let decoded = around.and_then(|(_, state)| state.decoded.as_ref());
        decoded.is_some_and(|decoded| decoded.visits(address))
    }

    /// Whether no instruction that was decoded begins at an address that a table seems to hold: while decoding goes on, that
    /// is in doubt.
    pub(super) fn is_ruled_out(&self, target: Address) -> bool {
        self.object.placement == Placement::Relocatable
            && layout::described(self.object, target).is_some()
            && !self.is_visited(target)
    }
}
