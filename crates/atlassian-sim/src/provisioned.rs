//! What identity providers hold, to compare with what a client made of the answers.

use crate::model::Organization;

/// A user of an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthScimUser {
    /// The provider's id.
    pub id: String,
    /// Directory.
    pub directory_id: String,
    /// Name at the provider.
    pub user_name: String,
    /// The account, whether or not answers name it.
    pub account_id: String,
    /// Whether the provider lets the account log in.
    pub active: bool,
}

/// A group of an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthScimGroup {
    /// The provider's id.
    pub id: String,
    /// Directory.
    pub directory_id: String,
    /// Name.
    pub name: String,
    /// The group of the directory.
    pub group_id: String,
    /// Provider's ids of the members, in the order in which they were added.
    pub member_ids: Vec<String>,
}

fn directory_id(org: &Organization, directory: u8) -> String {
    let found = org.directories.get(usize::from(directory));
    found.map_or_else(String::new, |d| d.id.clone())
}

pub(crate) fn users(org: &Organization) -> Vec<TruthScimUser> {
    let living = (0..).zip(&org.scim).filter(|(_, r)| !r.gone);
    living
        .map(|(n, r)| TruthScimUser {
            id: org.scim_id(n),
            directory_id: directory_id(org, r.directory),
            user_name: r.text("userName").to_owned(),
            account_id: org.account_id(r.account),
            active: r.is_active(),
        })
        .collect()
}

pub(crate) fn groups(org: &Organization) -> Vec<TruthScimGroup> {
    let living = (0..).zip(&org.scim_groups).filter(|(_, g)| !g.gone);
    living
        .map(|(n, g)| TruthScimGroup {
            id: org.scim_group_id(n),
            directory_id: directory_id(org, g.directory),
            name: g.text("displayName").to_owned(),
            group_id: org.group_id(g.group),
            member_ids: g.members.iter().map(|m| org.scim_id(*m)).collect(),
        })
        .collect()
}
