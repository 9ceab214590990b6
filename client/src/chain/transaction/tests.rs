//! What becomes of a transaction, on a chain that does what a test says.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::chain::{
    testing::{chain, hash_of, header, metadata, version, FakeNode, GENESIS},
    SPEC_NAME,
};
use assay_types::{api::runtime_decl_for_compute_api as api, BlobRef};
use codec::Encode;
use jsonrpsee::{types::ErrorObjectOwned, RpcModule, SubscriptionMessage};
use serde_json::{json, Value};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::sync::watch;

/// The chain as all restarts of its node see it.
#[derive(Clone)]
struct Fake {
    state: Arc<Mutex<State>>,
    best: watch::Sender<u32>,
}

struct State {
    /// Extrinsics of each block, in hexadecimal.
    blocks: Vec<Vec<String>>,
    /// Of the account, on the chain.
    nonce: u32,
    /// What was handed over, in order.
    submitted: Vec<String>,
    /// Answers to submissions; when none is left, they are taken.
    answers: VecDeque<Answer>,
    /// System.Events of every block.
    events: Vec<u8>,
}

type Answer = Result<Value, ErrorObjectOwned>;

fn hex_of(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn error(code: i32, data: impl serde::Serialize) -> Answer {
    Err(ErrorObjectOwned::owned(code, "refused", Some(data)))
}

impl Fake {
    /// A chain with one block.
    fn new() -> Self {
        let state = State {
            blocks: vec![vec![], vec![]],
            nonce: 0,
            submitted: vec![],
            answers: VecDeque::new(),
            events: Vec::<u8>::new().encode(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            best: watch::Sender::new(1),
        }
    }

    /// Adds a block with these extrinsics.
    fn author(&self, extrinsics: Vec<String>) {
        let mut state = self.state.lock().unwrap();
        state.blocks.push(extrinsics);
        let number = state.blocks.len() as u32 - 1;
        drop(state);
        self.best.send_replace(number);
    }

    fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answers.push_back(answer);
    }

    fn submitted(&self) -> Vec<String> {
        self.state.lock().unwrap().submitted.clone()
    }

    /// Waits for the submission with this number, counted from 1.
    async fn wait_submitted(&self, count: usize) -> String {
        loop {
            if let Some(extrinsic) = self.submitted().get(count - 1) {
                return extrinsic.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The first extrinsic of every block ends with this.
    fn fail_with(&self, module: u8, error: u8) {
        let dispatch_error = (3u8, module, [error, 0, 0, 0]);
        let dispatch_info = (0u8, 0u8, 0u8, 0u8);
        let failed = (
            (0u8, 0u32),
            (0u8, 1u8, dispatch_error, dispatch_info),
            Vec::<Hash>::new(),
        );
        self.state.lock().unwrap().events = vec![failed].encode();
    }

    fn number(&self, hash: Option<Hash>) -> Option<u32> {
        let best = *self.best.borrow();
        hash.map_or(Some(best), |hash| (0..=best).find(|number| hash_of(*number) == hash))
    }

    fn state_call(&self, function: &str) -> String {
        static METADATA: OnceLock<(u32, Vec<u8>)> = OnceLock::new();
        let (number, metadata) = METADATA.get_or_init(metadata);
        match function {
            "Core_version" => version(SPEC_NAME, &[(api::ID, api::VERSION)]),
            "Metadata_metadata_versions" => hex_of(&vec![*number].encode()),
            "Metadata_metadata_at_version" => hex_of(&Some(metadata).encode()),
            "AccountNonceApi_account_nonce" => hex_of(&self.state.lock().unwrap().nonce.encode()),
            "ComputeApi_submitted_in" => hex_of(&vec![7u64].encode()),
            _ => panic!("unexpected {function}"),
        }
    }

    fn submit(&self, extrinsic: String) -> Answer {
        let mut state = self.state.lock().unwrap();
        state.submitted.push(extrinsic);
        state.answers.pop_front().unwrap_or(Ok(json!(Hash::zero())))
    }

    fn module(&self) -> RpcModule<()> {
        let mut module = chain(GENESIS);
        let fake = self.clone();
        module.remove_method("chain_getHeader");
        module
            .register_method("chain_getHeader", move |parameters, _, _| {
                fake.number(parameters.sequence().optional_next().unwrap()).map(header)
            })
            .unwrap();
        let fake = self.clone();
        module
            .register_method("chain_getFinalizedHead", move |_, _, _| {
                json!(hash_of(fake.best.borrow().saturating_sub(1)))
            })
            .unwrap();
        let fake = self.clone();
        module
            .register_method("chain_getBlock", move |parameters, _, _| {
                let number = fake.number(parameters.one().unwrap())?;
                let extrinsics = fake.state.lock().unwrap().blocks[number as usize].clone();
                let block = json!({ "header": header(number), "extrinsics": extrinsics });
                Some(json!({ "block": block, "justifications": null }))
            })
            .unwrap();
        let fake = self.clone();
        module
            .register_method("system_accountNextIndex", move |_, _, _| {
                let state = fake.state.lock().unwrap();
                state.nonce + state.submitted.len() as u32
            })
            .unwrap();
        let fake = self.clone();
        module
            .register_method("state_call", move |parameters, _, _| {
                fake.state_call(&parameters.sequence().next::<String>().unwrap())
            })
            .unwrap();
        let fake = self.clone();
        module
            .register_method("state_getStorage", move |_, _, _| {
                hex_of(&fake.state.lock().unwrap().events)
            })
            .unwrap();
        for method in ["author_submitExtrinsic", "compute_submitJob"] {
            let fake = self.clone();
            module
                .register_method(method, move |parameters, _, _| {
                    fake.submit(parameters.sequence().next().unwrap())
                })
                .unwrap();
        }
        for (subscribe, notify, unsubscribe, lag) in [
            (
                "chain_subscribeNewHeads",
                "chain_newHead",
                "chain_unsubscribeNewHeads",
                0,
            ),
            (
                "chain_subscribeFinalizedHeads",
                "chain_finalizedHead",
                "chain_unsubscribeFinalizedHeads",
                1,
            ),
        ] {
            let fake = self.clone();
            module
                .register_subscription(subscribe, notify, unsubscribe, move |_, pending, _, _| {
                    let mut best = fake.best.subscribe();
                    best.mark_changed();
                    async move {
                        let sink = pending.accept().await.unwrap();
                        loop {
                            tokio::select! {
                                changed = best.changed() => changed.unwrap(),
                                () = sink.closed() => return,
                            }
                            let number = best.borrow_and_update().saturating_sub(lag);
                            let message = SubscriptionMessage::from_json(&header(number)).unwrap();
                            if sink.send(message).await.is_err() {
                                return;
                            }
                        }
                    }
                })
                .unwrap();
        }
        module
    }

    async fn connect(&self) -> (FakeNode, Chain) {
        let node = FakeNode::start(self.module()).await;
        let chain = Chain::connect(&node.url()).await.unwrap();
        (node, chain)
    }
}

fn alice() -> Keypair {
    Keypair::load("//Alice").unwrap()
}

fn spec() -> JobSpec {
    let input = BlobRef {
        hash: Hash::zero(),
        size: 1,
    };
    JobSpec {
        artifact: 0,
        input,
        sequences: 1,
        max_tokens: 1,
    }
}

/// Sends a transaction in the background.
fn send(chain: &Chain, until: Until) -> tokio::task::JoinHandle<Result<Included, ChainError>> {
    let chain = chain.clone();
    tokio::spawn(async move { chain.send(&calls::cancel(1), &alice(), until).await })
}

#[tokio::test]
async fn transaction_should_be_found_when_it_is_in_the_best_chain() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    let sent = send(&chain, Until::Best);
    let extrinsic = fake.wait_submitted(1).await;
    fake.author(vec!["0x00".into()]);
    fake.author(vec!["0x00".into(), extrinsic]);
    fake.author(vec![]);
    let included = sent.await.unwrap().unwrap();
    assert_eq!((included.block.number, included.index), (3, 1));
}

#[tokio::test]
async fn transaction_should_be_awaited_in_a_final_block_when_asked() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    let sent = send(&chain, Until::Finalized);
    let extrinsic = fake.wait_submitted(1).await;
    fake.author(vec![extrinsic]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!sent.is_finished());
    fake.author(vec![]);
    assert_eq!(sent.await.unwrap().unwrap().block.number, 2);
}

#[tokio::test]
async fn failure_should_be_told_by_name_when_the_chain_refuses() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    // ComputeMarket and the first of its errors, as the runtime numbers them.
    let client = chain.best().await.unwrap().client().await.unwrap();
    let market = client.metadata_ref().pallet_by_name("ComputeMarket").unwrap();
    let error = &market.error_variants().unwrap()[0];
    fake.fail_with(market.error_index(), error.index);
    let sent = send(&chain, Until::Best);
    let extrinsic = fake.wait_submitted(1).await;
    fake.author(vec![extrinsic]);
    let refused = sent.await.unwrap().unwrap_err();
    assert_eq!(
        refused.pallet_error(),
        Some(("ComputeMarket", error.name.as_str())),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .starts_with("the chain refused ComputeMarket.cancel: "),
        "{refused}"
    );
}

#[tokio::test]
async fn transaction_should_be_signed_anew_when_its_nonce_was_taken() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    fake.answer(error(INVALID_TRANSACTION, "Transaction is outdated"));
    fake.answer(error(TOO_LOW_PRIORITY, "The transaction has too low priority"));
    chain.submit(&calls::cancel(1), &alice()).await.unwrap();
    let submitted = fake.submitted();
    assert_eq!(submitted.len(), 3);
    assert!(submitted[0] != submitted[1] && submitted[1] != submitted[2]);
}

