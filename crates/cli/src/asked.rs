//! What `confine why` is asked about: a system call, or a value of one of its arguments, by name or number.

use confine_kernel::{Argument, SystemCall, constant_named, constant_names, constants_combine};

/// A system call, or a value of one of its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedCall {
    /// The call's name.
    pub name: &'static str,
    /// Indices of arguments, ascending, and their values; more than one where a name means its value only beside
    /// another argument's, as the options of a socket's level do. None if the call as such is asked about.
    pub values: Vec<(u32, u64)>,
}

/// Reads `CALL[.ARGUMENT][=VALUE]`; without a name of the argument it is the first one whose values are restricted.
pub fn call(text: &str) -> Result<AskedCall, String> {
    let Some((place, value)) = text.split_once('=') else {
        return named_call(text).map(|call| AskedCall {
            name: call.name,
            values: Vec::new(),
        });
    };
    let (call, argument) = match place.split_once('.') {
        Some((name, argument)) => (named_call(name)?, Some(argument)),
        None => (named_call(place)?, None),
    };
    let restrictable = (0..).zip(confine_kernel::arguments(call.number));
    let mut restrictable = restrictable.filter(|(_, fact)| fact.kind.is_restrictable());
    let found = restrictable
        .clone()
        .find(|(_, fact)| argument.is_none_or(|name| fact.name == name));
    let (index, fact) = found.ok_or_else(|| {
        let names: Vec<&str> = restrictable.by_ref().map(|(_, fact)| fact.name).collect();
        match names.as_slice() {
            [] => format!("{} has no argument whose values are restricted", call.name),
            names => format!(
                "expected one of the arguments of {}: {}",
                call.name,
                names.join(", ")
            ),
        }
    })?;
    Ok(AskedCall {
        name: call.name,
        values: values(call, index, fact, value)?,
    })
}

/// A call by name, or any number, as the kernel has to answer those that it does not know, too.
pub fn any_number(text: &str) -> Result<u32, String> {
    match number(text).map(u32::try_from) {
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => Err("expected a number of at most 32 bits".to_owned()),
        None => named_call(text).map(|call| call.number),
    }
}

/// An argument of a call, by number or by the names of constants.
pub fn argument(call: u32, index: u32, text: &str) -> Result<u64, String> {
    if let Some(number) = number(text) {
        return Ok(number);
    }
    if let Ok(number) = text.parse::<i64>() {
        return Ok(number.cast_unsigned());
    }
    let call = confine_kernel::call(call);
    let fact = call.and_then(|call| confine_kernel::arguments(call.number).get(index as usize));
    let Some((call, fact)) = call.zip(fact) else {
        return Err(format!("expected a number like 21523 or 0x5413, found {text:?}"));
    };
    let values = values(call, index, fact, text)?;
    let own = values.into_iter().find(|(at, _)| *at == index);
    Ok(own.map_or(0, |(_, value)| value))
}

fn named_call(text: &str) -> Result<&'static SystemCall, String> {
    let found = match text.parse() {
        Ok(number) => confine_kernel::call(number),
        Err(_) => confine_kernel::call_named(text),
    };
    found.ok_or_else(|| {
        format!(
            "x86-64 has no such system call as of Linux {}",
            confine_kernel::LINUX_VERSION
        )
    })
}

