//! Objects by id: what a row refers to, joined to it.
//!
//! Rows refer to resource types, resources and entitlements by id. A
//! [`Lookup`] returns what a [`Projection`] keeps of such an object. At first
//! it fetches each object from the file and remembers it within a budget.
//! After many fetches of resources it reads all of them in file order, since
//! each fetch may decode a part of the file again. Reading ahead only saves
//! time: if it fails, objects are fetched as before.

mod read_ahead;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use crate::Format;
use crate::error::Error;
use crate::file::Snapshot;
use crate::row::{Filter, OwnedRow, Row, Table};
use crate::store::{Key, Query, Store};
use read_ahead::{Builder, ReadAhead};

/// Bytes that are remembered per kind of object; then all of that kind are
/// forgotten.
const REMEMBERED_BYTES: usize = 8 << 20;
/// What a remembered object costs besides its value: keys, counters, table slot.
const ENTRY_BYTES: usize = 200;
/// Resources that are fetched one by one before all are read ahead, at least:
/// who looks at a few rows should not read a large file.
const MIN_FETCHES: u64 = 50;
/// How many resources are read in file order in the time of one fetch, at most:
/// in format v3 a fetch may decode a table of 8 MiB.
const READ_PER_FETCH_V1: u64 = 8;
const READ_PER_FETCH_V3: u64 = 2_000;

/// What is kept of an object, and how it is stored for a while.
pub trait Projection {
    /// What is kept.
    type Value;
    /// Why an object cannot be projected.
    type Error: From<Error>;

    /// The value of a stored object.
    ///
    /// # Errors
    /// For the caller of the look-up that needed the object.
    fn found(&self, table: Table, row: &Row<'_>) -> Result<Self::Value, Self::Error>;

    /// The value for an object that the file lacks. Only resources have a
    /// type; `type_id` is empty for the others.
    ///
    /// # Errors
    /// As for [`Projection::found`].
    fn missing(&self, table: Table, type_id: &str, id: &str) -> Result<Self::Value, Self::Error>;

    /// Appends a value as bytes, for [`Projection::unpack`].
    fn pack(&self, value: &Self::Value, out: &mut Vec<u8>);

    /// The value of packed bytes; `None` if they are not from
    /// [`Projection::pack`].
    fn unpack(&self, bytes: &[u8]) -> Option<Self::Value>;
}

/// Finds objects of one sync by id.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use std::time::SystemTime;
/// use baton_c1z::{C1zFile, Error, Filter, Lookup, Projection, ReadOptions, Row, Table, View};
///
/// /// Keeps how long each message is.
/// struct Lengths;
///
/// impl Projection for Lengths {
///     type Value = Option<usize>;
///     type Error = Error;
///     fn found(&self, _: Table, row: &Row<'_>) -> Result<Option<usize>, Error> {
///         Ok(Some(row.data.len()))
///     }
///     fn missing(&self, _: Table, _: &str, _: &str) -> Result<Option<usize>, Error> {
///         Ok(None)
///     }
///     fn pack(&self, value: &Option<usize>, out: &mut Vec<u8>) {
///         out.extend_from_slice(&value.unwrap_or_default().to_le_bytes());
///     }
///     fn unpack(&self, bytes: &[u8]) -> Option<Option<usize>> {
///         Some(Some(usize::from_le_bytes(bytes.try_into().ok()?)))
///     }
/// }
///
/// let file = C1zFile::open("sync.c1z".as_ref(), &ReadOptions::default())?;
/// let view = file.view(View::Default { now: SystemTime::now() })?;
/// let mut lookup = Lookup::new(&view, Lengths);
/// view.scan(Table::Grants, &Filter::default(), &mut |grant| {
///     let principal = lookup.resource(grant.principal_type_id, grant.principal_id)?;
///     println!("{}: {:?}", grant.id, principal);
///     Ok(ControlFlow::Continue(()))
/// })?;
/// # Ok::<(), Error>(())
/// ```
pub struct Lookup<'s, P: Projection> {
    store: &'s dyn Store,
    sync_id: Option<&'s str>,
    settings: Settings<'s>,
    projection: P,
    types: Cache<P::Value>,
    resources: Cache<P::Value>,
    entitlements: Cache<P::Value>,
    /// Resources that were not remembered.
    misses: u64,
    read_ahead: Option<ReadAhead<P::Value>>,
    /// All resources were read ahead: the file has no other.
    is_complete: bool,
    packed: Vec<u8>,
}

