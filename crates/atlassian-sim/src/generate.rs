//! Invents an organization from a spec: the same spec gives the same organization, on every machine.
//!
//! Runs in one pass over users and one over groups; a million users take about a second.

use std::collections::{HashMap, VecDeque};

use crate::clock::DATA_DATE_SECONDS;
use crate::config::{GroupSizes, OrganizationSpec};
use crate::ids::{self, Kind};
use crate::model::profile::{Character, Member};
use crate::model::roles::{self, ROLE_NAMES};
use crate::model::{
    AccountStatus, Directory, Event, Group, Membership, Organization, Resource, ResourceKind,
    RoleEntry, Subject, Token, User,
};
use crate::random::{Permutation, below, draw, pick};

/// Largest group when the spec does not say.
const LARGEST_GROUP: u32 = 50_000;
/// Projects before the workspaces in resource order, so that a user with many of them has workspaces on the second page.
const PROJECTS_BEFORE: u32 = 130;
const PROJECTS_AFTER: u32 = 20;
const GOALS: u32 = 30;
/// Workspaces per site.
const PER_SITE: u32 = 3;

const NAMES: [&str; 6] = [
    "Acme",
    "Borealis",
    "Calder",
    "Dunmore",
    "Eastvale",
    "Fjordline",
];
const PRODUCTS: [&str; 6] = [
    "jira-software",
    "confluence",
    "jira-servicedesk",
    "compass",
    "jira-core",
    "rovo",
];
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
        events: Vec::new(),
        overrides: HashMap::new(),
        override_emails: HashMap::new(),
        pending: VecDeque::new(),
    };
    add_resources(&mut org, spec, &lower);
    add_users(&mut org, spec);
    add_groups(&mut org, spec);
    add_tokens(&mut org, spec);
    add_events(&mut org, spec);
    org
}

