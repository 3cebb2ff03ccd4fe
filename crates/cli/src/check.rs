//! The parts of `confine check`: the image on an engine, the policies, the lives, and what was denied in them.

mod denied;
mod hardened;
mod lives;
mod policies;
mod premises;

pub use denied::Watch;
pub use hardened::Making;
pub use lives::{Lives, comparable};
pub use policies::{Checked as CheckedPolicy, policies};
pub use premises::{Premises, options};
