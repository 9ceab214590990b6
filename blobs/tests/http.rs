//! Blobs over real HTTP on the loopback interface: good servers, bad ones and none.
#![allow(clippy::unwrap_used)]

use assay_blobs::{server, source, BlobHash, BlobId, FetchError, FolderStore, Http, Resolver, SourceError};
use axum::{body::Body, extract::Path, http::StatusCode, response::IntoResponse, routing::get, Router};
use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Larger than any buffer on the way.
fn content() -> Vec<u8> {
    (0u32..1_000_003)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

async fn listen(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// Answers every request with `body`.
async fn answering(body: Vec<u8>) -> String {
    listen(Router::new().route("/{hash}", get(move || async move { body.clone() }))).await
}

fn store() -> (TempDir, FolderStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = FolderStore::open(dir.path()).unwrap();
    (dir, store)
}

/// A server with `blobs`; the folder lives as long as the first part.
async fn serving(blobs: &[&[u8]]) -> (TempDir, String) {
    let (dir, store) = store();
    for blob in blobs {
        store.put(blob).unwrap();
    }
    let address = listen(server::router(store)).await;
    (dir, address)
}

fn resolver(addresses: &[&str]) -> (TempDir, Resolver) {
    let (dir, store) = store();
    let sources = addresses.iter().map(|address| source(address).unwrap()).collect();
    (dir, Resolver::new(store, sources))
}

/// What a fetch of `id` from one source ends with, having left nothing in the store.
async fn failure(address: &str, id: BlobId) -> SourceError {
    let (_dir, resolver) = resolver(&[address]);
    let error = resolver.fetch(&id).await.unwrap_err();
    let FetchError::Unavailable { mut tried, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(tried.len(), 1);
    let left = std::fs::read_dir(resolver.store().dir()).unwrap().count();
    assert_eq!(left, 0, "nothing of a refused blob is kept");
    let failure = tried.remove(0);
    assert_eq!(failure.source, address);
    failure.error
}

/// Sends `request` and returns all that comes back.
async fn raw(address: &str, request: &str) -> String {
    let mut connection = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).to_lowercase()
}

#[tokio::test]
async fn blob_should_be_stored_when_a_server_has_it() {
    let content = content();
    let (_served, address) = serving(&[&content]).await;
    let (_dir, resolver) = resolver(&[&address]);
    let id = BlobId::of(&content);
    let path = resolver.fetch(&id).await.unwrap();
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert_eq!(resolver.fetch_bytes(&id).await.unwrap(), content);
}

#[tokio::test]
async fn blob_should_come_from_the_store_when_it_is_there() {
    let (_dir, resolver) = resolver(&[]);
    let id = resolver.store().put(b"local").unwrap().id;
    assert_eq!(resolver.fetch_bytes(&id).await.unwrap(), b"local");
}

#[tokio::test]
async fn empty_blob_should_be_fetched() {
    let (_served, address) = serving(&[b""]).await;
    let (_dir, resolver) = resolver(&[&address]);
    assert_eq!(resolver.fetch_bytes(&BlobId::of(b"")).await.unwrap(), b"");
}

#[tokio::test]
async fn blob_should_come_from_a_folder_when_that_is_the_source() {
    let (other, others) = store();
    let id = others.put(b"in a folder").unwrap().id;
    let (_dir, resolver) = resolver(&["/no/such/folder", other.path().to_str().unwrap()]);
    assert_eq!(resolver.fetch_bytes(&id).await.unwrap(), b"in a folder");
    assert!(matches!(
        failure(other.path().to_str().unwrap(), BlobId::of(b"?")).await,
        SourceError::NotFound
    ));
    let short = BlobId { size: 3, ..id };
    assert!(matches!(
        failure(other.path().to_str().unwrap(), short).await,
        SourceError::TooLarge { expected: 3 }
    ));
}

#[tokio::test]
async fn hash_mismatch_should_be_told_when_one_bit_is_wrong() {
    let mut corrupted = content();
    let id = BlobId::of(&corrupted);
    corrupted[500_000] ^= 1;
    let got = BlobHash::of(&corrupted);
    let error = failure(&answering(corrupted).await, id).await;
    assert!(
        matches!(error, SourceError::HashMismatch { expected, got: found } if expected == id.hash && found == got),
        "{error}"
    );
    assert!(error.is_definite());
}

#[tokio::test]
async fn truncation_should_be_told_when_content_ends_early() {
    let content = content();
    let id = BlobId::of(&content);
    let error = failure(&answering(content[..900_000].to_vec()).await, id).await;
    assert!(
        matches!(
            error,
            SourceError::Truncated {
                expected: 1_000_003,
                got: 900_000
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn connection_loss_should_be_told_when_fewer_bytes_come_than_announced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = connection.read(&mut request).await.unwrap();
        connection
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel")
            .await
            .unwrap();
    });
    let error = failure(&address, BlobId::of(b"hello")).await;
    assert!(matches!(error, SourceError::Transport(_)), "{error:?}");
    assert!(!error.is_definite());
}

#[tokio::test]
async fn oversize_should_be_refused_when_announced_and_when_not() {
    let content = content();
    let id = BlobId {
        size: 1000,
        ..BlobId::of(&content)
    };
    let error = failure(&answering(content).await, id).await;
    assert!(matches!(error, SourceError::TooLarge { expected: 1000 }), "{error}");

    // Without a length and without an end: must be cut off at the first byte too many.
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let endless = move || {
        let counter = counter.clone();
        let chunks = futures::stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(vec![0u8; 1024])
        });
        async move { Body::from_stream(chunks).into_response() }
    };
    let address = listen(Router::new().route("/{hash}", get(endless))).await;
    let error = failure(&address, id).await;
    assert!(matches!(error, SourceError::TooLarge { expected: 1000 }), "{error}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = sent.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(sent.load(Ordering::Relaxed), before, "the connection is closed");
}

#[tokio::test]
async fn missing_blob_status_and_dead_server_should_each_have_their_error() {
    let id = BlobId::of(b"missing");
    let (_served, address) = serving(&[]).await;
    assert!(matches!(failure(&address, id).await, SourceError::NotFound));

    let broken = listen(Router::new().fallback(|| async { StatusCode::INTERNAL_SERVER_ERROR })).await;
    let error = failure(&broken, id).await;
    assert!(
        matches!(error, SourceError::Status { status: 500 }) && !error.is_definite(),
        "{error}"
    );

    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = failure(&format!("http://{unused}"), id).await;
    assert!(
        matches!(error, SourceError::Connect(_)) && !error.is_definite(),
        "{error:?}"
    );
}

#[tokio::test]
async fn second_source_should_be_used_when_the_first_is_bad() {
    let content = content();
    let bad = answering(b"something else".to_vec()).await;
    let (_served, good) = serving(&[&content]).await;
    let (_dir, resolver) = resolver(&[&bad, &good]);
    assert_eq!(resolver.fetch_bytes(&BlobId::of(&content)).await.unwrap(), content);
}

#[tokio::test]
async fn every_source_and_its_reason_should_be_told_when_none_has_the_blob() {
    let (_served, empty) = serving(&[]).await;
    let wrong = answering(b"wrong".to_vec()).await;
    let (_dir, resolver) = resolver(&[&empty, &wrong]);
    let error = resolver.fetch(&BlobId::of(b"right")).await.unwrap_err();
    assert!(error.is_definite());
    let text = error.to_string();
    assert!(text.contains(&format!("{empty}: not found")), "{text}");
    assert!(text.contains(&format!("{wrong}: expected content with hash")), "{text}");
}

#[tokio::test]
async fn impossible_blob_should_be_told_when_its_length_is_wrong() {
    let (_dir, resolver) = resolver(&[]);
    let id = resolver.store().put(b"local").unwrap().id;
    let error = resolver.fetch(&BlobId { size: 7, ..id }).await.unwrap_err();
    assert!(matches!(error, FetchError::SizeMismatch { got: 5, .. }), "{error}");
}

#[tokio::test]
async fn damaged_blob_should_be_fetched_anew() {
    let (_served, address) = serving(&[b"good"]).await;
    let (_dir, resolver) = resolver(&[&address]);
    let id = BlobId::of(b"good");
    let path = resolver.fetch(&id).await.unwrap();
    std::fs::write(&path, b"evil").unwrap();
    assert_eq!(resolver.fetch_bytes(&id).await.unwrap(), b"good");
}

#[tokio::test]
async fn blob_should_be_fetched_once_when_many_ask_at_the_same_time() {
    let content = content();
    let requests = Arc::new(AtomicUsize::new(0));
    let (counter, body) = (requests.clone(), content.clone());
    let slow = move |Path(_): Path<String>| {
        let body = body.clone();
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            body
        }
    };
    let address = listen(Router::new().route("/{hash}", get(slow))).await;
    let (_dir, resolver) = resolver(&[&address]);
    let id = BlobId::of(&content);
    let fetches = (0..8).map(|_| {
        let resolver = resolver.clone();
        async move { resolver.fetch_bytes(&id).await.unwrap() }
    });
    for fetched in futures::future::join_all(fetches).await {
        assert_eq!(fetched, content);
    }
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn server_should_answer_as_documented() {
    let (_served, address) = serving(&[b"hello"]).await;
    let hash = BlobHash::of(b"hello");
    let ask = |method: &str, path: String| {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let address = address.clone();
        async move { raw(&address, &request).await }
    };

    let answer = ask("GET", format!("/{hash}")).await;
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-length: 5\r\n") && answer.contains("immutable"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");

    let answer = ask("HEAD", format!("/{hash}")).await;
    assert!(
        answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );

    let other = BlobHash::of(b"other");
    let answer = ask("GET", format!("/{other}")).await;
    assert!(
        answer.starts_with("http/1.1 404") && answer.contains(&format!("no blob {other} here")),
        "{answer}"
    );

    for path in [
        "/x",
        "/..%2f..%2fetc%2fpasswd",
        &format!("/{}", hash.to_string().to_uppercase()),
    ] {
        let answer = ask("GET", path.to_string()).await;
        assert!(
            answer.starts_with("http/1.1 400") && answer.contains("expected a blake3 hash"),
            "{answer}"
        );
    }
    assert!(ask("GET", "/".into()).await.starts_with("http/1.1 404"));
    assert!(ask("PUT", format!("/{hash}")).await.starts_with("http/1.1 405"));
}

#[tokio::test]
async fn https_address_should_make_a_source() {
    Http::new("https://localhost/blobs").unwrap();
}
