//! Redirections: what they substitute, and what they bring on standard input.

use brush_parser::ast::{IoFileRedirectKind, IoFileRedirectTarget, IoRedirect};

use super::state::{State, Values};
use super::walk::Walker;

/// Whether what a command prints goes into a file.
pub(super) fn to_file(redirects: &[IoRedirect]) -> bool {
    redirects.iter().any(|redirect| match redirect {
        IoRedirect::File(descriptor, kind, IoFileRedirectTarget::Filename(_)) => {
            let writes = matches!(
                kind,
                IoFileRedirectKind::Write | IoFileRedirectKind::Append | IoFileRedirectKind::Clobber
            );
            writes && descriptor.is_none_or(|descriptor| descriptor == 1)
        }
        _ => false,
    })
}

impl Walker<'_, '_> {
    /// What redirections substitute and bring on standard input.
    pub(super) fn redirects(&mut self, redirects: &[IoRedirect], before: usize, state: &mut State) {
        for redirect in redirects {
            match redirect {
                IoRedirect::File(_, kind, target) => {
                    let reads = matches!(kind, IoFileRedirectKind::Read);
                    let mut lines = None;
                    match target {
                        IoFileRedirectTarget::Filename(word) | IoFileRedirectTarget::Duplicate(word) => {
                            let line = word.loc.as_ref().map_or(1, |span| span.start.line);
                            self.text(&word.value, before + line, state);
                        }
                        IoFileRedirectTarget::ProcessSubstitution(_, subshell) => {
                            let end = self.subshell(subshell, before, state);
                            lines = end.output.filter(|_| subshell.list.0.len() == 1);
                        }
                        IoFileRedirectTarget::Fd(_) => {}
                    }
                    if reads {
                        state.lines = lines;
                        state.input = None;
                    }
                }
                IoRedirect::HereDocument(_, document) => {
                    let line = before + document.here_end.loc.as_ref().map_or(1, |span| span.start.line) + 1;
                    let values = if document.requires_expansion {
                        self.document(&document.doc.value, line, state)
                    } else {
                        Values::of([document.doc.value.clone()])
                    };
                    state.input = values.texts.first().filter(|_| values.texts.len() == 1).cloned();
                    state.lines = None;
                }
                IoRedirect::HereString(_, word) => {
                    let line = before + word.loc.as_ref().map_or(1, |span| span.start.line);
                    let values = self.text(&word.value, line, state);
                    state.input = values.texts.first().filter(|_| values.texts.len() == 1).cloned();
                    state.lines = None;
                }
                IoRedirect::OutputAndError(word, _) => {
                    let line = before + word.loc.as_ref().map_or(1, |span| span.start.line);
                    self.text(&word.value, line, state);
                }
            }
        }
    }
}