/// How much a look-up may use, and when it reads ahead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'s> {
    /// Resources are read ahead when so many were not remembered.
    pub fetches_before_read_ahead: u64,
    /// Bytes of resources read ahead that stay in memory; the others go to a
    /// private file.
    pub memory_bytes: usize,
    /// Folder for that file; `None`: the system's.
    pub temp_dir: Option<&'s Path>,
}

impl<'s> Settings<'s> {
    /// Default of [`Settings::memory_bytes`].
    pub const MEMORY_BYTES: usize = 32 << 20;

    /// Reading ahead begins when fetching one by one has taken as long as
    /// reading ahead takes.
    fn of(snapshot: &Snapshot<'s>) -> Self {
        let stats = snapshot.sync().and_then(|run| run.stats.as_ref());
        let resources = stats.map_or(0, |stats| u64::try_from(stats.resources).unwrap_or(0));
        let read_per_fetch = match snapshot.file().format() {
            Format::V3 => READ_PER_FETCH_V3,
            Format::V1 => READ_PER_FETCH_V1,
        };
        Self {
            fetches_before_read_ahead: MIN_FETCHES.max(resources / read_per_fetch),
            memory_bytes: Self::MEMORY_BYTES,
            temp_dir: snapshot.file().temp_dir(),
        }
    }
}

impl<'s, P: Projection> Lookup<'s, P> {
    /// A look-up in the rows that `snapshot` shows.
    pub fn new(snapshot: &Snapshot<'s>, projection: P) -> Self {
        let settings = Settings::of(snapshot);
        Self::with_settings(snapshot.store(), snapshot.sync_id(), projection, settings)
    }

    pub(crate) fn with_settings(
        store: &'s dyn Store,
        sync_id: Option<&'s str>,
        projection: P,
        settings: Settings<'s>,
    ) -> Self {
        Self {
            store,
            sync_id,
            settings,
            projection,
            types: Cache::default(),
            resources: Cache::default(),
            entitlements: Cache::default(),
            misses: 0,
            read_ahead: None,
            is_complete: false,
            packed: Vec::new(),
        }
    }

    /// The resource type with this id.
    ///
    /// # Errors
    /// Those of reading and of the projection.
    pub fn resource_type(&mut self, id: &str) -> Result<Rc<P::Value>, P::Error> {
        if let Some(value) = self.types.get("", id) {
            return Ok(Rc::clone(value));
        }
        let row = self.fetch(Table::ResourceTypes, Key::Id(id))?;
        let value = self.project(Table::ResourceTypes, ("", id), row)?;
        self.types.keep("", id, &value, self.packed.len());
        Ok(value)
    }

    /// The resource with this type and id.
    ///
    /// # Errors
    /// Those of reading and of the projection.
    pub fn resource(&mut self, type_id: &str, id: &str) -> Result<Rc<P::Value>, P::Error> {
        if let Some(value) = self.resources.get(type_id, id) {
            return Ok(Rc::clone(value));
        }
        self.misses += 1;
        if self.misses == self.settings.fetches_before_read_ahead {
            self.read_ahead()?;
        }
        if let Some(value) = self.read_before(type_id, id) {
            return Ok(value);
        }
        let row = if self.is_complete {
            None
        } else {
            self.fetch(Table::Resources, Key::Resource(type_id, id))?
        };
        let value = self.project(Table::Resources, (type_id, id), row)?;
        self.resources.keep(type_id, id, &value, self.packed.len());
        Ok(value)
    }

    /// The entitlement with this external id.
    ///
    /// # Errors
    /// Those of reading and of the projection;
    /// [`Error::DuplicateId`] if several entitlements have the id.
    pub fn entitlement(&mut self, id: &str) -> Result<Rc<P::Value>, P::Error> {
        if let Some(value) = self.entitlements.get("", id) {
            return Ok(Rc::clone(value));
        }
        let row = self.fetch(Table::Entitlements, Key::Id(id))?;
        let value = self.project(Table::Entitlements, ("", id), row)?;
        self.entitlements.keep("", id, &value, self.packed.len());
        Ok(value)
    }

