//! The request log: what was asked, in order, and how often per endpoint. Never holds a credential.

use std::collections::BTreeMap;

/// Most requests kept in the log; counters have no limit.
pub const MAX_LOGGED_REQUESTS: usize = 100_000;
/// Most stray requests, and most alarming ones, that are kept, apart from the log so that a full one hides none.
pub const MAX_LOGGED_STRAYS: usize = 1000;
/// Bytes of a request body that are kept.
pub const MAX_LOGGED_BODY_BYTES: usize = 4096;

/// What became of a request before any endpoint saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Led to an endpoint.
    Served,
    /// Led to an endpoint that has been retired.
    Retired,
    /// The path exists, but not with this method.
    WrongMethod,
    /// There is no such path.
    Unknown,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Number of the request, from 1.
    pub sequence: u64,
    /// Milliseconds since the simulator's clock was made.
    pub at_millis: u64,
    /// Method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query as sent.
    pub query: String,
    /// Beginning of the body.
    pub body: String,
    /// Name of the endpoint, for example `GET v2/users`; `None` for unknown paths.
    pub endpoint: Option<&'static str>,
    /// Where it led.
    pub routing: Routing,
    /// Whether the request is meant to change something: every method and path but those of the known reads.
    pub write: bool,
    /// Whether it changed the organization, whatever the answer was.
    pub changed: bool,
    /// Status of the answer; 0 while it is being made, and for a reset connection.
    pub status: u16,
}

#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    records: Vec<RequestRecord>,
    /// Requests that led nowhere.
    strays: Vec<RequestRecord>,
    /// Requests that a client must never send.
    alarms: Vec<RequestRecord>,
    counts: BTreeMap<&'static str, u64>,
    /// Requests since the last reset.
    total: u64,
    /// Requests since the start: the next sequence number.
    sequence: u64,
}

impl RequestLog {
    /// Notes a request, and whether a client must never send it; gives its number.
    pub(crate) fn begin(&mut self, mut record: RequestRecord, alarming: bool) -> u64 {
        self.sequence += 1;
        self.total += 1;
        record.sequence = self.sequence;
        if let Some(name) = record.endpoint {
            *self.counts.entry(name).or_default() += 1;
        }
        if record.routing != Routing::Served && self.strays.len() < MAX_LOGGED_STRAYS {
            self.strays.push(record.clone());
        }
        if alarming && self.alarms.len() < MAX_LOGGED_STRAYS {
            self.alarms.push(record.clone());
        }
        if self.records.len() < MAX_LOGGED_REQUESTS {
            self.records.push(record);
        }
        self.sequence
    }

    /// Notes the status of a request's answer.
    pub(crate) fn finish(&mut self, sequence: u64, status: u16) {
        for list in [&mut self.records, &mut self.strays, &mut self.alarms] {
            if let Ok(place) = list.binary_search_by_key(&sequence, |r| r.sequence) {
                list[place].status = status;
            }
        }
    }

    /// Notes that a request changed the organization.
    pub(crate) fn changed(&mut self, sequence: u64) {
        for list in [&mut self.records, &mut self.alarms] {
            if let Ok(place) = list.binary_search_by_key(&sequence, |r| r.sequence) {
                list[place].changed = true;
            }
        }
    }

    pub(crate) fn records(&self) -> &[RequestRecord] {
        &self.records
    }

    pub(crate) fn strays(&self) -> &[RequestRecord] {
        &self.strays
    }

    pub(crate) fn alarms(&self) -> &[RequestRecord] {
        &self.alarms
    }

    pub(crate) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn reset(&mut self) {
        self.records.clear();
        self.strays.clear();
        self.alarms.clear();
        self.counts.clear();
        self.total = 0;
    }
}
