//! A chain in memory: genesis by preset or for given validators, blocks as a node would make them.

use crate::{
    constants::time::SLOT_DURATION,
    genesis_config_presets::{self, get_preset, Validator},
    AccountId, AllPalletsWithSystem, Artifacts, Babe, BlockNumber, ComputeMarket, Executive, Header, Runtime,
    RuntimeCall, RuntimeEvent, RuntimeGenesisConfig, Signature, SignedPayload, System, TxExtension, UncheckedExtrinsic,
    Workers,
};
use codec::{Decode, Encode};
use frame_support::{genesis_builder_helper, traits::PalletsInfoAccess};
use serde_json::Value;
use sp_consensus_babe::{
    digests::{PreDigest, SecondaryVRFPreDigest},
    make_vrf_sign_data, Epoch, Slot, BABE_ENGINE_ID,
};
use sp_core::{
    crypto::VrfSecret,
    offchain::{testing::TestTransactionPoolExt, TransactionPoolExt},
};
use sp_genesis_builder::DEV_RUNTIME_PRESET;
use sp_io::TestExternalities;
use sp_keyring::Sr25519Keyring;
use sp_keystore::{testing::MemoryKeystore, KeystoreExt};
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
    state(serde_json::from_slice(&get_preset(&id.into()).unwrap()).unwrap())
}

/// The state after genesis by this patch of the default configuration.
fn state(patch: Value) -> TestExternalities {
    let mut ext = TestExternalities::new_empty();
    ext.execute_with(|| {
        let default = genesis_builder_helper::get_preset::<RuntimeGenesisConfig>(&None, |_| None).unwrap();
        let mut config: Value = serde_json::from_slice(&default).unwrap();
        merge(&mut config, patch);
        genesis_builder_helper::build_state::<RuntimeGenesisConfig>(config.to_string().into_bytes()).unwrap();
    });
    ext
}

/// A chain whose validators have the keyring's session keys.
pub(super) struct Chain {
    ext: TestExternalities,
    author: Sr25519Keyring,
    head: Header,
    slot: Slot,
}

impl Chain {
    /// The development chain, at genesis.
    pub(super) fn development() -> Self {
        Self::new(genesis(DEV_RUNTIME_PRESET))
    }

    /// A chain with these validators and the default parameters, at genesis.
    pub(super) fn with_validators(names: &[&str]) -> Self {
        let validators = names.iter().map(|name| Validator::from_name(name)).collect();
        Self::new(state(genesis_config_presets::genesis(validators, Default::default())))
    }

    fn new(mut ext: TestExternalities) -> Self {
        ext.register_extension(KeystoreExt::new(MemoryKeystore::new()));
        let head = Header::new(
            0,
            Default::default(),
            Default::default(),
            Default::default(),
            Default::default(),
        );
        Self {
            ext,
            author: Sr25519Keyring::Alice,
            head,
            slot: Slot::from(FIRST_SLOT),
        }
    }

    /// The next blocks are authored by `author`, which has to be a validator. At first it is `//Alice`.
    pub(super) fn authored_by(&mut self, author: Sr25519Keyring) {
        self.author = author;
    }

    /// Reads the state.
    pub(super) fn read<R>(&mut self, read: impl FnOnce() -> R) -> R {
        self.ext.execute_with(read)
    }

    /// The next block, in which `apply` is done after the inherents.
    pub(super) fn produce<R>(&mut self, apply: impl FnOnce() -> R) -> R {
        let number = self.head.number + 1;
        let (slot, parent, author) = (self.slot, self.head.hash(), self.author);
        let (head, result) = self.ext.execute_with(|| {
            let epoch = epoch(number, slot);
            let index = epoch
                .authorities
                .iter()
                .position(|(key, _)| key.clone().into_inner() == author.public())
                .expect("the author is a validator");
            let digest = PreDigest::SecondaryVRF(SecondaryVRFPreDigest {
                authority_index: index as u32,
                slot,
                vrf_signature: author
                    .pair()
                    .vrf_sign(&make_vrf_sign_data(&epoch.randomness, slot, epoch.epoch_index)),
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
            let result = apply();
            (Executive::finalize_block(), result)
        });
        self.head = head;
        self.slot = slot + 1;
        self.check();
        result
    }

    /// The next block, with these calls, each signed by its sender. Their results are returned.
    pub(super) fn block(&mut self, calls: Vec<(Sr25519Keyring, RuntimeCall)>) -> Vec<ApplyExtrinsicResult> {
        self.produce(|| {
            calls
                .into_iter()
                .map(|(sender, call)| Executive::apply_extrinsic(sign(sender, call)))
                .collect()
        })
    }

    /// The next block, which comes so late that a session begins with it.
    pub(super) fn next_session(&mut self) {
        self.slot = self.read(|| Babe::next_epoch().start_slot);
        self.block(vec![]);
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

    /// The transaction that the runtime sends to the node's pool when `act` is done outside a block.
    pub(super) fn sent(&mut self, act: impl FnOnce()) -> UncheckedExtrinsic {
        let (pool, sent) = TestTransactionPoolExt::new();
        self.ext.register_extension(TransactionPoolExt::new(pool));
        self.ext.execute_with(act);
        let sent = sent.write().transactions.pop().expect("something was sent");
        UncheckedExtrinsic::decode(&mut &sent[..]).unwrap()
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

/// The epoch to which block `number` belongs if it has this slot.
fn epoch(number: BlockNumber, slot: Slot) -> Epoch {
    let current = Babe::current_epoch();
    // The first epoch begins with the first block; any other when a block comes after the end of
    // the one before.
    let over = number > 1 && *slot >= *current.start_slot + current.duration;
    if over {
        Babe::next_epoch()
    } else {
        current
    }
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
