//! One generated sync, the model of what any file of it must answer, and such
//! files: sealed into each format and converted back and forth.
//!
//! The model knows nothing of how either format finds rows: it is a sorted
//! list, and every question is answered by looking at all of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use baton_c1z::{
    Capabilities, Cleanup, Filter, Format, ListId, NewAsset, OwnedRow, PageLog, PageRow,
    RewriteOptions, SealPlan, SealSteps, Table, clone_sync, seal, to_v1, to_v3,
};
use baton_proto::c1::connector::v2;
use baton_proto::{any, encode};
use prost::Message;

use crate::log_support::{locate, open};
use crate::seal_v1::{ID, page, plan};
use crate::support::{Dice, fixture};

/// Ids that somebody will have some day.
pub fn odd() -> Vec<String> {
    let mut ids: Vec<String> = [
        ":",
        "::",
        "a:b",
        ":a",
        "a:",
        "\0",
        "\0\0",
        "a\0b",
        "\x01",
        "\x01\x01",
        "\x01\x02",
        "\0\x01",
        "\x02",
        " ",
        "a",
        "A",
        "ä",
        "\u{e4}\u{308}",
        "日本語",
        "\u{10ffff}",
        "\u{feff}",
        "\u{7f}",
        "%",
        "_",
        "'",
        "\"; --",
        "\n\t\r",
        "/../",
        "null",
        "0",
        "00",
        "-1",
    ]
    .map(str::to_owned)
    .to_vec();
    // Longer than a block of a table, or a page of a database.
    ids.push("long".repeat(2_560));
    ids.push("long\0".repeat(2_048));
    ids.push(":".repeat(100));
    ids
}

/// Ids that nothing in the sync has.
pub const ABSENT: &[&str] = &[
    "", "absent", "\0\0\0", "lon", "user", "u0000", "::::", "\u{ffff}",
];

/// Members of the one big group: more than the largest page.
pub const MEMBERS: usize = 10_020;

/// The sync, as a connector would give it.
pub struct Sync {
    pub types: Vec<v2::ResourceType>,
    pub resources: Vec<v2::Resource>,
    pub entitlements: Vec<v2::Entitlement>,
    pub grants: Vec<v2::Grant>,
    pub assets: Vec<NewAsset>,
}

fn resource_id(type_id: &str, id: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: type_id.into(),
        resource: id.into(),
        ..Default::default()
    }
}

fn pick<'a, T>(dice: &mut Dice, from: &'a [T]) -> &'a T {
    &from[dice.roll(from.len())]
}

impl Sync {
    fn generate(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let types = Self::some_types();
        let resources = Self::some_resources(&types, &mut dice);
        let entitlements = Self::some_entitlements(&types, &resources, &mut dice);
        let grants = Self::some_grants(&resources, &entitlements, &mut dice);
        let assets = odd().into_iter().enumerate().map(|(n, id)| NewAsset {
            id,
            content_type: ["", "image/png"][n % 2].into(),
            data: format!("asset {n}").into_bytes(),
        });
        Self {
            types,
            resources,
            entitlements,
            grants,
            assets: assets.collect(),
        }
    }

    fn some_types() -> Vec<v2::ResourceType> {
        let mut ids = odd();
        ids.extend(["user".to_owned(), "group".to_owned(), "use".to_owned()]);
        let make = |(n, id): (usize, String)| v2::ResourceType {
            display_name: format!("type {n}"),
            traits: if id == "user" { vec![1] } else { vec![] },
            id,
            ..Default::default()
        };
        ids.into_iter().enumerate().map(make).collect()
    }

