//! Which functions of a program can run.
//!
//! Abstraction: a function runs if the loader calls it, if a function that runs calls or jumps to it, or if a
//! function that runs, or data that such a function can reach, holds its address. Data is reached in the
//! pieces that [`confine_code::Facts::piece_at`] gives, unless a symbol binding names a single object or an
//! instruction reads a fixed few bytes. Over-reports: functions behind pointers that nobody calls; all
//! pointers of a section for one that is used. Misses: addresses that a program computes from parts (no
//! compiler emits that), and code that it writes itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use confine_code::{Reference, ReferenceKind};
use confine_elf::{Address, Object, RelocationValue, SymbolKind};
use confine_link::{Binding, LoadReason};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::guards::Guards;
use crate::program::{AddressTaken, Designation, GivenArguments, Input, LateRoot, Node, Program};

/// What was reached and how.
pub(crate) struct Reach {
    /// For each function, the first way by which it was reached.
    ways: Vec<Option<Way>>,
    /// Functions whose address is known to code that may call them with anything.
    taken: Vec<bool>,
    /// Functions that only such roots make known which tell the arguments, with those.
    given: FxHashMap<Node, Vec<GivenArguments>>,
    /// Functions whose address code holds, or that are called from outside the program's code: not only data
    /// that the loader fills.
    known: Vec<bool>,
    /// For each function, who calls it or jumps to it by name.
    callers: Vec<Vec<Caller>>,
    /// Functions that make system calls and whose address code mentions: by whom, and as which address or through
    /// which slot. Whether that gives the address away is looked at once everything is reached.
    mentions: BTreeMap<Node, BTreeSet<(Node, Address)>>,
    /// Reached functions in the order in which they were.
    pub(crate) order: Vec<Node>,
    /// Symbols that reached code uses and nothing defines: object, name.
    pub(crate) missing: BTreeSet<(usize, String)>,
}

/// How a function was reached for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// From outside the program's code.
    Root(String),
    /// By a call or jump.
    Called { from: Node, at: Address },
    /// Code holds its address.
    Taken { from: Node, at: Address },
    /// Data holds its address: where it is stored, and the code that reaches that data (if it is code).
    Stored {
        cell: (usize, Address),
        reached_by: Option<(Node, Address)>,
    },
}

/// A function that calls or jumps to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Caller {
    pub(crate) node: Node,
    pub(crate) at: Address,
    /// What the instruction names: the function itself, or the slot that holds its address.
    pub(crate) target: Address,
}

impl Reach {
    pub(crate) fn way(&self, node: Node) -> Option<&Way> {
        self.ways.get(node.index())?.as_ref()
    }

    pub(crate) fn is_reached(&self, node: Node) -> bool {
        self.way(node).is_some()
    }

    pub(crate) fn is_taken(&self, node: Node) -> bool {
        self.taken.get(node.index()).copied().unwrap_or(true)
    }

    /// How a function is called from outside the program's code, where that and nothing else calls it.
    pub(crate) fn given(&self, node: Node) -> Option<&[GivenArguments]> {
        let given = self.given.get(&node).map(Vec::as_slice);
        given.filter(|_| self.callers(node).is_empty())
    }

    /// Whether others than its callers may enter a function, as far as what was reached yet says.
    pub(crate) fn is_known_elsewhere(&self, node: Node) -> bool {
        self.is_taken(node) || self.callers(node).is_empty() || self.mentions.contains_key(&node)
    }

    /// Whether only data that the loader fills holds the function's address, so that nobody can have it who
    /// does not read that data.
    pub(crate) fn is_only_stored(&self, node: Node) -> bool {
        !self.known.get(node.index()).copied().unwrap_or(true)
    }

    pub(crate) fn callers(&self, node: Node) -> &[Caller] {
        self.callers.get(node.index()).map_or(&[], Vec::as_slice)
    }
}

