//! The probes `/health`, `/ready` and `/live` (`service-mode.md` §7.2).

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use http::StatusCode;
use serde::Serialize;

use crate::health::{Health, Unhealthy};
use crate::pages::{Answer, Page, Pages};

/// The wall clock.
pub type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;
/// Whether the program does its work; if not, why.
pub type Ready = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The answers to probes.
#[derive(Clone)]
pub struct Probes {
    /// The time of an answer is that of the arrival of its request.
    pub now: Now,
    /// What `/ready` answers.
    pub ready: Ready,
    /// What `/health` answers.
    pub health: Health,
}

impl Probes {
    /// The pages of the probes.
    pub fn pages(self) -> Pages {
        let page = |kind| {
            let probes = self.clone();
            Arc::new(Probe { kind, probes }) as Arc<dyn Page>
        };
        Pages::new()
            .with("/health", page(Kind::Health))
            .with("/ready", page(Kind::Ready))
            .with("/live", page(Kind::Live))
    }
}

impl std::fmt::Debug for Probes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probes").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Health,
    Ready,
    Live,
}

struct Probe {
    kind: Kind,
    probes: Probes,
}

#[derive(Serialize)]
struct Body {
    status: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

#[derive(Serialize)]
struct Details {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_error: Option<String>,
}

impl Details {
    fn error(error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            validation_error: None,
        }
    }
}

#[async_trait]
impl Page for Probe {
    async fn answer(&self, _: &str) -> Answer {
        let timestamp = timestamp((self.probes.now)());
        let (good, bad, found) = match self.kind {
            Kind::Live => ("alive", "", Ok(())),
            Kind::Ready => {
                let found = (self.probes.ready)();
                ("ready", "not_ready", found.map_err(Details::error))
            }
            Kind::Health => {
                let found = self.probes.health.verdict().await;
                ("healthy", "unhealthy", found.map_err(details_of))
            }
        };
        let details = found.err();
        let (code, status) = match details {
            None => (StatusCode::OK, good),
            Some(_) => (StatusCode::SERVICE_UNAVAILABLE, bad),
        };
        let body = Body {
            status,
            timestamp,
            details,
        };
        answer(code, &body)
    }
}

fn details_of(unhealthy: Unhealthy) -> Details {
    match unhealthy {
        // The words of the Go programs.
        Unhealthy::Failed(text) => Details {
            error: "connector validation failed".to_owned(),
            validation_error: Some(text),
        },
        Unhealthy::Busy => Details::error("too many requests wait for the answer"),
    }
}

/// RFC 3339, UTC, in seconds; the start of 1970 for a clock out of range.
fn timestamp(now: SystemTime) -> String {
    let now = jiff::Timestamp::try_from(now).unwrap_or_default();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn answer(status: StatusCode, body: &Body) -> Answer {
    // Strings and a map of strings are always JSON.
    let mut text = serde_json::to_string(body).unwrap_or_default();
    text.push('\n');
    Answer {
        status,
        content_type: "application/json",
        body: text.into(),
    }
}
