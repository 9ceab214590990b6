//! Weights that this pallet needs.
//!
//! A runtime uses generated ones; those for `()` are rough and for tests only.

use frame_support::weights::{constants::ParityDbWeight, Weight};

/// Weights of the calls.
pub trait WeightInfo {
    /// Weight of `register` with an endpoint of `e` bytes.
    fn register(e: u32) -> Weight;
    /// Weight of `bond_extra`.
    fn bond_extra() -> Weight;
    /// Weight of `set_ask`.
    fn set_ask() -> Weight;
    /// Weight of `set_hot_key`.
    fn set_hot_key() -> Weight;
    /// Weight of `set_endpoint` with an endpoint of `e` bytes.
    fn set_endpoint(e: u32) -> Weight;
    /// Weight of `validate_artifacts` where a list of `n` models replaces one of `o` others.
    fn validate_artifacts(n: u32, o: u32) -> Weight;
    /// Weight of `chill`.
    fn chill() -> Weight;
    /// Weight of `resume`.
    fn resume() -> Weight;
    /// Weight of `deregister` of a worker that has `o` models ready.
    fn deregister(o: u32) -> Weight;
}

/// Execution of a call beside its database accesses, in picoseconds.
const CALL: u64 = 20_000_000;
/// Execution for one byte or one account of a list.
const ITEM: u64 = 100_000;

/// A call with so many accesses to the database.
fn call(reads: u64, writes: u64) -> Weight {
    Weight::from_parts(CALL, 0).saturating_add(ParityDbWeight::get().reads_writes(reads, writes))
}

/// For tests: database accesses counted by hand.
impl WeightInfo for () {
    fn register(e: u32) -> Weight {
        call(7, 5).saturating_add(Weight::from_parts(ITEM.saturating_mul(e.into()), 0))
    }

    fn bond_extra() -> Weight {
        call(3, 3)
    }

    fn set_ask() -> Weight {
        call(1, 1)
    }

    fn set_hot_key() -> Weight {
        call(3, 3)
    }

    fn set_endpoint(e: u32) -> Weight {
        call(1, 1).saturating_add(Weight::from_parts(ITEM.saturating_mul(e.into()), 0))
    }

    fn validate_artifacts(n: u32, o: u32) -> Weight {
        let (n, o) = (u64::from(n), u64::from(o));
        call(2, 1).saturating_add(
            ParityDbWeight::get().reads_writes(n.saturating_mul(2).saturating_add(o), n.saturating_add(o)),
        )
    }

    fn chill() -> Weight {
        call(2, 1)
    }

    fn resume() -> Weight {
        call(2, 1)
    }

    fn deregister(o: u32) -> Weight {
        call(5, 5).saturating_add(ParityDbWeight::get().reads_writes(o.into(), o.into()))
    }
}
