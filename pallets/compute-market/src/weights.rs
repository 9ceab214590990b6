//! What the market's calls and hooks weigh.
//!
//! The runtime brings weights measured on its own storage; those for `()` are for tests.

use frame_support::weights::{constants::ParityDbWeight, Weight};

/// Weights of the market's calls and of the parts of its hook.
pub trait WeightInfo {
    /// `submit` with `c` candidates.
    fn submit(c: u32) -> Weight;
    /// `cancel`.
    fn cancel() -> Weight;
    /// `acknowledge`.
    fn acknowledge() -> Weight;
    /// `commit`.
    fn commit() -> Weight;
    /// `reveal`.
    fn reveal() -> Weight;
    /// `report_unavailable`.
    fn report_unavailable() -> Weight;
    /// `expire` that lists a job again.
    fn expire_relist() -> Weight;
    /// `expire` of a job that found no worker; the hook's share of it is not more.
    fn expire_give_up() -> Weight;
    /// `expire` of a job whose worker missed its deadline; the hook's share of it is not more.
    fn expire_missed() -> Weight;
    /// `expire` that settles; the hook's share of it is not more.
    fn expire_settle() -> Weight;
    /// `expire` that removes a record; the hook's share of it is not more.
    fn expire_remove() -> Weight;
    /// The hook: a draw among `c` candidates.
    fn draw(c: u32) -> Weight;
    /// The hook: what it takes whatever it does.
    fn on_idle_base() -> Weight;
    /// The hook: one block's list, without its entries.
    fn agenda_page() -> Weight;
    /// The hook: reading one entry's job.
    fn agenda_entry() -> Weight;
}

/// Storage accesses alone: enough to tell in tests that a meter is respected.
fn accesses(reads: u64, writes: u64) -> Weight {
    ParityDbWeight::get().reads_writes(reads, writes)
}

impl WeightInfo for () {
    fn submit(c: u32) -> Weight {
        accesses(15, 7).saturating_add(accesses(3, 0).saturating_mul(c.into()))
    }
    fn cancel() -> Weight {
        accesses(16, 8)
    }
    fn acknowledge() -> Weight {
        accesses(10, 2)
    }
    fn commit() -> Weight {
        accesses(10, 2)
    }
    fn reveal() -> Weight {
        accesses(10, 2)
    }
    fn report_unavailable() -> Weight {
        accesses(17, 9)
    }
    fn expire_relist() -> Weight {
        accesses(9, 2)
    }
    fn expire_give_up() -> Weight {
        accesses(17, 8)
    }
    fn expire_missed() -> Weight {
        accesses(20, 11)
    }
    fn expire_settle() -> Weight {
        accesses(20, 12)
    }
    fn expire_remove() -> Weight {
        accesses(6, 6)
    }
    fn draw(c: u32) -> Weight {
        accesses(15, 7).saturating_add(accesses(3, 0).saturating_mul(c.into()))
    }
    fn on_idle_base() -> Weight {
        accesses(1, 1)
    }
    fn agenda_page() -> Weight {
        accesses(1, 1)
    }
    fn agenda_entry() -> Weight {
        accesses(1, 0)
    }
}
