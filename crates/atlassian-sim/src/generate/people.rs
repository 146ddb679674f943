//! Users: their state, their directories and the roles that they hold themselves.

use super::{Places, may_hold_roles, product_roles};
use crate::config::OrganizationSpec;
use crate::model::profile::Character;
use crate::model::{AccountStatus, Membership, Organization, RoleEntry, User, roles};
use crate::random::{below, draw, pick};

pub(super) fn add(org: &mut Organization, spec: &OrganizationSpec, places: &Places) {
    for ordinal in 0..spec.users {
        let character = Character::of(spec.seed, ordinal, spec.odd_data);
        let mut user = User::new(!matches!(
            character,
            Character::Unmanaged | Character::Customer
        ));
        place_user(&mut user, spec, ordinal, character);
        let reachable: Vec<u32> = user
            .directories()
            .flat_map(|d| places.workspaces[usize::from(d)].iter().copied())
            .collect();
        user.roles = product_roles_of(org, spec, ordinal, &reachable);
        user.roles.extend(platform_roles_of(
            spec,
            places,
            ordinal,
            !reachable.is_empty(),
        ));
        user.roles.extend(peculiar_roles_of(
            org, spec, places, ordinal, character, &reachable,
        ));
        if !may_hold_roles(spec, ordinal) {
            user.roles.clear();
        }
        user.roles.sort_unstable();
        user.roles.dedup();
        user.roles.shrink_to_fit();
        for entry in &user.roles {
            let holders = &mut org.resources[entry.resource as usize].users;
            if holders.last() != Some(&ordinal) {
                holders.push(ordinal);
            }
        }
        org.users.push(user);
    }
}

/// Sets the user's state and directories.
fn place_user(user: &mut User, spec: &OrganizationSpec, ordinal: u32, character: Character) {
    let directories = spec.directory_count();
    let word = draw(spec.seed, 0xd1c, u64::from(ordinal));
    // Most people are in the first directory; the first user, who administers everything, always is.
    let home = if directories == 1 || ordinal == 0 || below(word, 100) < 80 {
        0
    } else {
        1 + u8::try_from(below(word.rotate_left(32), u64::from(directories) - 1)).unwrap_or(0)
    };
    let other = (home + 1) % directories;
    user.set_membership(home, Membership::Active);
    match character {
        Character::Suspended => user.set_membership(home, Membership::Suspended),
        Character::Deactivated => user.account = AccountStatus::Inactive,
        Character::Closed => user.account = AccountStatus::Closed,
        Character::ForDeletion => {
            user.account = AccountStatus::Inactive;
            user.for_deletion = true;
        }
        Character::NoDirectory | Character::NeverAdded => {
            user.set_membership(home, Membership::None);
        }
        Character::TwoDirectories => user.set_membership(other, Membership::Active),
        Character::HalfSuspended if other != home => {
            user.set_membership(other, Membership::Suspended);
        }
        Character::Invited => user.invited = true,
        _ => {}
    }
}

/// Roles on workspaces of the user's directories.
fn product_roles_of(
    org: &Organization,
    spec: &OrganizationSpec,
    ordinal: u32,
    reachable: &[u32],
) -> Vec<RoleEntry> {
    let n = u64::from(ordinal);
    let draws = below(
        draw(spec.seed, 0x201e, n),
        2 * u64::from(spec.roles_per_user) + 1,
    );
    let one = |k: u64| {
        let word = draw(spec.seed, 0x201f + k, n);
        let place = *pick(word, reachable)?;
        let role = *pick(
            word.rotate_left(20),
            product_roles(&org.resources[place as usize].owner),
        )?;
        Some(RoleEntry::direct(place, role))
    };
    (0..draws).filter_map(one).collect()
}

/// Roles on the organization and its sites; the first user administers the organization.
fn platform_roles_of(
    spec: &OrganizationSpec,
    places: &Places,
    ordinal: u32,
    has_products: bool,
) -> Vec<RoleEntry> {
    let n = u64::from(ordinal);
    let one_in = |purpose: u64, many: u64| below(draw(spec.seed, purpose, n), many) == 0;
    let mut found = Vec::new();
    if ordinal == 0 || one_in(0xad1, 500) {
        found.push(RoleEntry::direct(places.organization, roles::ORG_ADMIN));
        if spec.odd_data {
            let inferred = RoleEntry::direct(places.organization, roles::USER_ACCESS_ADMIN);
            found.push(RoleEntry {
                inferred: true,
                ..inferred
            });
        }
    }
    if one_in(0xad2, 200) {
        let site = pick(draw(spec.seed, 0xad3, n), &places.sites);
        found.extend(site.map(|s| RoleEntry::direct(*s, roles::SITE_ADMIN)));
    }
    if one_in(0xad4, 20) && has_products {
        found.push(RoleEntry::direct(places.organization, roles::AI_ACCESS));
    }
    found
}

/// Roles that come with the user's character, and a project now and then.
fn peculiar_roles_of(
    org: &mut Organization,
    spec: &OrganizationSpec,
    places: &Places,
    ordinal: u32,
    character: Character,
    reachable: &[u32],
) -> Vec<RoleEntry> {
    let n = u64::from(ordinal);
    let each = |places: &[u32], role: u16| -> Vec<RoleEntry> {
        places.iter().map(|p| RoleEntry::direct(*p, role)).collect()
    };
    match character {
        Character::ManyRoles => {
            // More than fit on one page.
            let many = 105 + usize::try_from(below(draw(spec.seed, 0xad5, n), 40)).unwrap_or(0);
            let mut found = each(
                &places.projects[..many.min(places.projects.len())],
                roles::PROJECT_ADMIN,
            );
            found.extend(each(
                &places.goals[..5.min(places.goals.len())],
                roles::GOAL_OWNER,
            ));
            found.extend(each(reachable, roles::USER));
            found
        }
        Character::UnlistedWorkspace => each(&places.unlisted, roles::USER),
        Character::UnknownRole => {
            let newest = org.intern_role("atlassian/role-of-tomorrow");
            let first = &reachable[..reachable.len().min(1)];
            let mut found = each(first, roles::VIEWER);
            found.extend(each(first, newest));
            found.extend(each(&[places.organization], roles::VIEWER));
            found
        }
        Character::EmptyItems => each(&places.sites[..1], roles::NO_ROLE),
        _ if below(draw(spec.seed, 0xad6, n), 10) == 0 => {
            let project = pick(draw(spec.seed, 0xad7, n), &places.projects);
            each(
                project.map(std::slice::from_ref).unwrap_or_default(),
                roles::PROJECT_ADMIN,
            )
        }
        _ => Vec::new(),
    }
}
