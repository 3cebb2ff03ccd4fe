//! Programs by the names that others know them by, and what a policy allows for their sake.

use crate::{Call, Program, Report};

impl Report {
    /// The place of the program of that path, or that is invoked by that name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        let is_it = |program: &Program| program.path == name || program.invoked.iter().any(|one| one == name);
        self.programs.iter().position(is_it)
    }

    /// The same program itself.
    #[must_use]
    pub fn program_named(&self, name: &str) -> Option<&Program> {
        self.programs.get(self.position(name)?)
    }

    /// Whether the program of that path or name makes a call that its policy answers ENOSYS, and another one then.
    #[must_use]
    pub fn falls_back(&self, program: &str, call: &str) -> bool {
        let program = self.program_named(program);
        let mut known = program.into_iter().flat_map(|program| &program.calls);
        !self.foresees_always(call) && known.any(|known| known.name == call && known.falls_back_to.is_some())
    }
}

impl Program {
    /// The calls that a policy has to allow for its sake: those that no other one is made in place of.
    pub fn needed(&self) -> impl Iterator<Item = &Call> + Clone {
        self.calls.iter().filter(|call| call.falls_back_to.is_none())
    }
}
