//! Values of arguments as people read them: by the names of their constants, where there are some.

use confine_kernel::{Known, call_named, describe, describe_mask};

use crate::{Combination, Restriction};

/// Values of arguments of a call, by index, in words: names, and the numbers that they stand for.
#[must_use]
pub fn asked(call: &str, values: &[(u32, u64)]) -> String {
    let number = number(call);
    let words = values.iter().map(|(index, value)| {
        let name = argument(number, *index);
        let text = describe(number, *index, *value, values);
        match text.starts_with(|first: char| first.is_ascii_digit()) {
            true => format!("{name}={value:#x}"),
            false => format!("{name}={text} ({value:#x})"),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

/// What is known of a call's arguments in one combination, in words: `family=AF_INET or AF_INET6 type=SOCK_STREAM`.
pub(crate) fn combination(call: &str, combination: &Combination) -> String {
    let number = number(call);
    let beside: Vec<(u32, u64)> = combination.restrictions.iter().filter_map(single).collect();
    let restrictions = combination.restrictions.iter().map(|restriction| {
        let Restriction {
            index, name, mask, ..
        } = restriction;
        let known = match is_whole(restriction) {
            true => u64::MAX,
            false => mask.0,
        };
        let values = restriction.values.iter().map(|value| {
            let value = Known {
                value: value.0,
                mask: known,
            };
            describe(number, *index, value, &beside)
        });
        let values = values.collect::<Vec<_>>().join(" or ");
        match is_whole(restriction) {
            true => format!("{name}={values}"),
            false => format!("{name}&{}={values}", describe_mask(number, *index, mask.0)),
        }
    });
    restrictions.collect::<Vec<_>>().join(" ")
}

/// The argument and its value, if it has only one.
fn single(restriction: &Restriction) -> Option<(u32, u64)> {
    match restriction.values.as_slice() {
        [value] if is_whole(restriction) => Some((restriction.index, value.0)),
        _ => None,
    }
}

/// Whether the whole argument is compared: of most the kernel reads 32 bits.
fn is_whole(restriction: &Restriction) -> bool {
    restriction.mask.0 & u64::from(u32::MAX) == u64::from(u32::MAX)
}

/// The call's number; one that no call has if a report of another version names one that is not known.
fn number(call: &str) -> u32 {
    call_named(call).map_or(u32::MAX, |call| call.number)
}

fn argument(call: u32, index: u32) -> String {
    let arguments = confine_kernel::arguments(call);
    let named = usize::try_from(index).ok().and_then(|index| arguments.get(index));
    named.map_or_else(
        || format!("argument {index}"),
        |argument| argument.name.to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Word;

    #[test]
    fn asked_values_have_names_and_numbers() {
        for (call, values, expected) in [
            ("ioctl", vec![(1, 0x5401)], "cmd=TCGETS (0x5401)"),
            ("ioctl", vec![(1, 0x1234_5678)], "cmd=0x12345678"),
            ("mmap", vec![(2, 0)], "prot=PROT_NONE (0x0)"),
            ("renameat2", vec![(4, 0)], "flags=0x0"),
            (
                "setsockopt",
                vec![(1, 6), (2, 1)],
                "level=IPPROTO_TCP (0x6), optname=TCP_NODELAY (0x1)",
            ),
            ("unknown", vec![(1, 2)], "argument 1=0x2"),
        ] {
            assert_eq!(asked(call, &values), expected);
        }
    }

    #[test]
    fn combinations_are_told_by_name() {
        const WHOLE: u64 = 0xffff_ffff;
        for (call, restrictions, expected) in [
            (
                "ioctl",
                vec![(1, "cmd", WHOLE, vec![0x5401, 0x5413])],
                "cmd=TCGETS or TIOCGWINSZ",
            ),
            (
                "mmap",
                vec![(2, "prot", u64::MAX, vec![1, 5])],
                "prot=PROT_READ or PROT_READ|PROT_EXEC",
            ),
            (
                "mmap",
                vec![(2, "prot", 6, vec![0, 4])],
                "prot&PROT_WRITE|PROT_EXEC=0 or PROT_EXEC",
            ),
            (
                "setsockopt",
                vec![(1, "level", WHOLE, vec![1]), (2, "optname", WHOLE, vec![2, 9])],
                "level=SOL_SOCKET optname=SO_REUSEADDR or SO_KEEPALIVE",
            ),
            (
                "setsockopt",
                vec![(1, "level", WHOLE, vec![1, 6]), (2, "optname", WHOLE, vec![2])],
                "level=SOL_SOCKET or IPPROTO_TCP optname=0x2",
            ),
            ("unknown", vec![(0, "what", WHOLE, vec![0, 7])], "what=0 or 0x7"),
        ] {
            let restrictions = restrictions
                .into_iter()
                .map(|(index, name, mask, values)| Restriction {
                    index,
                    name: name.to_owned(),
                    mask: Word(mask),
                    values: values.into_iter().map(Word).collect(),
                });
            let one = Combination {
                restrictions: restrictions.collect(),
                chain: Vec::new(),
            };
            assert_eq!(combination(call, &one), expected);
        }
    }
}