    fn some_resources(types: &[v2::ResourceType], dice: &mut Dice) -> Vec<v2::Resource> {
        // Format v1 stores type and id joined: two that are then the same
        // cannot both be in it.
        let mut joined = BTreeSet::new();
        let mut resources: Vec<v2::Resource> = Vec::new();
        let mut add = |type_id: &str, id: &str, dice: &mut Dice| {
            if !joined.insert(format!("{type_id}:{id}")) {
                return;
            }
            let parent = match dice.roll(3) {
                0 if !resources.is_empty() => pick(dice, &resources).id.clone(),
                _ => None,
            };
            resources.push(v2::Resource {
                id: Some(resource_id(type_id, id)),
                parent_resource_id: parent,
                display_name: format!("resource {}", joined.len()),
                description: "of some length ".repeat(dice.roll(4)),
                ..Default::default()
            });
        };
        add("group", "big", dice);
        let odd = odd();
        for id in &odd {
            add("user", id, dice);
            add("group", id, dice);
        }
        for of_type in types {
            for _ in 0..4 {
                let id = &odd[dice.roll(odd.len())];
                add(&of_type.id, id, dice);
            }
        }
        for n in 0..MEMBERS {
            add("user", &format!("u{n:05}"), dice);
        }
        resources
    }

    fn some_entitlements(
        types: &[v2::ResourceType],
        resources: &[v2::Resource],
        dice: &mut Dice,
    ) -> Vec<v2::Entitlement> {
        let odd = odd();
        let mut seen = BTreeSet::new();
        let mut entitlements = Vec::new();
        let on = resources.iter().take(200);
        for (n, resource) in on.enumerate() {
            let of = resource.id.clone().unwrap_or_default();
            let stem = format!("{}:{}:", of.resource_type, of.resource);
            let ids = match n {
                0 => vec![format!("{stem}member")],
                // A bare colon at the end, and ids that do not begin with
                // the resource or almost do.
                n => [
                    vec![stem.clone(), format!("{stem}{}", pick(dice, &odd))],
                    odd.get(n).cloned().into_iter().collect(),
                    vec![format!("{}:{}x:member", of.resource_type, of.resource)],
                ]
                .concat(),
            };
            for id in ids {
                if !seen.insert(id.clone()) {
                    continue;
                }
                entitlements.push(v2::Entitlement {
                    resource: Some(resource.clone()),
                    display_name: format!("entitlement {}", seen.len()),
                    slug: "slug".repeat(dice.roll(3)),
                    grantable_to: vec![pick(dice, types).clone()],
                    purpose: i32::try_from(dice.roll(3)).unwrap(),
                    id,
                    ..Default::default()
                });
            }
        }
        entitlements
    }

    fn some_grants(
        resources: &[v2::Resource],
        entitlements: &[v2::Entitlement],
        dice: &mut Dice,
    ) -> Vec<v2::Grant> {
        let odd = odd();
        let (mut pairs, mut ids) = (BTreeSet::new(), BTreeSet::new());
        let mut grants = Vec::new();
        let mut add =
            |id: &str, entitlement: &v2::Entitlement, principal: &v2::Resource, dice: &mut Dice| {
                let of = principal.id.clone().unwrap_or_default();
                let joined = format!("{}:{}:{}", entitlement.id, of.resource_type, of.resource);
                let id = if id.is_empty() { &joined } else { id };
                let pair = (entitlement.id.clone(), of.resource_type, of.resource);
                if ids.contains(id) || !pairs.insert(pair) {
                    return;
                }
                ids.insert(id.to_owned());
                let expandable = v2::GrantExpandable {
                    entitlement_ids: vec![pick(dice, entitlements).id.clone()],
                    shallow: dice.roll(2) == 0,
                    ..Default::default()
                };
                let annotations = match dice.roll(40) {
                    0 => vec![
                        any::pack(&v2::GrantImmutable::default()),
                        any::pack(&expandable),
                    ],
                    1 => vec![any::pack(&v2::GrantImmutable::default())],
                    _ => vec![],
                };
                let direct = v2::grant_sources::GrantSource { is_direct: true };
                grants.push(v2::Grant {
                    id: id.to_owned(),
                    entitlement: Some(entitlement.clone()),
                    principal: Some(principal.clone()),
                    annotations,
                    sources: (dice.roll(40) == 0).then(|| v2::GrantSources {
                        sources: [(pick(dice, entitlements).id.clone(), direct)].into(),
                    }),
                });
            };
        for (n, id) in odd.iter().enumerate() {
            let entitlement = pick(dice, &entitlements[1..]);
            add(id, entitlement, &resources[n], dice);
        }
        for entitlement in &entitlements[1..] {
            for _ in 0..2 {
                let principal = pick(dice, &resources[..300]);
                add("", entitlement, principal, dice);
            }
        }
        // Principal and entitlement are not in the sync, and so only ids.
        for id in &odd[..12] {
            let resource = v2::Resource {
                id: Some(resource_id("gone", id)),
                ..Default::default()
            };
            let entitlement = v2::Entitlement {
                id: format!("gone:{id}:member"),
                resource: Some(resource.clone()),
                ..Default::default()
            };
            add("", &entitlement, &resource, dice);
        }
        for principal in resources {
            add("", &entitlements[0], principal, dice);
        }
        grants
    }

