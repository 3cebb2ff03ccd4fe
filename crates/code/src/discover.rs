//! Which functions there are, found by decoding from what is known until nothing new appears.
//!
//! Known at first: unwind data, symbols, Go's function table, the entry points that the loader calls, and code
//! addresses in data. Each piece of code is decoded by recursive descent ([`crate::descend`]), in parallel;
//! what it calls, jumps to or mentions adds functions, entries into the middle of functions, and (where a
//! function jumps to a computed address) the targets of its tables.
//!
//! Terminates: starts and entries are sets of addresses of the object's code that only grow, and a round that
//! adds none is the last.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use confine_elf::{Address, Object, Placement, RelocationValue};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::cuts;
use crate::descend::{self, Decoded, Piece, Scratch};
use crate::facts::{Facts, Function, Reference, ReferenceKind};
use crate::layout;
use crate::pointers::Pointer;
use crate::starts;
use crate::tables::{self, Mentions};

mod doubts;
mod labels;

/// Decodes `object`, whose data holds `pointers`.
pub(crate) fn facts(object: &Object, pointers: Vec<Pointer>) -> Facts {
    let mut discovery = Discovery {
        object,
        code: layout::code_ranges(object),
        pieces: BTreeMap::new(),
        doubtful: BTreeSet::new(),
    };
    discovery.begin(starts::known(object));
    discovery.decode_changed();
    let stored: Vec<Address> = pointers.iter().filter_map(code_address).collect();
    loop {
        for target in &stored {
            discovery.add_mentioned(*target, false);
        }
        discovery.add_unreached();
        let revealed = discovery.decode_changed() && object.placement == Placement::Fixed;
        // Both, each time: a function that jumps by returning may use tables.
        let jumping = discovery.add_jumps_by_return();
        let tables = discovery.add_tables();
        let distant = discovery.add_unreached();
        if !tables && !distant && !jumping && !revealed {
            break;
        }
        discovery.decode_changed();
    }
    discovery.finish(pointers)
}

fn code_address(pointer: &Pointer) -> Option<Address> {
    match pointer.value {
        RelocationValue::Address(target) | RelocationValue::Resolved(target) => Some(target),
        _ => None,
    }
}

struct Discovery<'a> {
    object: &'a Object,
    code: Vec<Range<Address>>,
    pieces: BTreeMap<Address, State>,
    /// Addresses in the middle of functions that no decoded instruction begins at, and that are mentioned where numbers may
    /// look like addresses, or lie in what may be a table.
    doubtful: BTreeSet<Address>,
}

#[derive(Default)]
struct State {
    /// Where control comes in besides the start: jumps from elsewhere, labels, landing pads. Sorted.
    entries: Vec<Address>,
    /// Where its computed jumps may go by its tables, sorted; may lie outside it.
    table_targets: Vec<Address>,
    /// The same by its tables as they were read last: up to what else was mentioned by then. A table that is read while the code
    /// behind its targets is not decoded yet may run into the next one.
    latest_targets: Vec<Address>,
    /// All of its bytes are to be decoded.
    sweep: bool,
    /// It was seen to jump to computed addresses.
    jumps: bool,
    /// It does so by returning to an address that it or a function that it jumps to puts on the stack.
    jumps_by_return: bool,
    /// It is a start only because something makes its address a value, and no table describes it.
    only_mentioned: bool,
    /// `None` until it has been decoded as it now stands.
    decoded: Option<Decoded>,
}

impl State {
    /// Whether it jumps to computed addresses as it was decoded last.
    fn goes_anywhere(&self) -> bool {
        let decoded = self.decoded.as_ref();
        self.jumps_by_return || decoded.is_some_and(|decoded| !decoded.function.indirect_jumps.is_empty())
    }
}

