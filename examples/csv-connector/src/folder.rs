//! The folder: five tables, read as a whole and checked as a whole.
//!
//! Nothing here knows of Baton; another application has its API client in
//! this place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use baton_connector::{Code, fingerprint};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// The table of users.
pub(crate) const USERS: &str = "users.csv";

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person or a service.
    User,
    /// Holds users and groups.
    Group,
    /// Is held by users, groups and roles.
    Role,
}

impl Kind {
    /// The word in the tables, and the id of the resource type.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }
}

/// A row of `users.csv`.
#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub id: String,
    pub name: String,
    pub email: String,
    pub active: bool,
    /// Only where the table has the column.
    #[serde(default)]
    pub password: Option<PasswordHash>,
}

/// What the table has in place of a password. It does not print.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct PasswordHash(String);

impl PasswordHash {
    /// The hash of a random password: guessing one takes longer than any hash
    /// could make it.
    pub(crate) fn new(user: &str, password: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(user)
            .chain_update([0])
            .chain_update(password)
            .finalize();
        let digits = digest.iter().map(|byte| format!("{byte:02x}"));
        Self(digits.collect())
    }

    /// As the table has it.
    pub(crate) fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// A row of `groups.csv` or `roles.csv`.
#[derive(Debug, Deserialize)]
pub(crate) struct Collection {
    pub id: String,
    pub name: String,
    pub description: String,
}

/// A row of `members.csv` or `assignments.csv`: who is in a group or has a
/// role.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Link {
    #[serde(alias = "group", alias = "role")]
    pub to: String,
    pub kind: Kind,
    pub id: String,
}

/// A row and where it stands.
#[derive(Debug)]
pub(crate) struct Row<T> {
    pub line: u64,
    pub fields: T,
}

/// Why a folder cannot be synced.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file is missing or may not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file is no table, lacks a column, or a row does not fit.
    #[error("cannot use `{file}`")]
    Table {
        /// The file's name.
        file: &'static str,
        /// What is wrong, and in which line.
        source: csv::Error,
    },
    /// A file cannot be replaced, and is as before.
    #[error("cannot change `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file was replaced. Whether it stays so after a loss of power is not
    /// known.
    #[error("cannot force `{}` to the disk", path.display())]
    Sync {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A row contradicts the rest.
    #[error("`{file}`, line {line}: {problem}")]
    Row {
        /// The file's name.
        file: &'static str,
        /// The line, counted from one.
        line: u64,
        /// What is wrong.
        problem: String,
    },
}

impl FolderError {
    /// The gRPC code that the run ends with.
    pub fn code(&self) -> Code {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => Code::NotFound,
                std::io::ErrorKind::PermissionDenied => Code::PermissionDenied,
                std::io::ErrorKind::StorageFull => Code::ResourceExhausted,
                _ => Code::Unavailable,
            },
            Self::Sync { .. } => Code::Unavailable,
            Self::Table { .. } | Self::Row { .. } => Code::InvalidArgument,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some(
                "the folder needs users.csv, groups.csv, roles.csv, members.csv and assignments.csv",
            ),
            Self::Table { .. } => Some("the first line of each file names its columns"),
            Self::Write { .. } | Self::Sync { .. } | Self::Row { .. } => None,
        }
    }
}

/// Groups or roles, with what is in them.
#[derive(Debug)]
pub(crate) struct Collected {
    pub rows: Vec<Row<Collection>>,
    pub links: BTreeMap<String, Vec<Row<Link>>>,
}

/// The tables.
#[derive(Debug)]
pub struct Folder {
    pub(crate) users: Vec<Row<User>>,
    pub(crate) groups: Collected,
    pub(crate) roles: Collected,
    fingerprint: String,
}

impl Folder {
    /// Reads all tables of a folder.
    pub fn read(path: &Path) -> Result<Self, FolderError> {
        let mut reader = Reader {
            path,
            read: Vec::new(),
        };
        Ok(Self {
            users: reader.table(USERS)?,
            groups: reader.collected("groups.csv", "members.csv")?,
            roles: reader.collected("roles.csv", "assignments.csv")?,
            fingerprint: fingerprint(reader.read),
        })
    }

    /// Changes when the tables do: interrupted work on other tables is not
    /// resumed.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Checks what concerns several rows: ids are there and unique, and
    /// members exist.
    pub fn check(&self) -> Result<(), FolderError> {
        let users = unique(USERS, self.user_ids())?;
        let groups = unique("groups.csv", self.groups.ids())?;
        let roles = unique("roles.csv", self.roles.ids())?;
        let known = |kind, id: &str| match kind {
            Kind::User => users.contains(id),
            Kind::Group => groups.contains(id),
            Kind::Role => roles.contains(id),
        };
        let tables = [
            ("members.csv", Kind::Group, &self.groups),
            ("assignments.csv", Kind::Role, &self.roles),
        ];
        for (file, to, table) in tables {
            for link in table.links.values().flatten() {
                let Link {
                    to: id,
                    kind,
                    id: member,
                } = &link.fields;
                let problem = if !known(to, id) {
                    format!("there is no {} `{id}`", to.word())
                } else if !known(*kind, member) {
                    format!("there is no {} `{member}`", kind.word())
                } else if (to, *kind) == (Kind::Group, Kind::Role) {
                    format!("role `{member}` cannot be a member of a group")
                } else {
                    continue;
                };
                return Err(FolderError::Row {
                    file,
                    line: link.line,
                    problem,
                });
            }
        }
        Ok(())
    }

