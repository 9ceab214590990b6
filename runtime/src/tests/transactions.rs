//! The transaction format, which wallets build on.

use super::chain::{extension, genesis, sign};
use crate::{
    configs::accounts::ProxyType, extrinsics::name_of, AccountId, RuntimeCall, TxExtension, UncheckedExtrinsic,
};
use assay_types::{api::runtime_decl_for_compute_api::ComputeApiV1, BlobRef, JobSpec, Submission};
use codec::Encode;
use frame_support::traits::InstanceFilter;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::TransactionExtension, DispatchError, TokenError};

fn spec() -> JobSpec {
    JobSpec {
        artifact: 3,
        input: BlobRef {
            hash: sp_core::H256::repeat_byte(1),
            size: 24,
        },
        sequences: 1,
        max_tokens: 4,
    }
}

fn submit() -> RuntimeCall {
    pallet_compute_market::Call::submit {
        spec: spec(),
        max_fee: 7,
    }
    .into()
}

#[test]
fn extensions_should_be_those_that_wallets_know_in_their_order() {
    let identifiers = <TxExtension as TransactionExtension<RuntimeCall>>::metadata()
        .into_iter()
        .map(|extension| extension.identifier)
        .collect::<Vec<_>>();
    assert_eq!(
        identifiers,
        [
            "CheckNonZeroSender",
            "CheckSpecVersion",
            "CheckTxVersion",
            "CheckGenesis",
            "CheckMortality",
            "CheckNonce",
            "CheckWeight",
            "ChargeTransactionPayment",
            "CheckMetadataHash",
            "WeightReclaim",
        ]
    );
    // Era, compact nonce, compact tip, mode.
    assert_eq!(extension(1).encode(), [0, 4, 0, 0]);
}

#[test]
fn submission_should_be_found_in_a_signed_extrinsic_that_only_submits() {
    genesis("development").execute_with(|| {
        let submission = |extrinsic: UncheckedExtrinsic| crate::Runtime::submission(extrinsic.encode());
        assert_eq!(
            submission(sign(Sr25519Keyring::Alice, submit())),
            Some(Submission { spec: spec() })
        );
        assert_eq!(submission(UncheckedExtrinsic::new_bare(submit())), None);
        let batch = pallet_utility::Call::batch { calls: vec![submit()] };
        assert_eq!(submission(sign(Sr25519Keyring::Alice, batch.into())), None);
        let cancel = pallet_compute_market::Call::cancel { job: 1 };
        assert_eq!(submission(sign(Sr25519Keyring::Alice, cancel.into())), None);

        let encoded = sign(Sr25519Keyring::Alice, submit()).encode();
        assert_eq!(crate::Runtime::submission(encoded[..encoded.len() - 1].to_vec()), None);
        assert_eq!(crate::Runtime::submission([encoded, vec![0]].concat()), None);
    });
}

#[test]
fn errors_should_be_named_by_pallet_and_error() {
    let market = pallet_compute_market::Error::<crate::Runtime>::UnknownArtifact;
    assert_eq!(name_of(market.into()), "ComputeMarket.UnknownArtifact");
    assert_eq!(name_of(TokenError::FundsUnavailable.into()), "Token.FundsUnavailable");
    assert_eq!(name_of(DispatchError::BadOrigin), "BadOrigin");
}

#[test]
fn proxies_should_be_held_to_their_type() {
    let dest: AccountId = Sr25519Keyring::Bob.to_account_id();
    let transfer = RuntimeCall::from(pallet_balances::Call::transfer_keep_alive {
        dest: dest.into(),
        value: 1,
    });
    let vote = RuntimeCall::from(pallet_conviction_voting::Call::remove_vote { class: None, index: 0 });
    let chill = RuntimeCall::from(pallet_staking::Call::chill {});
    let allowed = |proxy: ProxyType| [&transfer, &vote, &chill, &submit()].map(|call| proxy.filter(call));
    assert_eq!(allowed(ProxyType::Any), [true, true, true, true]);
    assert_eq!(allowed(ProxyType::NonTransfer), [false, true, true, false]);
    assert_eq!(allowed(ProxyType::Governance), [false, true, false, false]);
    assert_eq!(allowed(ProxyType::Staking), [false, false, true, false]);
    assert_eq!(allowed(ProxyType::Compute), [false, false, false, true]);
    assert!(ProxyType::Any.is_superset(&ProxyType::Compute));
    assert!(!ProxyType::NonTransfer.is_superset(&ProxyType::Compute));
    assert!(!ProxyType::Compute.is_superset(&ProxyType::Any));
}
