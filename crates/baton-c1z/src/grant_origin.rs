//! Where a grant comes from: a connector or an expansion.
//!
//! The sources of a grant show it. Expansion adds sources with the grant's own
//! entitlement to a grant of a connector. Other sources are those of a derived
//! grant. Without the marker that expansion puts on derived grants, they may be
//! a connector's own: the grant is a *suspect*.

use std::path::Path;

use baton_proto::field::c1::connector::v2::grant_sources::sources_entry;
use baton_proto::field::c1::connector::v2::{grant, grant_sources};
use baton_proto::wire::{self, Value};

use crate::error::Error;
use crate::row::Table;

const IMMUTABLE: &str = "c1.connector.v2.GrantImmutable";

/// The origin of a grant, judged by its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No sources: no expansion has touched it.
    Untouched,
    /// A connector's, which an expansion gave sources.
    Direct,
    /// Made by an expansion.
    Derived,
    /// Like derived, without the marker.
    Suspect,
}

/// The origin of a grant by its message; `own` is the entitlement it is on.
pub(crate) fn origin_of(grant: &[u8], own: &str) -> baton_proto::Result<Origin> {
    let mut empty = true;
    for field in wire::fields(grant) {
        let field = field?;
        let (grant::SOURCES, Value::Bytes(sources)) = (field.number, field.value) else {
            continue;
        };
        for entry in wire::fields(sources) {
            let entry = entry?;
            if let (grant_sources::SOURCES, Value::Bytes(entry)) = (entry.number, entry.value) {
                empty = false;
                if wire::last_str(entry, sources_entry::KEY)? == own {
                    return Ok(Origin::Direct);
                }
            }
        }
    }
    if empty {
        return Ok(Origin::Untouched);
    }
    Ok(
        if wire::has_annotation(grant, grant::ANNOTATIONS, &[IMMUTABLE])? {
            Origin::Derived
        } else {
            Origin::Suspect
        },
    )
}

/// A grant's message without its sources, all else as it was.
pub(crate) fn without_sources(grant: &[u8]) -> baton_proto::Result<Vec<u8>> {
    wire::without(grant, &[grant::SOURCES])
}

/// The error for a grant whose message cannot be read.
pub(crate) fn unreadable(path: &Path, id: &str) -> Error {
    Error::Row {
        path: path.to_owned(),
        table: Table::Grants,
        id: id.to_owned(),
        reason: "it is not a grant",
    }
}
