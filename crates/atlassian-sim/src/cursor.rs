//! Cursors: signed, scrambled, and complete. A cursor holds the whole question (filters, page size, place), so the server
//! keeps no state, and it is bound to its endpoint, organization and path; anything else is refused.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Longest cursor that is looked at.
const MAX_CURSOR_CHARS: usize = 64 * 1024;
const NONCE_BYTES: usize = 8;
const TAG_BYTES: usize = 12;

/// The place in a list from which a page continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    #[serde(rename = "s")]
    Start,
    /// After the item with this key.
    #[serde(rename = "a")]
    After(u64),
    /// After the item with this name and key, in a list sorted by name.
    #[serde(rename = "n")]
    AfterName(String, u64),
    /// After this many items.
    #[serde(rename = "o")]
    Offset(u64),
}

/// Content of a cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CursorBody {
    /// Endpoint, organization and path values that it was made for.
    #[serde(rename = "b")]
    pub bound_to: String,
    #[serde(rename = "f")]
    pub filters: Value,
    #[serde(rename = "l")]
    pub page_size: u32,
    #[serde(rename = "p")]
    pub place: Place,
    /// Items on the pages before.
    #[serde(rename = "c")]
    pub served: u64,
    /// Number of the page.
    #[serde(rename = "k")]
    pub page: u32,
    #[serde(rename = "t")]
    pub issued_millis: i64,
}

/// Makes and opens cursors with a key of its own.
#[derive(Clone, Debug)]
pub(crate) struct CursorSeal {
    key: [u8; 32],
    need_escaping: bool,
}

impl CursorSeal {
    pub(crate) fn new(seed: u64, need_escaping: bool) -> Self {
        let key = Sha256::new()
            .chain_update(b"cursor")
            .chain_update(seed.to_be_bytes())
            .finalize()
            .into();
        Self { key, need_escaping }
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = Sha256::new().chain_update(self.key);
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    fn scramble(&self, nonce: &[u8], data: &mut [u8]) {
        for (block, chunk) in (0_u64..).zip(data.chunks_mut(32)) {
            let stream = self.hash(&[b"stream", nonce, &block.to_be_bytes()]);
            for (byte, mask) in chunk.iter_mut().zip(stream) {
                *byte ^= mask;
            }
        }
    }

    pub(crate) fn seal(&self, body: &CursorBody) -> String {
        // A cursor body is plain data: writing it as JSON cannot fail.
        let mut data = serde_json::to_vec(body).unwrap_or_default();
        let nonce = self.hash(&[b"nonce", &data]);
        let nonce = &nonce[..NONCE_BYTES];
        self.scramble(nonce, &mut data);
        let tag = self.hash(&[b"tag", nonce, &data]);
        let mut all = Vec::with_capacity(NONCE_BYTES + TAG_BYTES + data.len());
        all.extend_from_slice(nonce);
        all.extend_from_slice(&tag[..TAG_BYTES]);
        all.extend_from_slice(&data);
        if self.need_escaping {
            STANDARD.encode(all)
        } else {
            URL_SAFE_NO_PAD.encode(all)
        }
    }

    /// The content of an unbroken cursor.
    pub(crate) fn open(&self, text: &str) -> Option<CursorBody> {
        if text.len() > MAX_CURSOR_CHARS {
            return None;
        }
        let all = if self.need_escaping {
            STANDARD.decode(text)
        } else {
            URL_SAFE_NO_PAD.decode(text)
        }
        .ok()?;
        let (nonce, rest) = all.split_at_checked(NONCE_BYTES)?;
        let (tag, data) = rest.split_at_checked(TAG_BYTES)?;
        if self.hash(&[b"tag", nonce, data])[..TAG_BYTES] != *tag {
            return None;
        }
        let mut data = data.to_vec();
        self.scramble(nonce, &mut data);
        serde_json::from_slice(&data).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> CursorBody {
        CursorBody {
            bound_to: "GET v2/users|o|-".to_owned(),
            filters: serde_json::json!({"status": ["active"]}),
            page_size: 20,
            place: Place::AfterName("kim".to_owned(), 7),
            served: 40,
            page: 2,
            issued_millis: 5,
        }
    }

    #[test]
    fn any_changed_byte_breaks_a_cursor() {
        let seal = CursorSeal::new(1, false);
        let good = seal.seal(&sample());
        for n in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[n] = if bytes[n] == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(bytes).unwrap();
            assert!(text == good || seal.open(&text).is_none(), "byte {n}");
        }
        assert!(seal.open("").is_none());
        assert!(seal.open(&good[..good.len() - 4]).is_none());
        assert!(
            CursorSeal::new(2, false).open(&good).is_none(),
            "another simulator's cursor"
        );
    }

    #[test]
    fn cursors_open_to_what_was_sealed() {
        for need_escaping in [false, true] {
            let seal = CursorSeal::new(1, need_escaping);
            assert_eq!(seal.open(&seal.seal(&sample())), Some(sample()));
        }
    }
}
