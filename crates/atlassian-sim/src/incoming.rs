//! A request as it arrived, before any endpoint sees it.

use axum::extract::Request;
use http::{HeaderMap, Method, header};
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::log::{MAX_LOGGED_BODY_BYTES, RequestRecord, Routing};
use crate::query::Query;

/// Largest request body that is read.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// A request taken apart.
pub(crate) struct Incoming {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    /// `None`: too large or broken off.
    pub body: Option<bytes::Bytes>,
    pub url: String,
}

impl Incoming {
    pub(crate) async fn read(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let host = parts.uri.authority().map(ToString::to_string);
        let host = host.or_else(|| {
            parts
                .headers
                .get(header::HOST)
                .and_then(|h| h.to_str().ok())
                .map(str::to_owned)
        });
        let path = parts.uri.path().to_owned();
        let url = match host {
            Some(host) => format!(
                "{}://{host}{path}",
                parts.uri.scheme_str().unwrap_or("http")
            ),
            None => format!("https://api.atlassian.com{path}"),
        };
        Self {
            method: parts.method,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            path,
            headers: parts.headers,
            body: axum::body::to_bytes(body, MAX_REQUEST_BYTES).await.ok(),
            url,
        }
    }

    /// The cursor and page size of the request, wherever they are.
    pub(crate) fn paging(&self) -> (Option<String>, Option<i64>) {
        let query = Query::parse(&self.query);
        let body: Value = self
            .body
            .as_deref()
            .and_then(|b| serde_json::from_slice(b).ok())
            .unwrap_or_default();
        let in_body = body.get("cursor").and_then(Value::as_str);
        let cursor = query
            .get("cursor")
            .or(in_body)
            .filter(|c| !c.is_empty())
            .map(str::to_owned);
        let in_query = query
            .get("limit")
            .or(query.get("pageSize"))
            .and_then(|t| t.parse().ok());
        (
            cursor,
            in_query.or(body.get("limit").and_then(Value::as_i64)),
        )
    }

    /// Leaves only what is about paging and the content of items.
    pub(crate) fn drop_filters(&mut self) {
        const KEPT: [&str; 5] = [
            "cursor",
            "limit",
            "pageSize",
            "expand",
            "counts.includeUsers",
        ];
        let pairs = self.query.split('&');
        let kept = pairs.filter(|pair| KEPT.contains(&pair.split('=').next().unwrap_or_default()));
        self.query = kept.collect::<Vec<_>>().join("&");
        let body = self.body.as_deref().unwrap_or_default();
        if let Ok(Value::Object(mut members)) = serde_json::from_slice(body) {
            members.retain(|name, _| KEPT.contains(&name.as_str()));
            self.body = Some(Value::Object(members).to_string().into());
        }
    }

    /// The request for the log. Methods other than `GET` count as writes, except for known reads.
    pub(crate) fn record(
        &self,
        at_millis: u64,
        endpoint: Option<&'static Endpoint>,
        routing: Routing,
    ) -> RequestRecord {
        let body = self.body.as_deref().unwrap_or_default();
        let body = &body[..body.len().min(MAX_LOGGED_BODY_BYTES)];
        RequestRecord {
            sequence: 0,
            at_millis,
            method: self.method.to_string(),
            path: self.path.clone(),
            query: self.query.clone(),
            body: String::from_utf8_lossy(body).into_owned(),
            endpoint: endpoint.map(|e| e.name),
            routing,
            write: endpoint.map_or(!self.method.is_safe(), Endpoint::writes),
            changed: false,
            status: 0,
        }
    }
}
