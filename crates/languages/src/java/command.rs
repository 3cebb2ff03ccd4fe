//! What a command line has the virtual machine start (java(1)).

/// Options whose value is the next argument.
const WITH_VALUE: &[&str] = &[
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--limit-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--patch-module",
    "--enable-native-access",
    "--source",
    "-d",
    "--describe-module",
];

/// Options with which nothing is started.
const NOTHING: &[&str] = &[
    "-version",
    "--version",
    "-fullversion",
    "--full-version",
    "-help",
    "--help",
    "-h",
    "-?",
    "-X",
    "--help-extra",
    "--list-modules",
    "-d",
    "--describe-module",
    "--validate-modules",
    "-XX:+PrintFlagsFinal",
];

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Main {
    /// Nothing but the virtual machine.
    None,
    /// A class, perhaps behind its module.
    Class(String),
    /// What an archive's manifest says.
    Archive(String),
    /// It is not known: a hole, a source, a file of arguments, or nothing where something must be.
    Open,
}

/// What a command line of the virtual machine starts, without its own name.
pub fn main(arguments: &[String]) -> Main {
    let is_open = |word: &str| word.contains(crate::HOLE) || word == crate::MORE || word.starts_with('@');
    let named = |word: Option<&String>, main: fn(String) -> Main| match word {
        Some(word) if !is_open(word) => main(word.clone()),
        _ => Main::Open,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if NOTHING.contains(&word.as_str()) {
            return Main::None;
        }
        match word.as_str() {
            "-jar" => return named(words.next(), Main::Archive),
            "-m" | "--module" => return named(words.next(), Main::Class),
            option if WITH_VALUE.contains(&option) => {
                words.next();
            }
            option if option.starts_with("--module=") => {
                return Main::Class(option.trim_start_matches("--module=").to_owned());
            }
            option if option.starts_with('-') && !is_open(option) => {}
            source if source.ends_with(".java") => return Main::Open,
            class if !class.is_empty() && !is_open(class) => return Main::Class(class.to_owned()),
            _ => return Main::Open,
        }
    }
    Main::Open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Main) {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(main(&arguments), expected, "{line}");
    }

    #[test]
    fn what_command_lines_start() {
        check(
            "-Xmx1g -cp /srv/x.jar a.Main start",
            Main::Class("a.Main".to_owned()),
        );
        check("-jar /srv/x.jar -version", Main::Archive("/srv/x.jar".to_owned()));
        check("-p mods -m a.b/a.b.Main", Main::Class("a.b/a.b.Main".to_owned()));
        check("--module=a.b", Main::Class("a.b".to_owned()));
        check("-Xint -version", Main::None);
    }

    #[test]
    fn what_is_not_known() {
        let hole = crate::HOLE;
        check(&format!("-cp x {hole}"), Main::Open);
        check(&format!("{} a.Main", crate::MORE), Main::Open);
        check(&format!("-jar {hole}.jar"), Main::Open);
        check("@arguments", Main::Open);
        check("Main.java", Main::Open);
        check("-Xint", Main::Open);
        check("", Main::Open);
    }
}