/// Follows everything from the program's roots.
pub(crate) fn reach(program: &Program<'_>, input: &Input<'_>) -> Reach {
    let count = program.function_count();
    let mut search = Search {
        program,
        reach: Reach {
            ways: vec![None; count],
            taken: vec![false; count],
            known: vec![false; count],
            given: FxHashMap::default(),
            callers: vec![Vec::new(); count],
            mentions: BTreeMap::new(),
            order: Vec::new(),
            missing: BTreeSet::new(),
        },
        pending: VecDeque::new(),
        pieces: FxHashSet::default(),
        guards: Guards::new(program, input),
        unread: input.unread,
        held_back: Vec::new(),
    };
    search.add_roots(input);
    search.run();
    search.add_go_functions();
    search.run();
    while search.release() {
        search.run();
    }
    search.settle_mentions();
    for callers in &mut search.reach.callers {
        callers.sort_unstable();
        callers.dedup();
    }
    search.reach
}

struct Search<'p, 'a> {
    program: &'p Program<'a>,
    reach: Reach,
    pending: VecDeque<Node>,
    /// Pieces of data that were reached: object, start, end.
    pieces: FxHashSet<(usize, Address, Address)>,
    guards: Guards,
    /// Cells of data that nobody reads.
    unread: &'p [(usize, Address)],
    /// Calls that wait for a state to be set: the state, who is called, and by whom.
    held_back: Vec<(usize, Node, Caller)>,
}

impl Search<'_, '_> {
    fn add_roots(&mut self, input: &Input<'_>) {
        let program = self.program;
        for (index, object) in program.linked.objects.iter().enumerate() {
            let elf = program.elf(index);
            if matches!(object.reason, LoadReason::Program | LoadReason::Interpreter) {
                self.root(index, elf.entry, "entry point");
            }
            for (address, what) in [(elf.dynamic.init, "DT_INIT"), (elf.dynamic.fini, "DT_FINI")] {
                self.root(index, address.unwrap_or(0), what);
            }
            self.add_stored_roots(index, elf, input.address_taken);
        }
        if input.address_taken == AddressTaken::All {
            self.add_mentioned_roots();
        }
        for root in input.late_roots {
            let symbol = program.elf(root.object).dynamic_symbols.get(root.symbol as usize);
            let address = symbol
                .filter(|symbol| symbol.defined)
                .map(|symbol| symbol.address);
            match address.and_then(|address| program.designate(root.object, address)) {
                Some(Designation::Function(node)) => self.found_late_root(node, root),
                Some(Designation::Data { object, address, .. }) => {
                    let size = symbol.map_or(0, |symbol| symbol.size);
                    self.found_data(object, address, size, None);
                }
                None => {}
            }
        }
    }

    /// Every function whose address any code takes, reached or not.
    fn add_mentioned_roots(&mut self) {
        for object in 0..self.program.linked.objects.len() {
            let functions = &self.program.facts[object].functions;
            for reference in functions.iter().flat_map(|function| &function.references) {
                if reference.kind == ReferenceKind::Take
                    && let Some(node) = self.program.target(object, reference)
                {
                    self.found_root(node, format!("its address is taken at {:#x}", reference.at));
                }
            }
        }
    }

    /// What the loader calls through arrays, and the resolvers that it runs while it relocates.
    fn add_stored_roots(&mut self, index: usize, elf: &Object, address_taken: AddressTaken) {
        let arrays = elf.sections.iter().filter(|section| {
            matches!(
                section.name.as_str(),
                ".init_array" | ".fini_array" | ".preinit_array" | ".ctors" | ".dtors"
            )
        });
        let arrays: Vec<_> = arrays
            .map(|section| section.addresses.clone())
            .chain(elf.dynamic.function_arrays.iter().cloned())
            .chain(elf.thread_local.clone())
            .collect();
        for array in arrays {
            for pointer in self.program.facts[index].pointers_in(array) {
                self.stored(index, pointer.at, pointer.value, "constructor or destructor");
            }
        }
        for pointer in &self.program.facts[index].pointers {
            let all = address_taken == AddressTaken::All;
            match pointer.value {
                RelocationValue::Resolved(_) => {
                    self.stored(index, pointer.at, pointer.value, "IFUNC resolver")
                }
                RelocationValue::Symbol { .. } if self.is_indirect(index, pointer.value) => {
                    self.stored(index, pointer.at, pointer.value, "IFUNC resolver");
                }
                value if all => self.stored(index, pointer.at, value, "address in data"),
                _ => {}
            }
        }
    }

