//! Every call of our pallets fits into a block.

use crate::{
    configs::{
        staking::{MaxActiveValidators, MaxElectableTargets, MaxElectingVoters},
        system::{RuntimeBlockLength, RuntimeBlockWeights},
    },
    Runtime, RuntimeCall,
};
use assay_types::{BlobRef, JobSpec, ModelProfile, Outcome, Status, UnavailableBlob};
use codec::Encode;
use frame_election_provider_support::WeightInfo as _;
use frame_support::{
    dispatch::{DispatchClass, GetDispatchInfo},
    traits::{Get, GetCallMetadata},
    BoundedVec,
};
use sp_core::H256;
use sp_io::TestExternalities;

/// One of each call of our pallets, as large as it can be.
fn calls() -> Vec<RuntimeCall> {
    let blob = BlobRef {
        hash: H256::repeat_byte(1),
        size: u64::MAX,
    };
    let profile = ModelProfile {
        units_per_token: u64::MAX,
        max_sequence: u32::MAX,
        dimensions: u32::MAX,
    };
    let hash = H256::repeat_byte(2);
    let outcome = Outcome {
        status: Status::Completed,
        tokens: u32::MAX,
        result: hash,
        trace: hash,
        delivered: hash,
        delivered_size: u64::MAX,
    };
    let spec = JobSpec {
        artifact: u32::MAX,
        input: blob,
        sequences: u32::MAX,
        max_tokens: u32::MAX,
    };
    let length: u32 = <Runtime as pallet_workers::Config>::MaxEndpointLength::get();
    let endpoint = BoundedVec::truncate_from(vec![b'x'; length as usize]);
    let count: u32 = <Runtime as pallet_workers::Config>::MaxReadyPerWorker::get();
    let ready = (0..count).collect::<Vec<_>>();
    let hot_key = crate::AccountId::new([7; 32]);
    let (job, attempt, amount) = (u64::MAX, u32::MAX, u128::MAX);
    use {pallet_artifacts::Call as Artifacts, pallet_compute_market::Call as Market, pallet_workers::Call as Workers};
    vec![
        Artifacts::register_model {
            package: blob,
            metadata: hash,
            profile,
            price_per_use: amount,
        }
        .into(),
        Artifacts::set_terms {
            id: u32::MAX,
            price_per_use: amount,
        }
        .into(),
        Artifacts::retire { id: u32::MAX }.into(),
        Workers::register {
            hot_key: hot_key.clone(),
            endpoint: endpoint.clone(),
            bond: amount,
            ask: amount,
        }
        .into(),
        Workers::bond_extra { amount }.into(),
        Workers::set_ask { ask: amount }.into(),
        Workers::set_hot_key { hot_key }.into(),
        Workers::set_endpoint { endpoint }.into(),
        Workers::validate_artifacts {
            ready: BoundedVec::truncate_from(ready),
        }
        .into(),
        Workers::chill {}.into(),
        Workers::resume {}.into(),
        Workers::deregister {}.into(),
        Market::submit { spec, max_fee: amount }.into(),
        Market::cancel { job }.into(),
        Market::acknowledge { job }.into(),
        Market::commit {
            job,
            attempt,
            commitment: hash,
        }
        .into(),
        Market::reveal {
            job,
            attempt,
            outcome,
            salt: [9; 32],
        }
        .into(),
        Market::report_unavailable {
            job,
            attempt,
            blob: UnavailableBlob::Package,
        }
        .into(),
        Market::expire { job }.into(),
    ]
}

#[test]
fn calls_should_cover_every_call_of_our_pallets() {
    for pallet in ["Artifacts", "Workers", "ComputeMarket"] {
        let mut expected = RuntimeCall::get_call_names(pallet).to_vec();
        let mut covered = calls()
            .iter()
            .map(GetCallMetadata::get_call_metadata)
            .filter(|metadata| metadata.pallet_name == pallet)
            .map(|metadata| metadata.function_name)
            .collect::<Vec<_>>();
        expected.sort_unstable();
        covered.sort_unstable();
        assert_eq!(covered, expected, "{pallet}");
    }
}

#[test]
fn calls_should_fit_many_times_into_a_block() {
    TestExternalities::new_empty().execute_with(|| {
        let weights = RuntimeBlockWeights::get();
        let limit = weights.get(DispatchClass::Normal).max_extrinsic.unwrap();
        let length = RuntimeBlockLength::get();
        for call in calls() {
            let name = call.get_call_metadata().function_name;
            let weight = call.get_dispatch_info().call_weight;
            assert!(
                weight.saturating_mul(10).all_lte(limit),
                "{name} takes {weight}, ten of them must fit {limit}"
            );
            let bytes = call.encoded_size() as u32;
            assert!(
                bytes * 100 < *length.max.get(DispatchClass::Normal),
                "{name} has {bytes} bytes"
            );
        }
    });
}

#[test]
fn election_should_take_less_than_half_a_block() {
    type Weights = frame_election_provider_support::weights::SubstrateWeight<Runtime>;
    let weight = Weights::phragmen(MaxElectingVoters::get(), MaxElectableTargets::get(), 16);
    let half = RuntimeBlockWeights::get().max_block.saturating_div(2);
    assert!(weight.all_lte(half), "{weight} of {half}");
    assert!(MaxActiveValidators::get() <= MaxElectableTargets::get());
}

#[test]
fn reports_of_equivocation_should_fit_into_a_block() {
    let limit = RuntimeBlockWeights::get()
        .get(DispatchClass::Normal)
        .max_extrinsic
        .unwrap();
    let (validators, nominators) = (MaxActiveValidators::get(), MaxElectingVoters::get());
    let author = <<Runtime as pallet_babe::Config>::WeightInfo as pallet_babe::WeightInfo>::report_equivocation;
    let voter = <<Runtime as pallet_grandpa::Config>::WeightInfo as pallet_grandpa::WeightInfo>::report_equivocation;
    for weight in [author(validators, nominators), voter(validators, nominators)] {
        assert!(weight.all_lte(limit), "{weight} of {limit}");
    }
}