    fn append(&self, log: &mut PageLog) {
        let put = |log: &mut PageLog, list: &ListId, table: Table, rows: Vec<Vec<u8>>| {
            for (number, rows) in rows.chunks(1_000).enumerate() {
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| match table {
                        Table::ResourceTypes => PageRow::resource_type(row),
                        Table::Resources => PageRow::resource(row),
                        Table::Entitlements => PageRow::entitlement(row),
                        Table::Grants => PageRow::grant(row),
                    })
                    .collect();
                page(log, list, u32::try_from(number).unwrap(), &rows);
            }
        };
        // Which list a row came from does not matter to the file.
        let types = self.types.iter().map(encode::to_vec).collect();
        put(log, &ListId::resource_types(), Table::ResourceTypes, types);
        let resources = self.resources.iter().map(encode::to_vec).collect();
        put(
            log,
            &ListId::resources("t", None),
            Table::Resources,
            resources,
        );
        let entitlements = self.entitlements.iter().map(encode::to_vec).collect();
        let list = ListId::entitlements("t", "r");
        put(log, &list, Table::Entitlements, entitlements);
        let grants = self.grants.iter().map(encode::to_vec).collect();
        put(log, &ListId::grants("t", "r"), Table::Grants, grants);
    }
}

/// A row, and what its message holds where objects are embedded whole.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Without the message.
    pub row: OwnedRow,
    pub message: AnyMessage,
}

/// The message of a row of some table.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyMessage {
    Type(v2::ResourceType),
    Resource(Box<v2::Resource>),
    Entitlement(Box<v2::Entitlement>),
    Grant(Box<v2::Grant>),
}

impl AnyMessage {
    pub fn decode(table: Table, data: &[u8]) -> Self {
        match table {
            Table::ResourceTypes => Self::Type(Message::decode(data).unwrap()),
            Table::Resources => Self::Resource(Box::new(Message::decode(data).unwrap())),
            Table::Entitlements => Self::Entitlement(Box::new(Message::decode(data).unwrap())),
            Table::Grants => Self::Grant(Box::new(Message::decode(data).unwrap())),
        }
    }

    /// What a file that can do so much holds of the message.
    pub fn in_file(mut self, can: Capabilities) -> Self {
        let stub = |resource: &mut Option<v2::Resource>| {
            if let Some(whole) = resource.take() {
                *resource = Some(v2::Resource {
                    id: whole.id,
                    ..Default::default()
                });
            }
        };
        match &mut self {
            _ if can.embedded_objects => {}
            Self::Type(_) | Self::Resource(_) => {}
            Self::Entitlement(entitlement) => {
                stub(&mut entitlement.resource);
                for to in &mut entitlement.grantable_to {
                    *to = v2::ResourceType {
                        id: std::mem::take(&mut to.id),
                        ..Default::default()
                    };
                }
            }
            Self::Grant(grant) => {
                if let Some(whole) = grant.entitlement.take() {
                    let mut resource = whole.resource;
                    stub(&mut resource);
                    grant.entitlement = Some(v2::Entitlement {
                        id: whole.id,
                        resource,
                        ..Default::default()
                    });
                }
                if let Some(whole) = grant.principal.take() {
                    grant.principal = Some(v2::Resource {
                        id: whole.id,
                        parent_resource_id: whole.parent_resource_id,
                        ..Default::default()
                    });
                }
            }
        }
        self
    }
}

