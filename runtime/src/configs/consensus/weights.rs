//! What BABE's and GRANDPA's calls cost with this chain's database.
//!
//! Upstream has estimates instead of measurements, as an implementation for `()` that counts the
//! accesses of RocksDB. The estimates are the same here, the accesses are ParityDB's.

use crate::Runtime;
use frame_support::weights::{
    constants::{WEIGHT_REF_TIME_PER_MICROS, WEIGHT_REF_TIME_PER_NANOS},
    RuntimeDbWeight, Weight,
};

/// Upstream's estimates, with ParityDB.
pub struct ParityDbEstimates;

/// What is read for any report: by the check of the proof and by the record of the offence.
const REPORT_READS: u64 = 5 + 14;
/// What is written for any report.
const REPORT_WRITES: u64 = 10;
/// What is read, and what is written, for each nominator who may be slashed.
const NOMINATOR_ACCESSES: u64 = 3;
/// Proofs of fewer validators are taken for proofs of so many.
const LEAST_VALIDATORS: u32 = 100;

fn database() -> RuntimeDbWeight {
    <Runtime as frame_system::Config>::DbWeight::get()
}

/// A report whose signatures are checked in `signatures` picoseconds, and for which there are
/// `more_reads` than for any.
fn report(signatures: u64, more_reads: u64, validators: u32, nominators: u32) -> Weight {
    let (validators, nominators) = (u64::from(validators.max(LEAST_VALIDATORS)), u64::from(nominators));
    let proof = 35 * WEIGHT_REF_TIME_PER_MICROS + 175 * WEIGHT_REF_TIME_PER_NANOS * validators;
    let offence = (110 + 25 * nominators) * WEIGHT_REF_TIME_PER_MICROS;
    let accesses = NOMINATOR_ACCESSES * nominators;
    let reads = REPORT_READS + more_reads + accesses;
    Weight::from_parts(proof + signatures + offence, 0)
        .saturating_add(database().reads_writes(reads, REPORT_WRITES + accesses))
}

impl pallet_babe::WeightInfo for ParityDbEstimates {
    fn plan_config_change() -> Weight {
        database().writes(1)
    }

    fn report_equivocation(validators: u32, nominators: u32) -> Weight {
        report(110 * WEIGHT_REF_TIME_PER_MICROS, 0, validators, nominators)
    }
}

impl pallet_grandpa::WeightInfo for ParityDbEstimates {
    fn report_equivocation(validators: u32, nominators: u32) -> Weight {
        // Two more: in which sessions the set of authorities began and ended
        report(95 * WEIGHT_REF_TIME_PER_MICROS, 2, validators, nominators)
    }

    fn note_stalled() -> Weight {
        Weight::from_parts(3 * WEIGHT_REF_TIME_PER_MICROS, 0).saturating_add(database().writes(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use frame_support::weights::constants::RocksDbWeight;

    /// Whether `ours` is `upstream` with so many accesses of the one database for the other's.
    fn same(ours: Weight, upstream: Weight, reads: u64, writes: u64) -> bool {
        let (our_database, their_database): (RuntimeDbWeight, RuntimeDbWeight) = (database(), RocksDbWeight::get());
        ours + their_database.reads_writes(reads, writes) == upstream + our_database.reads_writes(reads, writes)
    }

    #[test]
    fn weights_of_reports_should_be_those_upstream_apart_from_the_database() {
        for (validators, nominators) in [(4, 0), (4, 1_000), (100, 7), (1_000, 1_000)] {
            let accesses = 3 * u64::from(nominators);
            let babe = <ParityDbEstimates as pallet_babe::WeightInfo>::report_equivocation(validators, nominators);
            let upstream = <() as pallet_babe::WeightInfo>::report_equivocation(validators, nominators);
            assert!(same(babe, upstream, 19 + accesses, 10 + accesses));
            assert!(babe.ref_time() < upstream.ref_time());

            let grandpa =
                <ParityDbEstimates as pallet_grandpa::WeightInfo>::report_equivocation(validators, nominators);
            let upstream = <() as pallet_grandpa::WeightInfo>::report_equivocation(validators, nominators);
            assert!(same(grandpa, upstream, 21 + accesses, 10 + accesses));
        }
    }

    #[test]
    fn weights_of_other_calls_should_be_those_upstream_apart_from_the_database() {
        let plan = <ParityDbEstimates as pallet_babe::WeightInfo>::plan_config_change();
        let upstream = <() as pallet_babe::WeightInfo>::plan_config_change();
        assert!(same(plan, upstream, 0, 1));
        let stalled = <ParityDbEstimates as pallet_grandpa::WeightInfo>::note_stalled();
        let upstream = <() as pallet_grandpa::WeightInfo>::note_stalled();
        assert!(same(stalled, upstream, 0, 1));
    }
}