#[tokio::test]
async fn transaction_should_be_refused_when_the_pool_does_not_take_it() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    fake.answer(error(INVALID_TRANSACTION, "Inability to pay some fees"));
    let refused = chain.submit(&calls::cancel(1), &alice()).await.unwrap_err();
    assert!(
        matches!(&refused, ChainError::Refused { reason, .. } if reason.contains("fees")),
        "{refused}"
    );
    assert_eq!(fake.submitted().len(), 1);
}

#[tokio::test]
async fn transaction_should_be_handed_over_again_when_the_node_forgot_it() {
    let fake = Fake::new();
    let (mut node, chain) = fake.connect().await;
    let sent = send(&chain, Until::Best);
    let first = fake.wait_submitted(1).await;
    node.restart(fake.module(), Duration::from_millis(300)).await;
    while fake.submitted().len() < 2 {
        fake.author(vec![]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let second = fake.wait_submitted(2).await;
    assert_eq!(first, second, "the same bytes, so that it is done once");
    fake.author(vec![second]);
    sent.await.unwrap().unwrap();
}

#[tokio::test]
async fn displacement_should_be_told_when_another_transaction_used_the_nonce() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    let sent = send(&chain, Until::Best);
    fake.wait_submitted(1).await;
    fake.state.lock().unwrap().nonce = 1;
    fake.author(vec![]);
    assert!(matches!(
        sent.await.unwrap(),
        Err(ChainError::Displaced { nonce: 0, .. })
    ));
}

#[tokio::test]
async fn expiry_should_be_told_when_the_transaction_can_be_in_no_block() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    let submitted = chain.submit(&calls::cancel(1), &alice()).await.unwrap();
    for _ in 0..=MORTALITY {
        fake.author(vec![]);
    }
    let error = submitted.wait(Until::Best).await.unwrap_err();
    assert!(
        matches!(error, ChainError::Expired { until, .. } if until == MORTALITY - 1),
        "{error}"
    );
}

