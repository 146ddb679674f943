//! What an expansion changes, as a stream in canonical order.
//!
//! New grants are made one at a time out of numbers; changed ones were put
//! aside when the rows passed by. Neither stands in memory as rows. Shape of a
//! derived grant: sync-runtime specification, §4.4.

use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};

use baton_c1z::{GrantChange, Row};
use baton_proto::wire;
use tempfile::SpooledTempFile;

use crate::blob::{Blob, Blobs, failed};
use crate::embedded::Embedded;
use crate::error::{Error, Result};
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
/// Room for the tags and lengths of a grant's fields.
const FRAMING: usize = 24;

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
        }
    }

    /// The next claim that becomes a grant, and the destination it is on.
    fn claim(&mut self) -> Option<(&Stored, Claim)> {
        while let Some(slot) = self.derivations.get_mut(self.destination) {
            let claim = slot.as_ref().and_then(|d| d.new.get(self.next).copied());
            if let Some(claim) = claim {
                return Some((self.entitlements.get(self.destination)?, claim));
            }
            // A derivation is asked again only for principals whose messages vary.
            if !self.embedded.is_varied() {
                *slot = None;
            }
            self.destination += 1;
            self.next = 0;
        }
        None
    }

    fn key(&mut self) -> Option<Key<'_>> {
        let principal = self.claim()?.1.principal.0;
        let stored = &self.entitlements[self.destination];
        Some(Key {
            resource: (&stored.resource_type_id, &stored.resource_id),
            entitlement: &stored.id,
            principal: self.directory.name(principal),
        })
    }

    fn make(&mut self) -> Result<Option<Vec<u8>>> {
        let Some((_, claim)) = self.claim() else {
            return Ok(None);
        };
        if self.next == 0 {
            self.enter()?;
        }
        self.next += 1;
        self.encode(claim)
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

    /// One derived grant. The head stands ready.
    fn encode(&mut self, claim: Claim) -> Result<Option<Vec<u8>>> {
        let Some(Some(derivation)) = self.derivations.get(self.destination) else {
            return Ok(None);
        };
        let stored = &self.entitlements[self.destination];
        let principal = claim.principal.0;
        let (type_id, principal_id) = self.directory.name(principal);
        let id = [&*stored.id, type_id, principal_id].join(":");
        let message = self
            .embedded
            .find(derivation, &self.derivations, principal, claim.set)
            .unwrap_or_default();
        let sources = self.sources[claim.set as usize]
            .get_or_insert_with(|| sources_field(derivation, claim.set, &self.entitlements));

        let parts = [&self.head[..], id.as_bytes(), &self.immutable, sources];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut data = Vec::with_capacity(length + message.len() + FRAMING);
        data.extend_from_slice(&self.head);
        put_blob(&mut data, GRANT_PRINCIPAL, message, &mut self.embedded)?;
        wire::put_bytes(&mut data, GRANT_ID, id.as_bytes());
        data.extend_from_slice(&self.immutable);
        data.extend_from_slice(sources);
        Ok(Some(data))
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
    record: Vec<u8>,
    count: u64,
}

impl ChangedWriter {
    pub(crate) fn new(file: SpooledTempFile) -> Self {
        Self {
            file,
            record: Vec::new(),
            count: 0,
        }
    }

    /// Puts aside a row with new data.
    pub(crate) fn put(&mut self, row: &Row<'_>, data: &[u8]) -> Result<()> {
        self.record.clear();
        for part in [
            row.resource_type_id.as_bytes(),
            row.resource_id.as_bytes(),
            row.entitlement_id.as_bytes(),
            row.principal_type_id.as_bytes(),
            row.principal_id.as_bytes(),
            data,
        ] {
            self.record.extend((part.len() as u64).to_le_bytes());
            self.record.extend_from_slice(part);
        }
        self.count += 1;
        self.file.write_all(&self.record).map_err(failed("write"))
    }

    pub(crate) fn into_reader(mut self) -> Result<Changed> {
        self.file.seek(SeekFrom::Start(0)).map_err(failed("seek"))?;
        let mut changed = Changed {
            file: BufReader::new(self.file),
            left: self.count,
            head: None,
        };
        changed.advance()?;
        Ok(changed)
    }
}

/// Changed rows, read back in the order in which they were put.
#[derive(Debug)]
pub(crate) struct Changed {
    file: BufReader<SpooledTempFile>,
    /// Rows in the file behind the head.
    left: u64,
    head: Option<ChangedRow>,
}

#[derive(Debug)]
struct ChangedRow {
    /// Resource type and id, entitlement, principal type and id.
    key: [String; 5],
    data: Vec<u8>,
}

impl ChangedRow {
    fn key(&self) -> Key<'_> {
        let [
            resource_type,
            resource,
            entitlement,
            principal_type,
            principal,
        ] = &self.key;
        Key {
            resource: (resource_type, resource),
            entitlement,
            principal: (principal_type, principal),
        }
    }
}

