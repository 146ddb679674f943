//! Adds users, replaces their passwords, and removes users.

use std::sync::Arc;

use baton_connector::resource::ResourceExt as _;
use baton_connector::{
    Account, AccountManager, AccountOutcome, Call, Change, Code, Creation, CredentialManager,
    Error, Made, NewAccount, NewCredential, Plaintext, Reply, ResourceDeleter, Result, Write,
    async_trait, v2,
};
use csv::StringRecord;

use crate::edit::{self, Edit};
use crate::folder::{Kind, Link, PasswordHash, USERS};
use crate::refused;
use crate::syncers::{Users, user};
use crate::tables::Tables;

#[async_trait]
impl AccountManager for Users {
    async fn create(&self, _call: &Call, wanted: &NewAccount) -> Result<Creation<Account>> {
        let value = |key| wanted.profile().text(key).map(str::to_owned);
        let id = value("id").unwrap_or_default();
        let password = wanted.password()?;
        let hash = password
            .as_ref()
            .map(|password| PasswordHash::new(&id, password.expose()));
        let row = NewUser {
            name: value("name").unwrap_or_else(|| id.clone()),
            email: value("email").unwrap_or_default(),
            id: id.clone(),
            password: hash,
        };
        let tables = Arc::clone(&self.0);
        let mut change = Change::create();
        if tables.now()?.has(Kind::User, &id) {
            change = change.already();
        } else {
            if row.password.is_some() {
                check_column(&tables)?;
            }
            change = change.write(add(&tables, row));
        }
        let change = change.read_back(there(&tables, &id));
        Ok(change.gives(move |_call, made| async move {
            let resource = resource(&tables, &id)?;
            if made == Made::Before {
                return Ok(Account::new(AccountOutcome::AlreadyExists { resource }));
            }
            let account = Account::created(resource);
            Ok(match password {
                Some(password) => {
                    account.secret(Plaintext::new("password", password.expose().as_bytes()))
                }
                None => account,
            })
        }))
    }
}

#[async_trait]
impl CredentialManager for Users {
    async fn rotate(
        &self,
        _call: &Call,
        wanted: &NewCredential,
    ) -> Result<Creation<Vec<Plaintext>>> {
        let id = wanted.resource_id().resource.clone();
        let tables = Arc::clone(&self.0);
        if !tables.now()?.has(Kind::User, &id) {
            return Err(unknown(&id));
        }
        let Some(password) = wanted.password()? else {
            let text = "only a random password can take the place of a password";
            return Err(Error::stated(Code::InvalidArgument, text));
        };
        let hash = PasswordHash::new(&id, password.expose());
        let edit = NewPassword {
            id: id.clone(),
            hash: hash.clone(),
        };
        check_column(&tables)?;
        let (writing, looking) = (Arc::clone(&tables), tables);
        let write = Write::local(format!("replace the password of `{id}`"), move |_call| {
            let set = edit::apply(writing.folder(), USERS, &edit).map_err(refused);
            async { set.map(drop) }
        });
        let change = Change::create().write(write.repeatable());
        let change = change.read_back(move |_call| {
            let now = looking.now();
            let is_new = now.map(|now| {
                let row = now.user(&id);
                row.is_some_and(|row| row.fields.password.as_ref() == Some(&hash))
            });
            async { is_new }
        });
        Ok(change.gives(move |_call, _made| async move {
            Ok(vec![Plaintext::new(
                "password",
                password.expose().as_bytes(),
            )])
        }))
    }
}

#[async_trait]
impl ResourceDeleter for Users {
    async fn delete(&self, _call: &Call, resource: &v2::Resource) -> Result<Change> {
        let (tables, id) = (&self.0, resource.id());
        let now = tables.now()?;
        let mut change = Change::delete(now.has(Kind::User, id));
        // Memberships first: the tables never name a user who is not there.
        for file in now.tables_of(id).chain([USERS]) {
            change = change.write(remove(tables, file, id));
        }
        Ok(change)
    }

    async fn exists(&self, _call: &Call, resource: &v2::Resource) -> Result<bool> {
        Ok(self.0.now()?.has(Kind::User, resource.id()))
    }
}

/// Adds the row. Where another process was faster, the user was there before.
fn add(tables: &Arc<Tables>, row: NewUser) -> Write {
    let tables = Arc::clone(tables);
    let doing = format!("add the user `{}` to `{USERS}`", row.id);
    let write = Write::local(doing, move |_call| {
        let added = edit::apply(tables.folder(), USERS, &row).map_err(refused);
        let added = added.and_then(|added| {
            let there = || Error::stated(Code::AlreadyExists, "the user is there");
            added.then_some(()).ok_or_else(there)
        });
        async { added }
    });
    write.judged(|error| match error.code() {
        Code::AlreadyExists => Reply::Already,
        _ => Reply::Failed(error),
    })
}

