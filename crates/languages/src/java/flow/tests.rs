//! What methods do that are put together.

use proptest::prelude::*;

use super::*;
use crate::java::assembler::Class as Assembled;

const OBJECT: &[&str] = &["java/lang/Object"];

fn flow_of(descriptor: &str, code: &[u8]) -> Option<Flow> {
    let bytes: Vec<String> = code.iter().map(|byte| format!("{byte:x}")).collect();
    let assembled = Assembled::new("a/X", OBJECT);
    let assembled = assembled.method_with(10, "f", descriptor, &[("do", &bytes.join(" "))]);
    let class = Class::read(assembled.bytes().into())?;
    flow(&class, class.methods.first()?)
}

#[test]
fn words_are_moved_as_the_specification_says() {
    // iload_0; iload_1; dup_x1; pop; pop; ireturn: the second is left.
    let flow = flow_of("(II)I", &[0x1a, 0x1b, 0x5a, 0x57, 0x57, 0xac]).unwrap();
    assert_eq!(flow.returned, [one(Source::Parameter(1))]);
    // lload_0; l2i; pop; iload_2; swap with a number; pop; ireturn
    let flow = flow_of("(JI)I", &[0x1e, 0x88, 0x57, 0x1c, 0x05, 0x5f, 0x57, 0xac]).unwrap();
    assert_eq!(flow.returned, [one(Source::Number(2))]);
    // A variable that is set does not hold the parameter any more: bipush -1; istore_0; iload_0; ireturn
    let flow = flow_of("(I)I", &[0x10, 0xff, 0x3b, 0x1a, 0xac]).unwrap();
    assert_eq!(flow.returned, [one(Source::Number(-1))]);
}

#[test]
fn what_is_no_method_is_not_known() {
    // Nothing to pop; the end without a return; a subroutine.
    for code in [&[0x57, 0xb1][..], &[0x00], &[0xa8, 0, 3, 0xb1]] {
        assert_eq!(flow_of("()V", code), None, "{code:x?}");
    }
}

proptest! {
    #[test]
    fn any_instructions_are_walked(code in prop::collection::vec(any::<u8>(), 1..60)) {
        let _ = flow_of("(IJLjava/lang/String;)I", &code);
    }
}
