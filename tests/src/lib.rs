//! Whole-system tests: real nodes, real workers, real clients; and checks of the real runtime.
//!
//! The tests lie in `tests/`. `cargo xtask test` builds what they need and runs them; they fail, and
//! never skip, where that is missing. Processes end with the test that started them, and what they
//! printed stays in a folder which a failure names.

pub mod checked_runtime;
pub mod network;
pub mod referee;
pub mod reference;
