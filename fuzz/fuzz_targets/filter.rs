//! Any bytes as a filter: it is refused, or every call gets an answer. Any bytes as a policy: what is compiled says of the
//! calls that the bytes name what the policy says.
#![no_main]

use confine_bpf::{Action, CallData, Filter, Options, Weights, assembly, c_array, compile, disassemble, evaluate, linear, run};
use confine_policy::{ARGUMENTS, Architecture, Conjunction, Masked, Policy, Rule};
use libfuzzer_sys::fuzz_target;

/// How many bytes make one alternative: number, argument, mask, value.
const ONE: usize = 2 + 1 + 8 + 8;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(filter) = Filter::from_bytes(bytes) {
        let length = filter.instructions().len() as u64;
        for number in [0, 16, 0x4000_0000] {
            assert!(run(&filter, &CallData::new(number, [u64::from(number); ARGUMENTS])).executed.get() <= length);
        }
        assert_eq!(assembly(&filter).lines().count() as u64, length);
        assert_eq!(disassemble(&filter).lines().count() as u64, length);
        assert_eq!(c_array(&filter).lines().count() as u64, length);
        assert_eq!(Filter::from_bytes(&filter.to_bytes()).as_ref(), Ok(&filter));
    }
    let (policy, calls) = policy(bytes);
    // What decides about the tree must not decide about an answer.
    let seen = calls.iter().enumerate().filter(|(index, _)| bytes.get(*index).is_some_and(|byte| byte % 4 == 0));
    let weights: Weights = seen.map(|(index, call)| (*call, 1u64 << (index % 20))).collect();
    let options = Options { weights, ..Options::default() };
    let Ok(filters) = compile(&policy, &options) else { return };
    let list = linear(&policy, &options).ok();
    for call in calls {
        let expected = match policy.allows(Architecture::X86_64, call.number, &call.arguments) {
            true => Action::Allow,
            false => options.denied,
        };
        assert_eq!(evaluate(&filters, &call).map(|outcome| outcome.action), Some(expected), "{call:?}");
        if let Some(list) = &list {
            assert_eq!(run(list, &call).action, expected, "{call:?}");
        }
    }
});

/// A policy, and calls with the values that it names and with their neighbours.
fn policy(bytes: &[u8]) -> (Policy, Vec<CallData>) {
    let mut policy = Policy::new();
    let mut calls = Vec::new();
    for chunk in bytes.chunks_exact(ONE).take(64) {
        let word = |from: usize| u64::from_le_bytes(std::array::from_fn(|byte| chunk[from + byte]));
        let number = u32::from(u16::from_le_bytes([chunk[0], chunk[1]]) % 512);
        let index = usize::from(chunk[2]) % ARGUMENTS;
        let (mask, value) = (word(3), word(11));
        let mut arguments = [Masked::default(); ARGUMENTS];
        arguments[index] = Masked::new(mask, value);
        if chunk[2] & 0x80 != 0 {
            arguments[(index + 1) % ARGUMENTS] = Masked::new(value, mask);
        }
        policy.allow(Architecture::X86_64, number, &Rule::from(Conjunction::new(arguments)));
        for near in [value, value ^ 1, value | !mask, value ^ (1 << 32), value.wrapping_add(1)] {
            let mut given = [mask; ARGUMENTS];
            given[index] = near;
            calls.extend([CallData::new(number, given), CallData::new(number + 1, given)]);
        }
    }
    (policy, calls)
}
