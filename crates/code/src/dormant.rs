//! Code of a program interpreter that runs only where it is started as a program itself.
//!
//! A dynamic loader compares the entry point that the kernel gave it with its own: they are the same only when somebody
//! runs `ld.so PROGRAM`, and what is behind that (options, listing, executing a static program) is never seen by a program
//! that names the loader as its interpreter.
//!
//! Abstraction: the evaluation of a function that takes the address of the object's entry point, in which nothing equals
//! that address. Instructions that it does not come to are dormant. Over-reports nothing that a loader does on another
//! way; misses code of an object that compares its own entry point with something else than where the program begins,
//! which only loaders are known to do.

use std::ops::Range;

use confine_elf::{Address, Object, Placement};
use confine_isa::{Operand, Operation, Width};

use crate::evaluate;
use crate::facts::Facts;
use crate::state::State;
use crate::value::Value;

/// Instructions that do not run where the object is another program's interpreter, as ranges, sorted by function.
pub(crate) fn find(object: &Object, facts: &Facts) -> Vec<Range<Address>> {
    let may_interpret = object.interpreter.is_none() && object.placement == Placement::Relocatable;
    if object.entry == 0 || !may_interpret {
        return Vec::new();
    }
    let functions = (0..).zip(&facts.functions);
    let looking = functions.filter(|(_, function)| function.takes(object.entry));
    looking
        .filter_map(|(index, function)| {
            let runs = evaluate::instructions_that_run(object, facts, index, object.entry)?;
            Some(gaps(&function.code, &runs))
        })
        .flatten()
        .collect()
}

/// What lies in `code` between the ranges, which are sorted by their starts.
fn gaps(code: &Range<Address>, ranges: &[Range<Address>]) -> Vec<Range<Address>> {
    let mut gaps = Vec::new();
    let mut end = code.start;
    for range in ranges {
        if range.start > end {
            gaps.push(end..range.start);
        }
        end = end.max(range.end);
    }
    if end < code.end {
        gaps.push(end..code.end);
    }
    gaps
}

/// Whether an operation compares `entry` with something that is not known.
pub(crate) fn compares(operation: &Operation, state: &State, object: &Object, entry: Address) -> bool {
    let Operation::Compare {
        left,
        right,
        width: Width::Quad,
        test: false,
    } = operation
    else {
        return false;
    };
    let is_entry = |operand: &Operand| match state.read(operand, Width::Quad, object) {
        Value::Addresses(addresses) => addresses.only() == Some(entry),
        _ => false,
    };
    is_entry(left) != is_entry(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_no_range_covers() {
        for (ranges, expected) in [
            (vec![], vec![(10, 30)]),
            (vec![10..15, 12..20, 25..30], vec![(20, 25)]),
            (vec![10..12, 28..29], vec![(12, 28), (29, 30)]),
        ] {
            let found = gaps(&(10..30), &ranges);
            let found: Vec<(Address, Address)> = found.iter().map(|gap| (gap.start, gap.end)).collect();
            assert_eq!(found, expected, "{ranges:?}");
        }
    }
}