    fn user_ids(&self) -> impl Iterator<Item = (u64, &str)> {
        self.users.iter().map(|row| (row.line, &*row.fields.id))
    }

    /// Whether a table has a row with this id.
    pub(crate) fn has(&self, kind: Kind, id: &str) -> bool {
        match kind {
            Kind::User => self.user_ids().any(|(_, known)| known == id),
            Kind::Group => self.groups.ids().any(|(_, known)| known == id),
            Kind::Role => self.roles.ids().any(|(_, known)| known == id),
        }
    }

    /// The user with this id.
    pub(crate) fn user(&self, id: &str) -> Option<&Row<User>> {
        self.users.iter().find(|row| row.fields.id == id)
    }

    /// The tables with rows by which the user is in a group or has a role.
    pub(crate) fn tables_of(&self, user: &str) -> impl Iterator<Item = &'static str> {
        let has = |table: &Collected| {
            let mut links = table.links.values().flatten();
            links.any(|link| link.fields.kind == Kind::User && link.fields.id == user)
        };
        let tables = [
            ("members.csv", has(&self.groups)),
            ("assignments.csv", has(&self.roles)),
        ];
        tables
            .into_iter()
            .filter_map(|(file, has)| has.then_some(file))
    }

    /// Who is in a group or has a role.
    pub(crate) fn links(&self, kind: Kind, id: &str) -> &[Row<Link>] {
        let table = match kind {
            Kind::User => return &[],
            Kind::Group => &self.groups,
            Kind::Role => &self.roles,
        };
        table.links.get(id).map_or(&[], Vec::as_slice)
    }

    /// The rows by which `member` is in a group or has a role: its own row and
    /// those of groups and roles inside.
    pub(crate) fn paths(&self, to: (Kind, &str), member: (Kind, &str)) -> Vec<(Kind, &Link)> {
        let (mut found, mut open, mut seen) = (Vec::new(), vec![to], BTreeSet::from([to]));
        while let Some((kind, id)) = open.pop() {
            for Row { fields: link, .. } in self.links(kind, id) {
                let inner = (link.kind, link.id.as_str());
                if inner == member {
                    found.push((kind, link));
                } else if seen.insert(inner) {
                    open.push(inner);
                }
            }
        }
        found
    }
}

impl Collected {
    fn ids(&self) -> impl Iterator<Item = (u64, &str)> {
        self.rows.iter().map(|row| (row.line, &*row.fields.id))
    }
}

fn unique<'a>(
    file: &'static str,
    ids: impl Iterator<Item = (u64, &'a str)>,
) -> Result<BTreeSet<&'a str>, FolderError> {
    let mut seen = BTreeSet::new();
    for (line, id) in ids {
        let problem = if id.is_empty() {
            "the id is empty".to_owned()
        } else if !seen.insert(id) {
            format!("id `{id}` is there twice")
        } else {
            continue;
        };
        return Err(FolderError::Row {
            file,
            line,
            problem,
        });
    }
    Ok(seen)
}

/// Reads the rows of a table.
pub(crate) fn rows(table: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(table)
}

struct Reader<'a> {
    path: &'a Path,
    /// The bytes of the tables so far.
    read: Vec<Vec<u8>>,
}

impl Reader<'_> {
    fn table<T: DeserializeOwned>(
        &mut self,
        file: &'static str,
    ) -> Result<Vec<Row<T>>, FolderError> {
        let path = self.path.join(file);
        let bytes = fs::read(&path).map_err(|source| FolderError::Read { path, source })?;
        let wrong = |source| FolderError::Table { file, source };
        let mut reader = rows(&bytes);
        let columns = reader.headers().map_err(wrong)?.clone();
        let mut rows = Vec::new();
        for record in reader.into_records() {
            let record = record.map_err(wrong)?;
            rows.push(Row {
                line: record.position().map_or(0, csv::Position::line),
                fields: record.deserialize(Some(&columns)).map_err(wrong)?,
            });
        }
        self.read.push(bytes);
        Ok(rows)
    }

    fn collected(
        &mut self,
        rows: &'static str,
        links: &'static str,
    ) -> Result<Collected, FolderError> {
        let rows = self.table(rows)?;
        let mut sorted: BTreeMap<String, Vec<Row<Link>>> = BTreeMap::new();
        for link in self.table::<Link>(links)? {
            sorted.entry(link.fields.to.clone()).or_default().push(link);
        }
        Ok(Collected {
            rows,
            links: sorted,
        })
    }
}
