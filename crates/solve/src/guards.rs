//! Calls and addresses that count only under a condition that the caller of this crate knows.
//!
//! In: states that only some functions set, and functions that tables name without calling them
//! ([`confine_link::opaque`], [`confine_link::conventions::configured_functions`]). Out: for reachability, which
//! references to hold back, and when to let them go.

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
        for (index, state) in input.opaque.iter().enumerate() {
            let nodes = |symbols: &[u32]| -> FxHashSet<Node> {
                let symbols = symbols.iter();
                symbols
                    .filter_map(|symbol| symbol_node(program, state.object, *symbol))
                    .collect()
            };
            let (guarded, setters) = (nodes(&state.guarded), nodes(&state.setters));
            for helper in helpers(program, state, &nodes(&state.carriers), &setters) {
                for callee in callees(program, state.object, helper).filter(|callee| guarded.contains(callee))
                {
                    guards.calls.insert((helper, callee), index);
                }
            }
            guards.setters.push((setters.into_iter().collect(), state.bits));
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

/// Functions without a symbol that the carriers lead to, and that nothing but the carriers, the setters and each other
/// enters or names, where that matters: neither data nor other code.
fn helpers(
    program: &Program<'_>,
    state: &OpaqueState,
    carriers: &FxHashSet<Node>,
    setters: &FxHashSet<Node>,
) -> FxHashSet<Node> {
    let object = state.object;
    let facts = &program.facts[object];
    let symbols = &program.elf(object).dynamic_symbols;
    let exported: FxHashSet<Node> = symbols
        .iter()
        .filter(|symbol| symbol.defined)
        .filter_map(|symbol| program.node_at(object, symbol.address))
        .collect();
    let mut helpers = FxHashSet::default();
    let mut pending: Vec<Node> = carriers.iter().copied().collect();
    while let Some(node) = pending.pop() {
        for callee in callees(program, object, node) {
            if !exported.contains(&callee) && helpers.insert(callee) {
                pending.push(callee);
            }
        }
    }
    if state.helpers_look {
        return helpers;
    }
    for pointer in &facts.pointers {
        for designation in program.designate_stored(object, pointer.value) {
            if let Designation::Function(node) = designation {
                helpers.remove(&node);
            }
        }
    }
    loop {
        let before = helpers.len();
        for (from, function) in program.functions(object) {
            if carriers.contains(&from) || setters.contains(&from) || helpers.contains(&from) {
                continue;
            }
            for reference in &function.references {
                if let Some(target) = program.target(object, reference).filter(|target| *target != from) {
                    helpers.remove(&target);
                }
            }
        }
        if helpers.len() == before {
            return helpers;
        }
    }
}