impl Discovery<'_> {
    /// Takes in the sorted starts that are known before anything is decoded.
    fn begin(&mut self, starts: Vec<Address>) {
        let starts: Vec<Address> = starts.into_iter().filter(|start| self.is_code(*start)).collect();
        self.pieces = starts.iter().map(|start| (*start, State::default())).collect();
        for start in starts {
            for landing_pad in self.landing_pads(start) {
                self.add_entry(landing_pad);
            }
        }
    }

    /// Decodes every piece that is new or changed, and then what that reveals, until nothing changes; whether
    /// anything did.
    fn decode_changed(&mut self) -> bool {
        let mut any = false;
        loop {
            let changed: Vec<(Piece, bool)> = self
                .pieces
                .iter()
                .filter(|(_, state)| state.decoded.is_none())
                .map(|(start, state)| (self.piece(*start, state), state.sweep))
                .collect();
            if changed.is_empty() {
                return any;
            }
            any = true;
            let object = self.object;
            let decoded: Vec<Decoded> = changed
                .par_iter()
                .map_init(Scratch::default, |scratch, (piece, sweep)| {
                    if *sweep {
                        descend::decode_all(object, piece, scratch)
                    } else {
                        descend::decode(object, piece, scratch)
                    }
                })
                .collect();
            let mut revealed = Vec::new();
            let mut jumping = Vec::new();
            let mut certain = Vec::new();
            let mut known = FxHashSet::default();
            for ((piece, _), decoded) in changed.iter().zip(decoded) {
                // What is called in many places is looked at once.
                let references = decoded.function.references.iter();
                revealed.extend(references.filter(|reference| {
                    leads_on(reference.kind) && known.insert((reference.kind, reference.target))
                }));
                certain.extend_from_slice(&decoded.certain);
                if let Some(state) = self.pieces.get_mut(&piece.code.start) {
                    state.jumps_by_return |= decoded.jumps_by_return;
                    state.jumps |= state.jumps_by_return || !decoded.function.indirect_jumps.is_empty();
                    if state.jumps {
                        jumping.push(piece.code.start);
                    }
                    state.decoded = Some(decoded);
                }
            }
            for start in jumping {
                self.add_own_labels(start);
            }
            for reference in revealed {
                self.add_reference(&reference);
            }
            for target in certain {
                self.add_mentioned(target, true);
            }
        }
    }

    fn piece(&self, start: Address, state: &State) -> Piece {
        let next = self
            .pieces
            .range(start + 1..)
            .next()
            .map_or(Address::MAX, |(next, _)| *next);
        let range_end = layout::range_at(&self.code, start).map_or(start, |range| range.end);
        let certain_end = layout::described(self.object, start).map(|range| range.end);
        let end = next.min(range_end).min(certain_end.unwrap_or(Address::MAX));
        let mut entries = vec![start];
        entries.extend_from_slice(&state.entries);
        entries.extend(
            state
                .table_targets
                .iter()
                .filter(|target| (start..end).contains(*target)),
        );
        Piece {
            code: start..end,
            certain_end,
            entries,
        }
    }

    fn add_reference(&mut self, reference: &Reference) {
        match reference.kind {
            ReferenceKind::Call => self.add_start(reference.target),
            ReferenceKind::Jump => self.add_entry(reference.target),
            ReferenceKind::Take => self.add_mentioned(reference.target, false),
            ReferenceKind::CallThrough
            | ReferenceKind::JumpThrough
            | ReferenceKind::Read(_)
            | ReferenceKind::Compare(_)
            | ReferenceKind::Write(_) => {}
        }
    }

    fn is_code(&self, address: Address) -> bool {
        layout::range_at(&self.code, address).is_some()
    }

    /// Something calls `address`.
    fn add_start(&mut self, address: Address) {
        if !self.is_code(address) {
            return;
        }
        if let Some(known) = self.pieces.get_mut(&address) {
            known.only_mentioned = false;
            return;
        }
        let mut state = State::default();
        if let Some((start, around)) = self.pieces.range_mut(..address).next_back() {
            let split = around.entries.partition_point(|entry| *entry < address);
            state.entries = around.entries.split_off(split);
            state.entries.retain(|entry| *entry != address);
            state.sweep = around.sweep
                && around
                    .decoded
                    .as_ref()
                    .is_some_and(|old| old.function.code.contains(&address));
            let start = *start;
            if let Some(decoded) = &mut around.decoded {
                if decoded.visits_from(address) {
                    around.decoded = None;
                } else {
                    decoded.function.code.end = decoded.function.code.end.min(address).max(start);
                }
            }
        }
        self.pieces.insert(address, state);
        for landing_pad in self.landing_pads(address) {
            self.add_entry(landing_pad);
        }
    }

    /// Where exceptions continue: entries that nothing in the code mentions.
    fn landing_pads(&self, start: Address) -> Vec<Address> {
        let unwind = &self.object.unwind;
        let index = unwind.partition_point(|function| function.code.start < start);
        unwind
            .get(index)
            .filter(|function| function.code.start == start)
            .map(|function| function.landing_pads.clone())
            .unwrap_or_default()
    }

    /// Something jumps to `address`: an entry into the middle of a piece, or the start of an unknown one.
    fn add_entry(&mut self, address: Address) {
        if !self.is_code(address) {
            return;
        }
        let Some((start, around)) = self.pieces.range_mut(..=address).next_back() else {
            return self.add_start(address);
        };
        if *start == address {
            return;
        }
        if let Some(decoded) = &around.decoded
            && !decoded.function.code.contains(&address)
        {
            return self.add_start(address);
        }
        // Where no table tells functions apart, what others jump to looks like a function where compilers put one.
        if layout::described(self.object, address).is_none() && self.looks_like_start(address) {
            return self.add_start(address);
        }
        let Some((_, around)) = self.pieces.range_mut(..=address).next_back() else {
            return;
        };
        // Noted even where straight flow comes by: it comes with other values.
        if let Err(position) = around.entries.binary_search(&address) {
            around.entries.insert(position, address);
            if around
                .decoded
                .as_ref()
                .is_some_and(|decoded| !decoded.visits(address))
            {
                around.decoded = None;
            }
        }
    }

    /// Whether a function may begin here: at a multiple of 16, behind a return, a jump or padding.
    fn looks_like_start(&self, address: Address) -> bool {
        // ret; the nops and traps that pad; the last byte of longer nops is zero.
        let before = address
            .checked_sub(1)
            .and_then(|before| self.object.bytes_at(before).first());
        address.is_multiple_of(16) && matches!(before, Some(0xc3 | 0x90 | 0xcc | 0x0b | 0x00))
    }

    /// The address of code becomes a value, in code or in data: the start of a function, unless it lies inside
    /// a function that jumps to computed addresses, whose label it then is. It is `certain` where it cannot be a
    /// number that only looks like an address.
    fn add_mentioned(&mut self, address: Address, certain: bool) {
        if !self.is_code(address) || self.pieces.contains_key(&address) {
            return;
        }
        let Some(function) = layout::described(self.object, address) else {
            let around = self.pieces.range(..address).next_back();
            // A label of that function.
            if around.is_some_and(|(_, state)| state.jumps && state.entries.binary_search(&address).is_ok()) {
                return;
            }
            self.add_start(address);
            if let Some(state) = self.pieces.get_mut(&address) {
                state.only_mentioned = true;
            }
            return;
        };
        let mut around = self.pieces.range(function);
        if around.clone().any(|(_, state)| state.jumps) {
            return self.add_entry(address);
        }
        // A constant that only looks like an address rarely hits the beginning of an instruction.
        let visited = |state: &State| {
            state
                .decoded
                .as_ref()
                .is_some_and(|decoded| decoded.visits(address))
        };
        if certain
            || self.object.placement == Placement::Relocatable
            || around.any(|(_, state)| visited(state))
        {
            self.add_start(address);
        } else if !layout::is_go(self.object, address) {
            self.doubtful.insert(address);
        }
    }

    /// Gives pieces that use tables the targets of their tables; whether anything changed.
    fn add_tables(&mut self) -> bool {
        let mentions = self.mentions();
        let (object, code) = (self.object, &self.code);
        let found: Vec<(Address, Vec<Address>)> = self
            .pieces
            .par_iter()
            .filter_map(|(start, state)| {
                let decoded = state.decoded.as_ref()?;
                let uses_tables = decoded.widens_offsets || state.goes_anywhere();
                uses_tables.then(|| {
                    let bases = decoded
                        .function
                        .references
                        .iter()
                        .filter(|reference| reference.kind == ReferenceKind::Take);
                    let targets =
                        bases.flat_map(|base| tables::targets(object, code, &mentions, base.target));
                    (*start, targets.collect())
                })
            })
            .collect();
        let mut changed = false;
        for (start, targets) in found {
            let Some(state) = self.pieces.get_mut(&start) else {
                continue;
            };
            let known = state.table_targets.len();
            state.latest_targets.clone_from(&targets);
            state.table_targets.extend_from_slice(&targets);
            state.table_targets.sort_unstable();
            state.table_targets.dedup();
            let sweep = state.goes_anywhere();
            if state.table_targets.len() != known || sweep && !state.sweep {
                state.sweep |= sweep;
                state.decoded = None;
                changed = true;
            }
            let end = self
                .pieces
                .range(start + 1..)
                .next()
                .map_or(Address::MAX, |(next, _)| *next);
            for target in targets
                .into_iter()
                .filter(|target| !(start..end).contains(target))
            {
                self.add_distant(target);
            }
        }
        changed
    }

    fn mentions(&self) -> Mentions {
        let functions = self.pieces.values().filter_map(|state| state.decoded.as_ref());
        let references = functions.flat_map(|decoded| &decoded.function.references);
        let taken: FxHashSet<Address> = references
            .filter(|reference| reference.kind == ReferenceKind::Take)
            .map(|reference| reference.target)
            .collect();
        Mentions::new(taken.into_iter().collect())
    }

    fn finish(self, pointers: Vec<Pointer>) -> Facts {
        let object = self.object;
        let mut code_bytes = 0;
        let targets = self.pieces.values().flat_map(|state| &state.table_targets);
        let ruled_out: FxHashSet<Address> = targets
            .copied()
            .filter(|target| self.is_ruled_out(*target))
            .collect();
        let functions: Vec<Function> = self
            .pieces
            .into_values()
            .filter_map(|mut state| {
                let decoded = state.decoded.take()?;
                code_bytes += decoded.bytes;
                state.table_targets.retain(|target| !ruled_out.contains(target));
                // Where numbers look like addresses, what is mentioned may be none.
                if object.placement == Placement::Relocatable {
                    let latest: FxHashSet<Address> =
                        std::mem::take(&mut state.latest_targets).into_iter().collect();
                    state.table_targets.retain(|target| latest.contains(target));
                }
                let mut function = decoded.function;
                function.unknown_entries.extend_from_slice(&state.entries);
                if state.jumps_by_return {
                    // What comes there by a return is not followed, so everything may be in registers.
                    let inside = state
                        .table_targets
                        .iter()
                        .filter(|target| function.code.contains(target));
                    function.unknown_entries.extend(inside);
                }
                function.unknown_entries.sort_unstable();
                function.unknown_entries.dedup();
                Some(with_table_targets(object, function, &state))
            })
            .collect();
        let cuts = cuts::cuts(object, &functions, &pointers);
        Facts::new(object, functions, pointers, cuts, code_bytes)
    }
}

