//! The instructions of a method that refer to something (the Java virtual machine's specification, chapter 6).
//!
//! Every instruction counts, whether control can come to it or not: over-reports what stands behind a condition that
//! never holds.

use super::bytes::Reader;

/// What an instruction does with a constant of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// Loads it.
    Load,
    /// Loads it only to compare it with another object.
    Compare,
    /// Loads it only to call this method with it, as the object or as the last argument.
    Ask(u16),
    /// Reads or writes a variable of a class.
    Variable,
    /// Calls a method of the class of the object that it is called on, or of one above.
    Virtual,
    /// Calls just this method, of this class or of one above: without an object, or a constructor.
    Exact,
    /// Calls what a bootstrap method links.
    Dynamic,
    /// Makes an object.
    New,
}

/// Calls `each` with every such use and the constant's index; `None` where the bytes are no instructions.
pub fn uses(code: &[u8], mut each: impl FnMut(Use, u16)) -> Option<()> {
    let mut reader = Reader::new(code, 0);
    // Ends: every turn reads at least one byte.
    while reader.at() < code.len() {
        let start = reader.at();
        match reader.byte()? {
            0x12 => {
                let constant = u16::from(reader.byte()?);
                each(loaded(reader), constant);
            }
            0x13 | 0x14 => {
                let constant = reader.short()?;
                each(loaded(reader), constant);
            }
            0xb2 | 0xb3 => each(Use::Variable, reader.short()?),
            0xb6 => each(Use::Virtual, reader.short()?),
            0xb7 | 0xb8 => each(Use::Exact, reader.short()?),
            0xb9 => {
                each(Use::Virtual, reader.short()?);
                reader.skip(2)?;
            }
            0xba => {
                each(Use::Dynamic, reader.short()?);
                reader.skip(2)?;
            }
            0xbb => each(Use::New, reader.short()?),
            instruction @ (TABLESWITCH | LOOKUPSWITCH) => {
                let (_, entries) = switch(&mut reader, start, instruction)?;
                let size = if instruction == LOOKUPSWITCH { 8 } else { 4 };
                reader.skip(entries.checked_mul(size)?)?;
            }
            0xc4 => match reader.byte()? {
                0x84 => reader.skip(4)?,
                _ => reader.skip(2)?,
            },
            plain => reader.skip(operands(plain)?)?,
        }
    }
    Some(())
}

/// What becomes of a constant that was loaded last: what the next instruction does with it, or the one after that, which
/// takes one more object.
fn loaded(mut next: Reader<'_>) -> Use {
    let mut pushed = false;
    loop {
        match next.byte() {
            Some(0xa5 | 0xa6) if !pushed => return Use::Compare,
            Some(0xb6) => return next.short().map_or(Use::Load, Use::Ask),
            Some(0xb8) if !pushed => return next.short().map_or(Use::Load, Use::Ask),
            // Pushes a local object.
            Some(0x2a..=0x2d) if !pushed => pushed = true,
            Some(0x19) if !pushed => {
                pushed = true;
                next.byte();
            }
            _ => return Use::Load,
        }
    }
}

/// The instructions that choose between many ways.
pub const TABLESWITCH: u8 = 0xaa;
pub const LOOKUPSWITCH: u8 = 0xab;

/// What follows such an instruction, which begins there: the distance that it goes otherwise, and how many entries come then:
/// distances, which a number is before in `lookupswitch`.
pub fn switch(reader: &mut Reader<'_>, start: usize, instruction: u8) -> Option<(i32, usize)> {
    // Aligned to four bytes from the beginning of the method.
    reader.skip(3 - start % 4)?;
    let otherwise = reader.long()?.cast_signed();
    let entries = match instruction {
        TABLESWITCH => {
            let (low, high) = (reader.long()?.cast_signed(), reader.long()?.cast_signed());
            i64::from(high) - i64::from(low) + 1
        }
        _ => i64::from(reader.long()?.cast_signed()),
    };
    Some((otherwise, usize::try_from(entries).ok()?))
}

/// How many bytes follow an instruction that takes always as many; `None` if there is none.
pub fn operands(instruction: u8) -> Option<usize> {
    match instruction {
        0x10 | 0x15..=0x19 | 0x36..=0x3a | 0xa9 | 0xbc => Some(1),
        0x11 | 0x14 | 0x84 | 0x99..=0xa8 | 0xb4 | 0xb5 | 0xbb | 0xbd | 0xc0 | 0xc1 | 0xc6 | 0xc7 => Some(2),
        0xc5 => Some(3),
        0xc8 | 0xc9 => Some(4),
        0x00..=0xc9 => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &[u8], expected: Option<&[(Use, u16)]>) {
        let mut found = Vec::new();
        let whole = uses(code, |how, index| found.push((how, index)));
        assert_eq!(whole.map(|()| &found[..]), expected, "{code:x?}");
    }

    #[test]
    fn instructions_that_refer_to_constants() {
        check(
            &[0x12, 7, 0x13, 1, 2, 0xb8, 0, 9, 0xb1],
            Some(&[(Use::Load, 7), (Use::Ask(9), 0x102), (Use::Exact, 9)]),
        );
        check(
            &[0xb9, 0, 3, 1, 0, 0xbb, 0, 4],
            Some(&[(Use::Virtual, 3), (Use::New, 4)]),
        );
        check(
            &[0xba, 0, 5, 0, 0, 0xb2, 0, 6],
            Some(&[(Use::Dynamic, 5), (Use::Variable, 6)]),
        );
        check(
            &[0xc4, 0x84, 0, 1, 0, 2, 0xc4, 0x15, 0, 1, 0x12, 1],
            Some(&[(Use::Load, 1)]),
        );
    }

    #[test]
    fn what_loaded_constants_are_for() {
        check(&[0x12, 7, 0xa5, 0, 9], Some(&[(Use::Compare, 7)]));
        check(
            &[0x12, 7, 0xb6, 0, 9],
            Some(&[(Use::Ask(9), 7), (Use::Virtual, 9)]),
        );
        check(
            &[0x13, 0, 7, 0x2b, 0xb6, 0, 9],
            Some(&[(Use::Ask(9), 7), (Use::Virtual, 9)]),
        );
        check(
            &[0x12, 7, 0x19, 4, 0xb6, 0, 9],
            Some(&[(Use::Ask(9), 7), (Use::Virtual, 9)]),
        );
        check(
            &[0x12, 7, 0x2b, 0x2b, 0xb6, 0, 9],
            Some(&[(Use::Load, 7), (Use::Virtual, 9)]),
        );
        check(&[0x12, 7, 0x2b, 0xa5, 0, 9], Some(&[(Use::Load, 7)]));
    }

    #[test]
    fn tables_of_switches_are_no_instructions() {
        let table = [
            &[0x00, 0xaa, 0, 0][..],
            &[0, 0, 0, 9],
            &[0, 0, 0, 1],
            &[0, 0, 0, 2],
            &[0xb8; 8],
        ];
        check(
            &[&table.concat()[..], &[0x12, 3]].concat(),
            Some(&[(Use::Load, 3)]),
        );
        let pairs = [&[0xab, 0, 0, 0][..], &[0, 0, 0, 9], &[0, 0, 0, 1], &[0xb8; 8]];
        check(
            &[&pairs.concat()[..], &[0x12, 3]].concat(),
            Some(&[(Use::Load, 3)]),
        );
    }

    #[test]
    fn what_is_no_code_is_told() {
        check(&[0xfe], None);
        check(&[0x13, 1], None);
        check(
            &[0xaa, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0],
            None,
        );
        check(&[0xab, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], None);
    }
}
