//! The file of another connector, and a connector whose grants lead to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_c1z::{Format, Table};
use baton_connector::resource::{
    AppTraitBuilder, GrantBuilder, Profile, ResourceBuilder, UserTraitBuilder, resource_id,
};
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_sync::{ExternalResources, Report, SyncRequest};
use prost::Message;

use crate::sandbox::{Sandbox, ids, scan};
use crate::world::{World, kind, role};

pub const FORMATS: [Format; 2] = [Format::V1, Format::V3];

pub fn person(id: &str, email: &str, profile: Profile) -> v2::Resource {
    ResourceBuilder::new("person", id)
        .user(UserTraitBuilder::new().primary_email(email))
        .profile(profile)
        .build()
        .expect("valid")
}

pub fn team(id: &str) -> v2::Resource {
    ResourceBuilder::new("team", id)
        .group()
        .profile(Profile::new().text("Code", format!("T-{id}")))
        .build()
        .expect("valid")
}

/// Another connector's organization: three persons, two teams, one of which
/// is in the other, a robot of a type without a trait, an app.
pub fn directory() -> World {
    let mut world = World::empty();
    world.types = vec![
        kind("person", Some(Trait::User)),
        kind("team", Some(Trait::Group)),
        kind("app", Some(Trait::App)),
        kind("robot", None),
    ];
    let number = |n: &str| Profile::new().text("number", n).number("floor", 3.0);
    world.add("person", person("ada", "Ada@Example.com", number("N1")));
    world.add("person", person("bob", "bob@example.com", number("n2")));
    world.add("person", person("eve", "eve@example.com", Profile::new()));
    world.add("team", team("eng"));
    world.add("team", team("ops"));
    let robot = ResourceBuilder::new("robot", "r2").build().expect("valid");
    world.add("robot", robot);
    let app = ResourceBuilder::new("app", "wiki").app(AppTraitBuilder::new());
    world.add("app", app.build().expect("valid"));
    let members = [
        ("person", "ada".to_owned()),
        ("person", "bob".to_owned()),
        ("robot", "r2".to_owned()),
    ];
    world.give("team", "eng", "member", members);
    world.give("team", "ops", "member", [("person", "eve".to_owned())]);
    let nested = GrantBuilder::new(team("ops"), "member", resource_id("team", "eng"))
        .annotation(&v2::GrantExpandable {
            entitlement_ids: vec!["team:eng:member".to_owned()],
            ..v2::GrantExpandable::default()
        })
        .build()
        .expect("valid");
    let grants = world.grants.entry("team:ops".to_owned()).or_default();
    grants.push(nested);
    world.give("app", "wiki", "user", [("person", "eve".to_owned())]);
    world
}

/// The same organization once more.
pub fn copy_of(world: &World) -> World {
    let mut copy = World::empty();
    copy.types.clone_from(&world.types);
    copy.resources.clone_from(&world.resources);
    copy.entitlements.clone_from(&world.entitlements);
    copy.grants.clone_from(&world.grants);
    copy
}

/// The directory as a file.
pub async fn file_of(sandbox: &Sandbox, world: World, format: Format) -> PathBuf {
    let path = sandbox.folder().join("directory.c1z");
    let request = SyncRequest {
        format: Some(format),
        ..SyncRequest::new(&path)
    };
    sandbox
        .run(&Arc::new(world), request)
        .await
        .expect("synced");
    path
}

/// A connector with a role, to which placeholders lead.
pub fn world(placeholders: impl IntoIterator<Item = v2::Grant>) -> World {
    let mut world = World::empty();
    world.types = vec![kind("role", Some(Trait::Role))];
    world.add("role", role("admin"));
    world.give("role", "admin", "assigned", []);
    let grants = world.grants.entry("role:admin".to_owned()).or_default();
    grants.extend(placeholders);
    world
}

/// Who is granted the role, as far as the connector knows.
pub fn assigned(principal: (&str, &str)) -> GrantBuilder {
    GrantBuilder::new(
        role("admin"),
        "assigned",
        resource_id(principal.0, principal.1),
    )
}

pub fn all(of: Trait) -> v2::Grant {
    let everybody = v2::ExternalResourceMatchAll {
        resource_type: of as i32,
    };
    let grant = assigned(("x", "all")).annotation(&everybody);
    grant.build().expect("valid")
}

