//! Page cursors: where a page ended, and of what.
//!
//! Opaque to callers. A cursor carries a digest of the file and the query
//! that it came from, and is refused anywhere else: positions mean different
//! things in different files, and a page from the wrong place looks right.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::envelope::Identity;
use crate::error::{Error, Result};
use crate::store::Query;

const VERSION: u8 = 1;
const BINDING_LEN: usize = 8;
/// Longest cursor text that is looked at. Positions are at most keys, which
/// hold ids of any length.
const MAX_TEXT_LEN: usize = 1 << 20;

/// The place behind a page. Its text form is safe in URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    binding: Binding,
    position: Vec<u8>,
}

/// Digest of a file and a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding([u8; BINDING_LEN]);

impl Binding {
    /// The binding of cursors for `query` on the file `identity`.
    pub fn new(identity: Identity, query: &Query<'_>) -> Self {
        let mut digest = Sha256::new();
        digest.update(identity.bytes.to_be_bytes());
        digest.update(identity.crc.to_be_bytes());
        let mut add = |part: Option<&str>| {
            // Lengths keep neighbours apart; absent differs from empty.
            let len = part.map_or(u64::MAX, |text| text.len() as u64);
            digest.update(len.to_be_bytes());
            digest.update(part.unwrap_or_default());
        };
        let filter = query.filter;
        add(query.sync_id);
        add(Some(query.table.name()));
        add(filter.resource_type_id);
        add(filter.entitlement_id);
        for pair in [filter.resource, filter.parent, filter.principal] {
            add(pair.map(|(type_id, _)| type_id));
            add(pair.map(|(_, id)| id));
        }
        for type_id in filter.principal_types {
            add(Some(type_id));
        }
        let mut short = [0; BINDING_LEN];
        for (to, from) in short.iter_mut().zip(digest.finalize()) {
            *to = from;
        }
        Self(short)
    }
}

impl Cursor {
    pub(crate) fn new(binding: Binding, position: Vec<u8>) -> Self {
        Self { binding, position }
    }

    /// The position, if the cursor belongs to `binding`.
    pub(crate) fn position(&self, binding: Binding) -> Result<&[u8]> {
        if self.binding == binding {
            Ok(&self.position)
        } else {
            Err(Error::Cursor {
                reason: "it belongs to another file or query",
            })
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[VERSION], &self.binding.0[..], &self.position].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = Error::Cursor {
            reason: "it is malformed",
        };
        if text.len() > MAX_TEXT_LEN {
            return Err(malformed);
        }
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else {
            return Err(malformed);
        };
        match bytes.split_first() {
            Some((&VERSION, rest)) => match rest.split_first_chunk() {
                Some((binding, position)) => Ok(Self::new(Binding(*binding), position.to_vec())),
                None => Err(malformed),
            },
            _ => Err(malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Filter, Table};

    fn binding(sync_id: Option<&str>, filter: &Filter<'_>) -> Binding {
        let query = Query {
            sync_id,
            table: Table::Grants,
            filter,
        };
        Binding::new(Identity { bytes: 1, crc: 2 }, &query)
    }

    #[test]
    fn text_that_is_no_cursor_is_refused() {
        for text in [
            "",
            "0",
            "zzz",
            "AQ",
            "AgAAAAAAAAAAAA",
            "=",
            "ü",
            &"A".repeat(MAX_TEXT_LEN + 1),
        ] {
            assert!(
                matches!(text.parse::<Cursor>(), Err(Error::Cursor { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_cursor_is_bound_to_sync_and_filter() {
        let none = Filter::default();
        let parts = ["a", "b"];
        let all = [
            binding(None, &none),
            binding(Some(""), &none),
            binding(Some("a"), &none),
            binding(
                None,
                &Filter {
                    resource_type_id: Some("a"),
                    ..none
                },
            ),
            binding(
                None,
                &Filter {
                    entitlement_id: Some("a"),
                    ..none
                },
            ),
            binding(
                None,
                &Filter {
                    resource: Some(("a", "b")),
                    ..none
                },
            ),
            binding(
                None,
                &Filter {
                    principal: Some(("a", "b")),
                    ..none
                },
            ),
            binding(
                None,
                &Filter {
                    principal: Some(("ab", "")),
                    ..none
                },
            ),
            binding(
                None,
                &Filter {
                    principal_types: &parts,
                    ..none
                },
            ),
            binding(
                None,
                &Filter {
                    principal_types: &parts[..1],
                    ..none
                },
            ),
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                assert_ne!(a, b);
                assert!(Cursor::new(*a, vec![1]).position(*b).is_err());
            }
        }
    }

    #[test]
    fn a_cursor_survives_its_text_form() {
        let binding = binding(Some("s"), &Filter::default());
        for position in [vec![], vec![0; 8], vec![255; 300]] {
            let cursor = Cursor::new(binding, position.clone());
            let read: Cursor = cursor.to_string().parse().expect("valid");
            assert_eq!(read.position(binding).expect("bound"), position);
        }
    }
}
