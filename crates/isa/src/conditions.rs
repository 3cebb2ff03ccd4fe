//! Which instructions depend on flags, and how.

use iced_x86::{ConditionCode, Instruction, Mnemonic};

use crate::lift::operand_width;
use crate::operation::{Condition, Width};

/// When a conditional jump is taken.
pub(crate) fn condition(instruction: &Instruction) -> Condition {
    match instruction.condition_code() {
        ConditionCode::e => Condition::Equal,
        ConditionCode::ne => Condition::NotEqual,
        ConditionCode::b => Condition::Below,
        ConditionCode::be => Condition::BelowOrEqual,
        ConditionCode::a => Condition::Above,
        ConditionCode::ae => Condition::AboveOrEqual,
        _ => Condition::Other,
    }
}

pub(crate) fn is_conditional_set(instruction: &Instruction) -> bool {
    // Those of the conditional instructions that write one byte; jumps have no operand of that kind.
    instruction.condition_code() != ConditionCode::None
        && !instruction.is_jcc_short_or_near()
        && !is_conditional_move(instruction.mnemonic())
        && matches!(instruction.op_count(), 1)
        && operand_width(instruction, 0) == Some(Width::Byte)
}

pub(crate) fn is_conditional_move(mnemonic: Mnemonic) -> bool {
    use Mnemonic::{
        Cmova, Cmovae, Cmovb, Cmovbe, Cmove, Cmovg, Cmovge, Cmovl, Cmovle, Cmovne, Cmovno, Cmovnp, Cmovns,
        Cmovo, Cmovp, Cmovs,
    };
    matches!(
        mnemonic,
        Cmova
            | Cmovae
            | Cmovb
            | Cmovbe
            | Cmove
            | Cmovg
            | Cmovge
            | Cmovl
            | Cmovle
            | Cmovne
            | Cmovno
            | Cmovnp
            | Cmovns
            | Cmovo
            | Cmovp
            | Cmovs
    )
}
