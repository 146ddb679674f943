//! Diffs of random pairs of files against a slow and obvious way: all rows in
//! maps, decoded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{
    C1zFile, Format, OwnedRow, ReadOptions, Snapshot, Table as Rows, View as FileView,
};
use baton_proto::c1::connector::v2;
use baton_proto::{any, wire};
use baton_query::Error;
use baton_query::diff::{ChangeKind, Counts, DiffSettings, FieldValue, Ignored, Sides, diff};
use proptest::prelude::*;
use prost::Message;
use prost_types::{Any, Timestamp};

use crate::records::rows;
use crate::support::{World, grant, member, resource, stub, user};

/// One side: a world in a format, stored in some way.
#[derive(Debug, Clone)]
struct Side {
    world: World,
    format: Format,
    /// The rows of a v1 file come backwards.
    is_backwards: bool,
    /// The grants of a v1 file are slim.
    is_slim: bool,
}

struct Stored {
    _folder: Vec<tempfile::TempDir>,
    _sealed: crate::support::Sealed,
    file: C1zFile,
}

impl Side {
    fn plain(world: World, format: Format) -> Self {
        Self {
            world,
            format,
            is_backwards: false,
            is_slim: false,
        }
    }

    fn store(&self) -> Stored {
        let sealed = self.world.file(self.format);
        let mut folders = Vec::new();
        let mut path = sealed.path.clone();
        if self.format == Format::V1 && (self.is_backwards || self.is_slim) {
            let folder = tempfile::tempdir().unwrap();
            path = self.rewritten(&path, folder.path());
            folders.push(folder);
        }
        Stored {
            file: C1zFile::open(&path, &ReadOptions::default()).unwrap(),
            _sealed: sealed,
            _folder: folders,
        }
    }

    fn rewritten(&self, base: &Path, folder: &Path) -> std::path::PathBuf {
        let database = folder.join("made.db");
        let bytes = fs::read(base).unwrap();
        fs::write(&database, zstd::decode_all(&bytes[5..]).unwrap()).unwrap();
        let conn = rusqlite::Connection::open(&database).unwrap();
        if self.is_backwards {
            for table in Rows::ALL {
                let sql = format!("update v1_{} set id = -id", table.name());
                conn.execute(&sql, ()).unwrap();
            }
        }
        if self.is_slim {
            let mut all = conn.prepare("select id, data from v1_grants").unwrap();
            let row =
                |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
            let all: Vec<_> = all
                .query_map((), row)
                .unwrap()
                .map(Result::unwrap)
                .collect();
            for (id, data) in all {
                let slim = wire::without(&data, &[1, 2]).unwrap();
                let sql = "update v1_grants set data = ?1 where id = ?2";
                conn.execute(sql, (slim, id)).unwrap();
            }
        }
        conn.close().map_err(|(_, e)| e).unwrap();
        let path = folder.join("sync.c1z");
        let mut file = b"C1ZF\0".to_vec();
        file.extend(zstd::encode_all(fs::read(&database).unwrap().as_slice(), 1).unwrap());
        fs::write(&path, file).unwrap();
        path
    }
}

impl Stored {
    fn snapshot(&self) -> Snapshot<'_> {
        self.file.view(FileView::AllRows).unwrap()
    }
}

