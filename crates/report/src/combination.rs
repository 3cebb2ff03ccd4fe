//! Whether a call with its arguments is among those that are made, or allowed.
//!
//! Values of arguments are given by index; an argument without one may be anything. So what is asked without any values
//! is whether there are some with which it holds.

use crate::{Allowed, Call, Combination, Program, Report, Restriction};

impl Report {
    /// Whether a program makes a call with these values as far as the analysis knows.
    #[must_use]
    pub fn foresees(&self, program: &Program, call: &str, arguments: &[(u32, u64)]) -> bool {
        let mut known = program.calls.iter();
        self.foresees_always(call) || known.any(|known| known.name == call && known.admits(arguments))
    }

    /// Whether every program may make a call with any values: the kernel makes it on their behalf, or something stayed
    /// open and widens the policy by it.
    #[must_use]
    pub fn foresees_always(&self, call: &str) -> bool {
        let mut needed = self.runtime_calls.iter();
        needed.any(|needed| needed.requester == "kernel" && needed.name == call)
            || self.widened.iter().any(|widened| widened.name == call)
    }

    /// Whether the policy for the container allows a call with these values.
    #[must_use]
    pub fn allows(&self, call: &str, arguments: &[(u32, u64)]) -> bool {
        let allowed = self.allowed.iter().find(|allowed| allowed.name == call);
        allowed.is_some_and(|allowed| allowed.admits(arguments))
    }
}

impl Allowed {
    /// Whether it is allowed with these values.
    fn admits(&self, arguments: &[(u32, u64)]) -> bool {
        let mut combinations = self.arguments.iter();
        self.arguments.is_empty() || combinations.any(|one| one.iter().all(|one| one.admits(arguments)))
    }
}

impl Call {
    /// Whether some values of its arguments are ruled out.
    #[must_use]
    pub fn restricts(&self) -> bool {
        let mut combinations = self.arguments.iter();
        !self.arguments.is_empty() && combinations.all(|one| !one.restrictions.is_empty())
    }

    /// Whether the program may make the call with these values of some of its arguments, by index.
    #[must_use]
    pub fn admits(&self, arguments: &[(u32, u64)]) -> bool {
        self.arguments.is_empty() || self.arguments.iter().any(|one| one.admits(arguments))
    }
}

impl Combination {
    /// Whether arguments may have these values, by index.
    #[must_use]
    pub fn admits(&self, arguments: &[(u32, u64)]) -> bool {
        self.restrictions
            .iter()
            .all(|restriction| restriction.admits(arguments))
    }
}

impl Restriction {
    /// Whether the argument that it is about may have the value among these, if there is one.
    #[must_use]
    pub fn admits(&self, arguments: &[(u32, u64)]) -> bool {
        let mut given = arguments.iter().filter(|(index, _)| *index == self.index);
        given.all(|(_, value)| {
            let masked = value & self.mask.0;
            self.values.iter().any(|admitted| admitted.0 == masked)
        })
    }
}