/// All rows in the order of a file.
pub struct Model([Vec<Expected>; 4]);

impl Model {
    pub fn rows(&self, table: Table) -> &[Expected] {
        let at = Table::ALL.iter().position(|t| *t == table).unwrap();
        &self.0[at]
    }

    /// The rows that a filter selects.
    pub fn select<'m>(&'m self, table: Table, filter: &Filter<'_>) -> Vec<&'m Expected> {
        let rows = self.rows(table).iter();
        rows.filter(|expected| selects(filter, &expected.row))
            .collect()
    }

    fn of(sync: &Sync) -> Self {
        let types = sync.types.iter().map(|message| Expected {
            row: OwnedRow {
                id: message.id.clone(),
                resource_type_id: message.id.clone(),
                ..OwnedRow::default()
            },
            message: AnyMessage::Type(message.clone()),
        });
        let resources = sync.resources.iter().map(|message| {
            let id = message.id.clone().unwrap();
            let parent = message.parent_resource_id.clone();
            Expected {
                row: OwnedRow {
                    id: format!("{}:{}", id.resource_type, id.resource),
                    resource_type_id: id.resource_type,
                    resource_id: id.resource,
                    parent: parent.map(|parent| (parent.resource_type, parent.resource)),
                    ..OwnedRow::default()
                },
                message: AnyMessage::Resource(Box::new(message.clone())),
            }
        });
        let entitlements = sync.entitlements.iter().map(|message| {
            let of = message.resource.clone().unwrap().id.unwrap();
            Expected {
                row: OwnedRow {
                    id: message.id.clone(),
                    resource_type_id: of.resource_type,
                    resource_id: of.resource,
                    ..OwnedRow::default()
                },
                message: AnyMessage::Entitlement(Box::new(message.clone())),
            }
        });
        let grants = sync.grants.iter().map(|message| {
            let entitlement = message.entitlement.clone().unwrap();
            let of = entitlement.resource.unwrap().id.unwrap();
            let to = message.principal.clone().unwrap().id.unwrap();
            let mut message = message.clone();
            let expandable = message
                .annotations
                .pop_if(|annotation| any::is::<v2::GrantExpandable>(annotation))
                .map(|annotation| annotation.value)
                .filter(|bytes| {
                    // Blank ids expand to nothing, and are forgotten.
                    let expandable = v2::GrantExpandable::decode(bytes.as_slice()).unwrap();
                    expandable
                        .entitlement_ids
                        .iter()
                        .any(|id| !id.trim().is_empty())
                });
            Expected {
                row: OwnedRow {
                    id: message.id.clone(),
                    resource_type_id: of.resource_type,
                    resource_id: of.resource,
                    entitlement_id: entitlement.id,
                    principal_type_id: to.resource_type,
                    principal_id: to.resource,
                    expansion: expandable,
                    ..OwnedRow::default()
                },
                message: AnyMessage::Grant(Box::new(message)),
            }
        });
        let mut rows = [
            types.collect::<Vec<_>>(),
            resources.collect(),
            entitlements.collect(),
            grants.collect(),
        ];
        for (table, rows) in Table::ALL.into_iter().zip(&mut rows) {
            rows.sort_by_cached_key(|expected| place(table, &expected.row));
        }
        Self(rows)
    }
}

/// What rows are ordered by: a list of texts, each compared byte by byte.
fn place(table: Table, row: &OwnedRow) -> Vec<String> {
    let entitlement = |id: &str| {
        let stem = format!("{}:{}:", row.resource_type_id, row.resource_id);
        match id.strip_prefix(&stem) {
            Some(rest) => ["1".to_owned(), rest.to_owned()],
            None => ["0".to_owned(), id.to_owned()],
        }
    };
    let mut parts = vec![row.resource_type_id.clone(), row.resource_id.clone()];
    match table {
        Table::ResourceTypes | Table::Resources => {}
        Table::Entitlements => parts.extend(entitlement(&row.id)),
        Table::Grants => {
            parts.extend(entitlement(&row.entitlement_id));
            parts.extend([row.principal_type_id.clone(), row.principal_id.clone()]);
        }
    }
    parts
}