pub fn by_id(id: &str) -> v2::Grant {
    let by_id = v2::ExternalResourceMatchId { id: id.to_owned() };
    let grant = assigned(("x", id)).annotation(&by_id);
    grant.build().expect("valid")
}

pub fn profile(of: Trait, key: &str, value: &str) -> v2::ExternalResourceMatch {
    v2::ExternalResourceMatch {
        resource_type: of as i32,
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

pub fn by_profile(of: Trait, key: &str, value: &str) -> v2::Grant {
    let grant = assigned(("x", value)).annotation(&profile(of, key, value));
    grant.build().expect("valid")
}

pub fn request(sandbox: &Sandbox, external: ExternalResources, format: Format) -> SyncRequest {
    SyncRequest {
        format: Some(format),
        external: Some(external),
        ..sandbox.request()
    }
}

/// Syncs with a directory beside it.
pub async fn sync(world: World, directory: World, formats: [Format; 2]) -> (Sandbox, Report) {
    sync_with(world, directory, formats, |_| ()).await
}

pub async fn sync_with(
    world: World,
    directory: World,
    [source, target]: [Format; 2],
    adapt: impl FnOnce(&mut SyncRequest),
) -> (Sandbox, Report) {
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, directory, source).await;
    let mut request = request(&sandbox, ExternalResources::new(path), target);
    adapt(&mut request);
    let report = sandbox
        .run(&Arc::new(world), request)
        .await
        .expect("synced");
    (sandbox, report)
}

pub fn external(request: &mut SyncRequest) -> &mut ExternalResources {
    request.external.as_mut().expect("set")
}

/// Grants of the role: who holds it.
pub fn holders(path: &Path) -> Vec<String> {
    let grants = ids(path, Table::Grants);
    let of_role = grants
        .iter()
        .filter_map(|id| id.strip_prefix("role:admin:assigned:"));
    of_role.map(ToOwned::to_owned).collect()
}

pub fn all_formats() -> impl Iterator<Item = [Format; 2]> {
    let pairs = FORMATS.map(|source| FORMATS.map(|target| [source, target]));
    pairs.into_iter().flatten()
}

/// Names of the annotations of every row of a table, by id.
pub fn marks(path: &Path, table: Table) -> Vec<(String, BTreeSet<String>)> {
    let mut marks = Vec::new();
    scan(path, |found, row| {
        if found != table {
            return;
        }
        let annotations = match table {
            Table::ResourceTypes => {
                v2::ResourceType::decode(row.data)
                    .expect("valid")
                    .annotations
            }
            Table::Resources => v2::Resource::decode(row.data).expect("valid").annotations,
            Table::Entitlements => {
                v2::Entitlement::decode(row.data)
                    .expect("valid")
                    .annotations
            }
            Table::Grants => v2::Grant::decode(row.data).expect("valid").annotations,
        };
        let name = |any: &prost_types::Any| {
            let full = any.type_url.rsplit('.').next().unwrap_or_default();
            full.to_owned()
        };
        marks.push((row.id.to_owned(), annotations.iter().map(name).collect()));
    });
    marks.sort();
    marks
}

/// A placeholder for a team, whose members inherit the role.
pub fn inherited(sources: &[&str]) -> v2::Grant {
    let by_id = v2::ExternalResourceMatchId {
        id: "eng".to_owned(),
    };
    assigned(("group", "eng-here"))
        .annotation(&by_id)
        .annotation(&v2::GrantExpandable {
            entitlement_ids: sources.iter().map(|id| (*id).to_owned()).collect(),
            shallow: true,
            resource_type_ids: vec!["person".to_owned()],
        })
        .build()
        .expect("valid")
}

/// A directory with 2,500 persons more, who are in a group.
pub fn crowded() -> World {
    let mut source = directory();
    source.page_size = 500;
    let ids: Vec<String> = (0..2_500).map(|n| format!("p{n:04}")).collect();
    for id in &ids {
        let email = format!("{id}@example.com");
        source.add("person", person(id, &email, Profile::new()));
    }
    let crowd = ids.into_iter().map(|id| ("person", id));
    source.give("team", "ops", "crowd", crowd);
    source
}
