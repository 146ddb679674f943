//! Where a reader is in the audit log, as an opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use baton_connector::{Code, Error, MAX_EVENT_CURSOR_BYTES, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::FEED;

/// The version of the form.
const VERSION: u32 = 1;
/// Most ids that are remembered.
const MAX_SEEN: usize = 200;
/// Ids are remembered for so long: events may be processed late.
pub(super) const OVERLAP_MILLIS: i64 = 10 * 60 * 1000;
/// Bytes of an id's hash.
const HASH_BYTES: usize = 8;

type Hash = [u8; HASH_BYTES];

/// What a cursor knows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    New,
    /// It was delivered shortly before.
    Remembered,
    /// It was delivered before. If it were remembered now, it would displace a
    /// newer one, which would come again.
    Forgotten,
}

/// A reader's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The server's own cursor; empty where there is none.
    pub upstream: String,
    /// When the newest event was processed, in milliseconds; 0 before the first.
    pub newest: i64,
    /// Ids of events that were processed shortly before, the newest last, with
    /// the time of their processing.
    seen: Vec<Hash>,
    /// Events up to the newest are read for the second time.
    reads_again: bool,
}

/// The form on the wire.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u32,
    /// The feed.
    f: String,
    /// The organization.
    o: String,
    c: String,
    p: i64,
    h: String,
    /// Absent if nothing is read again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    r: bool,
}

fn hash(id: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&Sha256::digest(id)[..HASH_BYTES]);
    hash
}

fn refused(why: &str) -> Error {
    let text = format!("the cursor is not one of event feed {FEED}: {why}");
    Error::stated(Code::InvalidArgument, text)
}

impl Cursor {
    /// Before the first page.
    pub(super) fn begin() -> Self {
        Self {
            upstream: String::new(),
            newest: 0,
            seen: Vec::new(),
            reads_again: false,
        }
    }

    /// Reads a cursor of this feed and organization.
    ///
    /// # Errors
    /// Code `InvalidArgument` for any other text.
    pub(super) fn parse(text: &str, organization: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let version: Version =
            serde_json::from_str(text).map_err(|_| refused("it has another form"))?;
        if version.v > VERSION {
            return Err(refused("a later version of this program made it"));
        }
        let wire: Wire = serde_json::from_str(text).map_err(|_| refused("it has another form"))?;
        if wire.f != FEED {
            return Err(refused("it belongs to another feed"));
        }
        if wire.o != organization {
            return Err(refused("it belongs to another organization"));
        }
        let bytes = STANDARD_NO_PAD.decode(&wire.h).unwrap_or_default();
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() || hashes.len() > MAX_SEEN || (wire.h.is_empty() != hashes.is_empty()) {
            return Err(refused("it is damaged"));
        }
        Ok(Self {
            upstream: wire.c,
            newest: wire.p,
            seen: hashes.to_vec(),
            reads_again: wire.r,
        })
    }

    /// The cursor as text. If the server's own is too long for the limit of a
    /// cursor, the oldest ids are forgotten.
    ///
    /// # Errors
    /// The server's own cursor alone is too long.
    pub(super) fn to_text(&self, organization: &str) -> Result<String> {
        let mut from = 0;
        loop {
            let kept = self.seen.get(from..).unwrap_or_default();
            let wire = Wire {
                v: VERSION,
                f: FEED.to_owned(),
                o: organization.to_owned(),
                c: self.upstream.clone(),
                p: self.newest,
                h: STANDARD_NO_PAD.encode(kept.concat()),
                r: self.reads_again,
            };
            let text = serde_json::to_string(&wire)
                .map_err(|error| Error::caused(Code::Internal, "cannot write the cursor", error))?;
            if text.len() <= MAX_EVENT_CURSOR_BYTES {
                return Ok(text);
            }
            if kept.is_empty() {
                let text = "the cursor of the audit log is too long";
                return Err(Error::stated(Code::Internal, text));
            }
            from += MAX_SEEN / 10;
        }
    }

    /// What is known of the next event, by its id and time of processing.
    pub(super) fn look_at(&mut self, id: &str, processed: Option<i64>) -> Seen {
        let hash = hash(id);
        if self.seen.contains(&hash) {
            // All after the last of them is new.
            self.reads_again &= self.seen.last() != Some(&hash);
            return Seen::Remembered;
        }
        self.reads_again &= processed.is_none_or(|at| at <= self.newest);
        if self.reads_again {
            Seen::Forgotten
        } else {
            Seen::New
        }
    }

    /// Continues behind a page: its new events, by id and time of processing, and the
    /// server's cursor.
    pub(super) fn advance(&mut self, page: &[(&str, Option<i64>)], upstream: String) {
        self.upstream = upstream;
        let processed = page.iter().filter_map(|(_, at)| *at);
        let newest = processed.max().unwrap_or_default().max(self.newest);
        if newest - self.newest > OVERLAP_MILLIS {
            // All of them are older than what can come again.
            self.seen.clear();
        }
        self.newest = newest;
        let recent = page
            .iter()
            .filter(|(_, at)| at.is_none_or(|at| at > newest - OVERLAP_MILLIS));
        for (id, _) in recent {
            let hash = hash(id);
            if !self.seen.contains(&hash) {
                self.seen.push(hash);
            }
        }
        let surplus = self.seen.len().saturating_sub(MAX_SEEN);
        self.seen.drain(..surplus);
    }