fn selects(filter: &Filter<'_>, row: &OwnedRow) -> bool {
    let is = |pair: (&str, &str), type_id: &str, id: &str| pair == (type_id, id);
    filter
        .resource_type_id
        .is_none_or(|t| t == row.resource_type_id)
        && filter.resource.is_none_or(|resource| {
            resource.1.is_empty() || is(resource, &row.resource_type_id, &row.resource_id)
        })
        && filter.parent.is_none_or(|parent| {
            row.parent
                .as_ref()
                .is_some_and(|(type_id, id)| is(parent, type_id, id))
        })
        && filter
            .entitlement_id
            .is_none_or(|id| id == row.entitlement_id)
        && filter
            .principal
            .is_none_or(|to| is(to, &row.principal_type_id, &row.principal_id))
        && (filter.principal_types.is_empty()
            || filter
                .principal_types
                .contains(&row.principal_type_id.as_str()))
}

/// A file of the sync.
pub struct Sample {
    /// How it was made.
    pub name: &'static str,
    pub path: PathBuf,
    pub format: Format,
}

/// The sync, its model, and all files of it.
pub struct World {
    pub sync: Sync,
    pub model: Model,
    pub files: Vec<Sample>,
    _folder: tempfile::TempDir,
}

/// Made once for all tests.
pub static WORLD: LazyLock<World> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let sync = Sync::generate(5);
    let mut files = Vec::new();
    let at = |name: &str| folder.path().join(format!("{name}.c1z"));
    for (name, format, over) in [
        ("v1", Format::V1, None),
        (
            "v1 among other syncs",
            Format::V1,
            Some("v1-multi-sync.c1z"),
        ),
        ("v3", Format::V3, None),
        ("v3 in a tar", Format::V3, Some("v3-small-tar.c1z")),
        (
            "v3 in a compressed tar",
            Format::V3,
            Some("v3-small-tarzstd.c1z"),
        ),
    ] {
        let path = at(name);
        if let Some(over) = over {
            std::fs::copy(fixture(over), &path).unwrap();
        }
        seal_into(
            &sync,
            SealPlan {
                format,
                ..plan(&path)
            },
        );
        files.push(Sample { name, path, format });
    }
    let options = RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        ..RewriteOptions::default()
    };
    for (name, from, format) in [
        ("v1 to v3", "v1", Format::V3),
        ("v1 to v3 to v1", "v1 to v3", Format::V1),
        ("v3 to v1", "v3", Format::V1),
        ("v3 to v1 to v3", "v3 to v1", Format::V3),
        ("copy of v1", "v1 among other syncs", Format::V1),
        ("copy of v3", "v3", Format::V3),
    ] {
        let (from, path) = (at(from), at(name));
        if name.starts_with("copy") {
            clone_sync(&from, Some(ID), &path, &options).unwrap();
        } else if format == Format::V3 {
            let done = to_v3(&from, Some(ID), &path, &options).unwrap();
            assert_eq!(done.dropped_rows + done.merged_grants, 0);
        } else {
            to_v1(&from, &path, &options).unwrap();
        }
        files.push(Sample { name, path, format });
    }
    World {
        model: Model::of(&sync),
        sync,
        files,
        _folder: folder,
    }
});

fn seal_into(sync: &Sync, plan: SealPlan) {
    let (mut log, _) = open(&locate(&plan.target));
    sync.append(&mut log);
    let plan = SealPlan {
        assets: sync.assets.clone(),
        cleanup: Cleanup::Skip,
        // So little that sorting goes through files.
        memory_budget_bytes: 2 << 20,
        ..plan
    };
    seal(log, plan, SealSteps::default(), &mut |_| {}).unwrap();
}