type Found = BTreeSet<(&'static str, ChangeKind, String)>;

/// Of rows with one id, those of other objects have other names.
fn name_of(row: &OwnedRow) -> String {
    [
        &row.id,
        &row.resource_id,
        &row.entitlement_id,
        &row.principal_id,
    ]
    .map(String::as_str)
    .join(" ")
}

/// Tables, kinds and names of all changes; fields of each.
fn found(old: &Stored, new: &Stored, settings: &DiffSettings) -> (Found, Counts, Vec<String>) {
    let sides = Sides {
        old: old.snapshot(),
        new: new.snapshot(),
    };
    let (mut all, mut fields) = (Found::new(), Vec::new());
    let counts = diff(&sides, settings, &mut |change| {
        let id = change.row().id.to_owned();
        let name = name_of(&change.row().to_owned());
        let is_new = all.insert((change.table.name(), change.kind, name));
        assert!(is_new, "{id} came twice");
        let changed = change.fields()?;
        assert_eq!(
            changed.is_empty(),
            change.kind != ChangeKind::Changed,
            "{id}"
        );
        for field in changed {
            let value = match field.value {
                FieldValue::Value { old, new } => format!("{old:?} -> {new:?}"),
                FieldValue::Set { added, removed } => format!("+{added:?} -{removed:?}"),
                FieldValue::Encoding => "encoding".to_owned(),
            };
            fields.push(format!("{id} {}: {value}", field.path.join(".")));
        }
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(counts.total(), u64::try_from(all.len()).unwrap());
    (all, counts, fields)
}

/// A row as both formats hold it, without times of last use.
fn comparable(table: Rows, row: &OwnedRow, is_across: bool) -> String {
    let data = row.data.as_slice();
    let strip = |annotations: &mut Vec<Any>| {
        for entry in annotations.iter_mut() {
            if any::is::<v2::UserTrait>(entry) {
                let mut user: v2::UserTrait = any::unpack(entry).unwrap();
                user.last_login = None;
                *entry = any::pack(&user);
            }
        }
    };
    let only_id = |resource: &mut Option<v2::Resource>| {
        if let Some(resource) = resource {
            let id = resource.id.take().map(|id| v2::ResourceId {
                baton_resource: false,
                ..id
            });
            *resource = v2::Resource {
                id,
                ..Default::default()
            };
        }
    };
    match table {
        Rows::ResourceTypes => format!("{:?}", v2::ResourceType::decode(data).unwrap()),
        Rows::Resources => {
            let mut resource = v2::Resource::decode(data).unwrap();
            strip(&mut resource.annotations);
            if is_across {
                resource.baton_resource = false;
            }
            format!("{resource:?}")
        }
        Rows::Entitlements => {
            let mut entitlement = v2::Entitlement::decode(data).unwrap();
            if is_across {
                only_id(&mut entitlement.resource);
                for grantable in &mut entitlement.grantable_to {
                    *grantable = v2::ResourceType {
                        id: grantable.id.clone(),
                        ..Default::default()
                    };
                }
            }
            format!("{entitlement:?}")
        }
        Rows::Grants => {
            let mut grant = v2::Grant::decode(data).unwrap();
            let sources = grant.sources.take().unwrap_or_default().sources;
            let sources: BTreeMap<_, _> = sources.into_iter().collect();
            if is_across {
                only_id(&mut grant.principal);
                if let Some(entitlement) = &mut grant.entitlement {
                    only_id(&mut entitlement.resource);
                    *entitlement = v2::Entitlement {
                        id: entitlement.id.clone(),
                        resource: entitlement.resource.take(),
                        ..Default::default()
                    };
                }
            }
            let expansion = row
                .expansion
                .as_deref()
                .map(|e| v2::GrantExpandable::decode(e).unwrap());
            format!("{grant:?} {sources:?} {expansion:?}")
        }
    }
}

/// What identifies an object.
fn identity(table: Rows, row: &OwnedRow, by_id: bool) -> Vec<String> {
    let mut parts = match table {
        Rows::Entitlements | Rows::Grants if by_id => Vec::new(),
        Rows::ResourceTypes => Vec::new(),
        Rows::Resources | Rows::Entitlements => {
            vec![row.resource_type_id.clone(), row.resource_id.clone()]
        }
        Rows::Grants => vec![
            row.resource_type_id.clone(),
            row.resource_id.clone(),
            row.entitlement_id.clone(),
            row.principal_type_id.clone(),
            row.principal_id.clone(),
        ],
    };
    if by_id || table != Rows::Grants {
        parts.push(row.id.clone());
    }
    parts
}

fn expected(old: &Stored, new: &Stored) -> Found {
    let is_v1 = |stored: &Stored| stored.file.format() == Format::V1;
    let by_id = is_v1(old) && is_v1(new);
    let is_across = is_v1(old) != is_v1(new);
    let mut all = Found::new();
    for table in Rows::ALL {
        let read = |stored: &Stored| {
            let mut objects: BTreeMap<Vec<String>, Vec<OwnedRow>> = BTreeMap::new();
            for row in rows(&stored.snapshot(), table) {
                objects
                    .entry(identity(table, &row, by_id))
                    .or_default()
                    .push(row);
            }
            // Of several, the one with the largest id is shown.
            for rows in objects.values_mut() {
                rows.sort_by(|a, b| a.id.cmp(&b.id));
            }
            objects
        };
        let (old, new) = (read(old), read(new));
        for (key, rows) in &old {
            if !new.contains_key(key) {
                all.insert((
                    table.name(),
                    ChangeKind::Removed,
                    name_of(rows.last().unwrap()),
                ));
            }
        }
        for (key, rows) in &new {
            let id = name_of(rows.last().unwrap());
            match old.get(key) {
                None => {
                    all.insert((table.name(), ChangeKind::Added, id));
                }
                Some(before) => {
                    let text = |row: &OwnedRow| comparable(table, row, is_across);
                    let before: BTreeSet<String> = before.iter().map(text).collect();
                    if !rows.iter().any(|row| before.contains(&text(row))) {
                        all.insert((table.name(), ChangeKind::Changed, id));
                    }
                }
            }
        }
    }
    all
}

fn pick<T: Clone + std::fmt::Debug + 'static>(items: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(items.to_vec())
}

fn some_resource() -> impl Strategy<Value = v2::Resource> {
    let users = (
        pick(&["u1", "u2", "u3"]),
        pick(&["Kim", "Ada"]),
        0_i64..3,
        any::<bool>(),
    );
    let users = users.prop_map(|(id, name, last_login, is_baton)| {
        let mut resource = user(id, name, "kim@example.com", name);
        let mut of_user: v2::UserTrait = any::find(&resource.annotations).unwrap().unwrap();
        of_user.last_login = Some(Timestamp {
            seconds: last_login,
            nanos: 0,
        });
        resource.annotations = vec![any::pack(&of_user)];
        resource.baton_resource = is_baton;
        resource
    });
    let groups = (pick(&["g1", "g2"]), pick(&["jira", "wiki"]));
    prop_oneof![
        users,
        groups.prop_map(|(id, name)| resource("group", id, name))
    ]
}

fn some_entitlement() -> impl Strategy<Value = v2::Entitlement> {
    (
        pick(&["g1", "g2"]),
        pick(&["a", "b"]),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(group, name, own_id, whole)| {
            let mut entitlement = member(group, name);
            if own_id {
                entitlement.id = "custom".into();
            }
            if whole {
                entitlement.resource = Some(resource("group", group, name));
            }
            entitlement
        })
}

fn some_grant() -> impl Strategy<Value = v2::Grant> {
    let sources = prop::collection::btree_set(pick(&["s1", "s2", "s3"]), 0..3);
    let parts = (
        pick(&["g1", "g2"]),
        pick(&["u1", "u2"]),
        pick(&["", "x", "y"]),
        sources,
    );
    (parts, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |((group, user, id, sources), immutable, expandable, whole)| {
            let mut made = grant(group, user);
            if !id.is_empty() {
                made.id = id.into();
            }
            if immutable {
                made.annotations
                    .push(any::pack(&v2::GrantImmutable::default()));
            }
            if expandable {
                made.annotations.push(any::pack(&v2::GrantExpandable {
                    entitlement_ids: vec!["e".into()],
                    ..Default::default()
                }));
            }
            if whole {
                made.principal = Some(v2::Resource {
                    display_name: "embedded".into(),
                    ..stub("user", user)
                });
            }
            if !sources.is_empty() {
                let entry = |id: &str| (id.to_owned(), v2::grant_sources::GrantSource::default());
                made.sources = Some(v2::GrantSources {
                    sources: sources.into_iter().map(entry).collect(),
                });
            }
            made
        },
    )
}

fn some_world() -> impl Strategy<Value = World> {
    (
        prop::collection::vec(some_resource(), 0..6),
        prop::collection::vec(some_entitlement(), 0..4),
        prop::collection::vec(some_grant(), 0..6),
    )
        .prop_map(|(resources, entitlements, grants)| World {
            types: vec!["group", "user"],
            resources,
            entitlements,
            grants,
            tool: None,
        })
}

fn some_side() -> impl Strategy<Value = Side> {
    let format = pick(&[Format::V1, Format::V3]);
    (some_world(), format, any::<bool>(), any::<bool>()).prop_map(
        |(world, format, is_backwards, is_slim)| Side {
            world,
            format,
            is_backwards,
            is_slim,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn changes_are_those_of_the_slow_way(old in some_side(), new in some_side()) {
        let (old, new) = (old.store(), new.store());
        let (found, ..) = found(&old, &new, &DiffSettings::default());
        prop_assert_eq!(found, expected(&old, &new));
    }

    #[test]
    fn a_file_has_no_changes_against_itself_in_any_form(side in some_side()) {
        // In v1 one entitlement has an id, in v3 one grant has a principal
        // and an entitlement.
        let mut world = side.world.clone();
        world.entitlements.retain(|entitlement| entitlement.id != "custom");
        world.grants.retain(|grant| !["x", "y"].contains(&grant.id.as_str()));
        for format in [Format::V1, Format::V3] {
            for is_backwards in [false, true] {
                let other = Side { world: world.clone(), format, is_backwards, is_slim: side.is_slim };
                let whole = Side { is_slim: side.is_slim && format == side.format, world: world.clone(), ..side.clone() };
                let other = Side { is_slim: whole.is_slim, ..other };
                let (a, b) = (whole.store(), other.store());
                let (found, ..) = found(&a, &b, &DiffSettings::default());
                prop_assert_eq!(found, Found::new());
            }
        }
    }
}

#[test]
fn each_field_that_changed_is_named_with_its_values() {
    let old = World::small();
    let mut new = World::small();
    new.resources[0].display_name = "jira".into();
    new.resources.remove(3);
    let mut of_user: v2::UserTrait = any::find(&new.resources[2].annotations).unwrap().unwrap();
    of_user.login = "kim".into();
    of_user.last_login = Some(Timestamp {
        seconds: 1,
        nanos: 0,
    });
    new.resources[2].annotations = vec![any::pack(&of_user)];
    let source = |id: &str| (id.to_owned(), v2::grant_sources::GrantSource::default());
    new.grants[0].sources = Some(v2::GrantSources {
        sources: [source("a"), source("b")].into(),
    });
    for (a, b) in [
        (Format::V1, Format::V1),
        (Format::V3, Format::V3),
        (Format::V1, Format::V3),
    ] {
        let (a, b) = (
            Side::plain(old.clone(), a).store(),
            Side::plain(new.clone(), b).store(),
        );
        let (_, counts, fields) = found(&a, &b, &DiffSettings::default());
        assert_eq!(
            fields,
            [
                "group:g1 displayName: Some(\"\\\"jira-users\\\"\") -> Some(\"\\\"jira\\\"\")",
                "user:u1 annotations.UserTrait.login: Some(\"\\\"kvale\\\"\") -> Some(\"\\\"kim\\\"\")",
                "group:g1:member:user:u1 sources: +[\"a\", \"b\"] -[]",
            ]
        );
        assert_eq!(counts.of(Rows::Resources, ChangeKind::Removed), 1);
        let mut settings = DiffSettings::default();
        settings.include_times = true;
        let (.., fields) = found(&a, &b, &settings);
        assert_eq!(fields.len(), 4, "{fields:?}");
    }
}

#[test]
fn what_is_ignored_or_not_asked_for_is_no_change() {
    let old = World::small();
    let mut new = World::small();
    new.resources[0].display_name = "jira".into();
    new.resources[2].description = "other".into();
    new.grants.clear();
    let a = Side::plain(old, Format::V1).store();
    let b = Side::plain(new, Format::V3).store();
    let ids = |settings: DiffSettings| {
        let (found, ..) = found(&a, &b, &settings);
        let first = |name: String| name.split(' ').next().unwrap().to_owned();
        found
            .into_iter()
            .map(|(_, _, name)| first(name))
            .collect::<Vec<_>>()
    };
    let all = DiffSettings::default;
    let mut settings = all();
    settings.ignored = vec![Ignored::parse("displayName").unwrap()];
    assert_eq!(ids(settings), ["group:g1:member:user:u1", "user:u1"]);
    let mut settings = all();
    settings.tables = vec![Rows::Grants];
    assert_eq!(ids(settings), ["group:g1:member:user:u1"]);
    let mut settings = all();
    settings.resource = Some(("user".into(), "u1".into()));
    assert_eq!(ids(settings), ["group:g1:member:user:u1", "user:u1"]);
    let mut settings = all();
    settings.resource = Some(("group".into(), "g1".into()));
    assert_eq!(ids(settings), ["group:g1:member:user:u1", "group:g1"]);
    let error = Ignored::parse("displyName.x").unwrap_err();
    assert!(matches!(error, Error::BadIgnore(_)));
    assert_eq!(
        error.to_string(),
        "no row has a field `displyName.x`; near matches: `displayName`"
    );
}

#[test]
fn a_visitor_that_breaks_or_fails_ends_the_diff() {
    let a = Side::plain(World::small(), Format::V1).store();
    let b = Side::plain(World::default(), Format::V3).store();
    let sides = Sides {
        old: a.snapshot(),
        new: b.snapshot(),
    };
    let mut seen = 0;
    let counts = diff(&sides, &DiffSettings::default(), &mut |_| {
        seen += 1;
        Ok(ControlFlow::Break(()))
    });
    assert_eq!((seen, counts.unwrap().total()), (1, 1));
    let failed = diff(&sides, &DiffSettings::default(), &mut |_| {
        Err(Error::Empty { what: "x" })
    });
    assert!(matches!(failed, Err(Error::Empty { .. })));
}

/// A file that two rows of one id were written into.
#[test]
fn of_rows_with_one_id_any_may_equal_the_other_side() {
    let base = World::small().file(Format::V1);
    let twice = crate::support::changed(
        &base.path,
        "drop index idx_resources_parent_resource_id_v1;
         insert into v1_resources (external_id, resource_type_id, parent_resource_type_id,
             parent_resource_id, data, sync_id, discovered_at)
         select external_id, resource_type_id, parent_resource_type_id, parent_resource_id,
             x'1a0178' || data, sync_id, discovered_at from v1_resources",
    );
    let open = |path: &Path| C1zFile::open(path, &ReadOptions::default()).unwrap();
    let (a, b) = (open(&base.path), open(&twice.path));
    let (old, new) = (
        a.view(FileView::AllRows).unwrap(),
        b.view(FileView::AllRows).unwrap(),
    );
    let sides = Sides { old, new };
    let counts = diff(&sides, &DiffSettings::default(), &mut |change| {
        panic!("{change:?}")
    })
    .unwrap();
    assert_eq!((counts.total(), counts.duplicates), (0, 4));
}
