//! From an id alone to the keys it may have.
//!
//! Keys begin with the entitlement's resource, ids need not. Where an id was
//! joined from its parts, one of the ways to split it at its colons gives the
//! key, and looking each of them up costs little. Other ids of entitlements
//! are learnt once, by a scan of their keys; what that cannot answer is
//! answered by a scan of its own.

use std::cell::OnceCell;

use baton_pebble::{Db, Iter};
use baton_proto::field::c1::storage::v3::entitlement_record;
use baton_proto::wire;
use xxhash_rust::xxh64::xxh64;

use super::fault::damaged;
use super::fault::tables_error;
use super::keys::{self, ENTITLEMENT_PARTS};
use crate::error::{Error, Result};
use crate::row::Table;
use crate::tuple::{self, SEPARATOR, escaped};

/// Colons up to which every way of splitting an id is tried: with 64 there
/// are 2016 ways.
const MAX_COLONS: usize = 64;
/// Principal types up to which grants are looked for by their ids' parts.
const MAX_PRINCIPAL_TYPES: usize = 256;
/// Memory for what is learnt of ids that are not joined from parts.
const MAX_LEARNT_BYTES: usize = 64 << 20;

/// What was learnt of a file's ids.
#[derive(Default)]
pub(super) struct Learnt {
    /// `None`: more than the memory allowed for it.
    whole_ids: OnceCell<Option<WholeIds>>,
    /// `None`: too many.
    principal_types: OnceCell<Option<Vec<String>>>,
}

/// Entitlements whose keys hold their whole ids.
struct WholeIds {
    /// Hash of the escaped id, and where its resource begins in `resources`.
    entries: Vec<(u64, u32)>,
    /// Type and id, escaped and joined, behind their length as a u32.
    resources: Vec<u8>,
}

/// Finds keys in one file.
pub(super) struct Finder<'a> {
    pub path: &'a std::path::Path,
    pub db: &'a Db,
    pub learnt: &'a Learnt,
}

