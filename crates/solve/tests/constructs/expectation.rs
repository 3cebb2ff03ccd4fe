//! What a fixture's first lines say.

use std::collections::BTreeSet;

use confine_kernel::{SystemCall, arguments, call_named};

#[derive(Default)]
pub struct Expectation {
    pub allowed: BTreeSet<String>,
    pub denied: BTreeSet<String>,
    pub open: bool,
    pub values: Vec<Given>,
    pub passes: Vec<Given>,
    pub refuses: Vec<Given>,
    pub falls_back: Option<BTreeSet<String>>,
    pub executes: BTreeSet<String>,
    pub libraries: Vec<Library>,
    pub cases: Vec<String>,
    pub builds: Vec<Build>,
}

/// A shared library that is built from a neighbour of the fixture.
pub struct Library {
    pub source: String,
    pub flags: Vec<String>,
}

/// One way to build the fixture.
pub struct Build {
    pub command: Vec<String>,
    pub imprecise: bool,
}

/// A call and values of some of its arguments, by index.
pub struct Given {
    pub call: &'static SystemCall,
    pub values: Vec<(u32, BTreeSet<u64>)>,
}

impl Expectation {
    pub fn read(source: &str) -> Self {
        let mut expectation = Self::default();
        for line in source.lines() {
            let Some(directive) = line.strip_prefix("// ") else {
                break;
            };
            let (kind, rest) = directive.split_once(':').unwrap_or((directive, ""));
            let words = || rest.split_whitespace().map(str::to_owned);
            match kind {
                "allowed" => expectation.allowed.extend(words()),
                "denied" => expectation.denied.extend(words()),
                "open" => expectation.open = true,
                "values" => expectation.values.push(Given::read(rest)),
                "passes" => expectation.passes.push(Given::read(rest)),
                "refuses" => expectation.refuses.push(Given::read(rest)),
                "falls back" => expectation.falls_back = Some(words().collect()),
                "executes" => {
                    expectation.executes.insert(rest.trim().to_owned());
                }
                "library" => expectation.libraries.push(Library {
                    source: words().next().unwrap(),
                    flags: words().skip(1).collect(),
                }),
                "cases" => expectation.cases.extend(words()),
                "build" | "imprecise" => expectation.builds.push(Build {
                    command: words().collect(),
                    imprecise: kind == "imprecise",
                }),
                _ => panic!("no directive: {directive}"),
            }
        }
        assert!(!expectation.builds.is_empty(), "no way to build it");
        let mut builds = expectation.builds.iter();
        assert!(
            expectation.cases.is_empty() || builds.all(|build| !build.imprecise),
            "cases are only held against what is seen"
        );
        for call in expectation.allowed.iter().chain(&expectation.denied) {
            assert!(call_named(call).is_some(), "no system call: {call}");
        }
        expectation
    }
}

impl Build {
    /// The command for each of the cases; one for none.
    pub fn commands(&self, cases: &[String]) -> Vec<Vec<String>> {
        if cases.is_empty() {
            return vec![self.command.clone()];
        }
        let with = |case: &String| [self.command.as_slice(), &[format!("-DCASE={case}")]].concat();
        cases.iter().map(with).collect()
    }
}

impl Given {
    /// `CALL ARGUMENT=VALUE,… …`; what follows in brackets is for the reader.
    fn read(text: &str) -> Self {
        let text = text.split_once('(').map_or(text, |(text, _)| text);
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let call = call_named(name).unwrap_or_else(|| panic!("no system call: {name}"));
        let values = words.map(|word| {
            let (name, values) = word.split_once('=').unwrap_or((word, ""));
            let facts = (0..).zip(arguments(call.number));
            let (index, fact) = facts
                .filter(|(_, fact)| fact.kind.is_restrictable())
                .find(|(_, fact)| fact.name == name)
                .unwrap_or_else(|| panic!("{} restricts no {name}", call.name));
            (
                index,
                values
                    .split(',')
                    .map(|value| number(value) & fact.mask())
                    .collect(),
            )
        });
        let values: Vec<(u32, BTreeSet<u64>)> = values.collect();
        assert!(!values.is_empty(), "no values: {text}");
        Self { call, values }
    }

    /// Every combination of its values.
    pub fn combinations(&self) -> Vec<Vec<(u32, u64)>> {
        self.values
            .iter()
            .fold(vec![Vec::new()], |combinations, (index, values)| {
                let longer = combinations.iter().flat_map(|combination| {
                    values
                        .iter()
                        .map(|value| combination.iter().copied().chain([(*index, *value)]).collect())
                });
                longer.collect()
            })
    }
}

/// Decimal, negative or hexadecimal.
fn number(text: &str) -> u64 {
    let parsed = match (text.strip_prefix("0x"), text.strip_prefix('-')) {
        (Some(digits), _) => u64::from_str_radix(digits, 16),
        (_, Some(digits)) => digits.parse().map(u64::wrapping_neg),
        _ => text.parse(),
    };
    parsed.unwrap_or_else(|_| panic!("no number: {text}"))
}
