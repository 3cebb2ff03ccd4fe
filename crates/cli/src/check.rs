//! The parts of `confine check`: the image on an engine, the policies, the lives, and what was denied in them.

mod denied;
mod lives;
mod policies;
mod premises;

pub use denied::Watch;
pub use lives::{Lives, comparable};
pub use policies::policies;
pub use premises::{Premises, options};
