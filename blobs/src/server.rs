//! Hands out the blobs of a folder: `GET` and `HEAD` `/<hash>`, nothing else, no listing.

use crate::{id::BlobHash, source, store::FolderStore};
use axum::{
    body::Body,
    extract::{Path, State},
    http::{header, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
    Router,
};
use futures::StreamExt;
use std::{future::Future, io, sync::Arc};
use tokio::{net::TcpListener, sync::Semaphore};

/// Blobs handed out at the same time; more are told to come again.
const MAX_TRANSFERS: usize = 256;

/// Seconds after which who was turned away should come again.
const RETRY_AFTER: &str = "1";

/// A blob never changes: one year, the longest that caches honour.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

#[derive(Clone)]
struct Shared {
    store: FolderStore,
    transfers: Arc<Semaphore>,
}

/// Serves the blobs of `store` under `/<hash>`; nest it under any path.
pub fn router(store: FolderStore) -> Router {
    let shared = Shared {
        store,
        transfers: Arc::new(Semaphore::new(MAX_TRANSFERS)),
    };
    Router::new().route("/{hash}", get(blob)).with_state(shared)
}

/// Serves [`router`] on `listener` until `shutdown` resolves.
pub async fn serve(
    listener: TcpListener,
    store: FolderStore,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    axum::serve(listener, router(store))
        .with_graceful_shutdown(shutdown)
        .await
}

async fn blob(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let hash: BlobHash = match name.parse() {
        Ok(hash) => hash,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let Ok(transfer) = shared.transfers.try_acquire_owned() else {
        let retry = [(header::RETRY_AFTER, RETRY_AFTER)];
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            retry,
            "too many transfers, come again\n",
        )
            .into_response();
    };
    let opened = source::open_file(&shared.store.dir().join(hash.to_string())).await;
    let (size, content) = match opened {
        Ok(Some(opened)) => opened,
        Ok(None) => return (StatusCode::NOT_FOUND, format!("no blob {hash} here\n")).into_response(),
        Err(error) => {
            tracing::error!(target: "blobs", %hash, %error, "cannot read a blob");
            return (StatusCode::INTERNAL_SERVER_ERROR, "cannot read this blob\n").into_response();
        }
    };
    // The transfer counts until its last piece is taken or the connection is gone.
    let content = content.map(move |chunk| {
        let _counted = &transfer;
        chunk
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (header::CONTENT_LENGTH, HeaderValue::from(size)),
        (header::CACHE_CONTROL, CACHE),
        (header::ETAG, etag(&hash)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, Body::from_stream(content)).into_response()
}

fn etag(hash: &BlobHash) -> HeaderValue {
    HeaderValue::try_from(format!("\"{hash}\"")).expect("quotes and hexadecimal digits are visible ASCII; qed")
}
