//! What an expansion changes: two streams.
//!
//! New grants are made one at a time out of numbers, in canonical order:
//! destinations have the order of the stored entitlements, principals are
//! numbered in theirs. Changed ones were put aside when the rows passed by.
//! Neither stands in memory as rows. Shape of a
//! derived grant: sync-runtime specification, §4.4.

use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};

use baton_c1z::{GrantChange, NewGrants, Row};
use baton_proto::wire;
use tempfile::SpooledTempFile;

use crate::blob::{Blob, Blobs, failed};
use crate::embedded::Embedded;
use crate::error::Result;
use crate::expander::outward;
use crate::intern::Directory;
use crate::load::Stored;
use crate::propagate::{Claim, Derivation};
use crate::sources::{
    GRANT_ANNOTATIONS, GRANT_ENTITLEMENT, GRANT_ID, GRANT_PRINCIPAL, GRANT_SOURCES, encode_sources,
};

/// An encoded `Any` that holds an empty `GrantImmutable`: its type URL only.
const IMMUTABLE_TYPE_URL: &[u8] = b"type.googleapis.com/c1.connector.v2.GrantImmutable";
const ANY_TYPE_URL: u32 = 1;

/// The new grants, destination by destination.
#[derive(Debug)]
pub(crate) struct Derived {
    entitlements: Vec<Stored>,
    /// By entitlement.
    derivations: Vec<Option<Derivation>>,
    directory: Directory,
    embedded: Embedded,
    /// The destinations' messages.
    messages: Blobs,
    destination: usize,
    next: usize,
    /// What all grants on this destination begin with.
    head: Vec<u8>,
    /// The encoded sources of this destination, by set.
    sources: Vec<Option<Box<[u8]>>>,
    /// The annotations of every derived grant.
    immutable: Vec<u8>,
    /// The destination that the head and the sources are of.
    prepared: Option<usize>,
    /// The grant that this stands on, its id and its bytes.
    current: Option<Claim>,
    id: String,
    data: Vec<u8>,
}

impl Derived {
    pub(crate) fn new(
        entitlements: Vec<Stored>,
        derivations: Vec<Option<Derivation>>,
        directory: Directory,
        embedded: Embedded,
        messages: Blobs,
    ) -> Self {
        let mut any = Vec::new();
        wire::put_bytes(&mut any, ANY_TYPE_URL, IMMUTABLE_TYPE_URL);
        let mut immutable = Vec::new();
        wire::put_bytes(&mut immutable, GRANT_ANNOTATIONS, &any);
        Self {
            entitlements,
            derivations,
            directory,
            embedded,
            messages,
            destination: 0,
            next: 0,
            head: Vec::new(),
            sources: Vec::new(),
            immutable,
            prepared: None,
            current: None,
            id: String::new(),
            data: Vec::new(),
        }
    }

    /// The next claim that becomes a grant.
    fn claim(&mut self) -> Option<Claim> {
        while let Some(slot) = self.derivations.get(self.destination) {
            let claim = slot.as_ref().and_then(|d| d.new.get(self.next).copied());
            if claim.is_some() {
                return claim;
            }
            self.destination += 1;
            self.next = 0;
        }
        None
    }

    /// Prepares what the grants on the current destination share.
    fn enter(&mut self) -> Result<()> {
        let stored = &self.entitlements[self.destination];
        let mut message = Vec::with_capacity(stored.message.len());
        self.messages.append(stored.message, &mut message)?;
        self.head.clear();
        wire::put_bytes(&mut self.head, GRANT_ENTITLEMENT, &message);
        self.sources.clear();
        if let Some(Some(derivation)) = self.derivations.get(self.destination) {
            self.sources.resize(derivation.set_count() as usize, None);
        }
        Ok(())
    }

    /// Moves to the next claim and sets its id.
    fn next_claim(&mut self) -> bool {
        let Some(claim) = self.claim() else {
            return false;
        };
        self.next += 1;
        self.current = Some(claim);
        self.data.clear();
        let stored = &self.entitlements[self.destination];
        let (type_id, principal_id) = self.directory.name(claim.principal.0);
        self.id.clear();
        for part in [&*stored.id, ":", type_id, ":", principal_id] {
            self.id.push_str(part);
        }
        true
    }