    fn is_indirect(&self, object: usize, value: RelocationValue) -> bool {
        let RelocationValue::Symbol { symbol, .. } = value else {
            return false;
        };
        let Binding::Defined { object, symbol, .. } = self.program.resolve(object, symbol) else {
            return false;
        };
        let symbol = self.program.elf(object).dynamic_symbols.get(symbol as usize);
        symbol.is_some_and(|symbol| symbol.kind == SymbolKind::Indirect)
    }

    fn stored(&mut self, object: usize, at: Address, value: RelocationValue, reason: &str) {
        for designation in self.program.designate_stored(object, value) {
            match designation {
                Designation::Function(node) => self.found_root(node, format!("{reason} at {at:#x}")),
                Designation::Data {
                    object,
                    address,
                    size,
                } => self.found_data(object, address, size, None),
            }
        }
    }

    /// Go's linker keeps only what can be reached, but through tables that this analysis does not read: its
    /// functions all count, after those whose way is known.
    fn add_go_functions(&mut self) {
        for (index, object) in self.program.linked.objects.iter().enumerate() {
            for function in &object.elf.go_functions {
                self.go_root(index, function.code.start, is_method(&function.name));
            }
        }
    }

    fn go_root(&mut self, object: usize, address: Address, method: bool) {
        if let Some(node) = self.program.node_at(object, address) {
            if method {
                self.take(node);
            }
            self.found(node, || Way::Root("kept by Go's linker".to_owned()));
        }
    }

    fn root(&mut self, object: usize, address: Address, reason: &str) {
        if let Some(node) = self.program.node_at(object, address) {
            self.found_root(node, reason.to_owned());
        }
    }

    fn found_root(&mut self, node: Node, reason: String) {
        self.take(node);
        self.found(node, || Way::Root(reason));
    }

    /// Several roots may be one function, by several names.
    fn found_late_root(&mut self, node: Node, root: &LateRoot) {
        let was_taken = self.reach.taken[node.index()];
        let before = self.reach.given.remove(&node);
        self.found_root(node, root.reason.clone());
        if !root.ways.is_empty() && (before.is_some() || !was_taken) {
            let ways = before.into_iter().flatten().chain(root.ways.iter().cloned());
            self.reach.given.insert(node, ways.collect());
        }
    }

    fn found(&mut self, node: Node, way: impl FnOnce() -> Way) {
        if self.reach.ways[node.index()].is_none() {
            self.reach.ways[node.index()] = Some(way());
            self.reach.order.push(node);
            self.pending.push_back(node);
        }
    }

    fn run(&mut self) {
        while let Some(node) = self.pending.pop_front() {
            let (object, _) = self.program.locate(node);
            for reference in &self.program.function(node).references {
                if self.program.runs(object, reference.at) {
                    self.follow(object, node, reference);
                }
            }
        }
    }

