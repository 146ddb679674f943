//! What error answers to writes mean, and how they are explained.

use std::sync::Arc;

use baton_connector::{Call, Error, Reply};
use baton_proto::Code;

use crate::api::Organization;
use crate::api::endpoints::SUPPORT_ENABLED;

/// The documented codes that decide something.
mod codes {
    pub(super) const INACTIVE_USER: &str = "ADMIN-UAM-400-2";
    pub(super) const INVALID_ROLE: &str = "ADMIN-UAM-400-3";
    pub(super) const NOT_LICENSED: &str = "ADMIN-UAM-400-4";
    pub(super) const MAY_NOT_MANAGE_GROUP: &str = "ADMIN-403-5";
    pub(super) const CONFLICT: &str = "ADMIN-UAM-409-2";
    pub(super) const LICENCE_LIMITS: [&str; 2] = ["ADMIN-UAM-409-3", "ADMIN-409-3"];
}

/// A write, in words: what the messages are made of.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// What cannot be done, as in ``add user `u` to group `g` ``.
    pub doing: String,
    /// Whose licence can be full.
    pub product: String,
    /// The role, where it is about one.
    pub role: Option<String>,
    /// A revoke: an object that is gone is what was wanted.
    pub ends: bool,
}

impl Attempt {
    /// What most answers mean; `None` for a 403, which needs another look.
    fn judge(&self, error: Error) -> Result<Reply, Error> {
        let code = error
            .request()
            .and_then(|request| request.api_code.clone())
            .unwrap_or_default();
        let failed =
            |code, text: String, error| Ok(Reply::Failed(Error::caused(code, text, error)));
        match error.status() {
            Some(409) if code == codes::CONFLICT && !self.ends => Ok(Reply::Already),
            Some(404) if self.ends && error.is_vanished() => Ok(Reply::Already),
            Some(409) if codes::LICENCE_LIMITS.contains(&code.as_str()) => {
                let text = format!(
                    "cannot {}: the licence of {} is full",
                    self.doing, self.product
                );
                failed(Code::ResourceExhausted, text, error)
            }
            Some(400) if code == codes::INVALID_ROLE && self.role.is_some() => {
                let role = self.role.as_deref().unwrap_or_default();
                let text = format!("{} has no role `{role}` for this principal", self.product);
                failed(Code::InvalidArgument, text, error)
            }
            Some(400) if code == codes::NOT_LICENSED => {
                let text = format!("cannot {}: {} is not licensed", self.doing, self.product);
                failed(Code::FailedPrecondition, text, error)
            }
            Some(400) if code == codes::INACTIVE_USER => {
                let text = format!("cannot {}: the account is not active", self.doing);
                failed(Code::FailedPrecondition, text, error)
            }
            Some(403) => Err(error),
            _ => Ok(Reply::Failed(self.failed(error))),
        }
    }

    fn failed(&self, error: Error) -> Error {
        error.during(format!("cannot {}", self.doing))
    }

    /// Answers to a write that Atlassian support has to enable.
    pub fn by_support(&self, organization: &str, error: Error) -> Reply {
        let error = match self.judge(error) {
            Ok(reply) => return reply,
            Err(error) => error,
        };
        let text = format!(
            "cannot {}: organization `{organization}` may not change roles of users through the \
             API, or the key may not",
            self.doing
        );
        let hint = format!(
            "use an API key without scopes, and send this to Atlassian support: \"Please enable \
             the API endpoints {} for our organization {organization}\"",
            SUPPORT_ENABLED.join(", ")
        );
        Reply::Failed(Error::caused(Code::PermissionDenied, text, error).with_hint(hint))
    }

    /// Answers to a write of an organization role, which needs no enabling.
    pub fn plain(&self, error: Error) -> Reply {
        match self.judge(error) {
            Ok(reply) => reply,
            Err(error) => Reply::Failed(self.failed(error)),
        }
    }

    /// Answers to a write on a group in a directory. A 404 that would mean that
    /// nothing is left to revoke may come of another directory, and a 403 of an
    /// identity provider: only the group itself shows it.
    pub async fn on_group(
        &self,
        organization: &Arc<Organization>,
        (directory, group): (&str, &str),
        call: Call,
        error: Error,
    ) -> Reply {
        if self.ends && error.is_vanished() {
            let found = organization.on(&call).group(group).await;
            return match found {
                Ok(Some(found)) if found.directory_id.as_deref() != Some(directory) => {
                    let error = self.failed(error);
                    Reply::Failed(error.with_hint(
                        "the group is in another directory than in the sync file: sync again",
                    ))
                }
                Ok(_) => Reply::Already,
                Err(_) => Reply::Failed(self.failed(error)),
            };
        }
        let error = match self.judge(error) {
            Ok(reply) => return reply,
            Err(error) => error,
        };
        let by_api = error
            .request()
            .is_some_and(|request| request.api_code.is_some());
        let found = match organization.on(&call).group(group).await {
            Ok(found) if by_api => found,
            _ => None,
        };
        if found
            .as_ref()
            .is_some_and(crate::mapping::is_managed_elsewhere)
        {
            return Reply::Failed(managed(&self.doing, Some(error)));
        }
        let code = error
            .request()
            .and_then(|request| request.api_code.as_deref());
        if code == Some(codes::MAY_NOT_MANAGE_GROUP) {
            let text = format!("cannot {}: this group may not be changed", self.doing);
            let hint = "if the group makes organization admins, grant the role \
                        `atlassian/org-admin` of the organization instead";
            let error = Error::caused(Code::PermissionDenied, text, error);
            return Reply::Failed(error.with_hint(hint));
        }
        Reply::Failed(self.failed(error))
    }
}

/// The error of a change to a group that an identity provider fills.
pub(super) fn managed(doing: &str, cause: Option<Error>) -> Error {
    let text = format!("cannot {doing}: an identity provider manages this group");
    let error = match cause {
        Some(cause) => Error::caused(Code::FailedPrecondition, text, cause),
        None => Error::stated(Code::FailedPrecondition, text),
    };
    error.with_hint("make the change in the identity provider")
}