impl Changed {
    /// Gives the head and reads the row behind it.
    fn advance(&mut self) -> Result<Option<ChangedRow>> {
        let next = match self.left.checked_sub(1) {
            None => None,
            Some(left) => {
                self.left = left;
                let mut key: [String; 5] = Default::default();
                for part in &mut key {
                    *part = self.text()?;
                }
                let data = self.part()?;
                Some(ChangedRow { key, data })
            }
        };
        Ok(std::mem::replace(&mut self.head, next))
    }

    fn part(&mut self) -> Result<Vec<u8>> {
        let mut length = [0; 8];
        self.file.read_exact(&mut length).map_err(failed("read"))?;
        // The writer had these bytes in one piece.
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| damaged())?;
        let mut part = vec![0; length];
        self.file.read_exact(&mut part).map_err(failed("read"))?;
        Ok(part)
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.part()?).map_err(|_| damaged())
    }
}

/// What was written did not come back.
fn damaged() -> Error {
    failed("read")(ErrorKind::InvalidData.into())
}

/// Both streams as one. Ends after the first error.
#[derive(Debug)]
pub(crate) struct Changes {
    derived: Derived,
    changed: Changed,
    ended: bool,
}

impl Changes {
    pub(crate) fn new(derived: Derived, changed: Changed) -> Self {
        Self {
            derived,
            changed,
            ended: false,
        }
    }

    fn step(&mut self) -> Result<Option<GrantChange>> {
        let changed_first = match (self.changed.head.as_ref(), self.derived.key()) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(changed), Some(derived)) => changed.key().canonical() <= derived.canonical(),
        };
        Ok(if changed_first {
            self.changed
                .advance()?
                .map(|row| GrantChange::Replace { data: row.data })
        } else {
            self.derived
                .make()?
                .map(|data| GrantChange::Insert { data })
        })
    }
}

impl Iterator for Changes {
    type Item = baton_c1z::Result<GrantChange>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step();
        self.ended = !matches!(step, Ok(Some(_)));
        step.map_err(outward).transpose()
    }
}

/// Where a grant stands in a file.
#[derive(Debug, Clone, Copy)]
struct Key<'a> {
    resource: (&'a str, &'a str),
    entitlement: &'a str,
    principal: (&'a str, &'a str),
}

impl Key<'_> {
    /// Canonical order: the parts of the v3 key (c1z specification, §2.3), of
    /// which one says whether the entitlement id begins with its resource.
    /// Grants of one pair differ in id only; of those one stream has all.
    fn canonical(&self) -> impl Ord {
        let tail = self
            .entitlement
            .strip_prefix(self.resource.0)
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|rest| rest.strip_prefix(self.resource.1))
            .and_then(|rest| rest.strip_prefix(':'));
        (
            self.resource,
            tail.is_some(),
            tail.unwrap_or(self.entitlement),
            self.principal,
        )
    }
}
