//! Records: what a list shows of each row and of the objects that it refers
//! to, by the names of fields.
//!
//! A [`View`] is the set of fields that a caller will ask for. [`Records`]
//! reads only these: an object is looked up only if a field needs it, and of
//! a looked-up object only the needed parts are kept, in bounded memory.

mod needs;
mod read;

use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use baton_c1z::{Error as FileError, Lookup, Projection, Row, Snapshot, Table as Rows};
use baton_proto::field::c1::connector::v2 as field;

use crate::error::{Error, Result};
use crate::field::{Entity, Field, FieldPath, Part, Table};
use crate::value::Value;
use needs::Needs;
pub(crate) use read::sources;

/// The fields of a table's records that will be asked for.
#[derive(Debug, Clone)]
pub struct View {
    table: Table,
    fields: u64,
    /// The record's names will be searched.
    is_searched: bool,
}

impl View {
    /// A view without fields.
    pub fn new(table: Table) -> Self {
        Self {
            table,
            fields: 0,
            is_searched: false,
        }
    }

    /// Adds a field. One that the table lacks stays absent.
    #[must_use]
    pub fn with(mut self, field: Field) -> Self {
        self.fields |= field.bit();
        self
    }

    /// Adds fields.
    #[must_use]
    pub fn with_all(self, fields: impl IntoIterator<Item = Field>) -> Self {
        fields.into_iter().fold(self, Self::with)
    }

    /// Adds what [`Record::any_name`] visits.
    #[must_use]
    pub fn with_names(mut self) -> Self {
        self.is_searched = true;
        self
    }

    /// The table.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Whether records need to know when a sync wrote their rows: scans must
    /// then ask for it ([`Filter::dates`](baton_c1z::Filter::dates)).
    pub fn needs_dates(&self) -> bool {
        let mut fields = self.table.fields();
        fields.any(|field| field.part() == Part::DiscoveredAt && self.has(field))
    }

    fn has(&self, field: Field) -> bool {
        self.fields & field.bit() != 0
    }

    /// What is needed of the objects of one kind, if they are looked up.
    fn needs(&self, rows: Rows) -> Needs {
        let mut needs = Needs::default();
        for field in self.table.fields().filter(|field| self.has(*field)) {
            if rows_of(field.entity()) == Some(rows) {
                needs.add(field);
            }
        }
        if self.is_searched && rows != Rows::ResourceTypes {
            for field in [Entity::Entitlement, Entity::Resource]
                .into_iter()
                .filter(|entity| rows_of(*entity) == Some(rows))
                .filter_map(|entity| Field::of(entity, "display_name"))
            {
                needs.add(field);
            }
            if rows == Rows::Resources {
                needs.add_user_names();
            }
        }
        needs
    }
}

/// The table in which an entity is stored.
fn rows_of(entity: Entity) -> Option<Rows> {
    match entity {
        Entity::ResourceType => Some(Rows::ResourceTypes),
        Entity::Resource | Entity::Principal | Entity::Secret => Some(Rows::Resources),
        Entity::Entitlement => Some(Rows::Entitlements),
        Entity::Grant => None,
    }
}

/// Reads the records of one table of a sync.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use baton_c1z::{C1zFile, Filter, ReadOptions, View as FileView};
/// use baton_query::{Field, Records, Table, View};
///
/// let file = C1zFile::open("sync.c1z".as_ref(), &ReadOptions::default())?;
/// let snapshot = file.view(FileView::AllRows)?;
/// let email = Field::parse("principal.email")?;
/// let records = Records::new(&snapshot, View::new(Table::Grants).with(email));
/// snapshot.scan(Table::Grants.rows(), &Filter::default(), &mut |row| {
///     match records.record(row).value(email) {
///         Ok(value) => println!("{}: {value}", row.id),
///         Err(error) => println!("{}: {error}", row.id),
///     }
///     Ok(ControlFlow::Continue(()))
/// })?;
/// # Ok::<(), baton_query::Error>(())
/// ```
pub struct Records<'s> {
    view: View,
    path: PathBuf,
    lookup: RefCell<Lookup<'s, Kept>>,
}

impl<'s> Records<'s> {
    /// The records of `view` among the rows that `snapshot` shows.
    pub fn new(snapshot: &Snapshot<'s>, view: View) -> Self {
        let path = snapshot.file().path().to_owned();
        let kept = Kept {
            path: path.clone(),
            types: view.needs(Rows::ResourceTypes),
            resources: view.needs(Rows::Resources),
            entitlements: view.needs(Rows::Entitlements),
        };
        Self {
            view,
            path,
            lookup: RefCell::new(Lookup::new(snapshot, kept)),
        }
    }

