//! Every call, encoded by name, against the runtime's own idea of it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::keys::Keypair;
use assay_runtime::{Address, RuntimeCall, UncheckedExtrinsic, VERSION};
use codec::{DecodeAll, Encode};
use subxt::{
    config::{substrate::SpecVersionForRange, SubstrateExtrinsicParamsBuilder},
    Metadata, OfflineClient, OfflineClientAtBlock, SubstrateConfig,
};

const GENESIS: Hash = Hash::repeat_byte(1);

fn client() -> OfflineClientAtBlock<SubstrateConfig> {
    let metadata = Metadata::decode_from(&crate::chain::testing::metadata().1).unwrap();
    let versions = SpecVersionForRange {
        block_range: 0..u64::MAX,
        spec_version: VERSION.spec_version,
        transaction_version: VERSION.transaction_version,
    };
    let config = SubstrateConfig::builder()
        .set_genesis_hash(GENESIS)
        .set_metadata_for_spec_versions([(VERSION.spec_version, metadata.into())])
        .set_spec_version_for_block_ranges([versions])
        .build();
    OfflineClient::new_with_config(config).at_block(1u64).unwrap()
}

fn blob(byte: u8) -> BlobRef {
    BlobRef {
        hash: Hash::repeat_byte(byte),
        size: u64::MAX - 1,
    }
}

fn account(byte: u8) -> AccountId {
    AccountId::new([byte; 32])
}

#[test]
fn calls_should_be_what_the_runtime_decodes() {
    use pallet_artifacts::Call as Artifacts;
    use pallet_compute_market::Call as Market;
    use pallet_workers::Call as Workers;

    let profile = ModelProfile {
        units_per_token: u64::MAX,
        max_sequence: 512,
        dimensions: 384,
    };
    let spec = JobSpec {
        artifact: 3,
        input: blob(4),
        sequences: 5,
        max_tokens: u32::MAX,
    };
    let outcome = Outcome {
        status: Status::MalformedInput,
        tokens: 6,
        result: Hash::repeat_byte(7),
        trace: Hash::repeat_byte(8),
        delivered: Hash::repeat_byte(9),
        delivered_size: 10,
    };
    let endpoint = || b"http://host".to_vec().try_into().unwrap();
    let expected: Vec<(Call, RuntimeCall)> = vec![
        (
            register_model(&blob(1), Hash::repeat_byte(2), &profile, u128::MAX),
            Artifacts::register_model {
                package: blob(1),
                metadata: Hash::repeat_byte(2),
                profile,
                price_per_use: u128::MAX,
            }
            .into(),
        ),
        (
            set_terms(1, 2),
            Artifacts::set_terms {
                id: 1,
                price_per_use: 2,
            }
            .into(),
        ),
        (retire(1), Artifacts::retire { id: 1 }.into()),
        (
            register_worker(&account(1), "http://host", 2, 3),
            Workers::register {
                hot_key: account(1),
                endpoint: endpoint(),
                bond: 2,
                ask: 3,
            }
            .into(),
        ),
        (bond_extra(1), Workers::bond_extra { amount: 1 }.into()),
        (set_ask(1), Workers::set_ask { ask: 1 }.into()),
        (
            set_hot_key(&account(1)),
            Workers::set_hot_key { hot_key: account(1) }.into(),
        ),
        (
            set_endpoint("http://host"),
            Workers::set_endpoint { endpoint: endpoint() }.into(),
        ),
        (
            validate_artifacts(&[1, 2]),
            Workers::validate_artifacts {
                ready: vec![1, 2].try_into().unwrap(),
            }
            .into(),
        ),
        (
            validate_artifacts(&[]),
            Workers::validate_artifacts {
                ready: vec![].try_into().unwrap(),
            }
            .into(),
        ),
        (chill(), Workers::chill {}.into()),
        (resume(), Workers::resume {}.into()),
        (deregister(), Workers::deregister {}.into()),
        (
            submit(&spec, 11),
            Market::submit {
                spec: spec.clone(),
                max_fee: 11,
            }
            .into(),
        ),
        (cancel(u64::MAX), Market::cancel { job: u64::MAX }.into()),
        (acknowledge(1), Market::acknowledge { job: 1 }.into()),
        (
            commit(1, 2, Hash::repeat_byte(3)),
            Market::commit {
                job: 1,
                attempt: 2,
                commitment: Hash::repeat_byte(3),
            }
            .into(),
        ),
        (
            reveal(1, 2, &outcome, &[4; 32]),
            Market::reveal {
                job: 1,
                attempt: 2,
                outcome,
                salt: [4; 32],
            }
            .into(),
        ),
        (
            report_unavailable(1, 2, UnavailableBlob::Package),
            Market::report_unavailable {
                job: 1,
                attempt: 2,
                blob: UnavailableBlob::Package,
            }
            .into(),
        ),
        (expire(1), Market::expire { job: 1 }.into()),
    ];
    let client = client();
    for (call, expected) in expected {
        let encoded = client.transactions().call_data(call.payload()).unwrap();
        assert_eq!(
            RuntimeCall::decode_all(&mut &encoded[..]).unwrap(),
            expected,
            "{}",
            call.name()
        );
    }
}

#[test]
fn call_should_be_refused_when_an_argument_is_not_the_runtimes() {
    let client = client();
    for call in [
        Call::new(MARKET, "cancel", [("id", Value::u128(1))]),
        Call::new(MARKET, "cancel", []),
        Call::new(MARKET, "no_such_call", []),
        Call::new(WORKERS, "set_ask", [("ask", Value::string("1"))]),
    ] {
        assert!(
            client.transactions().call_data(call.payload()).is_err(),
            "{}",
            call.name()
        );
    }
}

#[test]
fn transaction_should_be_what_the_runtime_decodes_when_signed() {
    let key = Keypair::load("//Alice").unwrap();
    let params = SubstrateExtrinsicParamsBuilder::new()
        .mortal_from_unchecked(128, 1, Hash::repeat_byte(2))
        .nonce(3);
    let call = cancel(1);
    let client = client();
    let mut signable = client
        .transactions()
        .create_signable_offline(call.payload(), params.build())
        .unwrap();
    let bytes = signable.sign(key.signer()).unwrap().into_encoded();
    let extrinsic = UncheckedExtrinsic::decode_all(&mut &bytes[..]).unwrap();
    assert_eq!(extrinsic.encode(), bytes);
    assert_eq!(
        extrinsic.function,
        pallet_compute_market::Call::cancel { job: 1 }.into()
    );
    let sp_runtime::generic::Preamble::Signed(address, signature, extension) = extrinsic.preamble else {
        panic!("expected a signed transaction")
    };
    assert_eq!(address, Address::Id(key.account()));
    // As the runtime signs: with the implicit parts of its own extensions.
    let implicit = (
        (),
        VERSION.spec_version,
        VERSION.transaction_version,
        GENESIS,
        Hash::repeat_byte(2),
        (),
        (),
        (),
        None::<[u8; 32]>,
        (),
    );
    let payload = (&extrinsic.function, &extension, implicit).encode();
    let signed = |message: &[u8]| sp_runtime::traits::Verify::verify(&signature, message, &key.account());
    assert!(if payload.len() > 256 {
        signed(crate::chain::hash_of(&payload).as_bytes())
    } else {
        signed(&payload)
    });
}
