//! Jumps to computed addresses that do not show in one instruction, or whose targets no table describes.

use confine_elf::Address;
use rustc_hash::FxHashSet;

use super::{Discovery, State};
use crate::facts::{Reference, ReferenceKind};
use crate::layout;

impl Discovery<'_> {
    /// Makes labels of code addresses that code mentions which no table describes and which jumps to computed
    /// addresses, where no other function begins before them: it computes where to go from them. What was taken for a
    /// function because of such a mention becomes part of the piece again.
    ///
    /// Terminates: a piece stays one that jumps, and what only it makes a label does not become a start again.
    pub(super) fn add_own_labels(&mut self, start: Address) {
        let Some(decoded) = self.pieces.get(&start).and_then(|state| state.decoded.as_ref()) else {
            return;
        };
        let taken = decoded.function.references.iter();
        let mut labels: Vec<Address> = taken
            .filter(|reference| reference.kind == ReferenceKind::Take && reference.target > start)
            .map(|reference| reference.target)
            .filter(|target| self.is_code(*target) && layout::described(self.object, *target).is_none())
            .collect();
        labels.sort_unstable();
        labels.dedup();
        for label in labels {
            if self
                .pieces
                .range(..label)
                .next_back()
                .is_none_or(|(around, _)| *around != start)
            {
                continue;
            }
            let mut entries = vec![label];
            match self.pieces.get(&label) {
                Some(state) if !state.only_mentioned => continue,
                Some(state) => entries.extend_from_slice(&state.entries),
                None => {}
            }
            let merged = self.pieces.remove(&label).is_some();
            if let Some(state) = self.pieces.get_mut(&start) {
                let known = state.entries.len();
                state.entries.extend(entries);
                state.entries.sort_unstable();
                state.entries.dedup();
                if merged || state.entries.len() != known {
                    state.decoded = None;
                }
            }
        }
    }

    /// Finds the functions that jump to computed addresses by a return: the compiler's thunks against speculation
    /// call the next instructions, which put the address in place of their return address, and whoever jumps to a
    /// thunk jumps anywhere. Whether that was not known of any of them.
    pub(super) fn add_jumps_by_return(&mut self) -> bool {
        /// How far behind a call the callee begins in such a thunk, at most.
        const NEAR: u64 = 64;
        let returning: FxHashSet<Address> = self
            .pieces
            .iter()
            .filter(|(_, state)| {
                state
                    .decoded
                    .as_ref()
                    .is_some_and(|decoded| decoded.jumps_by_return)
            })
            .map(|(start, _)| *start)
            .collect();
        if returning.is_empty() {
            return false;
        }
        let refers = |state: &State, to: &dyn Fn(&Reference) -> bool| {
            state
                .decoded
                .as_ref()
                .is_some_and(|decoded| decoded.function.references.iter().any(to))
        };
        let calls_next = |reference: &Reference| {
            let distance = reference.target.wrapping_sub(reference.at);
            reference.kind == ReferenceKind::Call && distance <= NEAR && returning.contains(&reference.target)
        };
        let thunks: FxHashSet<Address> = self
            .pieces
            .iter()
            .filter(|(start, state)| returning.contains(start) || refers(state, &calls_next))
            .map(|(start, _)| *start)
            .collect();
        let jumps_there = |reference: &Reference| {
            reference.kind == ReferenceKind::Jump && thunks.contains(&reference.target)
        };
        let jumping: Vec<Address> = self
            .pieces
            .iter()
            .filter(|(_, state)| !state.jumps_by_return && refers(state, &jumps_there))
            .map(|(start, _)| *start)
            .collect();
        for start in &jumping {
            if let Some(state) = self.pieces.get_mut(start) {
                state.jumps_by_return = true;
                state.jumps = true;
            }
            self.add_own_labels(*start);
        }
        !jumping.is_empty()
    }
}