    fn follow(&mut self, object: usize, from: Node, reference: &Reference) {
        let Reference { at, kind, target, .. } = *reference;
        match kind {
            ReferenceKind::Call | ReferenceKind::Jump => {
                if let Some(node) = self.program.target(object, reference) {
                    let caller = Caller {
                        node: from,
                        at,
                        target,
                    };
                    match self.guards.state_of(from, node) {
                        Some(state) => self.held_back.push((state, node, caller)),
                        None => self.called(node, caller),
                    }
                }
            }
            ReferenceKind::CallThrough | ReferenceKind::JumpThrough => {
                self.note_missing(object, target);
                for designation in self.designations_at(object, target, 8) {
                    match designation {
                        Designation::Function(node) => self.called(
                            node,
                            Caller {
                                node: from,
                                at,
                                target,
                            },
                        ),
                        Designation::Data { .. } => {}
                    }
                }
            }
            ReferenceKind::Read(bytes) => {
                for designation in self.designations_at(object, target, bytes.into()) {
                    self.mentioned(designation, from, reference);
                }
            }
            // A comparison tells nobody what it compared: glibc's handler for cancelled threads looks whether it
            // interrupted the instructions around a system call so.
            ReferenceKind::Compare(_) | ReferenceKind::Write(_) => {}
            ReferenceKind::Take => match self.program.mentioned(object, reference) {
                Some(Designation::Function(node))
                    if self.guards.is_configured(self.program, object, node) => {}
                Some(Designation::Data { .. }) if self.is_thread_local_slot(object, target) => {}
                Some(designation) => self.mentioned(designation, from, reference),
                None => {}
            },
        }
    }

    /// Lets those calls go whose state something that is reached sets; whether there were any.
    fn release(&mut self) -> bool {
        let held_back = std::mem::take(&mut self.held_back);
        let waiting: BTreeSet<usize> = held_back.iter().map(|(state, ..)| *state).collect();
        let is_set = |state: &usize| self.guards.is_set(*state, self.program, &self.reach);
        let states: BTreeSet<usize> = waiting.into_iter().filter(is_set).collect();
        let (set, unset): (Vec<_>, Vec<_>) = held_back
            .into_iter()
            .partition(|(state, ..)| states.contains(state));
        self.held_back = unset;
        for (_, node, caller) in &set {
            self.called(*node, *caller);
        }
        !set.is_empty()
    }

    /// Notes a slot that the loader cannot bind. Late objects are left out: a module that was taken in because
    /// it may be loaded, by a program that it was not made for, finds nothing of what it needs.
    fn note_missing(&mut self, object: usize, slot: Address) {
        if self.program.linked.objects[object].late {
            return;
        }
        for pointer in self.program.facts[object].pointers_in(slot..slot.saturating_add(1)) {
            let RelocationValue::Symbol { symbol, .. } = pointer.value else {
                continue;
            };
            if self.program.resolve(object, symbol) == Binding::Missing
                && let Some(symbol) = self.program.elf(object).dynamic_symbols.get(symbol as usize)
            {
                self.reach.missing.insert((object, symbol.name.clone()));
            }
        }
    }

    fn designations_at(&self, object: usize, address: Address, bytes: u64) -> Vec<Designation> {
        // A pointer that begins up to seven bytes before is read in part.
        let range = address.saturating_sub(7)..address.saturating_add(bytes);
        self.program.facts[object]
            .pointers_in(range)
            .iter()
            .flat_map(|pointer| self.program.designate_stored(object, pointer.value))
            .collect()
    }

    /// The address of a descriptor that `__tls_get_addr` is called with: it names a thread-local variable, not
    /// the table that it lies in.
    fn is_thread_local_slot(&self, object: usize, address: Address) -> bool {
        let stored = self.program.facts[object].pointers_in(address..address.saturating_add(1));
        stored
            .iter()
            .any(|pointer| pointer.value == RelocationValue::ThreadLocal)
    }

    fn called(&mut self, node: Node, caller: Caller) {
        self.reach.callers[node.index()].push(caller);
        self.found(node, || Way::Called {
            from: caller.node,
            at: caller.at,
        });
    }

    fn mentioned(&mut self, designation: Designation, from: Node, reference: &Reference) {
        let at = reference.at;
        match designation {
            Designation::Function(node) => {
                let (object, _) = self.program.locate(from);
                let is_go = !self.program.elf(object).go_functions.is_empty();
                let followed =
                    reference.kind == ReferenceKind::Take || self.is_import(object, reference.target);
                if is_go || !followed || self.program.function(node).system_calls.is_empty() {
                    self.take(node);
                } else {
                    let mentions = self.reach.mentions.entry(node).or_default();
                    mentions.insert((from, reference.target));
                }
                self.found(node, || Way::Taken { from, at });
            }
            Designation::Data {
                object,
                address,
                size,
            } => self.found_data(object, address, size, Some((from, at))),
        }
    }