impl Finder<'_> {
    fn failed(&self) -> impl Fn(baton_pebble::Error) -> Error + '_ {
        |e| tables_error(self.path, e)
    }

    fn rows(&self, prefix: &[u8]) -> Result<Iter<'_>> {
        use std::ops::Bound::{Excluded, Included};
        let end = keys::behind(prefix);
        self.db
            .range(Included(prefix), Excluded(&end))
            .map_err(self.failed())
    }

    /// The key of the entitlement with this id.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if there are several.
    pub fn entitlement(&self, id: &str) -> Result<Option<Vec<u8>>> {
        one_of(Table::Entitlements, id, self.entitlements(id)?)
    }

    fn entitlements(&self, id: &str) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        for mut prefix in self.entitlement_prefixes(Table::Entitlements, id)? {
            prefix.pop();
            if self.db.get(&prefix).map_err(self.failed())?.is_some() {
                found.push(prefix);
            }
        }
        Ok(found)
    }

    /// What the keys of the grants of the entitlement with this id begin
    /// with; several if the id has several meanings.
    pub fn granted(&self, id: &str) -> Result<Vec<Vec<u8>>> {
        let mut found = self.entitlement_prefixes(Table::Grants, id)?;
        let mut rows = self.rows(&keys::table(Table::Grants))?;
        let mut failure = None;
        found.retain(|prefix| {
            exists(&mut rows, prefix).unwrap_or_else(|e| {
                failure = Some(e);
                false
            })
        });
        if let Some(failure) = failure {
            return Err(self.failed()(failure));
        }
        if found.is_empty() && self.entitlements(id)?.is_empty() {
            found = self.granted_by_scan(id)?;
        }
        Ok(found)
    }

    /// The grants of an entitlement that is not stored and whose id does not
    /// begin with its resource.
    fn granted_by_scan(&self, id: &str) -> Result<Vec<Vec<u8>>> {
        let wanted = escaped(id);
        let mut found = Vec::new();
        let table = keys::table(Table::Grants);
        let mut rows = self.rows(&table)?;
        // From the first grant of an entitlement to the first of the next.
        while let Some((key, _)) = rows.next().map_err(self.failed())? {
            let Some((entitlement, _)) =
                tuple::split_behind(keys::tuple_of(key), ENTITLEMENT_PARTS)
            else {
                return Err(malformed_key(self.path));
            };
            let mut prefix = [&table, entitlement].concat();
            prefix.push(SEPARATOR);
            let parts: Vec<&[u8]> = tuple::parts(entitlement).collect();
            if parts.ends_with(&[tuple::FLAG_WHOLE, &wanted]) {
                found.push(prefix.clone());
            }
            rows.seek(&keys::behind(&prefix)).map_err(self.failed())?;
        }
        Ok(found)
    }

    /// The key of the grant with this id.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if there are several.
    pub fn grant(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let mut found = self.grants_by_parts(id)?;
        if found.is_empty() {
            found = self.grants_by_scan(id)?;
        }
        one_of(Table::Grants, id, found)
    }

    /// Grants whose ids are joined from entitlement and principal.
    fn grants_by_parts(&self, id: &str) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        for type_id in self.principal_types()?.iter().flatten() {
            let middle = [":", type_id, ":"].concat();
            for (at, _) in id.match_indices(&middle).take(MAX_COLONS) {
                let entitlement = id.get(..at).unwrap_or_default();
                let principal = id.get(at + middle.len()..).unwrap_or_default();
                for prefix in self.entitlement_prefixes(Table::Grants, entitlement)? {
                    let key = keys::grant(&prefix, (type_id, principal));
                    let row = self.db.get(&key).map_err(self.failed())?;
                    if let Some(row) = row
                        && self.is_grant_id(&key, &row, id)?
                        && !found.contains(&key)
                    {
                        found.push(key);
                    }
                }
            }
        }
        Ok(found)
    }

    fn grants_by_scan(&self, id: &str) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        let mut rows = self.rows(&keys::table(Table::Grants))?;
        while let Some((key, row)) = rows.next().map_err(self.failed())? {
            if self.is_grant_id(key, row, id)? {
                found.push(key.to_vec());
                if found.len() > 1 {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Whether a grant has this id: its own, or without one that of its key.
    fn is_grant_id(&self, key: &[u8], row: &[u8], id: &str) -> Result<bool> {
        let malformed = || malformed_key(self.path);
        let own = wire::last_str(row, entitlement_record::EXTERNAL_ID).map_err(|_| Error::Row {
            path: self.path.to_owned(),
            table: Table::Grants,
            id: id.to_owned(),
            reason: "a scanned row is not a protobuf message",
        })?;
        if !own.is_empty() {
            return Ok(own == id);
        }
        let parts: Vec<&[u8]> = tuple::parts(keys::tuple_of(key)).collect();
        let [a, b, c, d, type_id, principal] = parts.try_into().map_err(|_| malformed())?;
        let joined = tuple::entitlement_id([a, b, c, d])
            .zip(tuple::unescape(type_id))
            .zip(tuple::unescape(principal))
            .map(|((entitlement, type_id), id)| [&entitlement, ":", &type_id, ":", &id].concat())
            .ok_or_else(malformed)?;
        Ok(joined == id)
    }

    /// The key of the resource with this joined id.
    ///
    /// # Errors
    /// [`Error::DuplicateId`] if there are several.
    pub fn resource(&self, id: &str) -> Result<Option<Vec<u8>>> {
        let mut found = Vec::new();
        for (at, _) in id.match_indices(':') {
            let (type_id, rest) = id.split_at(at);
            let rest = rest.get(1..).unwrap_or_default();
            let mut key = keys::table_prefix(Table::Resources, &[type_id, rest]);
            key.pop();
            if self.db.get(&key).map_err(self.failed())?.is_some() {
                found.push(key);
            }
        }
        one_of(Table::Resources, id, found)
    }

    /// All types of principals; `None` if there are too many.
    fn principal_types(&self) -> Result<&Option<Vec<String>>> {
        if let Some(known) = self.learnt.principal_types.get() {
            return Ok(known);
        }
        let index = keys::by_principal_prefix(&[]);
        let mut rows = self.rows(&index)?;
        let mut types = Some(Vec::new());
        while let (Some((key, _)), Some(known)) =
            (rows.next().map_err(self.failed())?, types.as_mut())
        {
            let part = tuple::parts(key.get(index.len()..).unwrap_or_default()).next();
            let part = part.unwrap_or_default();
            let type_id = tuple::unescape(part).ok_or_else(|| malformed_key(self.path))?;
            let behind = keys::behind(&[&index, part, &[SEPARATOR]].concat());
            known.push(type_id.into_owned());
            if known.len() > MAX_PRINCIPAL_TYPES {
                types = None;
            }
            rows.seek(&behind).map_err(self.failed())?;
        }
        Ok(self.learnt.principal_types.get_or_init(|| types))
    }

    /// What keys of `table` may begin with that are of the entitlement with
    /// this id. Of those that hold the whole id, only stored entitlements.
    fn entitlement_prefixes(&self, table: Table, id: &str) -> Result<Vec<Vec<u8>>> {
        let mut found = self.split(table, id)?;
        let tail = escaped(id);
        match self.whole_ids()? {
            Some(known) => known.resources(&tail, |resource| {
                found.push(whole_prefix(table, resource, &tail));
            }),
            None => self.whole_ids_by_scan(|resource, whole| {
                if whole == tail {
                    found.push(whole_prefix(table, resource, &tail));
                }
            })?,
        }
        Ok(found)
    }

    /// All ways to split an id into type, id and the rest that some row of
    /// `table` agrees with as far as the type.
    fn split(&self, table: Table, id: &str) -> Result<Vec<Vec<u8>>> {
        let colons: Vec<usize> = id.match_indices(':').map(|(at, _)| at).collect();
        if colons.len() > MAX_COLONS {
            return self.split_by_scan(table, id);
        }
        let mut found = Vec::new();
        let mut rows = self.rows(&keys::table(table))?;
        for (n, first) in colons.iter().enumerate() {
            let type_id = id.get(..*first).unwrap_or_default();
            let of_type = keys::table_prefix(table, &[type_id]);
            if !exists(&mut rows, &of_type).map_err(self.failed())? {
                continue;
            }
            for second in colons.iter().skip(n + 1) {
                let resource = id.get(first + 1..*second).unwrap_or_default();
                let mut prefix = vec![];
                prefix.extend_from_slice(&keys::table(table)[..2]);
                tuple::push_entitlement(&mut prefix, (type_id, resource), id);
                prefix.push(SEPARATOR);
                found.push(prefix);
            }
        }
        Ok(found)
    }

    /// As [`Finder::split`], from the keys that there are.
    fn split_by_scan(&self, table: Table, id: &str) -> Result<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        let begin = keys::table(table);
        let mut rows = self.rows(&begin)?;
        while let Some((key, _)) = rows.next().map_err(self.failed())? {
            let parts: Vec<&[u8]> = tuple::parts(keys::tuple_of(key))
                .take(ENTITLEMENT_PARTS)
                .collect();
            let [a, b, flag, d] = parts.try_into().map_err(|_| malformed_key(self.path))?;
            let mut prefix = [&begin[..], &[a, b, flag, d].join(&SEPARATOR)].concat();
            prefix.push(SEPARATOR);
            if flag != tuple::FLAG_WHOLE
                && tuple::entitlement_id([a, b, flag, d]).is_some_and(|whole| whole == id)
            {
                found.push(prefix.clone());
            }
            if table == Table::Grants {
                rows.seek(&keys::behind(&prefix)).map_err(self.failed())?;
            }
        }
        Ok(found)
    }

    fn whole_ids(&self) -> Result<&Option<WholeIds>> {
        if let Some(known) = self.learnt.whole_ids.get() {
            return Ok(known);
        }
        let mut known = Some(WholeIds::new());
        self.whole_ids_by_scan(|resource, tail| {
            if known
                .as_mut()
                .is_some_and(|known| !known.add(resource, tail))
            {
                known = None;
            }
        })?;
        if let Some(known) = &mut known {
            known.entries.sort_unstable();
        }
        Ok(self.learnt.whole_ids.get_or_init(|| known))
    }

    /// Visits resource (type, separator, id) and id of all entitlements whose
    /// keys hold their whole ids, escaped.
    fn whole_ids_by_scan(&self, mut visit: impl FnMut(&[u8], &[u8])) -> Result<()> {
        let mut rows = self.rows(&keys::table(Table::Entitlements))?;
        while let Some((key, _)) = rows.next().map_err(self.failed())? {
            let (resource, rest) = tuple::split_behind(keys::tuple_of(key), 2)
                .ok_or_else(|| malformed_key(self.path))?;
            if let Some(tail) = rest
                .strip_prefix(tuple::FLAG_WHOLE)
                .and_then(|rest| rest.strip_prefix(&[SEPARATOR]))
            {
                visit(resource, tail);
            }
        }
        Ok(())
    }
}

impl WholeIds {
    fn new() -> Self {
        Self {
            entries: Vec::new(),
            resources: Vec::new(),
        }
    }

    /// Learns one; false if that takes too much memory.
    fn add(&mut self, resource: &[u8], tail: &[u8]) -> bool {
        // Entitlements of one resource follow each other.
        let at = match self.entries.last() {
            Some((_, at)) if self.resource(*at) == resource => *at,
            _ => {
                let (Ok(at), Ok(len)) = (
                    u32::try_from(self.resources.len()),
                    u32::try_from(resource.len()),
                ) else {
                    return false;
                };
                self.resources.extend_from_slice(&len.to_le_bytes());
                self.resources.extend_from_slice(resource);
                at
            }
        };
        self.entries.push((xxh64(tail, 0), at));
        let entry = size_of::<(u64, u32)>();
        self.resources.len() + self.entries.len() * entry <= MAX_LEARNT_BYTES
    }

    /// The resource stored at a place.
    fn resource(&self, at: u32) -> &[u8] {
        let stored = self.resources.get(at as usize..).unwrap_or_default();
        match stored.split_first_chunk() {
            Some((len, rest)) => rest
                .get(..u32::from_le_bytes(*len) as usize)
                .unwrap_or_default(),
            None => &[],
        }
    }

    /// Visits the resources of all entitlements that may have this id.
    fn resources(&self, tail: &[u8], mut visit: impl FnMut(&[u8])) {
        let hash = xxh64(tail, 0);
        let first = self.entries.partition_point(|(other, _)| *other < hash);
        let rest = self.entries.get(first..).unwrap_or_default();
        for (_, at) in rest.iter().take_while(|(other, _)| *other == hash) {
            visit(self.resource(*at));
        }
    }
}

/// What the keys of rows of an entitlement begin with whose key holds its
/// whole id.
fn whole_prefix(table: Table, resource: &[u8], tail: &[u8]) -> Vec<u8> {
    let tuple = [resource, tuple::FLAG_WHOLE, tail].join(&SEPARATOR);
    let mut prefix = [&keys::table(table)[..], &tuple].concat();
    prefix.push(SEPARATOR);
    prefix
}

/// Whether there is a key that begins with `prefix`.
fn exists(rows: &mut Iter<'_>, prefix: &[u8]) -> baton_pebble::Result<bool> {
    rows.seek(prefix)?;
    Ok(rows.next()?.is_some_and(|(key, _)| key.starts_with(prefix)))
}

/// The only one of the keys that an id was found to have.
fn one_of(table: Table, id: &str, mut found: Vec<Vec<u8>>) -> Result<Option<Vec<u8>>> {
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(Error::DuplicateId {
            table,
            id: id.to_owned(),
        }),
    }
}

fn malformed_key(path: &std::path::Path) -> Error {
    damaged(path, "a key in its tables is malformed")
}
