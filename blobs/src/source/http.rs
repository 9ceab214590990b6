//! An HTTP server as a source: `GET <base>/<hash>`.

use super::{BlobSource, ByteStream, SourceError};
use crate::id::BlobId;
use async_trait::async_trait;
use axum::http::{header::CONTENT_LENGTH, Request, StatusCode};
use futures::{StreamExt, TryStreamExt};
use object_store::{
    client::{HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequestBody, ReqwestConnector},
    ClientOptions,
};
use std::{error::Error, time::Duration};
use url::Url;

/// How long connecting may take. How long content may take is for [`crate::Resolver`] to say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server that has blobs under a base address.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    client: HttpClient,
}

impl Http {
    /// The server at `base`, as in `http://127.0.0.1:8000/blobs`. No request is made yet.
    pub fn new(base: &str) -> Result<Self, SourceError> {
        let invalid = |reason: String| SourceError::InvalidAddress {
            got: base.into(),
            reason,
        };
        let url = Url::parse(base).map_err(|error| invalid(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(format!("the scheme is {}", url.scheme())));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has a query or a fragment".into()));
        }
        let options = ClientOptions::new()
            .with_allow_http(true)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout_disabled()
            // A machine without root certificates can still use plain HTTP.
            .with_no_system_certificates(url.scheme() == "http");
        let client = ReqwestConnector::default()
            .connect(&options)
            .map_err(|error| invalid(error.to_string()))?;
        Ok(Self {
            base: url.as_str().trim_end_matches('/').into(),
            client,
        })
    }
}

#[async_trait]
impl BlobSource for Http {
    fn name(&self) -> String {
        self.base.clone()
    }

    async fn fetch(&self, id: &BlobId) -> Result<ByteStream, SourceError> {
        let address = format!("{}/{}", self.base, id.hash);
        let request =
            Request::get(&address)
                .body(HttpRequestBody::empty())
                .map_err(|error| SourceError::InvalidAddress {
                    got: address,
                    reason: error.to_string(),
                })?;
        let response = self.client.execute(request).await.map_err(transport)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(SourceError::NotFound),
            status => {
                return Err(SourceError::Status {
                    status: status.as_u16(),
                })
            }
        }
        let announced = response
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse::<u64>().ok());
        if announced.is_some_and(|length| length > id.size) {
            return Err(SourceError::TooLarge { expected: id.size });
        }
        Ok(response.into_body().bytes_stream().map_err(transport).boxed())
    }
}

/// The innermost cause says what happened, the outer ones only where.
fn transport(error: HttpError) -> SourceError {
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match error.kind() {
        HttpErrorKind::Connect => SourceError::Connect(cause.to_string()),
        HttpErrorKind::Timeout => SourceError::Connect(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())),
        _ => SourceError::Transport(cause.to_string()),
    }
}