#[tokio::test]
async fn transactions_of_an_account_should_have_nonces_of_their_own_when_sent_at_once() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    let call = calls::cancel(1);
    let sent = (0..5).map(|_| async { chain.submit(&call, &alice()).await.unwrap().nonce });
    let mut nonces = futures::future::join_all(sent).await;
    nonces.sort_unstable();
    assert_eq!(nonces, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn job_should_have_the_id_that_the_node_names() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    fake.answer(Ok(json!(42)));
    assert_eq!(chain.submit_job(&spec(), 1, Some(b"x"), &alice()).await.unwrap(), 42);
}

#[tokio::test]
async fn job_should_be_looked_for_on_the_chain_when_the_node_did_not_see_it_included() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    fake.answer(error(NOT_INCLUDED_YET, json!({ "extrinsicHash": Hash::zero() })));
    let submitting = tokio::spawn(async move { chain.submit_job(&spec(), 1, Some(b"x"), &alice()).await });
    let extrinsic = fake.wait_submitted(1).await;
    fake.author(vec![extrinsic]);
    assert_eq!(submitting.await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn job_should_be_refused_by_name_with_docs_when_it_failed_in_its_block() {
    let fake = Fake::new();
    let (_node, chain) = fake.connect().await;
    fake.answer(error(JOB_FAILED, json!({ "error": "ComputeMarket.UnknownArtifact" })));
    let refused = chain.submit_job(&spec(), 1, None, &alice()).await.unwrap_err();
    let ChainError::Dispatch { failure, .. } = &refused else {
        panic!("{refused}")
    };
    assert_eq!(refused.pallet_error(), Some(("ComputeMarket", "UnknownArtifact")));
    assert!(!failure.docs.is_empty());
}