    /// The message of the grant that this stands on.
    fn encode(&mut self) -> Result<()> {
        if self.prepared != Some(self.destination) {
            self.enter()?;
            self.prepared = Some(self.destination);
        }
        let Some(Some(derivation)) = self.derivations.get(self.destination) else {
            return Ok(());
        };
        let Some(claim) = self.current else {
            return Ok(());
        };
        let message = self
            .embedded
            .find(derivation, &self.derivations, claim.principal.0, claim.set)
            .unwrap_or_default();
        let sources = self.sources[claim.set as usize]
            .get_or_insert_with(|| sources_field(derivation, claim.set, &self.entitlements));
        self.data.clear();
        self.data.extend_from_slice(&self.head);
        put_blob(&mut self.data, GRANT_PRINCIPAL, message, &mut self.embedded)?;
        wire::put_bytes(&mut self.data, GRANT_ID, self.id.as_bytes());
        self.data.extend_from_slice(&self.immutable);
        self.data.extend_from_slice(sources);
        Ok(())
    }
}

impl NewGrants for Derived {
    fn advance(&mut self) -> baton_c1z::Result<bool> {
        Ok(self.next_claim())
    }

    fn make(&mut self) -> baton_c1z::Result<()> {
        self.encode().map_err(outward)
    }

    fn rewind(&mut self) {
        self.destination = 0;
        self.next = 0;
        self.current = None;
    }

    fn row(&self) -> Row<'_> {
        let Some(claim) = self.current else {
            return Row::default();
        };
        let (principal_type_id, principal_id) = self.directory.name(claim.principal.0);
        let stored = &self.entitlements[self.destination];
        Row {
            id: &self.id,
            resource_type_id: &stored.resource_type_id,
            resource_id: &stored.resource_id,
            entitlement_id: &stored.id,
            principal_type_id,
            principal_id,
            data: &self.data,
            ..Row::default()
        }
    }
}

/// The whole `sources` field for a set.
fn sources_field(derivation: &Derivation, set: u32, entitlements: &[Stored]) -> Box<[u8]> {
    let mut sources: Vec<(&str, bool)> = derivation
        .sources(set)
        .map(|s| (&*entitlements[s.entitlement.0 as usize].id, s.direct))
        .collect();
    // Map entries go by key; canonical order goes by resource first.
    sources.sort_unstable();
    let mut field = Vec::new();
    wire::put_bytes(&mut field, GRANT_SOURCES, &encode_sources(sources));
    field.into()
}

/// Writes a field whose content is a blob.
fn put_blob(out: &mut Vec<u8>, number: u32, blob: Blob, from: &mut Embedded) -> Result<()> {
    const LENGTH_DELIMITED: u64 = 2;
    wire::put_raw_varint(out, (u64::from(number) << 3) | LENGTH_DELIMITED);
    wire::put_raw_varint(out, blob.len() as u64);
    from.append(blob, out)
}

/// Changed rows on their way into the spool.
#[derive(Debug)]
pub(crate) struct ChangedWriter {
    file: SpooledTempFile,
    count: u64,
}

impl ChangedWriter {
    pub(crate) fn new(file: SpooledTempFile) -> Self {
        Self { file, count: 0 }
    }

    /// Puts aside a row's new data.
    pub(crate) fn put(&mut self, data: &[u8]) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        self.file.write_all(&length).map_err(failed("write"))?;
        self.count += 1;
        self.file.write_all(data).map_err(failed("write"))
    }

    pub(crate) fn into_reader(mut self) -> Result<Changed> {
        self.file.seek(SeekFrom::Start(0)).map_err(failed("seek"))?;
        Ok(Changed {
            file: BufReader::new(self.file),
            left: self.count,
        })
    }
}

/// Changed rows, read back in the order in which they were put.
#[derive(Debug)]
pub(crate) struct Changed {
    file: BufReader<SpooledTempFile>,
    left: u64,
}

impl Changed {
    fn read(&mut self) -> Result<Vec<u8>> {
        let mut length = [0; 8];
        self.file.read_exact(&mut length).map_err(failed("read"))?;
        // The writer had these bytes in one piece.
        let length = usize::try_from(u64::from_le_bytes(length))
            .map_err(|_| failed("read")(ErrorKind::InvalidData.into()))?;
        let mut data = vec![0; length];
        self.file.read_exact(&mut data).map_err(failed("read"))?;
        Ok(data)
    }
}

/// Ends after the first error.
impl Iterator for Changed {
    type Item = baton_c1z::Result<GrantChange>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let data = self.read();
        if data.is_err() {
            self.left = 0;
        }
        Some(
            data.map(|data| GrantChange::Replace { data })
                .map_err(outward),
        )
    }
}