/// Removes the rows of a user from a table. A second time does no harm.
fn remove(tables: &Arc<Tables>, file: &'static str, id: &str) -> Write {
    let tables = Arc::clone(tables);
    let rows = RowsOf {
        id: id.to_owned(),
        is_user: file == USERS,
    };
    let doing = format!("remove the rows of user `{id}` from `{file}`");
    let write = Write::local(doing.clone(), move |_call| {
        let removed = edit::apply(tables.folder(), file, &rows).map_err(refused);
        async { removed.map(drop) }
    });
    write.repeatable().called(doing)
}

/// Looks whether a user is there.
fn there(
    tables: &Arc<Tables>,
    id: &str,
) -> impl Fn(Call) -> std::future::Ready<Result<bool>> + Send + Sync + use<> {
    let (tables, id) = (Arc::clone(tables), id.to_owned());
    move |_call| std::future::ready(tables.now().map(|now| now.has(Kind::User, &id)))
}

fn resource(tables: &Tables, id: &str) -> Result<v2::Resource> {
    let now = tables.now()?;
    now.user(id).map_or_else(|| Err(unknown(id)), user)
}

pub(crate) fn unknown(id: &str) -> Error {
    Error::stated(Code::NotFound, format!("there is no user `{id}`"))
}

/// Refuses a password where the table has no column for it.
fn check_column(tables: &Tables) -> Result<()> {
    let columns = edit::columns(tables.folder(), USERS).map_err(refused)?;
    if columns.iter().any(|column| column == "password") {
        return Ok(());
    }
    let text = format!("`{USERS}` has no column `password`");
    Err(Error::stated(Code::FailedPrecondition, text).with_hint("add the column to the table"))
}

/// A row to add.
struct NewUser {
    id: String,
    name: String,
    email: String,
    password: Option<PasswordHash>,
}

impl Edit for NewUser {
    fn is_meant(&self, columns: &StringRecord, row: &StringRecord) -> csv::Result<bool> {
        Ok(cell(columns, row, "id") == Some(&self.id))
    }

    fn instead(
        &self,
        columns: &StringRecord,
        row: Option<&StringRecord>,
    ) -> csv::Result<Option<StringRecord>> {
        if let Some(row) = row {
            return Ok(Some(row.clone()));
        }
        let value = |column| match column {
            "id" => self.id.as_str(),
            "name" => &self.name,
            "email" => &self.email,
            "active" => "true",
            "password" => self.password.as_ref().map_or("", PasswordHash::digits),
            _ => "",
        };
        Ok(Some(columns.iter().map(value).collect()))
    }
}

/// A password to replace.
struct NewPassword {
    id: String,
    hash: PasswordHash,
}

impl Edit for NewPassword {
    fn is_meant(&self, columns: &StringRecord, row: &StringRecord) -> csv::Result<bool> {
        Ok(cell(columns, row, "id") == Some(&self.id))
    }

    fn instead(
        &self,
        columns: &StringRecord,
        row: Option<&StringRecord>,
    ) -> csv::Result<Option<StringRecord>> {
        let Some(row) = row else { return Ok(None) };
        let cells = columns.iter().zip(row);
        let cells = cells.map(|(column, value)| match column {
            "password" => self.hash.digits(),
            _ => value,
        });
        Ok(Some(cells.collect()))
    }
}

/// All rows of a user in one table.
struct RowsOf {
    id: String,
    /// The table of users, not one of links.
    is_user: bool,
}

impl Edit for RowsOf {
    fn is_meant(&self, columns: &StringRecord, row: &StringRecord) -> csv::Result<bool> {
        if self.is_user {
            return Ok(cell(columns, row, "id") == Some(&self.id));
        }
        let link: Link = row.deserialize(Some(columns))?;
        Ok(link.kind == Kind::User && link.id == self.id)
    }

    fn instead(
        &self,
        _columns: &StringRecord,
        _row: Option<&StringRecord>,
    ) -> csv::Result<Option<StringRecord>> {
        Ok(None)
    }
}

pub(crate) fn cell<'r>(
    columns: &StringRecord,
    row: &'r StringRecord,
    column: &str,
) -> Option<&'r str> {
    let place = columns.iter().position(|name| name == column)?;
    row.get(place)
}