    /// Whether the loader binds a slot to a symbol, and so to a function that is called by that name.
    fn is_import(&self, object: usize, slot: Address) -> bool {
        let pointers = self.program.facts[object].pointers_in(slot..slot.saturating_add(1));
        let mut values = pointers.iter().map(|pointer| pointer.value);
        values.any(|value| matches!(value, RelocationValue::Symbol { .. }))
    }

    fn take(&mut self, node: Node) {
        self.take_by_data(node);
        self.reach.known[node.index()] = true;
    }

    fn take_by_data(&mut self, node: Node) {
        self.reach.taken[node.index()] = true;
        // Whoever has its address may call it otherwise.
        self.reach.given.remove(&node);
    }

    /// Code that mentions a function's address only to call it there and then, or to compare it, is as good as a call
    /// by name: std of Rust keeps `syscall` in a register over a loop, musl compares with the bounds of its wrapper.
    fn settle_mentions(&mut self) {
        let program = self.program;
        for (node, mentions) in std::mem::take(&mut self.reach.mentions) {
            let code = &program.function(node).code;
            let mut calls = Vec::new();
            let mut given_away = self.reach.is_taken(node);
            for (from, address) in mentions {
                let (object, index) = program.locate(from);
                let Some(evaluation) = program.facts[object].evaluation(program.elf(object), index) else {
                    given_away = true;
                    break;
                };
                let own = program.locate(node).0 == object;
                let mut inside = evaluation.given_away.range(code.clone());
                given_away |= evaluation.given_away.contains(&address) || own && inside.next().is_some();
                let by_it = evaluation.calls.keys().filter(|(_, target)| *target == address);
                calls.extend(by_it.map(|(at, target)| Caller {
                    node: from,
                    at: *at,
                    target: *target,
                }));
            }
            if given_away {
                self.take(node);
            }
            self.reach.callers[node.index()].extend(calls);
        }
    }

    /// Data is reached: `size` bytes if that is certain, else the piece around the address.
    fn found_data(&mut self, object: usize, address: Address, size: u64, by: Option<(Node, Address)>) {
        let mut pending = vec![(object, address, size)];
        let mut stored = by.is_none();
        while let Some((object, address, size)) = pending.pop() {
            let facts = &self.program.facts[object];
            let Some(range) = (if size > 0 {
                Some(address..address.saturating_add(size))
            } else {
                // Compilers fold indices and bounds into the addresses that code takes, not into those that they store.
                let mentions =
                    |start| stored || by.is_some_and(|(node, _)| self.program.function(node).takes(start));
                facts.piece_at(address, mentions)
            }) else {
                continue;
            };
            if !self.pieces.insert((object, range.start, range.end)) {
                continue;
            }
            stored = true;
            let pointers = facts.pointers_in(range).iter();
            for pointer in
                pointers.filter(|pointer| self.unread.binary_search(&(object, pointer.at)).is_err())
            {
                for designation in self.program.designate_stored(object, pointer.value) {
                    match designation {
                        Designation::Function(node) => {
                            self.take_by_data(node);
                            let cell = (object, pointer.at);
                            self.found(node, || Way::Stored { cell, reached_by: by });
                        }
                        Designation::Data {
                            object,
                            address,
                            size,
                        } => pending.push((object, address, size)),
                    }
                }
            }
        }
    }
}

/// Whether a Go function has a receiver or is a closure, by its name: `package.Type.Method`,
/// `package.(*Type).Method`, `package.function.func1`. Anything may call a method through an interface; the
/// tables that those are made of hold offsets that this analysis does not read.
fn is_method(name: &str) -> bool {
    let base = name.rsplit_once('/').map_or(name, |(_, base)| base);
    base.matches('.').count() > 1
}
