//! Things that roles are held on: workspaces, sites, the organization, and items inside products.

use super::super::ids::{self, Kind};
use crate::config::OrganizationSpec;
use crate::model::{Organization, Resource, ResourceKind};

/// Projects before the workspaces in resource order, so that a user with many of them has workspaces on the second page.
const PROJECTS_BEFORE: u32 = 130;
const PROJECTS_AFTER: u32 = 20;
const GOALS: u32 = 30;
/// Workspaces per site.
const PER_SITE: u32 = 3;
/// Numbers of site ids that belong to workspaces, and to products outside the list.
const WORKSPACE_IDS: u32 = 1_000_000;
const UNLISTED_IDS: u32 = 2_000_000;

const PRODUCTS: [&str; 6] = [
    "jira-software",
    "confluence",
    "jira-servicedesk",
    "compass",
    "jira-core",
    "rovo",
];

/// Gives all resources in their order, which is the order of role assignments.
pub(super) fn add(org: &mut Organization, spec: &OrganizationSpec, lower: &str) {
    let seed = spec.seed;
    let jira = site_id(seed, 0);
    let project = |n: u32| {
        let ari = format!("ari:cloud:jira:{jira}:project/{}", 10_000 + n);
        outline(ResourceKind::Project, "project", ari, Some(0))
    };
    let mut all: Vec<Resource> = (0..PROJECTS_BEFORE).map(project).collect();
    all.extend((0..spec.workspaces).map(|n| workspace(spec, n, lower)));
    if spec.odd_data {
        all.extend(
            (0..)
                .zip(["loom", "bitbucket", "future-product"])
                .map(|(n, owner)| {
                    let own = ids::uuid(seed, Kind::Site, UNLISTED_IDS + n);
                    let ari = format!("ari:cloud:{owner}::workspace/{own}");
                    outline(ResourceKind::Unlisted, owner, ari, Some(0))
                }),
        );
    }
    let organization = format!("ari:cloud:platform::org/{}", org.id);
    all.push(outline(
        ResourceKind::Organization,
        "platform",
        organization,
        None,
    ));
    all.extend((0..spec.workspaces.div_ceil(PER_SITE).max(1)).map(|n| {
        let ari = format!("ari:cloud:platform::site/{}", site_id(seed, n));
        outline(ResourceKind::Site, "platform", ari, None)
    }));
    all.extend((PROJECTS_BEFORE..PROJECTS_BEFORE + PROJECTS_AFTER).map(project));
    all.extend((0..GOALS).map(|n| {
        let goal = ids::uuid(seed, Kind::Goal, n);
        outline(
            ResourceKind::Goal,
            "goal",
            format!("ari:cloud:townsquare:{jira}:goal/{goal}"),
            None,
        )
    }));
    org.resource_index = (0..).zip(&all).map(|(n, r)| (r.ari.clone(), n)).collect();
    org.resources = all;
}

fn site_id(seed: u64, site: u32) -> String {
    ids::uuid(seed, Kind::Site, site)
}

fn outline(kind: ResourceKind, owner: &str, ari: String, directory: Option<u8>) -> Resource {
    Resource {
        ari,
        owner: owner.to_owned(),
        kind,
        directory,
        name: String::new(),
        users: Vec::new(),
        groups: Vec::new(),
    }
}

fn workspace(spec: &OrganizationSpec, n: u32, lower: &str) -> Resource {
    let product = PRODUCTS[n as usize % PRODUCTS.len()];
    let site = n / PER_SITE;
    let own = ids::uuid(spec.seed, Kind::Site, WORKSPACE_IDS + n);
    // One in eleven has a form that differs from the common one: ids are opaque.
    let ari = match n % 11 {
        4 if spec.odd_data => {
            format!(
                "ari:cloud:{product}:{}:workspace/{own}?tenant=a+b",
                site_id(spec.seed, site)
            )
        }
        _ => format!("ari:cloud:{product}::site/{own}"),
    };
    let directory = u8::try_from(site % u32::from(spec.directory_count())).unwrap_or(0);
    let name = if site == 0 {
        lower.to_owned()
    } else {
        format!("{lower}-{site}")
    };
    Resource {
        name,
        ..outline(ResourceKind::Workspace, product, ari, Some(directory))
    }
}
