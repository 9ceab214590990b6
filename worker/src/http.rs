//! What the worker serves: its metrics, and the blobs it holds.

use crate::metrics::Metrics;
use assay_blobs::FolderStore;
use axum::{
    http::{header, StatusCode},
    response::IntoResponse,
    routing::get,
    Router,
};
use std::{future::Future, io, net::SocketAddr, sync::Arc};
use tokio::net::TcpListener;

/// The media type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves `metrics` under `/metrics` until `stop` resolves.
pub(crate) async fn metrics(
    address: SocketAddr,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<()>>> {
    let listener = bind("metrics", address).await?;
    let answer = move || {
        let metrics = metrics.clone();
        async move {
            match metrics.text() {
                Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
            }
        }
    };
    let router = Router::new().route("/metrics", get(answer));
    Ok(async move { axum::serve(listener, router).with_graceful_shutdown(stop).await })
}

/// Serves the blobs of `store` under `/<hash>` until `stop` resolves.
pub(crate) async fn blobs(
    address: SocketAddr,
    store: FolderStore,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<()>>> {
    let listener = bind("blob_listen", address).await?;
    Ok(assay_blobs::server::serve(listener, store, stop))
}

async fn bind(key: &str, address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("`{key}`: expected a free address, got {address}: {error}"),
        )
    })?;
    tracing::info!(target: "worker::http", %key, address = %listener.local_addr()?, "listening");
    Ok(listener)
}
