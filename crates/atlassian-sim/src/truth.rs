//! The organization as it is, to compare with what a client made of the answers.

use crate::clock::{from_millis, iso_seconds};
use crate::model::change::Principal;
use crate::model::roles::{Holding, Methods};
use crate::model::{Membership, Organization, ResourceKind, Scope};
use crate::provisioned::{self, TruthScimGroup, TruthScimUser};

/// A user that a list over all directories holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthUser {
    /// Account id.
    pub account_id: String,
    /// Full name.
    pub name: String,
    /// Address; `None` when missing or null.
    pub email: Option<String>,
    /// Derived status word over all directories.
    pub status: String,
    /// State of the account: `active`, `inactive`, `closed`.
    pub account_status: String,
    /// State over all directories: `active`, `suspended`, `no_membership`.
    pub membership_status: String,
    /// Whether the organization manages the account.
    pub managed: bool,
    /// Ids of the directories that the user is in.
    pub directory_ids: Vec<String>,
    /// Ids of those in which the user is suspended.
    pub suspended_directory_ids: Vec<String>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthGroup {
    /// Group id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Directory.
    pub directory_id: String,
    /// Synced from outside.
    pub synced: bool,
    /// Number of members.
    pub members: usize,
}

/// A membership.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TruthMembership {
    /// Group id.
    pub group_id: String,
    /// Account id.
    pub account_id: String,
}

/// A role on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthRole {
    /// Who holds it.
    pub principal: Principal,
    /// ARI of the resource.
    pub resource_id: String,
    /// Owner of the resource, for example `jira-software`.
    pub resource_owner: String,
    /// The role.
    pub role: String,
    /// How it is held.
    pub methods: Methods,
}

/// A workspace of the workspace list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthWorkspace {
    /// ARI.
    pub id: String,
    /// Product key.
    pub type_key: String,
    /// Name.
    pub name: String,
    /// The directory whose users it serves.
    pub directory_id: Option<String>,
}

/// An API token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthToken {
    /// Token id.
    pub id: String,
    /// Owner's account id.
    pub account_id: String,
}

/// Everything that a complete sync should find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Organization id.
    pub organization_id: String,
    /// Organization name.
    pub organization_name: String,
    /// Directory ids, in order.
    pub directory_ids: Vec<String>,
    /// Users in creation order.
    pub users: Vec<TruthUser>,
    /// Groups in creation order.
    pub groups: Vec<TruthGroup>,
    /// Memberships by group, then user.
    pub memberships: Vec<TruthMembership>,
    /// Roles held directly (or inferred) by users, and roles of groups.
    pub direct_roles: Vec<TruthRole>,
    /// Effective roles of users: own ones and those through groups.
    pub effective_roles: Vec<TruthRole>,
    /// Workspaces of the list.
    pub workspaces: Vec<TruthWorkspace>,
    /// ARIs of the sites, on which site roles are held.
    pub site_ids: Vec<String>,
    /// ARI of the organization, on which organization roles are held.
    pub organization_resource_id: String,
    /// API tokens.
    pub tokens: Vec<TruthToken>,
    /// Ids of the organization's API keys.
    pub key_ids: Vec<String>,
    /// Users of identity providers.
    pub scim_users: Vec<TruthScimUser>,
    /// Groups of identity providers.
    pub scim_groups: Vec<TruthScimGroup>,
    /// Date of the newest audit event, if any.
    pub last_event: Option<String>,
}

