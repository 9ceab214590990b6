//! A chain in memory: genesis by preset, blocks as a node would make them, by one author.

use crate::{
    constants::time::SLOT_DURATION, genesis_config_presets::get_preset, AccountId, AllPalletsWithSystem, Artifacts,
    Babe, BlockNumber, ComputeMarket, Executive, Header, Runtime, RuntimeCall, RuntimeEvent, RuntimeGenesisConfig,
    Signature, SignedPayload, System, TxExtension, UncheckedExtrinsic, Workers,
};
use codec::Encode;
use frame_support::{genesis_builder_helper, traits::PalletsInfoAccess};
use serde_json::Value;
use sp_consensus_babe::{
    digests::{PreDigest, SecondaryVRFPreDigest},
    make_vrf_sign_data, Slot, BABE_ENGINE_ID,
};
use sp_core::{
    crypto::VrfSecret,
    sr25519::{self, vrf::VrfSignData},
};
use sp_genesis_builder::DEV_RUNTIME_PRESET;
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{generic::Era, traits::Header as _, ApplyExtrinsicResult, Digest, DigestItem};

/// Slot of the first block.
const FIRST_SLOT: u64 = 600_000_000;

/// Overwrites `base` with what `patch` has, as a node does with a preset.
fn merge(base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, patch) => *base = patch,
    }
}

/// The state after genesis by the preset `id`.
pub(super) fn genesis(id: &str) -> TestExternalities {
    let mut ext = TestExternalities::new_empty();
    ext.execute_with(|| {
        let default = genesis_builder_helper::get_preset::<RuntimeGenesisConfig>(&None, |_| None).unwrap();
        let mut config: Value = serde_json::from_slice(&default).unwrap();
        merge(
            &mut config,
            serde_json::from_slice(&get_preset(&id.into()).unwrap()).unwrap(),
        );
        genesis_builder_helper::build_state::<RuntimeGenesisConfig>(config.to_string().into_bytes()).unwrap();
    });
    ext
}

/// The development chain, whose author is `//Alice`.
pub(super) struct Chain {
    ext: TestExternalities,
    author: sr25519::Pair,
    head: Header,
}

impl Chain {
    /// At genesis.
    pub(super) fn development() -> Self {
        let head = Header::new(
            0,
            Default::default(),
            Default::default(),
            Default::default(),
            Default::default(),
        );
        Self {
            ext: genesis(DEV_RUNTIME_PRESET),
            author: Sr25519Keyring::Alice.pair(),
            head,
        }
    }

    /// Reads the state.
    pub(super) fn read<R>(&mut self, read: impl FnOnce() -> R) -> R {
        self.ext.execute_with(read)
    }

    /// The next block, with these calls, each signed by its sender. Their results are returned.
    pub(super) fn block(&mut self, calls: Vec<(Sr25519Keyring, RuntimeCall)>) -> Vec<ApplyExtrinsicResult> {
        let number = self.head.number + 1;
        let slot = Slot::from(FIRST_SLOT + u64::from(number));
        let (parent, author) = (self.head.hash(), self.author.clone());
        let (head, results) = self.ext.execute_with(|| {
            let vrf_signature = author.vrf_sign(&vrf_input(number, slot));
            let digest = PreDigest::SecondaryVRF(SecondaryVRFPreDigest {
                authority_index: 0,
                slot,
                vrf_signature,
            });
            let digest = Digest {
                logs: vec![DigestItem::PreRuntime(BABE_ENGINE_ID, digest.encode())],
            };
            Executive::initialize_block(&Header::new(
                number,
                Default::default(),
                Default::default(),
                parent,
                digest,
            ));

            let now = pallet_timestamp::Call::set {
                now: *slot * SLOT_DURATION,
            };
            Executive::apply_extrinsic(UncheckedExtrinsic::new_bare(now.into()))
                .unwrap()
                .unwrap();
            let results = calls
                .into_iter()
                .map(|(sender, call)| Executive::apply_extrinsic(sign(sender, call)))
                .collect::<Vec<_>>();
            (Executive::finalize_block(), results)
        });
        self.head = head;
        self.check();
        results
    }

    /// The next blocks until `done`, at most `limit`.
    pub(super) fn until(&mut self, limit: u32, mut done: impl FnMut() -> bool) {
        for _ in 0..limit {
            if self.read(&mut done) {
                return;
            }
            self.block(vec![]);
        }
        panic!(
            "still not there after {limit} blocks; last events: {:?}",
            self.read(events)
        );
    }

    /// A block with one call, which has to succeed.
    pub(super) fn call(&mut self, sender: Sr25519Keyring, call: impl Into<RuntimeCall>) {
        let results = self.block(vec![(sender, call.into())]);
        assert_eq!(results, vec![Ok(Ok(()))]);
    }

    /// The invariants of our pallets.
    fn check(&mut self) {
        self.read(|| {
            Artifacts::do_try_state().unwrap();
            Workers::do_try_state().unwrap();
            ComputeMarket::do_try_state().unwrap();
        });
    }
}

/// What the author of block `number` signs to claim `slot`.
fn vrf_input(number: BlockNumber, slot: Slot) -> VrfSignData {
    let current = Babe::current_epoch();
    // The first epoch begins with the first block; any other when a block comes after the end of
    // the one before.
    let over = number > 1 && *slot >= *current.start_slot + current.duration;
    let epoch = if over { Babe::next_epoch() } else { current };
    make_vrf_sign_data(&epoch.randomness, slot, epoch.epoch_index)
}

/// The extensions of a transaction with this nonce.
pub(super) fn extension(nonce: crate::Nonce) -> TxExtension {
    (
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckEra::from(Era::Immortal),
        frame_system::CheckNonce::from(nonce),
        frame_system::CheckWeight::new(),
        pallet_transaction_payment::ChargeTransactionPayment::from(0),
        frame_metadata_hash_extension::CheckMetadataHash::new(false),
        frame_system::WeightReclaim::new(),
    )
}

/// `call`, signed by `sender` with its next nonce.
pub(super) fn sign(sender: Sr25519Keyring, call: RuntimeCall) -> UncheckedExtrinsic {
    let account = sender.to_account_id();
    let extension = extension(System::account_nonce(&account));
    let payload = SignedPayload::new(call.clone(), extension.clone()).unwrap();
    let signature = payload.using_encoded(|payload| sender.sign(payload));
    UncheckedExtrinsic::new_signed(call, account.into(), Signature::Sr25519(signature), extension)
}

/// The account of a keyring entry.
pub(super) fn account(of: Sr25519Keyring) -> AccountId {
    of.to_account_id()
}

/// Events of the current block.
pub(super) fn events() -> Vec<RuntimeEvent> {
    frame_system::Pallet::<Runtime>::events()
        .into_iter()
        .map(|record| record.event)
        .collect()
}

/// Names of the pallets, in order.
pub(super) fn pallets() -> Vec<&'static str> {
    AllPalletsWithSystem::infos()
        .into_iter()
        .map(|info| info.name)
        .collect()
}
