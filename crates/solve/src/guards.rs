//! Calls and addresses that count only under a condition that the caller of this crate knows.
//!
//! In: states that only some functions set, and functions that tables name without calling them
//! ([`confine_link::opaque`], [`confine_link::conventions::configured_functions`]). Out: for reachability, which
//! references to hold back, and when to let them go.

use std::collections::BTreeSet;

use confine_code::{Entry, Location, ReferenceKind, Value};
use confine_isa::Register;
use confine_link::opaque::OpaqueState;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::program::{AddressTaken, Designation, Input, Node, Program};
use crate::reach::Reach;

/// How many stubs may lead to each other before a function that sets a state.
const STUBS: usize = 3;

/// What is held back.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    /// Calls from a helper to what it calls only where a state is set: by (caller, callee), the state.
    calls: FxHashMap<(Node, Node), usize>,
    /// For each state, the functions that set it, and the bits of their second argument that do, if not any call does.
    setters: Vec<(Vec<Node>, Option<u64>)>,
    /// Functions whose address in code of their own object does not count.
    configured: FxHashSet<Node>,
}

impl Guards {
    pub(crate) fn new(program: &Program<'_>, input: &Input<'_>) -> Self {
        let mut guards = Self::default();
        if input.address_taken == AddressTaken::All {
            return guards;
        }
        let configured = input.configured.iter();
        guards.configured = configured
            .filter_map(|(object, symbol)| symbol_node(program, *object, *symbol))
            .collect();
        let mut exported: FxHashMap<usize, FxHashSet<Node>> = FxHashMap::default();
        let mut rows = Vec::new();
        for state in input.opaque {
            let exported = exported
                .entry(state.object)
                .or_insert_with(|| self::exported(program, state.object));
            rows.push(Row::of(program, state, exported));
        }
        let entering = entering(program, &rows);
        for (index, row) in rows.into_iter().enumerate() {
            let object = row.state.object;
            for helper in row.helpers(&entering) {
                for callee in callees(program, object, helper).filter(|callee| row.guarded.contains(callee)) {
                    guards.calls.insert((helper, callee), index);
                }
            }
            let setters = row.setters.into_iter().collect();
            guards.setters.push((setters, row.state.bits));
        }
        guards
    }

    /// The state that a call waits for.
    pub(crate) fn state_of(&self, caller: Node, callee: Node) -> Option<usize> {
        self.calls.get(&(caller, callee)).copied()
    }

    /// Whether something that was reached sets a state.
    pub(crate) fn is_set(&self, state: usize, program: &Program<'_>, reach: &Reach) -> bool {
        let Some((setters, bits)) = self.setters.get(state) else {
            return false;
        };
        let mut reached = setters.iter().filter(|setter| reach.is_reached(**setter));
        match bits {
            Some(bits) => reached.any(|setter| may_pass(*bits, *setter, program, reach, STUBS)),
            None => reached.next().is_some(),
        }
    }

    /// Whether naming a function in `object` says nothing.
    pub(crate) fn is_configured(&self, program: &Program<'_>, object: usize, function: Node) -> bool {
        self.configured.contains(&function) && program.locate(function).0 == object
    }
}

/// Whether a function may be given any of these bits in its second argument, as the System V psABI passes it. Stubs of the
/// linker pass on what they are given.
fn may_pass(bits: u64, node: Node, program: &Program<'_>, reach: &Reach, stubs: usize) -> bool {
    const ARGUMENT: Location = Location::Register(Register::RSI);
    if reach.is_known_elsewhere(node) {
        return true;
    }
    reach.callers(node).iter().any(|caller| {
        let (object, index) = program.locate(caller.node);
        let Some(evaluation) = program.facts[object].evaluation(program.elf(object), index) else {
            return true;
        };
        // A call that the evaluation never comes to is never made.
        let Some(call) = evaluation.calls.get(&(caller.at, caller.target)) else {
            return false;
        };
        let value = call.value(ARGUMENT);
        match value.constants() {
            Some(constants) => constants.iter().any(|constant| constant & bits != 0),
            None if value == Value::Entry(Entry::unchanged(ARGUMENT)) && stubs > 0 => {
                may_pass(bits, caller.node, program, reach, stubs - 1)
            }
            None => true,
        }
    })
}

