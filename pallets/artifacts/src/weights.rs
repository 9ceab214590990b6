//! Weights that this pallet needs.
//!
//! A runtime uses generated ones; those for `()` are rough and for tests only.

use frame_support::weights::{constants::ParityDbWeight, Weight};

/// Weights of the calls.
pub trait WeightInfo {
    /// Weight of `register_model`.
    fn register_model() -> Weight;
    /// Weight of `set_terms`.
    fn set_terms() -> Weight;
    /// Weight of `retire`.
    fn retire() -> Weight;
}

/// Execution of a call beside its database accesses, in picoseconds.
const CALL: u64 = 20_000_000;

/// For tests: database accesses counted by hand.
impl WeightInfo for () {
    fn register_model() -> Weight {
        Weight::from_parts(2 * CALL, 0).saturating_add(ParityDbWeight::get().reads_writes(4, 5))
    }

    fn set_terms() -> Weight {
        Weight::from_parts(CALL, 0).saturating_add(ParityDbWeight::get().reads_writes(1, 1))
    }

    fn retire() -> Weight {
        Weight::from_parts(CALL, 0).saturating_add(ParityDbWeight::get().reads_writes(1, 1))
    }
}
