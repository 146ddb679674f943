//! Set-up of tests: a small organization and requests to its router.

use atlassian_sim::{Clock, Config, OrganizationSpec, RateLimits, Simulator, TransportFault};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A config with a fixed date and no quotas.
pub fn config(users: u32, groups: u32) -> Config {
    Config {
        organization: OrganizationSpec {
            users,
            groups,
            seed: 7,
            ..OrganizationSpec::default()
        },
        clock: Clock::starting_at("2026-11-23T20:31:15.5Z".parse().unwrap()),
        limits: RateLimits::off(),
        ..Config::default()
    }
}

pub fn simulator(users: u32, groups: u32) -> Simulator {
    Simulator::new(config(users, groups)).unwrap()
}

/// An answer read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// `None`: the body broke off.
    pub bytes: Option<Vec<u8>>,
    pub fault: Option<TransportFault>,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            fault: parts.extensions.get().copied(),
            bytes: axum::body::to_bytes(body, usize::MAX)
                .await
                .ok()
                .map(Vec::from),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone().unwrap()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(self.bytes.as_ref().unwrap())
            .unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }

    /// `errors[0].code` or `code`.
    pub fn code(&self) -> String {
        let json = self.json();
        let code = json["errors"][0]["code"].as_str().or(json["code"].as_str());
        code.unwrap_or_default().to_owned()
    }
}

pub async fn send(sim: &Simulator, request: Request<Body>) -> Answer {
    Answer::read(sim.router().oneshot(request).await.unwrap()).await
}

/// The path under the organization: `v2:directories` becomes `/admin/v2/orgs/<id>/directories`.
pub fn path(sim: &Simulator, short: &str) -> String {
    match short.split_once(':') {
        Some((version @ ("v1" | "v2" | "api-access/v1"), rest)) => {
            format!("/admin/{version}/orgs/{}/{rest}", sim.organization_id())
        }
        _ => short.to_owned(),
    }
}

pub fn request(
    method: &str,
    uri: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(uri);
    if let Some(token) = token {
        builder = builder.header("authorization", format!("Bearer {token}"));
    }
    match body {
        Some(body) => builder
            .header("content-type", "application/json")
            .body(Body::from(body.to_string())),
        None => builder.body(Body::empty()),
    }
    .unwrap()
}

pub async fn get(sim: &Simulator, short: &str) -> Answer {
    send(
        sim,
        request("GET", &path(sim, short), Some(sim.access_token()), None),
    )
    .await
}

pub async fn post(sim: &Simulator, short: &str, body: &Value) -> Answer {
    send(
        sim,
        request(
            "POST",
            &path(sim, short),
            Some(sim.access_token()),
            Some(body),
        ),
    )
    .await
}

/// One list with its way of paging.
#[derive(Clone, Debug)]
pub struct List {
    pub short: String,
    pub post: bool,
    /// Name of the page size.
    pub size: &'static str,
}

impl List {
    pub fn get(short: impl Into<String>) -> Self {
        Self {
            short: short.into(),
            post: false,
            size: "limit",
        }
    }

    pub fn post(short: impl Into<String>) -> Self {
        Self {
            short: short.into(),
            post: true,
            size: "limit",
        }
    }

    /// A page; with a cursor nothing else is sent.
    pub async fn page(
        &self,
        sim: &Simulator,
        size: Option<u64>,
        cursor: Option<&str>,
        filters: &Value,
    ) -> Answer {
        if self.post {
            let mut body = if cursor.is_some() {
                json!({})
            } else {
                filters.clone()
            };
            if let (Some(size), None) = (size, cursor) {
                body[self.size] = json!(size);
            }
            if let Some(cursor) = cursor {
                body["cursor"] = json!(cursor);
            }
            return post(sim, &self.short, &body).await;
        }
        let mut pairs = Vec::new();
        if let Some(cursor) = cursor {
            pairs.push(format!("cursor={}", escape(cursor)));
        } else {
            pairs.extend(size.map(|s| format!("{}={s}", self.size)));
            for (name, value) in filters.as_object().into_iter().flatten() {
                let values = value
                    .as_array()
                    .cloned()
                    .unwrap_or_else(|| vec![value.clone()]);
                for value in values {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    pairs.push(format!("{name}={}", escape(&text)));
                }
            }
        }
        get(sim, &format!("{}?{}", self.short, pairs.join("&"))).await
    }

    /// All pages.
    pub async fn pages(
        &self,
        sim: &Simulator,
        size: Option<u64>,
        filters: &Value,
    ) -> Vec<Vec<Value>> {
        let mut pages = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let answer = self.page(sim, size, cursor.as_deref(), filters).await;
            assert_eq!(
                answer.status,
                StatusCode::OK,
                "{}: {}",
                self.short,
                answer.text()
            );
            let json = answer.json();
            let data = json["data"]
                .as_array()
                .or(json["data"]["product_access"].as_array());
            pages.push(data.unwrap().clone());
            assert!(pages.len() < 10_000, "{} does not end", self.short);
            match next(&json) {
                Some(next) => cursor = Some(next),
                None => return pages,
            }
        }
    }

    /// All items.
    pub async fn all(&self, sim: &Simulator, filters: &Value) -> Vec<Value> {
        self.pages(sim, None, filters)
            .await
            .into_iter()
            .flatten()
            .collect()
    }
}

/// The cursor in `links.next`, also when it is a URL.
pub fn next(page: &Value) -> Option<String> {
    let next = page["links"]["next"].as_str().filter(|n| !n.is_empty())?;
    match next.split_once("?cursor=") {
        Some((_, cursor)) => Some(unescape(cursor)),
        None => Some(next.to_owned()),
    }
}

pub fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn unescape(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

pub fn ids(items: &[Value], name: &str) -> Vec<String> {
    items
        .iter()
        .map(|i| i[name].as_str().unwrap().to_owned())
        .collect()
}

/// The newest audit events of the stream, newest first.
pub async fn newest_events(sim: &Simulator) -> Vec<Value> {
    let page = get(sim, "v1:events-stream?sortOrder=desc").await.json();
    page["data"].as_array().unwrap().clone()
}

/// The texts at a JSON pointer of each item.
pub fn ids_at(items: &[Value], pointer: &str) -> Vec<String> {
    let texts = items.iter().map(|i| i.pointer(pointer).unwrap());
    texts.map(|t| t.as_str().unwrap().to_owned()).collect()
}