/// Whether a reference may show where code begins.
fn leads_on(kind: ReferenceKind) -> bool {
    matches!(
        kind,
        ReferenceKind::Call | ReferenceKind::Jump | ReferenceKind::Take
    )
}

/// Targets of tables outside the function become references of it; those inside, places that its computed
/// jumps may go to.
fn with_table_targets(object: &Object, mut function: Function, state: &State) -> Function {
    let at = function
        .indirect_jumps
        .first()
        .copied()
        .unwrap_or(function.code.start);
    let takes = function.indirect_jumps.is_empty() || state.jumps_by_return || function.calls_indirectly;
    for target in state
        .table_targets
        .iter()
        .filter(|target| object.is_code(**target))
    {
        if function.code.contains(target) {
            function.jump_targets.push(*target);
            continue;
        }
        if !function.indirect_jumps.is_empty() {
            function.references.push(Reference {
                at,
                kind: ReferenceKind::Jump,
                target: *target,
                function: None,
            });
        }
        if takes {
            function.references.push(Reference {
                at,
                kind: ReferenceKind::Take,
                target: *target,
                function: None,
            });
        }
    }
    function.jump_targets.sort_unstable();
    function.jump_targets.dedup();
    function.references.sort_unstable();
    function.references.dedup();
    function
}
