//! Invents an organization from a spec: the same spec gives the same organization, on every machine.
//!
//! One pass over users, one over groups; a million users take a few seconds. Numbers such as `0xad1` name the purpose of
//! a draw, so that no two decisions about one object share their randomness.

mod events;
mod groups;
mod people;
mod records;
mod resources;

use std::collections::{HashMap, VecDeque};

use crate::config::OrganizationSpec;
use crate::ids::{self, Kind};
use crate::model::audit::DATA_DATE_MILLIS;
use crate::model::roles::{self, ROLE_NAMES};
use crate::model::{Directory, Organization, ResourceKind};
use crate::random::{below, draw, pick};

pub(crate) use events::event;

const NAMES: [&str; 6] = [
    "Acme",
    "Borealis",
    "Calder",
    "Dunmore",
    "Eastvale",
    "Fjordline",
];

/// Roles that a product grants.
fn product_roles(product: &str) -> &'static [u16] {
    match product {
        "confluence" => &[
            roles::USER,
            roles::GUEST,
            roles::ADMIN,
            roles::USER_ACCESS_ADMIN,
        ],
        "jira-servicedesk" => &[
            roles::USER,
            roles::CUSTOMER,
            roles::STAKEHOLDER,
            roles::CONTRIBUTOR,
            roles::ADMIN,
        ],
        "compass" => &[roles::USER, roles::BASIC, roles::ADMIN],
        "rovo" => &[roles::USER, roles::AI_ACCESS],
        _ => &[roles::USER, roles::ADMIN, roles::USER_ACCESS_ADMIN],
    }
}

/// Users from this number on may be without roles: the first ones show every peculiarity.
const FIRST_PECULIAR: u32 = 32;

/// Whether the user may hold roles.
fn may_hold_roles(spec: &OrganizationSpec, user: u32) -> bool {
    let word = draw(spec.seed, 0x1d1e, u64::from(user));
    user < FIRST_PECULIAR
        || spec
            .role_holders
            .is_none_or(|percent| below(word, 100) < u64::from(percent))
}

pub(crate) fn organization(spec: &OrganizationSpec) -> Organization {
    let seed = spec.seed;
    let name = *pick(draw(seed, 1, 0), &NAMES).unwrap_or(&"Acme");
    let lower = name.to_lowercase();
    let directories = (0..spec.directory_count())
        .map(|d| Directory {
            id: ids::uuid(seed, Kind::Directory, u32::from(d)),
            name: if d == 0 {
                "Default directory".to_owned()
            } else {
                format!("{name} directory {d}")
            },
        })
        .collect();
    let mut org = Organization {
        seed,
        odd_data: spec.odd_data,
        id: ids::uuid(seed, Kind::Organization, 0),
        name: if spec.odd_data {
            format!("{name} Örganization")
        } else {
            name.to_owned()
        },
        domains: vec![
            format!("{lower}.test"),
            format!("{lower}.example"),
            format!("{lower}-labs.test"),
        ],
        directories,
        users: Vec::with_capacity(spec.users as usize),
        generated_users: spec.users,
        groups: Vec::with_capacity(spec.groups as usize),
        resources: Vec::new(),
        resource_index: HashMap::new(),
        role_names: ROLE_NAMES.iter().map(|n| (*n).to_owned()).collect(),
        tokens: Vec::new(),
        tokens_of: HashMap::new(),
        events: Vec::with_capacity(spec.event_count() as usize),
        log_base_millis: DATA_DATE_MILLIS,
        overrides: HashMap::new(),
        override_emails: HashMap::new(),
        deletions: HashMap::new(),
        keys: Vec::new(),
        scim: Vec::new(),
        scim_groups: Vec::new(),
        invitations: Vec::new(),
        pending: VecDeque::new(),
        default_licence_limit: None,
        licence_limits: HashMap::new(),
    };
    resources::add(&mut org, spec, &lower);
    let places = Places::of(&org);
    people::add(&mut org, spec, &places);
    groups::add(&mut org, spec, &places);
    records::add_tokens(&mut org, spec);
    records::add_events(&mut org, spec);
    org
}

/// Resource numbers by kind, as role assignment needs them.
struct Places {
    /// Workspaces of the list, in its order.
    listed: Vec<u32>,
    /// Workspaces per directory.
    workspaces: Vec<Vec<u32>>,
    unlisted: Vec<u32>,
    organization: u32,
    sites: Vec<u32>,
    projects: Vec<u32>,
    goals: Vec<u32>,
}

impl Places {
    fn of(org: &Organization) -> Self {
        let of_kind = |kind| -> Vec<u32> {
            let rows = org
                .resources
                .iter()
                .enumerate()
                .filter(|(_, r)| r.kind == kind);
            rows.filter_map(|(n, _)| u32::try_from(n).ok()).collect()
        };
        let mut workspaces = vec![Vec::new(); org.directories.len()];
        for n in of_kind(ResourceKind::Workspace) {
            let directory = org.resources[n as usize].directory.unwrap_or(0);
            workspaces[usize::from(directory)].push(n);
        }
        Self {
            listed: of_kind(ResourceKind::Workspace),
            workspaces,
            unlisted: of_kind(ResourceKind::Unlisted),
            organization: of_kind(ResourceKind::Organization)
                .first()
                .copied()
                .unwrap_or(0),
            sites: of_kind(ResourceKind::Site),
            projects: of_kind(ResourceKind::Project),
            goals: of_kind(ResourceKind::Goal),
        }
    }
}