    /// The server has forgotten its cursor: where to begin again, in
    /// milliseconds; `None` if no event was ever seen.
    pub(super) fn restart(&mut self) -> Option<i64> {
        self.upstream.clear();
        self.reads_again = true;
        (self.newest > 0).then(|| self.newest - OVERLAP_MILLIS)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
mod tests {
    use super::*;

    impl Cursor {
        fn has_seen(&self, id: &str) -> bool {
            self.seen.contains(&hash(id))
        }
    }

    fn at(newest: i64, ids: &[&str]) -> Cursor {
        let mut cursor = Cursor::begin();
        let page: Vec<_> = ids.iter().map(|id| (*id, Some(newest))).collect();
        cursor.advance(&page, "up".to_owned());
        cursor
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = at(1000, &["a", "b"]);
        let text = cursor.to_text("o-1").unwrap();
        assert_eq!(Cursor::parse(&text, "o-1").unwrap(), cursor);
        assert!(cursor.has_seen("a") && !cursor.has_seen("c"));
        let begin = Cursor::begin().to_text("o-1").unwrap();
        assert_eq!(Cursor::parse(&begin, "o-1").unwrap(), Cursor::begin());
    }

    #[test]
    fn other_cursors_are_refused_by_name() {
        let text = at(1000, &["a"]).to_text("o-1").unwrap();
        for (text, expected) in [
            (String::new(), "another form"),
            ("rubbish".to_owned(), "another form"),
            (text[..text.len() / 2].to_owned(), "another form"),
            (r#"{"v":2,"new":1}"#.to_owned(), "a later version"),
            (r#"{"v":1}"#.to_owned(), "another form"),
            (text.replace(FEED, "other"), "another feed"),
            (text.replace("o-1", "o-2"), "another organization"),
            (text.replace("\"h\":\"", "\"h\":\"AA"), "damaged"),
            (text.replace("\"h\":\"", "\"h\":\"?"), "damaged"),
        ] {
            let refused = Cursor::parse(&text, "o-1").unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.to_string().contains(expected), "{text}: {refused}");
        }
    }

    #[test]
    fn a_cursor_stays_below_the_limit() {
        let ids: Vec<String> = (0..500).map(|n| format!("event-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut cursor = at(1000, &ids);
        assert_eq!(cursor.seen.len(), MAX_SEEN);
        assert!(cursor.has_seen("event-499") && !cursor.has_seen("event-0"));
        cursor.upstream = "x".repeat(3000);
        let text = cursor.to_text("o-1").unwrap();
        assert!(text.len() <= MAX_EVENT_CURSOR_BYTES);
        assert!(Cursor::parse(&text, "o-1").unwrap().has_seen("event-499"));
        cursor.upstream = "x".repeat(5000);
        assert!(cursor.to_text("o-1").is_err());
    }

    #[test]
    fn what_is_read_again_does_not_displace_what_is_remembered() {
        let ids: Vec<String> = (0..500).map(|n| format!("event-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut cursor = at(1000, &ids);
        assert_eq!(cursor.restart(), Some(1000 - OVERLAP_MILLIS));
        for page in ids.chunks(100) {
            let text = cursor.to_text("o-1").unwrap();
            cursor = Cursor::parse(&text, "o-1").unwrap();
            for id in page {
                let is_remembered = ids[300..].contains(id);
                let expected = if is_remembered {
                    Seen::Remembered
                } else {
                    Seen::Forgotten
                };
                assert_eq!(cursor.look_at(id, Some(1000)), expected, "{id}");
            }
            cursor.advance(&[], "up".to_owned());
        }
        assert_eq!(cursor.look_at("same-time", Some(1000)), Seen::New);
        cursor.restart();
        assert_eq!(cursor.look_at("event-0", Some(1000)), Seen::Forgotten);
        assert_eq!(cursor.look_at("later", Some(1001)), Seen::New);
        assert_eq!(cursor.look_at("same-time", Some(1000)), Seen::New);
    }

    #[test]
    fn ids_are_forgotten_when_they_cannot_come_again() {
        let mut cursor = at(1000, &["a"]);
        cursor.advance(&[("b", Some(2000)), ("late", None)], "up2".to_owned());
        assert!(cursor.has_seen("a") && cursor.has_seen("late"));
        let later = 2000 + OVERLAP_MILLIS + 1;
        cursor.advance(&[("c", Some(later))], "up3".to_owned());
        assert!(!cursor.has_seen("a") && cursor.has_seen("c"));
        assert_eq!(cursor.restart(), Some(later - OVERLAP_MILLIS));
        assert_eq!(Cursor::begin().restart(), None);
    }
}