/// The argument's value, and the values of others beside which alone its names mean that.
fn values(call: &SystemCall, index: u32, fact: &Argument, text: &str) -> Result<Vec<(u32, u64)>, String> {
    if text.contains('|') && !constants_combine(call.number, index) {
        return Err(format!("{} is one constant, but {text:?} are several", fact.name));
    }
    let mut value = 0;
    let mut values = Vec::new();
    for word in text.split('|') {
        if let Some(number) = number(word) {
            value |= number;
        } else {
            let meaning = constant_named(call.number, index, word);
            let meaning = meaning.ok_or_else(|| unknown(call, index, fact, word))?;
            value |= meaning.value;
            values.extend(meaning.beside);
        }
    }
    if value & !fact.mask() != 0 {
        return Err(format!("the kernel reads {} bits of {}", fact.width, fact.name));
    }
    values.push((index, value));
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// How many known names an unknown one is answered with.
const SHOWN_NAMES: usize = 3;

/// How alike two names are, from 0 to 1, to be shown for each other.
const ALIKE: f64 = 0.8;

fn unknown(call: &SystemCall, index: u32, fact: &Argument, word: &str) -> String {
    let asked = word.to_ascii_uppercase();
    let known = constant_names(call.number, index).map(|name| (strsim::jaro_winkler(&asked, name), name));
    let mut known: Vec<(f64, &str)> = known.collect();
    if known.is_empty() {
        return format!(
            "expected a number like 21523 or 0x5413, since no names of {} are known, found {word:?}",
            fact.name
        );
    }
    known.retain(|(alike, _)| *alike >= ALIKE);
    known.sort_by(|(left, left_name), (right, right_name)| {
        right.total_cmp(left).then_with(|| left_name.cmp(right_name))
    });
    known.dedup();
    known.truncate(SHOWN_NAMES);
    let mut text = format!(
        "expected a number like 21523 or 0x5413 or a name of {}, found {word:?}",
        fact.name
    );
    if !known.is_empty() {
        let names: Vec<&str> = known.into_iter().map(|(_, name)| name).collect();
        text += &format!("; nearest: {}", names.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_names_and_numbers() {
        for (text, expected) in [
            ("setuid", Some(105)),
            ("105", Some(105)),
            ("337", None),
            ("SETUID", None),
            ("-1", None),
        ] {
            assert_eq!(named_call(text).ok().map(|call| call.number), expected, "{text}");
        }
    }

    #[test]
    fn arguments_are_numbers_or_names() {
        for (call, index, text, expected) in [
            (16, 1, "TCGETS", Some(0x5401)),
            (16, 1, "0x5401", Some(0x5401)),
            (16, 0, "-1", Some(u64::MAX)),
            (9, 2, "PROT_READ|PROT_EXEC", Some(5)),
            (16, 5, "TCGETS", None),
            (9999, 0, "7", Some(7)),
            (9999, 0, "x", None),
        ] {
            assert_eq!(
                argument(call, index, text).ok(),
                expected,
                "{call} {index} {text}"
            );
        }
        assert_eq!(any_number("read"), Ok(0));
        assert_eq!(any_number("0x40000000"), Ok(0x4000_0000));
        assert!(any_number("0x100000000").is_err() && any_number("no_such_call").is_err());
    }

    #[test]
    fn values_are_asked_by_argument() {
        for (text, name, values) in [
            ("ioctl", "ioctl", vec![]),
            ("ioctl=0x5413", "ioctl", vec![(1, 0x5413)]),
            ("16=21523", "ioctl", vec![(1, 0x5413)]),
            ("ioctl=TCGETS", "ioctl", vec![(1, 0x5401)]),
            ("ioctl.cmd=TIOCGWINSZ", "ioctl", vec![(1, 0x5413)]),
            ("setsockopt.optname=2", "setsockopt", vec![(2, 2)]),
            (
                "setsockopt.optname=SO_REUSEADDR",
                "setsockopt",
                vec![(1, 1), (2, 2)],
            ),
            (
                "setsockopt.optname=TCP_NODELAY",
                "setsockopt",
                vec![(1, 6), (2, 1)],
            ),
            ("setsockopt.level=IPPROTO_TCP", "setsockopt", vec![(1, 6)]),
            ("socket.family=AF_INET", "socket", vec![(0, 2)]),
            (
                "socket.type=SOCK_STREAM|SOCK_CLOEXEC",
                "socket",
                vec![(1, 0x8_0001)],
            ),
            ("mmap.prot=7", "mmap", vec![(2, 7)]),
            ("mmap.prot=PROT_READ|PROT_EXEC", "mmap", vec![(2, 5)]),
            ("mmap.prot=PROT_READ|0x4", "mmap", vec![(2, 5)]),
            ("openat.flags=O_RDONLY", "openat", vec![(2, 0)]),
            ("fcntl=F_GETFL", "fcntl", vec![(1, 3)]),
        ] {
            assert_eq!(call(text), Ok(AskedCall { name, values }), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        for (text, expected) in [
            ("mmap.len=7", "expected one of the arguments of mmap: prot, flags"),
            ("getpid=1", "getpid has no argument whose values are restricted"),
            ("ioctl=0x100005413", "the kernel reads 32 bits of cmd"),
            (
                "ioctl=TCGET",
                "expected a number like 21523 or 0x5413 or a name of cmd, found \"TCGET\"; nearest: TCGETA, TCGETS, TCGETX",
            ),
            (
                "socket=af_inet",
                "expected a number like 21523 or 0x5413 or a name of family, found \"af_inet\"; nearest: AF_INET, AF_INET6, AF_NETROM",
            ),
            (
                "mmap.prot=PROT_READ|WORLD",
                "expected a number like 21523 or 0x5413 or a name of prot, found \"WORLD\"",
            ),
            (
                "cachestat.flags=X",
                "expected a number like 21523 or 0x5413, since no names of flags are known, found \"X\"",
            ),
            (
                "ioctl=TCGETS|TCSETS",
                "cmd is one constant, but \"TCGETS|TCSETS\" are several",
            ),
            (
                "ioctl=",
                "expected a number like 21523 or 0x5413 or a name of cmd, found \"\"",
            ),
        ] {
            assert_eq!(call(text), Err(expected.to_owned()), "{text}");
        }
    }
}