fn symbol_node(program: &Program<'_>, object: usize, symbol: u32) -> Option<Node> {
    let symbol = program.elf(object).dynamic_symbols.get(symbol as usize)?;
    match program.designate(object, symbol.address)? {
        Designation::Function(node) => Some(node),
        Designation::Data { .. } => None,
    }
}

fn exported(program: &Program<'_>, object: usize) -> FxHashSet<Node> {
    let symbols = program.elf(object).dynamic_symbols.iter();
    symbols
        .filter(|symbol| symbol.defined)
        .filter_map(|symbol| program.node_at(object, symbol.address))
        .collect()
}

/// The functions of the same object that a function calls or names: a handler that a carrier registers acts on the
/// carrier's behalf.
fn callees<'p>(program: &'p Program<'_>, object: usize, node: Node) -> impl Iterator<Item = Node> + 'p {
    let references = program.function(node).references.iter();
    references
        .filter(|reference| {
            matches!(
                reference.kind,
                ReferenceKind::Call | ReferenceKind::Jump | ReferenceKind::Take
            )
        })
        .filter_map(move |reference| program.target(object, reference))
}

/// A state in terms of functions.
struct Row<'a> {
    state: &'a OpaqueState,
    carriers: FxHashSet<Node>,
    guarded: FxHashSet<Node>,
    setters: FxHashSet<Node>,
    /// Functions without a symbol that the carriers lead to.
    candidates: FxHashSet<Node>,
}

impl<'a> Row<'a> {
    fn of(program: &Program<'_>, state: &'a OpaqueState, exported: &FxHashSet<Node>) -> Self {
        let object = state.object;
        let nodes = |symbols: &[u32]| -> FxHashSet<Node> {
            let symbols = symbols.iter();
            symbols
                .filter_map(|symbol| symbol_node(program, object, *symbol))
                .collect()
        };
        let carriers = nodes(&state.carriers);
        let mut candidates = FxHashSet::default();
        let mut pending: Vec<Node> = carriers.iter().copied().collect();
        while let Some(node) = pending.pop() {
            for callee in callees(program, object, node) {
                if !exported.contains(&callee) && candidates.insert(callee) {
                    pending.push(callee);
                }
            }
        }
        Self {
            state,
            carriers,
            guarded: nodes(&state.guarded),
            setters: nodes(&state.setters),
            candidates,
        }
    }

    /// The candidates that nothing but the carriers, the setters and each other enters or names, where that matters: neither
    /// data nor other code.
    fn helpers(&self, entering: &FxHashMap<Node, Vec<Entrance>>) -> FxHashSet<Node> {
        let mut helpers = self.candidates.clone();
        if self.state.helpers_look {
            return helpers;
        }
        loop {
            let is_ours = |from: &Entrance| match from {
                Entrance::Data => false,
                Entrance::Code(from) => {
                    self.carriers.contains(from) || self.setters.contains(from) || helpers.contains(from)
                }
            };
            let entered = |helper: &&Node| {
                let mut from = entering.get(*helper).into_iter().flatten();
                !from.all(is_ours)
            };
            let entered: Vec<Node> = helpers.iter().filter(entered).copied().collect();
            if entered.is_empty() {
                return helpers;
            }
            for node in entered {
                helpers.remove(&node);
            }
        }
    }
}

/// What leads into a function.
#[derive(Debug, Clone, Copy)]
enum Entrance {
    Data,
    /// Other code than the function's own.
    Code(Node),
}

/// What leads to each candidate of each row: one pass over the object, for all of them.
fn entering(program: &Program<'_>, rows: &[Row<'_>]) -> FxHashMap<Node, Vec<Entrance>> {
    let candidates = rows.iter().flat_map(|row| &row.candidates);
    let mut entering: FxHashMap<Node, Vec<Entrance>> = candidates.map(|node| (*node, Vec::new())).collect();
    let objects: BTreeSet<usize> = rows.iter().map(|row| row.state.object).collect();
    for object in objects {
        for pointer in &program.facts[object].pointers {
            for designation in program.designate_stored(object, pointer.value) {
                if let Designation::Function(node) = designation
                    && let Some(known) = entering.get_mut(&node)
                {
                    known.push(Entrance::Data);
                }
            }
        }
        for (from, function) in program.functions(object) {
            for reference in &function.references {
                if let Some(target) = program.target(object, reference)
                    && target != from
                    && let Some(known) = entering.get_mut(&target)
                {
                    known.push(Entrance::Code(from));
                }
            }
        }
    }
    entering
}
