//! The import statements of one source, and what its names stand for.

use std::collections::{BTreeMap, BTreeSet};

use crate::tokens::{Kind, Token};

/// How many names one name is followed to.
const MOST_MEANINGS: usize = 8;

/// One module that a statement imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The dotted name; empty for `from . import x`.
    pub module: String,
    /// How many dots come before it.
    pub level: usize,
    /// What is taken from it, which may be modules, too.
    pub names: Vec<String>,
    /// Whether everything is.
    pub star: bool,
    pub line: usize,
}

/// Import statements and what they bind.
#[derive(Debug, Default)]
pub struct Imports {
    pub statements: Vec<Import>,
    /// A name to the dotted names that it stands for.
    bound: BTreeMap<String, BTreeSet<String>>,
}

impl Imports {
    /// Reads the statements, wherever in the source they stand.
    pub fn of(tokens: &[Token]) -> Self {
        let mut imports = Self::default();
        let mut begins = true;
        for (index, token) in tokens.iter().enumerate() {
            match (&token.kind, begins) {
                (Kind::Word(word), true) if word == "import" => imports.plain(tokens, index + 1, token.line),
                (Kind::Word(word), true) if word == "from" => imports.from(tokens, index + 1, token.line),
                _ => {}
            }
            begins = matches!(token.kind, Kind::Break | Kind::Mark(';' | ':'));
        }
        imports
    }

    /// The dotted names that a name may stand for; itself if it is not imported.
    pub fn meanings(&self, name: &str) -> Vec<String> {
        match self.bound.get(name) {
            Some(meanings) => meanings.iter().cloned().collect(),
            None => vec![name.to_owned()],
        }
    }

    /// Whether the name is one that an import statement binds.
    pub fn binds(&self, name: &str) -> bool {
        self.bound.contains_key(name)
    }

    /// Lets a name stand for something.
    pub fn bind(&mut self, name: &str, meaning: String) {
        let meanings = self.bound.entry(name.to_owned()).or_default();
        if meanings.len() < MOST_MEANINGS {
            meanings.insert(meaning);
        }
    }

    /// `import a.b, c as d`
    fn plain(&mut self, tokens: &[Token], mut at: usize, line: usize) {
        // Bounded: each turn moves on.
        loop {
            let (module, after) = dotted(tokens, at);
            if module.is_empty() {
                return;
            }
            let (alias, after) = alias(tokens, after);
            match alias {
                Some(alias) => self.bind(&alias, module.clone()),
                None => {
                    let top = module.split('.').next().unwrap_or_default().to_owned();
                    self.bind(&top, top.clone());
                }
            }
            self.statements.push(Import {
                module,
                level: 0,
                names: Vec::new(),
                star: false,
                line,
            });
            if !tokens.get(after).is_some_and(|token| token.is(',')) {
                return;
            }
            at = after + 1;
        }
    }

    /// `from ..a import (b, c as d)`, `from a import *`
    fn from(&mut self, tokens: &[Token], mut at: usize, line: usize) {
        let mut level = 0;
        while tokens.get(at).is_some_and(|token| token.is('.')) {
            level += 1;
            at += 1;
        }
        let (module, mut at) = dotted(tokens, at);
        if tokens.get(at).and_then(Token::word) != Some("import") || (module.is_empty() && level == 0) {
            return;
        }
        at += 1;
        let bracketed = tokens.get(at).is_some_and(|token| token.is('('));
        at += usize::from(bracketed);
        let mut import = Import {
            module,
            level,
            names: Vec::new(),
            star: tokens.get(at).is_some_and(|token| token.is('*')),
            line,
        };
        // Bounded: each turn moves on.
        while let Some(token) = tokens.get(at) {
            match &token.kind {
                Kind::Break if bracketed => at += 1,
                Kind::Mark(',') => at += 1,
                Kind::Word(name) => {
                    let (alias, after) = alias(tokens, at + 1);
                    let meaning = match import.module.is_empty() {
                        true => name.clone(),
                        false => format!("{}.{name}", import.module),
                    };
                    self.bind(&alias.unwrap_or_else(|| name.clone()), meaning);
                    import.names.push(name.clone());
                    at = after;
                }
                _ => break,
            }
        }
        self.statements.push(import);
    }
}

/// A dotted name and what comes after it.
pub fn dotted(tokens: &[Token], mut at: usize) -> (String, usize) {
    let mut name = String::new();
    // Bounded: each turn moves on.
    while let Some(part) = tokens.get(at).and_then(Token::word) {
        if part == "import" {
            break;
        }
        name.push_str(part);
        at += 1;
        let goes_on = tokens.get(at).is_some_and(|token| token.is('.'));
        if !goes_on || tokens.get(at + 1).and_then(Token::word).is_none() {
            break;
        }
        name.push('.');
        at += 1;
    }
    (name, at)
}

fn alias(tokens: &[Token], at: usize) -> (Option<String>, usize) {
    if tokens.get(at).and_then(Token::word) != Some("as") {
        return (None, at);
    }
    let alias = tokens.get(at + 1).and_then(Token::word).map(str::to_owned);
    (alias, at + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::tokens::tokens;

    fn check(text: &str, expected: &[&str]) {
        let imports = Imports::of(&tokens(text.as_bytes()));
        let shown: Vec<String> = imports
            .statements
            .iter()
            .map(|import| {
                let names = if import.star {
                    "*".to_owned()
                } else {
                    import.names.join(",")
                };
                format!("{}{}:{names}", ".".repeat(import.level), import.module)
            })
            .collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn statements_of_every_form() {
        check("import a, b.c as d", &["a:", "b.c:"]);
        check("from a.b import c as d, e", &["a.b:c,e"]);
        check("from . import x\nfrom ..y import *", &[".:x", "..y:*"]);
        check("from a import (\n  b, # one\n  c,\n)\nimport d", &["a:b,c", "d:"]);
        check("try: import a\nexcept E: b = 1; import c", &["a:", "c:"]);
        check("yield from x\nraise E from import_it", &[]);
        check("'''\nimport no\n'''", &[]);
    }

    #[test]
    fn names_stand_for_what_they_were_imported_as() {
        let imports = Imports::of(&tokens(b"import subprocess as s, os.path\nfrom a import b as c"));
        assert_eq!(imports.meanings("s"), ["subprocess"]);
        assert_eq!(imports.meanings("os"), ["os"]);
        assert_eq!(imports.meanings("c"), ["a.b"]);
        assert_eq!(imports.meanings("other"), ["other"]);
    }
}
