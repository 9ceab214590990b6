//! What becomes of requests when the node goes away.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::chain::testing::{chain, FakeNode, GENESIS};
use jsonrpsee::{types::ErrorObject, RpcModule};
use std::sync::atomic::{AtomicU32, Ordering};

const PAUSE: Duration = Duration::from_millis(300);

fn counting(method: &'static str) -> (RpcModule<()>, Arc<AtomicU32>) {
    let (mut module, count) = (chain(GENESIS), Arc::new(AtomicU32::new(0)));
    let counter = count.clone();
    module
        .register_method(method, move |_, _, _| counter.fetch_add(1, Ordering::Relaxed))
        .unwrap();
    (module, count)
}

async fn request(transport: &Transport, method: &str) -> Result<u32, Error> {
    RpcClient::new(transport.clone()).request(method, rpc_params![]).await
}

#[tokio::test]
async fn question_should_be_answered_when_the_node_was_restarted() {
    let mut node = FakeNode::start(chain(GENESIS)).await;
    let transport = Transport::connect(&node.url()).await.unwrap();
    assert_eq!(transport.genesis(), Hash::repeat_byte(GENESIS));
    let (module, count) = counting("question");
    node.restart(module, PAUSE).await;
    assert_eq!(request(&transport, "question").await.unwrap(), 0);
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn question_should_wait_when_the_node_is_away_for_a_moment() {
    let mut node = FakeNode::start(chain(GENESIS)).await;
    let transport = Transport::connect(&node.url()).await.unwrap();
    let (module, _) = counting("question");
    let asked = async {
        tokio::time::sleep(PAUSE / 2).await;
        request(&transport, "question").await
    };
    let (_, answer) = tokio::join!(node.restart(module, PAUSE * 2), asked);
    assert_eq!(answer.unwrap(), 0);
}

#[tokio::test]
async fn submission_should_not_be_repeated_when_the_connection_is_lost() {
    let mut node = FakeNode::start(chain(GENESIS)).await;
    let transport = Transport::connect(&node.url()).await.unwrap();
    let (module, count) = counting("author_submitExtrinsic");
    node.restart(module, PAUSE).await;
    assert!(matches!(
        request(&transport, "author_submitExtrinsic").await,
        Err(Error::Client(_))
    ));
    assert_eq!(count.load(Ordering::Relaxed), 0);
    assert_eq!(request(&transport, "author_submitExtrinsic").await.unwrap(), 0);
}

#[tokio::test]
async fn node_should_be_refused_when_it_comes_back_with_another_chain() {
    let mut node = FakeNode::start(chain(GENESIS)).await;
    let transport = Transport::connect(&node.url()).await.unwrap();
    node.restart(chain(GENESIS + 1), PAUSE).await;
    let Err(Error::Client(error)) = request(&transport, "question").await else {
        panic!("accepted another chain")
    };
    let error = error.downcast::<ChainError>().unwrap();
    assert!(matches!(*error, ChainError::GenesisChanged { got, .. } if got == Hash::repeat_byte(GENESIS + 1)));
}

#[tokio::test]
async fn error_should_be_passed_on_when_the_node_answers_with_one() {
    let mut module = chain(GENESIS);
    let refuse = |_: jsonrpsee::types::Params<'_>, _: &(), _: &jsonrpsee::Extensions| {
        Err::<u32, _>(ErrorObject::owned(
            1010,
            "Invalid Transaction",
            Some("Transaction is outdated"),
        ))
    };
    module.register_method("author_submitExtrinsic", refuse).unwrap();
    let node = FakeNode::start(module).await;
    let transport = Transport::connect(&node.url()).await.unwrap();
    let error = request(&transport, "author_submitExtrinsic").await.unwrap_err();
    assert!(matches!(error, Error::User(error) if error.code == 1010 && error.data.is_some()));
}

#[tokio::test]
async fn connecting_should_fail_at_once_when_there_is_no_node() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert!(matches!(
        Transport::connect(&format!("ws://{unused}")).await,
        Err(Error::Client(_))
    ));
}
