//! Writes as values. `baton-connector` sends them when it carries a change out.
//! Sending any of them twice does no harm.

use baton_connector::http::{Method, Request};
use baton_connector::{Error, Result, Write};
use serde_json::{Value, json};

use super::Organization;
use super::directory::may_be_gone;
use super::endpoints::{
    GROUP_ROLE_ASSIGN, GROUP_ROLE_REVOKE, MEMBERSHIP, MEMBERSHIPS, ORGANIZATION_ROLE_ASSIGN,
    ORGANIZATION_ROLE_REVOKE, USER_ROLE_ASSIGN, USER_ROLE_REVOKE,
};

/// Whether access is given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Assign,
    Revoke,
}

impl Organization {
    /// Makes a user a member of a group in the group's directory, or ends that.
    pub fn write_membership(
        &self,
        direction: Direction,
        (directory, group): (&str, &str),
        user: &str,
    ) -> Result<Write> {
        match direction {
            Direction::Assign => {
                let body = json!({ "accountId": user });
                self.write(MEMBERSHIPS, &[directory, group], Some(&body))
            }
            Direction::Revoke => self.write(MEMBERSHIP, &[directory, group, user], None),
        }
    }

    /// Gives a user a role on a workspace or a site, or takes it.
    pub fn write_user_role(
        &self,
        direction: Direction,
        user: &str,
        (role, resource): (&str, &str),
    ) -> Result<Write> {
        let body = json!({ "role": role, "resource": resource });
        self.write(user_role(direction), &[user], Some(&body))
    }

    /// Gives a group a role on a workspace, or takes it.
    pub fn write_group_role(
        &self,
        direction: Direction,
        (directory, group): (&str, &str),
        (role, resource): (&str, &str),
    ) -> Result<Write> {
        let template = match direction {
            Direction::Assign => GROUP_ROLE_ASSIGN,
            Direction::Revoke => GROUP_ROLE_REVOKE,
        };
        let body = json!({ "resourceId": resource, "roleId": role });
        self.write(template, &[directory, group], Some(&body))
    }

    /// Gives a user a role on the organization itself, or takes it: by the newer
    /// endpoint, and by the older one, which is for where the newer is missing.
    pub fn writes_of_organization_role(
        &self,
        direction: Direction,
        user: &str,
        role: &str,
    ) -> Result<(Write, Write)> {
        let template = match direction {
            Direction::Assign => ORGANIZATION_ROLE_ASSIGN,
            Direction::Revoke => ORGANIZATION_ROLE_REVOKE,
        };
        let body = json!({ "role": role });
        let newer = self.write(template, &[user], Some(&body))?;
        Ok((
            newer,
            self.write(user_role(direction), &[user], Some(&body))?,
        ))
    }

    fn write(
        &self,
        template: &'static str,
        params: &[&str],
        body: Option<&Value>,
    ) -> Result<Write> {
        let mut all = vec![self.id.as_str()];
        all.extend_from_slice(params);
        let method = match body {
            Some(_) => Method::POST,
            None => Method::DELETE,
        };
        let mut request = Request::new(method, &self.base, template, &all)?.credential(&self.key);
        if let Some(body) = body {
            request = request.json(body)?;
        }
        Ok(Write::http(&self.client, request).repeatable())
    }
}

/// Whether an answer means that there is no such endpoint.
pub(crate) fn is_missing(error: &Error) -> bool {
    may_be_gone(error, false)
}

fn user_role(direction: Direction) -> &'static str {
    match direction {
        Direction::Assign => USER_ROLE_ASSIGN,
        Direction::Revoke => USER_ROLE_REVOKE,
    }
}
