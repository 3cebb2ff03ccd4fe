//! Whether whoever makes a call goes on with another one where the kernel has no such call.
//!
//! `clone3` takes its flags from memory, which no filter can look into. C libraries make it first, and where the kernel
//! answers ENOSYS, as Linux before 5.3 does, they make `clone` with the same flags in a register (glibc,
//! `sysdeps/unix/sysv/linux/clone-internal.c` and `spawni.c`). So a policy that answers ENOSYS loses nothing there, and can
//! tell which flags are passed.
//!
//! Abstraction: every place that makes the call is in a function that leaves the structure which it is given as it was
//! ([`Facts::leaves_structure`](confine_code::Facts::leaves_structure)), which is only called by name, and only by
//! functions that also pass what lies in the same structure to `clone`, or the structure to a small function that makes
//! that call alone. A process that is started in a control group has no other way than `clone3`, so that nothing falls
//! back where the C library's function for that is reached. Misses: one that does both for different reasons.

use std::collections::BTreeSet;

use confine_code::{CallEffect, Location, ReferenceKind, Value};
use confine_isa::{Register, Width};

use crate::arguments::Tracer;
use crate::program::{Node, Program};

/// The call that is made first, and the one that is made if the kernel does not know it.
pub(crate) const CALLS: (&str, &str) = ("clone3", "clone");

/// What asks for a child in a control group (glibc 2.39, spawn.h).
const INTO_GROUP: &str = "posix_spawnattr_setcgroup_np";

/// How many parts of one function, or functions that only pass the structure on, lie between the call and who falls back.
const LEVELS: usize = 3;

/// Where the structure is passed.
const STRUCTURE: Location = Location::Register(Register::RDI);

/// The most bytes of a function that is called to do what could not be done.
const BYTES: u64 = 128;

/// The functions with instructions that make the call, and with those that make the other one.
pub(crate) struct Makers {
    pub(crate) first: BTreeSet<Node>,
    pub(crate) other: BTreeSet<Node>,
}

impl Makers {
    /// Whether the other call follows wherever the first one fails.
    pub(crate) fn fall_back(&self, tracer: &mut Tracer<'_, '_>, exports: &BTreeSet<(usize, String)>) -> bool {
        let into_group = exports.iter().any(|(_, name)| name == INTO_GROUP);
        let mut first = self.first.iter();
        !into_group && first.all(|node| self.falls_back(tracer, *node, LEVELS))
    }

    /// Whether all falls back that leads to a part of a function which makes the call.
    fn falls_back(&self, tracer: &mut Tracer<'_, '_>, node: Node, levels: usize) -> bool {
        let Some(levels) = levels.checked_sub(1) else {
            return false;
        };
        if tracer.anybody_may_call(node) {
            return false;
        }
        let callers: Vec<Node> = tracer.callers(node).collect();
        tracer.evaluate(&callers);
        let leaves_structure = leaves_structure(tracer.program(), node);
        callers.into_iter().all(|caller| {
            leaves_structure && self.makes_other(tracer, caller, node)
                || self.falls_back(tracer, caller, levels)
        })
    }

    /// Whether a function that calls `first` also makes the other call by the same structure, itself or by a small function.
    /// A call through a slot passes nothing that is looked for.
    fn makes_other(&self, tracer: &Tracer<'_, '_>, node: Node, first: Node) -> bool {
        let program = tracer.program();
        let Some(evaluation) = tracer.evaluation(node) else {
            return false;
        };
        let (object, _) = program.locate(node);
        let calls = || {
            let calls = evaluation.calls.iter();
            calls.filter_map(move |((_, target), call)| Some((program.node_at(object, *target)?, call)))
        };
        let mut of_first = calls().filter(|(called, _)| *called == first).peekable();
        let is_called = of_first.peek().is_some();
        is_called
            && of_first.all(|(_, call)| {
                let structure = call.value(STRUCTURE);
                let pointer = structure.behind(Width::Byte).map(|behind| behind.pointer);
                // Two of which nothing is known need not be one.
                let is_known = pointer.is_some() || matches!(structure, Value::Frame(_));
                let passes_part = |call: &CallEffect| {
                    let mut given = call.given();
                    given.any(
                    |(_, value)| matches!(value, Value::Loaded(loaded) if Some(loaded.pointer) == pointer),
                )
                };
                calls().any(|(called, call)| {
                    self.is_made_by(program, called) && passes_part(call)
                        || is_known
                            && call.value(STRUCTURE) == structure
                            && self.makes_other_alone(program, called)
                })
            })
    }

    /// Whether a function is small and makes the other call, and not the first one.
    fn makes_other_alone(&self, program: &Program<'_>, node: Node) -> bool {
        let code = &program.function(node).code;
        let is_small = code.end - code.start <= BYTES;
        is_small
            && led_to(program, node).any(|called| self.is_made_by(program, called))
            && !led_to(program, node).any(|called| leaves_structure(program, called))
    }

    /// Whether a function, in a part of it, makes the other call.
    fn is_made_by(&self, program: &Program<'_>, node: Node) -> bool {
        let mut parts = led_to(program, node).chain([node]);
        parts.any(|part| self.other.contains(&part))
    }
}

/// Whether a function starts a child by a structure and leaves that as it was.
fn leaves_structure(program: &Program<'_>, node: Node) -> bool {
    let (object, _) = program.locate(node);
    program.facts[object].leaves_structure(program.elf(object), program.function(node).code.start)
}

/// The functions of the same object that a function calls or jumps to.
fn led_to<'p>(program: &'p Program<'_>, node: Node) -> impl Iterator<Item = Node> + use<'p> {
    let (object, _) = program.locate(node);
    let references = program.function(node).references.iter();
    let leading =
        references.filter(|reference| matches!(reference.kind, ReferenceKind::Call | ReferenceKind::Jump));
    leading.filter_map(move |reference| program.target(object, reference))
}
