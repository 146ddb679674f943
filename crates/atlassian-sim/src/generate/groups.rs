//! Groups: group 0 holds the organization's admins, the next ones give access to one workspace each, the others are teams.

use super::{Places, may_hold_roles, product_roles};
use crate::config::{GroupSizes, OrganizationSpec};
use crate::model::profile::Member;
use crate::model::{Group, Organization, RoleEntry, roles};
use crate::random::{Permutation, below, draw, pick};

/// Largest group when the spec gives no size.
const LARGEST_GROUP: u32 = 50_000;

const TEAMS: [&str; 16] = [
    "Falcon", "Harbor", "Comet", "Juniper", "Atlas", "Beacon", "Cedar", "Delta", "Ember", "Flint",
    "Garnet", "Heron", "Iris", "Koi", "Lotus", "Maple",
];
const ODD_GROUP_NAMES: [&str; 5] = [
    "Équipe été",
    "開発チーム",
    "confluence: users/eu",
    "🚀 launch",
    "<i>markup</i> & co",
];

pub(super) fn add(org: &mut Organization, spec: &OrganizationSpec, places: &Places) {
    let mut by_directory: Vec<Vec<u32>> = vec![Vec::new(); org.directories.len()];
    for (ordinal, user) in org.users.iter().enumerate() {
        for d in user.directories() {
            by_directory[usize::from(d)].push(u32::try_from(ordinal).unwrap_or(u32::MAX));
        }
    }
    for ordinal in 0..spec.groups {
        let mut group = outline(org, spec, places, ordinal);
        let people = &by_directory[usize::from(group.directory)];
        let available = u32::try_from(people.len()).unwrap_or(u32::MAX);
        let size = group_size(spec, ordinal, available);
        if size > 0 {
            let order = Permutation::new(available, draw(spec.seed, 0x6e4, u64::from(ordinal)));
            group.members = (0..size).map(|n| people[order.at(n) as usize]).collect();
            if !group.roles.is_empty() {
                group.members.retain(|member| may_hold_roles(spec, *member));
            }
            group.members.sort_unstable();
        }
        for member in &group.members {
            org.users[*member as usize].groups.push(ordinal);
        }
        for entry in &group.roles {
            let holders = &mut org.resources[entry.resource as usize].groups;
            if holders.last() != Some(&ordinal) {
                holders.push(ordinal);
            }
        }
        org.groups.push(group);
    }
    for user in &mut org.users {
        user.groups.shrink_to_fit();
    }
}

/// A group without its members.
fn outline(org: &Organization, spec: &OrganizationSpec, places: &Places, ordinal: u32) -> Group {
    let n = u64::from(ordinal);
    let word = draw(spec.seed, 0x6e0, n);
    let workspace = ordinal
        .checked_sub(1)
        .and_then(|w| places.listed.get(w as usize))
        .copied();
    let is_team = ordinal > 0 && workspace.is_none();
    // Names are unique per directory only: now and then a team has a twin in another one.
    let twin = org
        .groups
        .last()
        .filter(|_| ordinal % 29 == 10 && is_team && spec.directory_count() > 1);
    let directory = directory_of(org, spec, workspace, twin, ordinal);
    let name = match (workspace, twin) {
        (Some(place), _) => {
            let resource = &org.resources[place as usize];
            format!("{}-users-{}", resource.owner, resource.name)
        }
        (None, Some(twin)) => twin.name.clone(),
        (None, None) if ordinal == 0 => "org-admins".to_owned(),
        (None, None) => team_name(spec, ordinal),
    };
    let mut held = match workspace {
        Some(place) => vec![RoleEntry::direct(place, roles::USER)],
        None if ordinal == 0 => vec![RoleEntry::direct(places.organization, roles::ORG_ADMIN)],
        None => team_roles(org, spec, places, directory, ordinal),
    };
    held.sort_unstable();
    held.dedup();
    let synced = is_team && below(draw(spec.seed, 0x6e3, n), 5) == 0;
    let description = match ordinal % 7 {
        3 if spec.odd_data => Member::Missing,
        5 if spec.odd_data => Member::Null,
        0 => Member::Value(String::new()),
        _ => Member::Value(format!("People of {name}")),
    };
    let managed_by = match (synced, below(word.rotate_left(40), 20)) {
        (true, _) => "external",
        (false, 0) => "open",
        (false, 1) => "team-members",
        _ => "admins",
    };
    Group {
        directory,
        name,
        description,
        synced,
        managed_by,
        default: !is_team,
        gone: false,
        members: Vec::new(),
        roles: held,
    }
}

fn directory_of(
    org: &Organization,
    spec: &OrganizationSpec,
    workspace: Option<u32>,
    twin: Option<&Group>,
    ordinal: u32,
) -> u8 {
    let word = draw(spec.seed, 0x6e0, u64::from(ordinal));
    match (workspace, twin) {
        (Some(place), _) => org.resources[place as usize].directory.unwrap_or(0),
        (None, Some(twin)) => (twin.directory + 1) % spec.directory_count(),
        _ if ordinal == 0 || below(word, 100) < 75 => 0,
        _ => u8::try_from(below(
            word.rotate_left(32),
            u64::from(spec.directory_count()),
        ))
        .unwrap_or(0),
    }
}

fn team_name(spec: &OrganizationSpec, ordinal: u32) -> String {
    if spec.odd_data && ordinal % 9 == 8 {
        return format!(
            "{} {ordinal}",
            ODD_GROUP_NAMES[ordinal as usize / 9 % ODD_GROUP_NAMES.len()]
        );
    }
    let team = pick(draw(spec.seed, 0x6e0, u64::from(ordinal)), &TEAMS)
        .copied()
        .unwrap_or("Falcon");
    format!("Team {team} {ordinal}")
}

/// Four teams in ten hold roles in products, one in twelve administers a project.
fn team_roles(
    org: &Organization,
    spec: &OrganizationSpec,
    places: &Places,
    directory: u8,
    ordinal: u32,
) -> Vec<RoleEntry> {
    let n = u64::from(ordinal);
    let word = draw(spec.seed, 0x6e0, n);
    let one = |k: u64| {
        let word = draw(spec.seed, 0x6e8 + k, n);
        let place = *pick(word, &places.workspaces[usize::from(directory)])?;
        let role = *pick(
            word.rotate_left(20),
            product_roles(&org.resources[place as usize].owner),
        )?;
        Some(RoleEntry::direct(place, role))
    };
    let some = if below(draw(spec.seed, 0x6e1, n), 10) < 4 {
        1 + below(word.rotate_left(8), 3)
    } else {
        0
    };
    let mut held: Vec<RoleEntry> = (0..some).filter_map(one).collect();
    if below(draw(spec.seed, 0x6e2, n), 12) == 0 {
        held.extend(
            pick(word, &places.projects).map(|p| RoleEntry::direct(*p, roles::PROJECT_ADMIN)),
        );
    }
    held
}

fn group_size(spec: &OrganizationSpec, ordinal: u32, available: u32) -> u32 {
    match spec.group_sizes {
        GroupSizes::Even(size) => size.min(available),
        GroupSizes::HeavyTailed { largest } => {
            if ordinal == 0 {
                return available.min(3);
            }
            if ordinal % 13 == 4 {
                return 0;
            }
            let top = largest
                .unwrap_or(available.min(LARGEST_GROUP))
                .min(available);
            (top / ordinal).max(u32::from(top > 0))
        }
    }
}
