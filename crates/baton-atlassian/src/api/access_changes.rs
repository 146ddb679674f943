//! Suspending people in their directories and restoring them: the writes, and
//! the reads that they go by.

use baton_connector::http::{FieldError, Fields, Request};
use baton_connector::paging::{Position, every_page};
use baton_connector::{Result, Write};

use super::answer::Read;
use super::endpoints::{
    DIRECTORIES, DIRECTORY_USER, OLDER_RESTORE, OLDER_SUSPEND, RESTORE, SUSPEND,
};
use super::models::User;
use super::{Api, NEWER, Organization, chunk};

/// Whether a person can use what a directory gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Suspended,
    Active,
}

impl Access {
    /// How the API calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Active => "active",
        }
    }
}

/// A directory of the organization.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pub id: String,
    pub name: Option<String>,
}

impl Read for Directory {
    fn read(fields: &Fields<'_>) -> std::result::Result<Self, FieldError> {
        Ok(Self {
            id: fields.id("directoryId")?,
            name: fields.text("name"),
        })
    }
}

impl Organization {
    /// Suspends or restores a person in one directory. A second time does no
    /// harm.
    pub fn write_access(&self, access: Access, directory: &str, user: &str) -> Result<Write> {
        let template = match access {
            Access::Suspended => SUSPEND,
            Access::Active => RESTORE,
        };
        self.write_bodiless(template, &[&self.id, directory, user])
    }

    /// The same in all directories, as the Go connector does it.
    pub fn write_access_everywhere(&self, access: Access, user: &str) -> Result<Write> {
        let template = match access {
            Access::Suspended => OLDER_SUSPEND,
            Access::Active => OLDER_RESTORE,
        };
        self.write_bodiless(template, &[&self.id, user])
    }

    fn write_bodiless(&self, template: &'static str, params: &[&str]) -> Result<Write> {
        let request = Request::post(&self.base, template, params)?.credential(&self.key);
        Ok(Write::http(&self.client, request).repeatable())
    }
}

impl Api {
    /// The directories that a person is in.
    pub async fn directories_of(&self, user: &str) -> Result<Vec<Directory>> {
        let mut all = Vec::new();
        let list = format!("directories of user `{user}`");
        let fetch = |at: Position| async move {
            let request = self.get(DIRECTORIES, &[])?.query("accountId", user);
            let request = request.maybe_query("cursor", at.cursor.as_deref());
            Ok(chunk(NEWER, self.list::<Directory>(&request).await?))
        };
        every_page(
            list,
            fetch,
            |directory: &Directory| &directory.id,
            |page| {
                all.extend(page);
            },
        )
        .await?;
        Ok(all)
    }

    /// How a person is a member of one directory; `None` for a stranger to it.
    pub async fn membership_in(&self, directory: &str, user: &str) -> Result<Option<String>> {
        let request = self.get(DIRECTORY_USER, &[directory, user])?;
        let found = self.maybe_one::<User>(&request).await?;
        Ok(found.and_then(|user| user.membership_status))
    }
}
