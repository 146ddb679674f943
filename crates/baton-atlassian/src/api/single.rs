//! One object by its id.

use baton_connector::Result;

use super::answer::Read;
use super::endpoints::{GROUP, USER};
use super::models::{Group, User};
use super::{Api, Request};

impl Api {
    /// One user; `None` if the API answers that there is no such user.
    pub async fn user(&self, id: &str) -> Result<Option<User>> {
        self.maybe_one(&self.get(USER, &[id])?).await
    }

    /// One group; `None` if the API answers that there is no such group.
    pub async fn group(&self, id: &str) -> Result<Option<Group>> {
        self.maybe_one(&self.get(GROUP, &[id])?).await
    }

    pub(super) async fn maybe_one<T: Read>(&self, request: &Request) -> Result<Option<T>> {
        match self.one(request).await {
            Ok(found) => Ok(Some(found)),
            // A gateway's 404 is not about the object.
            Err(error) if error.is_vanished() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
