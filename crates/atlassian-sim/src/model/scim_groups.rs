//! Groups of an identity provider (§11). Each is also a group of its directory, which only the provider may change.

use std::time::Duration;

use serde_json::{Map, Value};

use super::scim::ScimTimes;
use super::{Group, Organization, Subject};
use crate::ids::{self, Kind};

/// One group of an identity provider.
#[derive(Clone, Debug)]
pub(crate) struct ScimGroup {
    pub directory: u8,
    pub times: ScimTimes,
    /// As the client wrote them, without members and what the server decides.
    pub attributes: Map<String, Value>,
    /// Numbers of the provider's users, in the order in which they were added.
    pub members: Vec<u32>,
    /// The group of the directory.
    pub group: u32,
    pub gone: bool,
}

impl ScimGroup {
    pub(crate) fn text(&self, name: &str) -> &str {
        self.attributes
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

impl Organization {
    pub(crate) fn scim_group_id(&self, number: u32) -> String {
        ids::uuid(self.seed, Kind::ScimGroup, number)
    }

    /// A group of a directory's provider, by id.
    pub(crate) fn find_scim_group(&self, directory: u8, id: &str) -> Option<(u32, &ScimGroup)> {
        let number = ids::uuid_ordinal(self.seed, Kind::ScimGroup, id)?;
        let group = self.scim_groups.get(number as usize)?;
        (group.directory == directory && !group.gone).then_some((number, group))
    }

    /// The living groups of a directory's provider in creation order.
    pub(crate) fn scim_groups_of(&self, directory: u8) -> impl Iterator<Item = (u32, &ScimGroup)> {
        (0..)
            .zip(&self.scim_groups)
            .filter(move |(_, g)| g.directory == directory && !g.gone)
    }

    /// The living groups that a user of the provider is a member of.
    pub(crate) fn scim_groups_with(&self, record: u32) -> impl Iterator<Item = (u32, &ScimGroup)> {
        (0..)
            .zip(&self.scim_groups)
            .filter(move |(_, g)| !g.gone && g.members.contains(&record))
    }

    /// Adds a group, hidden in its directory; gives the ordinal that it has there.
    pub(super) fn push_scim_group(
        &mut self,
        directory: u8,
        attributes: &Map<String, Value>,
        members: &[u32],
        at: Duration,
    ) -> u32 {
        let name = attributes.get("displayName").and_then(Value::as_str);
        let group = self.push_group(Group {
            gone: true,
            ..Group::named(name.unwrap_or_default(), directory, true)
        });
        self.scim_groups.push(ScimGroup {
            directory,
            times: ScimTimes::new(at),
            attributes: attributes.clone(),
            members: members.to_vec(),
            group,
            gone: false,
        });
        group
    }

    /// Replaces what a client wrote; returns whether anything was different.
    pub(super) fn set_scim_group(
        &mut self,
        number: u32,
        attributes: &Map<String, Value>,
        members: &[u32],
        at: Duration,
    ) -> bool {
        let group = &mut self.scim_groups[number as usize];
        let renamed = group.attributes != *attributes;
        if !renamed && group.members == members {
            return false;
        }
        group.attributes.clone_from(attributes);
        group.members = members.to_vec();
        group.times.modified = at;
        if renamed {
            let subject = Subject::Group(group.group);
            self.record(at, "group_provisioning_updated", subject);
        }
        true
    }
}