    /// The table and the fields.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The record of a row of [`Table::rows`].
    pub fn record<'r>(&'r self, row: &Row<'r>) -> Record<'r, 's> {
        Record {
            records: self,
            row: *row,
            resource_type: OnceCell::new(),
            resource: OnceCell::new(),
            entitlement: OnceCell::new(),
            principal: OnceCell::new(),
        }
    }
}

impl std::fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records")
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

/// One record: a row and, as they are needed, the objects that it refers to.
pub struct Record<'r, 's> {
    records: &'r Records<'s>,
    row: Row<'r>,
    resource_type: OnceCell<Rc<Object>>,
    resource: OnceCell<Rc<Object>>,
    entitlement: OnceCell<Rc<Object>>,
    principal: OnceCell<Rc<Object>>,
}

impl Record<'_, '_> {
    /// The table.
    pub fn table(&self) -> Table {
        self.records.view.table
    }

    /// The value of a field. A field that the table lacks is absent, and so
    /// are fields of objects that the file lacks.
    ///
    /// # Errors
    /// [`Error::NotInView`] for a field that the view lacks; [`Error::File`]
    /// where the row or an object cannot be read.
    pub fn value(&self, field: Field) -> Result<Value<'_>> {
        let view = &self.records.view;
        if !view.has(field) {
            return Err(Error::NotInView {
                field: field.name(),
            });
        }
        if !field.is_in(view.table) {
            return Ok(Value::Null);
        }
        // A principal of its own table is also the resource.
        let entity = match field.entity() {
            Entity::Resource | Entity::Secret if view.table == Table::Principals => {
                Entity::Principal
            }
            Entity::Secret => Entity::Resource,
            entity => entity,
        };
        match (entity, field.part()) {
            (_, Part::Id | Part::Type | Part::ResourceId | Part::ResourceType) => {
                Ok(Value::text(self.column(entity, field.part())))
            }
            (Entity::Grant, Part::DiscoveredAt) => {
                Ok(self.row.discovered_at.map_or(Value::Null, Value::Time))
            }
            (Entity::Grant, part) => self.checked(read::grant(
                part,
                self.row.data,
                self.row.entitlement_id,
                self.row.expansion,
            )),
            (Entity::ResourceType, part) => {
                self.checked(read::resource_type(part, self.message(entity)?))
            }
            (Entity::Entitlement, part) => {
                self.checked(read::entitlement(part, self.message(entity)?))
            }
            (Entity::Resource | Entity::Principal | Entity::Secret, part) => {
                self.checked(read::resource(part, self.message(entity)?))
            }
        }
    }

    /// The value at a path; null where a map has no such key.
    ///
    /// # Errors
    /// As for [`Record::value`].
    pub fn at(&self, path: &FieldPath) -> Result<Value<'_>> {
        let mut value = self.value(path.field())?;
        for key in path.keys() {
            value = match value {
                Value::Map(map) => map.get(key).unwrap_or(Value::Null),
                _ => Value::Null,
            };
        }
        Ok(value)
    }

    /// Whether one of the texts by which people search is the right one: ids,
    /// names, e-mail addresses and logins of the record. The view must have
    /// been made [`View::with_names`]. Texts are the bytes of the file.
    ///
    /// # Errors
    /// [`Error::File`] where the row or an object cannot be read.
    pub fn any_name(&self, mut is_it: impl FnMut(&[u8]) -> bool) -> Result<bool> {
        let row = &self.row;
        let of_row = match self.table() {
            Table::ResourceTypes => [row.id, "", ""],
            Table::Resources => [row.resource_id, row.resource_type_id, ""],
            Table::Entitlements => [row.id, row.resource_id, ""],
            Table::Grants => [row.id, row.entitlement_id, row.principal_id],
            Table::Principals => [row.principal_id, row.principal_type_id, ""],
        };
        if of_row.iter().any(|id| is_it(id.as_bytes())) {
            return Ok(true);
        }
        for entity in self.table().entities() {
            let found = match entity {
                Entity::ResourceType if self.table() == Table::ResourceTypes => {
                    self.name_is(*entity, field::resource_type::DISPLAY_NAME, &mut is_it)?
                }
                Entity::Entitlement => {
                    self.name_is(*entity, field::entitlement::DISPLAY_NAME, &mut is_it)?
                }
                Entity::Principal => self.resource_name_is(*entity, &mut is_it)?,
                Entity::Resource if self.table() != Table::Principals => {
                    self.resource_name_is(*entity, &mut is_it)?
                }
                _ => false,
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn resource_name_is(
        &self,
        entity: Entity,
        is_it: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool> {
        if self.name_is(entity, field::resource::DISPLAY_NAME, is_it)? {
            return Ok(true);
        }
        self.checked(read::any_user_name(self.message(entity)?, is_it))
    }

    fn name_is(
        &self,
        entity: Entity,
        number: u32,
        is_it: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<bool> {
        let message = self.message(entity)?;
        let name = self.checked(baton_proto::wire::last_bytes(message, number))?;
        Ok(name.is_some_and(is_it))
    }

    /// An id that the row itself has.
    fn column(&self, entity: Entity, part: Part) -> &str {
        let row = &self.row;
        match (entity, part) {
            (Entity::Principal, Part::Type) => row.principal_type_id,
            (Entity::Principal, _) => row.principal_id,
            (Entity::Resource, Part::Type) | (Entity::Entitlement, Part::ResourceType) => {
                row.resource_type_id
            }
            (Entity::Resource, _) | (Entity::Entitlement, Part::ResourceId) => row.resource_id,
            (Entity::Entitlement, _) if self.table() == Table::Grants => row.entitlement_id,
            (Entity::ResourceType, _) => self.type_id(),
            _ => row.id,
        }
    }

    /// The resource type of the record.
    fn type_id(&self) -> &str {
        match self.table() {
            Table::ResourceTypes => self.row.id,
            Table::Principals => self.row.principal_type_id,
            _ => self.row.resource_type_id,
        }
    }

    /// The bytes of an entity: the row's own, or of an object that it refers
    /// to. Empty for an object that the file lacks.
    fn message(&self, entity: Entity) -> Result<&[u8]> {
        let row = &self.row;
        let is_own = match self.table() {
            Table::ResourceTypes => entity == Entity::ResourceType,
            Table::Resources => entity == Entity::Resource,
            Table::Entitlements => entity == Entity::Entitlement,
            Table::Grants => entity == Entity::Grant,
            Table::Principals => false,
        };
        if is_own {
            return Ok(row.data);
        }
        let mut lookup = self.records.lookup.borrow_mut();
        let (kept, object) = match entity {
            Entity::ResourceType => match self.resource_type.get() {
                Some(object) => return Ok(object),
                None => (&self.resource_type, lookup.resource_type(self.type_id())?),
            },
            Entity::Entitlement => match self.entitlement.get() {
                Some(object) => return Ok(object),
                None => (&self.entitlement, lookup.entitlement(row.entitlement_id)?),
            },
            Entity::Principal => match self.principal.get() {
                Some(object) => return Ok(object),
                None => {
                    let (type_id, id) = (row.principal_type_id, row.principal_id);
                    (&self.principal, lookup.resource(type_id, id)?)
                }
            },
            Entity::Resource | Entity::Secret | Entity::Grant => match self.resource.get() {
                Some(object) => return Ok(object),
                None => {
                    let (type_id, id) = (row.resource_type_id, row.resource_id);
                    (&self.resource, lookup.resource(type_id, id)?)
                }
            },
        };
        Ok(kept.get_or_init(|| object))
    }

    fn checked<T>(&self, read: baton_proto::Result<T>) -> Result<T> {
        let rows = self.table().rows();
        Ok(read.map_err(|_| malformed(self.records.path.clone(), rows, &self.row))?)
    }
}

impl std::fmt::Debug for Record<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("table", &self.table())
            .field("row", &self.row.id)
            .finish_non_exhaustive()
    }
}

/// The kept parts of an object, encoded; empty if the file lacks it.
type Object = Box<[u8]>;

/// Keeps the needed parts of objects.
struct Kept {
    path: PathBuf,
    types: Needs,
    resources: Needs,
    entitlements: Needs,
}

impl Projection for Kept {
    type Value = Object;
    type Error = FileError;

    fn found(&self, table: Rows, row: &Row<'_>) -> baton_c1z::Result<Object> {
        let (needs, annotations) = match table {
            Rows::ResourceTypes => (&self.types, field::resource_type::ANNOTATIONS),
            Rows::Resources => (&self.resources, field::resource::ANNOTATIONS),
            Rows::Entitlements => (&self.entitlements, field::entitlement::ANNOTATIONS),
            // No row refers to a grant.
            Rows::Grants => return Ok(Object::default()),
        };
        let mut kept = Vec::new();
        if !needs.is_empty() {
            needs
                .copy(row.data, annotations, &mut kept)
                .map_err(|_| malformed(self.path.clone(), table, row))?;
        }
        Ok(kept.into())
    }

    fn missing(&self, _: Rows, _: &str, _: &str) -> baton_c1z::Result<Object> {
        Ok(Object::default())
    }

    fn pack(&self, value: &Object, out: &mut Vec<u8>) {
        out.extend_from_slice(value);
    }

    fn unpack(&self, bytes: &[u8]) -> Option<Object> {
        Some(bytes.into())
    }
}

fn malformed(path: PathBuf, table: Rows, row: &Row<'_>) -> FileError {
    FileError::Row {
        path,
        table,
        id: row.id.to_owned(),
        reason: "its content cannot be read",
    }
}