impl Truth {
    pub(crate) fn of(org: &Organization) -> Self {
        let listed: Vec<u32> = (0..)
            .zip(&org.users)
            .filter(|(_, u)| u.is_listed(Scope::All))
            .map(|(n, _)| n)
            .collect();
        let groups: Vec<u32> = org.group_ordinals(None).collect();
        let mut direct_roles = Vec::new();
        let mut effective_roles = Vec::new();
        for user in &listed {
            let principal = Principal::User(org.account_id(*user));
            for holding in org.effective(*user) {
                for role in roles_of(org, &principal, &holding) {
                    if role.methods.direct || role.methods.inferred {
                        let methods = Methods {
                            group_direct: false,
                            ..role.methods
                        };
                        direct_roles.push(TruthRole {
                            methods,
                            ..role.clone()
                        });
                    }
                    effective_roles.push(role);
                }
            }
        }
        for group in &groups {
            let principal = Principal::Group(org.group_id(*group));
            for holding in org.group_holdings(*group) {
                direct_roles.extend(roles_of(org, &principal, &holding));
            }
        }
        Self {
            organization_id: org.id.clone(),
            organization_name: org.name.clone(),
            directory_ids: org.directories.iter().map(|d| d.id.clone()).collect(),
            users: listed.iter().filter_map(|n| user_row(org, *n)).collect(),
            groups: groups.iter().filter_map(|n| group_row(org, *n)).collect(),
            memberships: groups.iter().flat_map(|n| members_of(org, *n)).collect(),
            direct_roles,
            effective_roles,
            workspaces: workspaces(org),
            site_ids: org
                .resources
                .iter()
                .filter(|r| r.kind == ResourceKind::Site)
                .map(|r| r.ari.clone())
                .collect(),
            organization_resource_id: org
                .organization_resource()
                .map_or_else(String::new, |r| org.ari(r).to_owned()),
            tokens: tokens(org),
            key_ids: org.own_keys().map(|n| org.key_id(n)).collect(),
            scim_users: provisioned::users(org),
            scim_groups: provisioned::groups(org),
            last_event: org
                .events
                .iter()
                .map(|e| e.at_millis)
                .max()
                .map(|at| iso_seconds(from_millis(at))),
        }
    }
}

fn workspaces(org: &Organization) -> Vec<TruthWorkspace> {
    let listed = org.resources.iter();
    let listed = listed.filter(|r| r.kind == ResourceKind::Workspace);
    listed
        .map(|r| TruthWorkspace {
            id: r.ari.clone(),
            type_key: r.owner.clone(),
            name: r.name.clone(),
            directory_id: r
                .directory
                .and_then(|d| org.directories.get(usize::from(d)))
                .map(|d| d.id.clone()),
        })
        .collect()
}

fn tokens(org: &Organization) -> Vec<TruthToken> {
    let living = (0..).zip(&org.tokens).filter(|(_, t)| !t.gone);
    living
        .map(|(n, t)| TruthToken {
            id: org.token_id(n),
            account_id: org.account_id(t.owner),
        })
        .collect()
}

fn user_row(org: &Organization, ordinal: u32) -> Option<TruthUser> {
    let user = org.user(ordinal)?;
    let profile = org.profile(ordinal);
    let ids = |places: &mut dyn Iterator<Item = u8>| {
        let directories = places.filter_map(|d| org.directories.get(usize::from(d)));
        directories.map(|d| d.id.clone()).collect()
    };
    Some(TruthUser {
        account_id: org.account_id(ordinal),
        email: profile.email.value().cloned(),
        name: profile.name,
        status: user.status(Scope::All).to_owned(),
        account_status: user.account.as_str().to_owned(),
        membership_status: user.membership_in(Scope::All).as_str().to_owned(),
        managed: user.managed,
        directory_ids: ids(&mut user.directories()),
        suspended_directory_ids: ids(&mut user
            .directories()
            .filter(|d| user.membership(*d) == Membership::Suspended)),
    })
}

fn group_row(org: &Organization, ordinal: u32) -> Option<TruthGroup> {
    let group = org.group(ordinal)?;
    Some(TruthGroup {
        id: org.group_id(ordinal),
        name: group.name.clone(),
        directory_id: org
            .directories
            .get(usize::from(group.directory))
            .map(|d| d.id.clone())
            .unwrap_or_default(),
        synced: group.synced,
        members: group.members.len(),
    })
}

fn members_of(org: &Organization, ordinal: u32) -> impl Iterator<Item = TruthMembership> {
    let group_id = org.group_id(ordinal);
    let members = org
        .group(ordinal)
        .map(|g| g.members.as_slice())
        .unwrap_or_default();
    members.iter().map(move |m| TruthMembership {
        group_id: group_id.clone(),
        account_id: org.account_id(*m),
    })
}

fn roles_of(org: &Organization, principal: &Principal, holding: &Holding) -> Vec<TruthRole> {
    let Some(resource) = org.resources.get(holding.resource as usize) else {
        return Vec::new();
    };
    holding
        .roles
        .iter()
        .map(|(role, methods)| TruthRole {
            principal: principal.clone(),
            resource_id: resource.ari.clone(),
            resource_owner: resource.owner.clone(),
            role: org.role_name(*role).to_owned(),
            methods: *methods,
        })
        .collect()
}
