//! Which chains are taken, and that no finalized block is left out.

#![allow(clippy::unwrap_used)]

use super::{
    testing::{chain, hash_of, header, with_version, FakeNode, GENESIS},
    *,
};
use futures::StreamExt;
use jsonrpsee::{PendingSubscriptionSink, RpcModule, SubscriptionMessage};
use std::time::Duration;

const API: ([u8; 8], u32) = (runtime_decl_for_compute_api::ID, runtime_decl_for_compute_api::VERSION);

/// An Assay node that notifies of the heads with these numbers, and then of nothing more.
fn assay(kind: Kind, heads: &'static [u32]) -> RpcModule<()> {
    let (subscribe, notify, unsubscribe) = match kind {
        Kind::Best => ("chain_subscribeNewHeads", "chain_newHead", "chain_unsubscribeNewHeads"),
        Kind::Finalized => (
            "chain_subscribeFinalizedHeads",
            "chain_finalizedHead",
            "chain_unsubscribeFinalizedHeads",
        ),
    };
    let mut module = with_version(chain(GENESIS), SPEC_NAME, &[API]);
    let notifications = move |_, pending: PendingSubscriptionSink, _, _| async move {
        let sink = pending.accept().await.unwrap();
        for number in heads {
            sink.send(SubscriptionMessage::from_json(&header(*number)).unwrap())
                .await
                .unwrap();
        }
        sink.closed().await;
    };
    module
        .register_subscription(subscribe, notify, unsubscribe, notifications)
        .unwrap();
    module
}

async fn connect(module: RpcModule<()>) -> Result<(FakeNode, Chain), ChainError> {
    let node = FakeNode::start(module).await;
    let chain = Chain::connect(&node.url()).await?;
    Ok((node, chain))
}

#[tokio::test]
async fn chain_should_be_taken_when_it_is_ours() {
    let (_node, chain) = connect(with_version(chain(GENESIS), SPEC_NAME, &[([0; 8], 9), API]))
        .await
        .unwrap();
    assert_eq!(chain.genesis_hash(), Hash::repeat_byte(GENESIS));
    let best = chain.best().await.unwrap();
    assert_eq!((best.number, best.hash), (1, hash_of(1)));
}

#[tokio::test]
async fn chain_should_be_refused_when_it_is_another_or_of_another_version() {
    let error = connect(with_version(chain(GENESIS), "polkadot", &[API]))
        .await
        .err()
        .unwrap();
    assert!(
        matches!(&error, ChainError::WrongChain { got, .. } if got == "polkadot"),
        "{error}"
    );
    for (apis, expected) in [(vec![], 0), (vec![(API.0, API.1 + 1)], API.1 + 1)] {
        let error = connect(with_version(chain(GENESIS), SPEC_NAME, &apis))
            .await
            .err()
            .unwrap();
        assert!(
            matches!(error, ChainError::ApiVersion { got, .. } if got == expected),
            "{error}"
        );
    }
}

#[tokio::test]
async fn address_should_be_refused_when_it_is_not_of_a_websocket() {
    for url in ["", "localhost:9944", "http://localhost:9944"] {
        assert!(
            matches!(Chain::connect(url).await, Err(ChainError::InvalidUrl { .. })),
            "{url}"
        );
    }
}

#[tokio::test]
async fn finalized_blocks_should_come_in_order_without_gaps_when_notifications_skip_some() {
    let (_node, chain) = connect(assay(Kind::Finalized, &[3, 3, 7])).await.unwrap();
    let numbers = |blocks: Vec<Result<BlockAt, ChainError>>| -> Vec<_> {
        blocks
            .into_iter()
            .map(|block| block.unwrap())
            .map(|block| (block.number, block.hash))
            .collect()
    };
    let expected = |range: std::ops::RangeInclusive<u32>| -> Vec<_> { range.map(|n| (n, hash_of(n))).collect() };
    let blocks = chain.finalized_blocks().take(5).collect().await;
    assert_eq!(numbers(blocks), expected(3..=7));
    let blocks = chain.finalized_blocks_from(1).take(7).collect().await;
    assert_eq!(numbers(blocks), expected(1..=7));
    let blocks = chain.finalized_blocks_from(5).take(3).collect().await;
    assert_eq!(numbers(blocks), expected(5..=7));
}

#[tokio::test]
async fn blocks_should_go_on_when_the_node_was_restarted() {
    let (mut node, chain) = connect(assay(Kind::Finalized, &[3])).await.unwrap();
    let mut blocks = chain.finalized_blocks();
    assert_eq!(blocks.next().await.unwrap().unwrap().number, 3);
    node.restart(assay(Kind::Finalized, &[5]), Duration::from_millis(300))
        .await;
    assert_eq!(blocks.next().await.unwrap().unwrap().number, 4);
    assert_eq!(blocks.next().await.unwrap().unwrap().number, 5);
}

#[tokio::test]
async fn best_blocks_should_leave_out_repetitions() {
    let (_node, chain) = connect(assay(Kind::Best, &[1, 1, 2, 5])).await.unwrap();
    let blocks: Vec<_> = chain.best_blocks().take(3).collect().await;
    let numbers: Vec<_> = blocks.into_iter().map(|block| block.unwrap().number).collect();
    assert_eq!(numbers, [1, 2, 5]);
}

#[tokio::test]
async fn blocks_should_end_with_an_error_when_the_node_has_another_chain() {
    let (mut node, chain) = connect(assay(Kind::Best, &[1])).await.unwrap();
    let mut blocks = chain.best_blocks();
    blocks.next().await.unwrap().unwrap();
    node.restart(testing::chain(GENESIS + 1), Duration::from_millis(300))
        .await;
    assert!(matches!(
        blocks.next().await.unwrap(),
        Err(ChainError::GenesisChanged { .. })
    ));
    assert!(blocks.next().await.is_none());
}