    fn fetch(&self, table: Table, key: Key<'_>) -> Result<Option<OwnedRow>, Error> {
        self.store.get(self.sync_id, table, key)
    }

    /// The value of a row, or of an object without one. Afterwards `packed`
    /// holds the value's bytes.
    fn project(
        &mut self,
        table: Table,
        (type_id, id): (&str, &str),
        row: Option<OwnedRow>,
    ) -> Result<Rc<P::Value>, P::Error> {
        let value = match row {
            Some(row) => self.projection.found(table, &row.as_row())?,
            None => self.projection.missing(table, type_id, id)?,
        };
        self.packed.clear();
        self.projection.pack(&value, &mut self.packed);
        Ok(Rc::new(value))
    }

    /// A resource that was read ahead. If the private file cannot be read,
    /// the sync file is asked again.
    fn read_before(&mut self, type_id: &str, id: &str) -> Option<Rc<P::Value>> {
        let read_ahead = self.read_ahead.as_mut()?;
        if let Ok(found) = read_ahead.get(type_id, id, |bytes| self.projection.unpack(bytes)) {
            return found;
        }
        self.read_ahead = None;
        self.is_complete = false;
        None
    }

    fn read_ahead(&mut self) -> Result<(), P::Error> {
        let mut builder = Builder::new(self.settings.memory_bytes, self.settings.temp_dir);
        let mut is_complete = true;
        let projection = &self.projection;
        let query = Query {
            sync_id: self.sync_id,
            table: Table::Resources,
            filter: &Filter::default(),
        };
        self.store.scan(&query, &mut |row| {
            // An object that cannot be projected is an error for the caller
            // that needs it.
            let Ok(value) = projection.found(Table::Resources, row) else {
                is_complete = false;
                return Ok(ControlFlow::Continue(()));
            };
            let pack = |out: &mut Vec<u8>| projection.pack(&value, out);
            // A full disk costs time, not the result.
            let kept = builder.add(row.resource_type_id, row.resource_id, pack);
            is_complete &= matches!(kept, Ok(true));
            Ok(match kept {
                Ok(_) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        })?;
        if let Ok(read_ahead) = builder.finish() {
            self.read_ahead = Some(read_ahead);
            self.is_complete = is_complete;
        }
        Ok(())
    }
}

/// Values by type and id.
struct Cache<V> {
    by_type: HashMap<Box<str>, HashMap<Box<str>, Rc<V>>>,
    bytes: usize,
    /// The one that was asked for last: rows come grouped.
    last: Option<(Box<str>, Box<str>, Rc<V>)>,
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self {
            by_type: HashMap::new(),
            bytes: 0,
            last: None,
        }
    }
}

impl<V> Cache<V> {
    fn get(&mut self, type_id: &str, id: &str) -> Option<&Rc<V>> {
        let is_last = |last: &(Box<str>, Box<str>, _)| (&*last.0, &*last.1) == (type_id, id);
        if !self.last.as_ref().is_some_and(is_last) {
            let value = Rc::clone(self.by_type.get(type_id)?.get(id)?);
            self.last = Some((type_id.into(), id.into(), value));
        }
        self.last.as_ref().map(|(_, _, value)| value)
    }

    /// Keeps a value of so many bytes, instead of all others if there is no
    /// room for it.
    fn keep(&mut self, type_id: &str, id: &str, value: &Rc<V>, value_bytes: usize) {
        let cost = value_bytes + type_id.len() + 2 * id.len() + ENTRY_BYTES;
        if self.bytes + cost > REMEMBERED_BYTES {
            self.by_type.clear();
            self.bytes = 0;
        }
        self.bytes += cost;
        let of_type = match self.by_type.get_mut(type_id) {
            Some(of_type) => of_type,
            None => self.by_type.entry(type_id.into()).or_default(),
        };
        of_type.insert(id.into(), Rc::clone(value));
    }
}

#[cfg(test)]
mod tests;
