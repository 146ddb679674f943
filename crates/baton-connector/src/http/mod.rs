//! The HTTP client that every connector shares.
//!
//! Retries, waits, limits, error mapping and redaction happen here and
//! nowhere else. A connector describes its requests and reads answers; the
//! network below is the [`Transport`] trait.
//!
//! ```
//! use std::sync::Arc;
//!
//! use baton_connector::{Call, Secret};
//! use baton_connector::http::{
//!     Credential, HttpClient, HttpParts, HttpSettings, Request, ReqwestTransport,
//!     TransportSettings,
//! };
//!
//! # async fn example(call: &Call) -> baton_connector::Result<()> {
//! let transport = ReqwestTransport::new(&TransportSettings::default())?;
//! let parts = HttpParts::new(Arc::new(transport), 42);
//! let client = HttpClient::new(parts, HttpSettings::default())?;
//!
//! let base = url::Url::parse("https://api.example.test/v2").expect("a URL");
//! let key = Credential::bearer("api key", &Secret::new("s3cr3t"))?;
//! let request = Request::get(&base, "/groups/{group}", &["g-1"])?.credential(&key);
//! let group: serde_json::Value = client.on(call).json(&request).await?;
//! # Ok(())
//! # }
//! ```

mod adaptive;
mod api_error;
mod attempts;
mod bucket;
mod classify;
mod client;
mod client_credentials;
mod credential;
mod exchange;
mod fields;
mod health;
mod json;
mod json_errors;
mod latency;
mod limiter;
mod link;
mod meter;
mod period;
mod proxies;
mod rate_headers;
mod redact;
mod request;
mod reqwest_transport;
mod resolver;
mod response;
mod retry;
mod settings;
mod tls;
mod token;
mod trace;
mod transport;
mod trust;
mod wait_clocks;

pub use crate::in_flight::InFlight;
pub use crate::transport_error::{TransportError, TransportErrorKind};
pub use api_error::{ApiError, ErrorResponse, NoApiErrors, ReadApiError};
pub use classify::connection_error;
pub use client::{CallClient, HttpClient};
pub use client_credentials::ClientCredentials;
pub use credential::Credential;
pub use fields::{FieldError, Fields, InvalidValues};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method};
pub use json::{Document, Json, Member, Object, Text};
pub use json_errors::JsonErrors;
pub use meter::{ExchangeOutcome, Exchanged, HttpObserver, NoObserver, Wait};
pub use proxies::{Proxies, Proxy, ProxyRules};
pub use rate_headers::{retry_after, server_date};
pub use request::Request;
pub use reqwest_transport::{CONNECT_TIMEOUT, ReqwestTransport, TransportSettings};
pub use resolver::look_up;
pub use response::Response;
pub use retry::RetryPolicy;
pub use settings::{
    HttpParts, HttpSettings, IDLE_TIMEOUT, MAX_ERROR_BYTES, MAX_RESPONSE_BYTES, RateSettings,
    TOTAL_TIMEOUT,
};
pub use tls::client_tls;
pub use token::{NoSecretRegistry, SecretRegistry, Token, TokenSource};
pub use transport::{BodyStream, Transport, whole_body};
pub use trust::TrustedFiles;