fn add_resources(org: &mut Organization, spec: &OrganizationSpec, lower: &str) {
    let seed = spec.seed;
    let directories = spec.directory_count();
    let mut push = |kind, owner: &str, ari: String, directory, name: String| {
        let number = u32::try_from(org.resources.len()).unwrap_or(u32::MAX);
        org.resource_index.insert(ari.clone(), number);
        org.resources.push(Resource {
            ari,
            owner: owner.to_owned(),
            kind,
            directory,
            name,
            users: Vec::new(),
            groups: Vec::new(),
        });
    };
    let site = |n: u32| ids::uuid(seed, Kind::Site, n / PER_SITE);
    let project = |n: u32| format!("ari:cloud:jira:{}:project/{}", site(0), 10_000 + n);
    for n in 0..PROJECTS_BEFORE {
        push(
            ResourceKind::Project,
            "project",
            project(n),
            Some(0),
            String::new(),
        );
    }
    for n in 0..spec.workspaces {
        let product = PRODUCTS[n as usize % PRODUCTS.len()];
        let place = n / PER_SITE;
        let name = if place == 0 {
            lower.to_owned()
        } else {
            format!("{lower}-{place}")
        };
        let own = ids::uuid(seed, Kind::Site, 1_000_000 + n);
        // One in eleven has a form that differs from the common one: ids are opaque.
        let ari = match n % 11 {
            4 if spec.odd_data => {
                format!("ari:cloud:{product}:{}:workspace/{own}?tenant=a+b", site(n))
            }
            _ => format!("ari:cloud:{product}::site/{own}"),
        };
        let directory = u8::try_from(place % u32::from(directories)).unwrap_or(0);
        push(ResourceKind::Workspace, product, ari, Some(directory), name);
    }
    if spec.odd_data {
        for (n, owner) in ["loom", "bitbucket", "future-product"]
            .into_iter()
            .enumerate()
        {
            let own = ids::uuid(seed, Kind::Site, 2_000_000 + u32::try_from(n).unwrap_or(0));
            push(
                ResourceKind::Unlisted,
                owner,
                format!("ari:cloud:{owner}::workspace/{own}"),
                Some(0),
                String::new(),
            );
        }
    }
    let org_ari = format!(
        "ari:cloud:platform::org/{}",
        ids::uuid(seed, Kind::Organization, 0)
    );
    push(
        ResourceKind::Organization,
        "platform",
        org_ari,
        None,
        String::new(),
    );
    for n in 0..spec.workspaces.div_ceil(PER_SITE).max(1) {
        push(
            ResourceKind::Site,
            "platform",
            format!("ari:cloud:platform::site/{}", site(n * PER_SITE)),
            None,
            String::new(),
        );
    }
    for n in 0..PROJECTS_AFTER {
        push(
            ResourceKind::Project,
            "project",
            project(PROJECTS_BEFORE + n),
            Some(0),
            String::new(),
        );
    }
    for n in 0..GOALS {
        let goal = ids::uuid(seed, Kind::Goal, n);
        push(
            ResourceKind::Goal,
            "goal",
            format!("ari:cloud:townsquare:{}:goal/{goal}", site(0)),
            None,
            String::new(),
        );
    }
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

fn add_users(org: &mut Organization, spec: &OrganizationSpec) {
    let places = Places::of(org);
    for ordinal in 0..spec.users {
        let character = Character::of(spec.seed, ordinal, spec.odd_data);
        let mut user = User::new(!matches!(
            character,
            Character::Unmanaged | Character::Customer
        ));
        place_user(&mut user, spec, ordinal, character);
        user.roles = user_roles(org, spec, &places, ordinal, character, &user);
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

fn user_roles(
    org: &mut Organization,
    spec: &OrganizationSpec,
    places: &Places,
    ordinal: u32,
    character: Character,
    user: &User,
) -> Vec<RoleEntry> {
    let n = u64::from(ordinal);
    let mut found = Vec::new();
    let entry = |resource: u32, role: u16| RoleEntry {
        resource,
        role,
        inferred: false,
    };
    let reachable: Vec<u32> = user
        .directories()
        .flat_map(|d| places.workspaces[usize::from(d)].iter().copied())
        .collect();
    let draws = below(
        draw(spec.seed, 0x201e, n),
        2 * u64::from(spec.roles_per_user) + 1,
    );
    for k in 0..draws {
        let word = draw(spec.seed, 0x201f + k, n);
        if let Some(place) = pick(word, &reachable) {
            let choices = product_roles(&org.resources[*place as usize].owner);
            found.extend(pick(word.rotate_left(20), choices).map(|role| entry(*place, *role)));
        }
    }
    if ordinal == 0 || below(draw(spec.seed, 0xad1, n), 500) == 0 {
        found.push(entry(places.organization, roles::ORG_ADMIN));
        if spec.odd_data {
            found.push(RoleEntry {
                resource: places.organization,
                role: roles::USER_ACCESS_ADMIN,
                inferred: true,
            });
        }
    }
    if below(draw(spec.seed, 0xad2, n), 200) == 0 {
        found.extend(
            pick(draw(spec.seed, 0xad3, n), &places.sites).map(|s| entry(*s, roles::SITE_ADMIN)),
        );
    }
    if below(draw(spec.seed, 0xad4, n), 20) == 0 && !reachable.is_empty() {
        found.push(entry(places.organization, roles::AI_ACCESS));
    }
    match character {
        Character::ManyRoles => {
            let many = 105 + u32::try_from(below(draw(spec.seed, 0xad5, n), 40)).unwrap_or(0);
            found.extend(
                places
                    .projects
                    .iter()
                    .take(many as usize)
                    .map(|p| entry(*p, roles::PROJECT_ADMIN)),
            );
            found.extend(
                places
                    .goals
                    .iter()
                    .take(5)
                    .map(|g| entry(*g, roles::GOAL_OWNER)),
            );
            found.extend(reachable.iter().map(|w| entry(*w, roles::USER)));
        }
        Character::UnlistedWorkspace => {
            found.extend(places.unlisted.iter().map(|w| entry(*w, roles::USER)));
        }
        Character::UnknownRole => {
            let newest = org.intern_role("atlassian/role-of-tomorrow");
            found.extend(
                reachable
                    .first()
                    .into_iter()
                    .flat_map(|w| [entry(*w, roles::VIEWER), entry(*w, newest)]),
            );
            found.push(entry(places.organization, roles::VIEWER));
        }
        Character::EmptyItems => {
            found.extend(places.sites.first().map(|s| entry(*s, roles::NO_ROLE)));
        }
        _ if below(draw(spec.seed, 0xad6, n), 10) == 0 => {
            found.extend(
                pick(draw(spec.seed, 0xad7, n), &places.projects)
                    .map(|p| entry(*p, roles::PROJECT_ADMIN)),
            );
        }
        _ => {}
    }
    found
}

fn add_groups(org: &mut Organization, spec: &OrganizationSpec) {
    let places = Places::of(org);
    let mut by_directory: Vec<Vec<u32>> = vec![Vec::new(); org.directories.len()];
    for (ordinal, user) in org.users.iter().enumerate() {
        for d in user.directories() {
            by_directory[usize::from(d)].push(u32::try_from(ordinal).unwrap_or(u32::MAX));
        }
    }
    for ordinal in 0..spec.groups {
        let mut group = group_outline(org, spec, &places, ordinal);
        let people = &by_directory[usize::from(group.directory)];
        let available = u32::try_from(people.len()).unwrap_or(u32::MAX);
        let size = group_size(spec, ordinal, available);
        if size > 0 {
            let order = Permutation::new(available, draw(spec.seed, 0x6e4, u64::from(ordinal)));
            group.members = (0..size).map(|n| people[order.at(n) as usize]).collect();
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

/// Group 0 holds the organization's admins, the next ones give access to one workspace each, the others are teams.
fn group_outline(
    org: &Organization,
    spec: &OrganizationSpec,
    places: &Places,
    ordinal: u32,
) -> Group {
    let n = u64::from(ordinal);
    let word = draw(spec.seed, 0x6e0, n);
    let directories = u64::from(spec.directory_count());
    let workspace = ordinal
        .checked_sub(1)
        .and_then(|w| places.listed.get(w as usize))
        .map(|w| (*w, &org.resources[*w as usize]));
    // Names are unique per directory only: now and then a group has a twin in another one.
    let twin = org
        .groups
        .last()
        .filter(|_| ordinal % 29 == 10 && workspace.is_none() && directories > 1);
    let directory = match (ordinal, workspace) {
        (0, _) => 0,
        _ if twin.is_some() => (twin.map_or(0, |t| t.directory) + 1) % spec.directory_count(),
        (_, Some((_, w))) => w.directory.unwrap_or(0),
        _ if below(word, 100) < 75 => 0,
        _ => u8::try_from(below(word.rotate_left(32), directories)).unwrap_or(0),
    };
    let mut held = Vec::new();
    let team = pick(word, &TEAMS).copied().unwrap_or("Falcon");
    let mut name = format!("Team {team} {ordinal}");
    if ordinal == 0 {
        "org-admins".clone_into(&mut name);
        held.push(RoleEntry {
            resource: places.organization,
            role: roles::ORG_ADMIN,
            inferred: false,
        });
    } else if let Some((place, resource)) = workspace {
        name = format!("{}-users-{}", resource.owner, resource.name);
        held.push(RoleEntry {
            resource: place,
            role: roles::USER,
            inferred: false,
        });
    } else {
        if below(draw(spec.seed, 0x6e1, n), 10) < 4 {
            for k in 0..=below(word.rotate_left(8), 3) {
                let draw_role = draw(spec.seed, 0x6e8 + k, n);
                if let Some(place) = pick(draw_role, &places.workspaces[usize::from(directory)]) {
                    let choices = product_roles(&org.resources[*place as usize].owner);
                    held.extend(
                        pick(draw_role.rotate_left(20), choices).map(|role| RoleEntry {
                            resource: *place,
                            role: *role,
                            inferred: false,
                        }),
                    );
                }
            }
        }
        if below(draw(spec.seed, 0x6e2, n), 12) == 0 {
            held.extend(pick(word, &places.projects).map(|p| RoleEntry {
                resource: *p,
                role: roles::PROJECT_ADMIN,
                inferred: false,
            }));
        }
        if spec.odd_data && ordinal % 9 == 8 {
            name = format!(
                "{} {ordinal}",
                ODD_GROUP_NAMES[ordinal as usize / 9 % ODD_GROUP_NAMES.len()]
            );
        }
        if let Some(twin) = twin {
            name.clone_from(&twin.name);
        }
    }
    held.sort_unstable();
    held.dedup();
    let synced = ordinal > 0 && workspace.is_none() && below(draw(spec.seed, 0x6e3, n), 5) == 0;
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
        gone: false,
        members: Vec::new(),
        roles: held,
    }
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

fn add_tokens(org: &mut Organization, spec: &OrganizationSpec) {
    for number in 0..spec.token_count() {
        let word = draw(spec.seed, 0x70c, u64::from(number));
        // Tokens belong to managed accounts: walk on from the drawn user to the next one.
        let start = below(word, u64::from(spec.users));
        let owner = (0..u64::from(spec.users))
            .filter_map(|step| u32::try_from((start + step) % u64::from(spec.users)).ok())
            .find(|n| org.users[*n as usize].managed);
        let Some(owner) = owner else { return };
        org.tokens.push(Token { owner, gone: false });
        org.tokens_of.entry(owner).or_default().push(number);
    }
}

fn add_events(org: &mut Organization, spec: &OrganizationSpec) {
    const DAYS: u64 = 170;
    const ACTIONS: [&str; 5] = [
        "user_added_to_group",
        "user_removed_from_group",
        "group_created",
        "user_token_create",
        "user_added_to_org",
    ];
    let count = u64::from(spec.event_count());
    for number in 0..count {
        let word = draw(spec.seed, 0xe7e, number);
        let user = |w: u64| u32::try_from(below(w, u64::from(spec.users))).unwrap_or(0);
        let group = spec.groups.checked_sub(1).map(|_| {
            u32::try_from(below(word.rotate_left(16), u64::from(spec.groups))).unwrap_or(0)
        });
        let action = ACTIONS[usize::try_from(word % 5).unwrap_or(0)];
        let subject = match (action, group) {
            ("user_added_to_group" | "user_removed_from_group", Some(group)) => {
                Subject::Membership {
                    user: user(word.rotate_left(7)),
                    group,
                }
            }
            ("group_created", Some(group)) => Subject::Group(group),
            ("user_token_create", _) if !org.tokens.is_empty() => Subject::Token(
                u32::try_from(below(word.rotate_left(9), org.tokens.len() as u64)).unwrap_or(0),
            ),
            _ => Subject::User(user(word.rotate_left(7))),
        };
        let action = match subject {
            Subject::User(_) => "user_added_to_org",
            _ => action,
        };
        // Evenly spread over the time that the log is kept, in order.
        let age_millis = (count - number) * (DAYS * 86_400_000 / count.max(1)) - below(word, 1000);
        let at_millis = DATA_DATE_SECONDS * 1000 - i64::try_from(age_millis).unwrap_or(0);
        org.events.push(Event {
            at_millis,
            action,
            actor: user(word),
            subject,
        });
    }
}
