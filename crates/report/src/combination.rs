//! Whether arguments are among those that a call is made with.

use crate::{Call, Combination};

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
        self.restrictions.iter().all(|restriction| {
            let mut given = arguments.iter().filter(|(index, _)| *index == restriction.index);
            given.all(|(_, value)| {
                let masked = value & restriction.mask.0;
                restriction.values.iter().any(|admitted| admitted.0 == masked)
            })
        })
    }
}
