//! How the native interface names the function of a native method (the JNI specification, chapter 2, "Resolving Native
//! Method Names").

/// The names that are looked up for a method: the short one, then the one with its arguments.
pub fn symbols(class: &[u8], method: &[u8], descriptor: &[u8]) -> [String; 2] {
    let short = format!("Java_{}_{}", escaped(class), escaped(method));
    let arguments = descriptor.split(|byte| *byte == b')').next().unwrap_or_default();
    let arguments = arguments.strip_prefix(b"(").unwrap_or(arguments);
    let long = format!("{short}__{}", escaped(arguments));
    [short, long]
}

fn escaped(name: &[u8]) -> String {
    let mut escaped = String::new();
    for letter in String::from_utf8_lossy(name).encode_utf16() {
        match u8::try_from(letter) {
            Ok(b'/') => escaped.push('_'),
            Ok(b'_') => escaped.push_str("_1"),
            Ok(b';') => escaped.push_str("_2"),
            Ok(b'[') => escaped.push_str("_3"),
            Ok(plain) if plain.is_ascii_alphanumeric() => escaped.push(char::from(plain)),
            _ => escaped.push_str(&format!("_0{letter:04x}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_the_specification_gives_them() {
        assert_eq!(
            symbols(b"p/q/r/A", b"f", b"(ILjava/lang/String;)D"),
            ["Java_p_q_r_A_f", "Java_p_q_r_A_f__ILjava_lang_String_2"]
        );
        assert_eq!(
            symbols(b"A$B", b"x_y", b"([B)V"),
            ["Java_A_00024B_x_1y", "Java_A_00024B_x_1y___3B"]
        );
        assert_eq!(
            symbols("Ä".as_bytes(), b"f", b"()V"),
            ["Java__000c4_f", "Java__000c4_f__"]
        );
    }
}
