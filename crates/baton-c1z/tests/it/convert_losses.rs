//! What a sync loses on the way into format v3 and back, and that it loses
//! nothing else. Each loss has a line in `docs/compatibility.md`; a line
//! without a test fails, and so does a test without a line.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{
    C1zFile, Converted, Filter, ListId, OwnedRow, PageLog, PageRow, RewriteOptions, Table, View,
    to_v1, to_v3,
};
use baton_proto::c1::connector::v2;
use baton_proto::c1::connector::v2::resource::CreationSource;
use baton_proto::{any, encode};
use prost::Message;

use crate::log_support::{locate, open as open_log};
use crate::seal_v1::{ID, page, plan, seal_plain, target};
use crate::support::{Folder, fixture, open};

/// The messages of a small sync, in the order of a file.
#[derive(Debug, Clone, PartialEq)]
struct Sync {
    types: Vec<v2::ResourceType>,
    resources: Vec<v2::Resource>,
    entitlements: Vec<v2::Entitlement>,
    grants: Vec<v2::Grant>,
}

fn resource_id(type_id: &str, id: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: type_id.into(),
        resource: id.into(),
        ..Default::default()
    }
}

fn text(value: &str) -> prost_types::Value {
    prost_types::Value {
        kind: Some(prost_types::value::Kind::StringValue(value.into())),
    }
}

impl Sync {
    /// Every field set that format v3 has room for.
    fn complete() -> Self {
        let note = any::pack(&v2::GrantImmutable {
            source_id: "note".into(),
            ..Default::default()
        });
        let types: Vec<_> = [("group", 2), ("user", 1)]
            .map(|(id, of_trait)| v2::ResourceType {
                id: id.into(),
                display_name: format!("The {id}s"),
                traits: vec![of_trait],
                annotations: vec![note.clone()],
                description: "described".into(),
                sourced_externally: true,
            })
            .into();
        let resources: Vec<_> = [("group", "g"), ("user", "u"), ("user", "v")]
            .map(|(type_id, id)| v2::Resource {
                id: Some(resource_id(type_id, id)),
                parent_resource_id: (id == "u").then(|| resource_id("group", "g")),
                display_name: format!("{type_id} {id}"),
                annotations: vec![note.clone()],
                description: "described".into(),
                profile: Some(prost_types::Struct {
                    fields: BTreeMap::from([
                        ("a".to_owned(), text("1")),
                        ("b".to_owned(), text("2")),
                    ]),
                }),
                icon: Some(v2::AssetRef { id: "icon".into() }),
                status: Some(v2::Status {
                    status: 2,
                    details: "away".into(),
                }),
                created_at: Some(prost_types::Timestamp {
                    seconds: 5,
                    nanos: 7,
                }),
                ..Default::default()
            })
            .into();
        let entitlement = v2::Entitlement {
            resource: Some(resources[0].clone()),
            id: "group:g:member".into(),
            display_name: "Member".into(),
            description: "described".into(),
            grantable_to: types.clone(),
            annotations: vec![note.clone()],
            purpose: 1,
            slug: "member".into(),
        };
        let expandable = v2::GrantExpandable {
            entitlement_ids: vec!["group:g:member".into()],
            shallow: true,
            resource_type_ids: vec!["user".into()],
        };
        let grants = resources[1..].iter().map(|principal| {
            let direct = [("group:g:member", true), ("group:h:member", false)];
            v2::Grant {
                entitlement: Some(entitlement.clone()),
                principal: Some(principal.clone()),
                id: format!("grant of {}", principal.display_name),
                sources: Some(v2::GrantSources {
                    sources: direct
                        .map(|(id, is_direct)| {
                            (id.into(), v2::grant_sources::GrantSource { is_direct })
                        })
                        .into(),
                }),
                annotations: vec![note.clone(), any::pack(&expandable)],
            }
        });
        Self {
            grants: grants.collect(),
            entitlements: vec![entitlement],
            types,
            resources,
        }
    }

    /// Changes a resource wherever it is embedded, as a connector does.
    fn change_everywhere(&mut self, change: impl Fn(&mut v2::Resource)) {
        let embedded = self.grants.iter_mut().flat_map(|grant| {
            let of = grant.entitlement.iter_mut();
            of.flat_map(|of| of.resource.iter_mut())
                .chain(&mut grant.principal)
        });
        let of_entitlements = self.entitlements.iter_mut().flat_map(|of| &mut of.resource);
        for resource in self.resources.iter_mut().chain(of_entitlements) {
            change(resource);
        }
        embedded.for_each(change);
    }

    fn append(&self, log: &mut PageLog) {
        let types: Vec<_> = self.types.iter().map(encode::to_vec).collect();
        let rows: Vec<_> = types.iter().map(PageRow::resource_type).collect();
        page(log, &ListId::resource_types(), 0, &rows);
        let resources: Vec<_> = self.resources.iter().map(encode::to_vec).collect();
        let rows: Vec<_> = resources.iter().map(PageRow::resource).collect();
        page(log, &ListId::resources("t", None), 0, &rows);
        let entitlements: Vec<_> = self.entitlements.iter().map(encode::to_vec).collect();
        let rows: Vec<_> = entitlements.iter().map(PageRow::entitlement).collect();
        page(log, &ListId::entitlements("t", "r"), 0, &rows);
        let grants: Vec<_> = self.grants.iter().map(encode::to_vec).collect();
        let rows: Vec<_> = grants.iter().map(PageRow::grant).collect();
        page(log, &ListId::grants("t", "r"), 0, &rows);
    }

    fn read(path: &Path) -> Self {
        let file = open(path).unwrap();
        let grants = rows(&file, ID, Table::Grants).into_iter().map(|row| {
            let mut grant: v2::Grant = decoded(&row);
            grant
                .annotations
                .extend(row.expansion.map(|value| prost_types::Any {
                    type_url: "type.googleapis.com/c1.connector.v2.GrantExpandable".into(),
                    value,
                }));
            grant
        });
        let all = |table| rows(&file, ID, table);
        Self {
            types: all(Table::ResourceTypes).iter().map(decoded).collect(),
            resources: all(Table::Resources).iter().map(decoded).collect(),
            entitlements: all(Table::Entitlements).iter().map(decoded).collect(),
            grants: grants.collect(),
        }
    }

    /// Sealed into v1, converted into v3 and back.
    fn there_and_back(&self) -> (Converted, Self) {
        let target = target();
        let (mut log, _) = open_log(&locate(&target.path));
        self.append(&mut log);
        seal_plain(log, plan(&target.path)).unwrap();
        let (converted, back) = there_and_back(&target.path, ID);
        (converted, Self::read(&back.path().join("v1.c1z")))
    }
}

/// Converts a sync of a v1 file into v3 and back to `v1.c1z` in a new folder.
fn there_and_back(source: &Path, id: &str) -> (Converted, Folder) {
    let folder = Folder::new();
    let options = RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        ..RewriteOptions::default()
    };
    let v3 = folder.path().join("v3.c1z");
    let converted = to_v3(source, Some(id), &v3, &options).unwrap();
    to_v1(&v3, &folder.path().join("v1.c1z"), &options).unwrap();
    (converted, folder)
}

fn decoded<M: Message + Default>(row: &OwnedRow) -> M {
    M::decode(row.data.as_slice()).unwrap()
}

fn rows(file: &C1zFile, sync_id: &str, table: Table) -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    file.view(View::Sync(sync_id))
        .unwrap()
        .scan(table, &Filter::default(), &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    rows
}

/// One loss: what a sync has, and what is left of it.
struct Loss {
    name: &'static str,
    before: fn(&mut Sync),
    after: fn(&mut Sync),
    merged_and_dropped: (u64, u64),
}

fn loss(name: &'static str, before: fn(&mut Sync), after: fn(&mut Sync)) -> Loss {
    Loss {
        name,
        before,
        after,
        merged_and_dropped: (0, 0),
    }
}

/// Nothing is left of what was put in.
fn gone(name: &'static str, before: fn(&mut Sync)) -> Loss {
    loss(name, before, |_| {})
}

#[allow(deprecated, reason = "deprecated fields are among what is lost")]
fn losses() -> Vec<Loss> {
    vec![
        gone("resource's external_id", |sync| {
            sync.change_everywhere(|resource| {
                resource.external_id = Some(v2::ExternalId {
                    id: "x".into(),
                    ..Default::default()
                });
            });
        }),
        gone("resource's creation_source", |sync| {
            sync.change_everywhere(|resource| {
                resource.creation_source = CreationSource::ConnectorListResources.into();
            });
        }),
        gone("resource's baton_resource", |sync| {
            sync.change_everywhere(|resource| {
                resource.baton_resource = true;
                resource.id.get_or_insert_default().baton_resource = true;
            });
        }),
        gone("a parent without an id", |sync| {
            sync.change_everywhere(|resource| {
                if resource.parent_resource_id.is_none() {
                    resource.parent_resource_id = Some(resource_id("group", ""));
                }
            });
        }),
        gone("a trait of a later version", |sync| {
            sync.types[0].traits.push(999);
        }),
        loss(
            "a purpose of a later version",
            |sync| sync.entitlements[0].purpose = 999,
            |sync| {
                sync.entitlements[0].purpose = 0;
                for grant in &mut sync.grants {
                    grant.entitlement.get_or_insert_default().purpose = 0;
                }
            },
        ),
        gone(
            "an embedded object that differs from the stored one",
            |sync| {
                let entitlement = &mut sync.entitlements[0];
                entitlement.grantable_to[0].display_name = "another name".into();
                let of = entitlement.resource.get_or_insert_default();
                of.display_name = "another name".into();
                let grant = &mut sync.grants[0];
                let of = grant.entitlement.get_or_insert_default();
                of.display_name = "another name".into();
                let to = grant.principal.get_or_insert_default();
                to.display_name = "another name".into();
            },
        ),
        loss(
            "an embedded object that is not stored",
            |sync| {
                sync.resources
                    .retain(|resource| resource.display_name != "user u");
                sync.entitlements.clear();
            },
            |sync| {
                sync.resources
                    .retain(|resource| resource.display_name != "user u");
                sync.entitlements.clear();
                for grant in &mut sync.grants {
                    grant.entitlement = Some(v2::Entitlement {
                        id: "group:g:member".into(),
                        resource: Some(v2::Resource {
                            id: Some(resource_id("group", "g")),
                            ..Default::default()
                        }),
                        ..Default::default()
                    });
                }
                sync.grants[0].principal = Some(v2::Resource {
                    id: Some(resource_id("user", "u")),
                    parent_resource_id: Some(resource_id("group", "g")),
                    ..Default::default()
                });
            },
        ),
        loss(
            "a grant without an id",
            |sync| sync.grants[0].id.clear(),
            |sync| sync.grants[0].id = "group:g:member:user:u".into(),
        ),
        Loss {
            merged_and_dropped: (1, 0),
            ..gone("a second grant of one principal and entitlement", |sync| {
                let mut second = sync.grants[0].clone();
                second.id = "later in the alphabet".into();
                sync.grants.push(second);
            })
        },
        Loss {
            merged_and_dropped: (0, 1),
            ..gone("a row that lacks a part of its identity", |sync| {
                let mut nobody = sync.grants[0].clone();
                nobody.id = "of nobody".into();
                nobody.principal = None;
                sync.grants.push(nobody);
            })
        },
    ]
}

#[test]
fn each_loss_is_what_its_line_says_and_nothing_more() {
    for loss in losses() {
        let mut before = Sync::complete();
        (loss.before)(&mut before);
        assert_ne!(before, Sync::complete(), "{}", loss.name);
        let mut after = Sync::complete();
        (loss.after)(&mut after);
        let (converted, back) = before.there_and_back();
        assert_eq!(back, after, "{}", loss.name);
        assert_ne!(back, before, "{} is not lost", loss.name);
        let counted = (converted.merged_grants, converted.dropped_rows);
        assert_eq!(counted, loss.merged_and_dropped, "{}", loss.name);
    }
}

#[test]
fn what_has_a_place_in_v3_comes_back_from_there() {
    let complete = Sync::complete();
    let (converted, back) = complete.there_and_back();
    assert_eq!(back, complete);
    assert_eq!(converted.merged_grants + converted.dropped_rows, 0);
}

/// Fields that no version of a message has so far.
#[test]
fn unknown_fields_are_lost() {
    let target = target();
    let (mut log, _) = open_log(&locate(&target.path));
    let known = encode::to_vec(&Sync::complete().types[0]);
    // Field 1000, a number.
    let row = [&known[..], &[0xc0, 0x3e, 1]].concat();
    page(
        &mut log,
        &ListId::resource_types(),
        0,
        &[PageRow::resource_type(&row)],
    );
    seal_plain(log, plan(&target.path)).unwrap();
    assert_eq!(target.rows(Table::ResourceTypes)[0].data, row);
    let (_, folder) = there_and_back(&target.path, ID);
    let file = open(&folder.path().join("v1.c1z")).unwrap();
    assert_eq!(rows(&file, ID, Table::ResourceTypes)[0].data, known);
}

#[test]
fn every_loss_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("docs/compatibility.md")).unwrap();
    let listed: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("- lost: "))
        .filter_map(|line| line.split(';').next())
        .collect();
    let mut tested: BTreeSet<_> = losses().iter().map(|loss| loss.name).collect();
    tested.insert("unknown fields");
    assert_eq!(listed, tested);
}

/// All objects of a file, by what they are found by.
struct Stored {
    types: BTreeMap<String, v2::ResourceType>,
    resources: BTreeMap<(String, String), v2::Resource>,
    entitlements: BTreeMap<String, v2::Entitlement>,
}

impl Stored {
    fn read(file: &C1zFile, sync_id: &str) -> Self {
        let all = |table| rows(file, sync_id, table).into_iter();
        let mut stored = Self {
            types: all(Table::ResourceTypes)
                .map(|row| (row.id.clone(), decoded(&row)))
                .collect(),
            resources: all(Table::Resources)
                .map(|row| {
                    let message = decoded(&row);
                    ((row.resource_type_id, row.resource_id), message)
                })
                .collect(),
            entitlements: BTreeMap::new(),
        };
        stored.entitlements = all(Table::Entitlements)
            .map(|row| (row.id.clone(), stored.join_entitlement(decoded(&row))))
            .collect();
        stored
    }

    fn resource(&self, embedded: &v2::Resource) -> v2::Resource {
        let id = embedded.id.clone().unwrap();
        let key = (id.resource_type, id.resource);
        self.resources.get(&key).cloned().unwrap_or(v2::Resource {
            id: embedded.id.clone(),
            parent_resource_id: embedded.parent_resource_id.clone(),
            ..Default::default()
        })
    }

    fn join_entitlement(&self, mut entitlement: v2::Entitlement) -> v2::Entitlement {
        entitlement.resource = entitlement
            .resource
            .map(|embedded| self.resource(&embedded));
        for to in &mut entitlement.grantable_to {
            let id = std::mem::take(&mut to.id);
            *to = self.types.get(&id).cloned().unwrap_or(v2::ResourceType {
                id,
                ..Default::default()
            });
        }
        entitlement
    }

    fn join_grant(&self, mut grant: v2::Grant) -> v2::Grant {
        grant.principal = grant.principal.map(|embedded| self.resource(&embedded));
        grant.entitlement = grant.entitlement.map(|embedded| {
            let stub = || v2::Entitlement {
                id: embedded.id.clone(),
                resource: embedded.resource.as_ref().map(|resource| v2::Resource {
                    id: resource.id.clone(),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let stored = self.entitlements.get(&embedded.id);
            stored.cloned().unwrap_or_else(stub)
        });
        grant
    }
}

#[test]
fn an_organization_comes_back_equal_once_its_embedded_objects_are_the_stored_ones() {
    let source = fixture("atlassian-org/sync.c1z");
    let before = open(&source).unwrap();
    let id = before.sync_runs().to_vec().swap_remove(0).id;
    let (converted, folder) = there_and_back(&source, &id);
    assert_eq!(converted.merged_grants + converted.dropped_rows, 0);
    let after = open(&folder.path().join("v1.c1z")).unwrap();
    let stored = Stored::read(&before, &id);
    let sorted = |file: &C1zFile, table| {
        let mut rows = rows(file, &id, table);
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows
    };
    for table in Table::ALL {
        let (before, after) = (sorted(&before, table), sorted(&after, table));
        assert_eq!(before.len(), after.len(), "{table:?}");
        for (mut before, mut after) in before.into_iter().zip(after) {
            match table {
                Table::ResourceTypes | Table::Resources => assert_eq!(before.data, after.data),
                Table::Entitlements => {
                    let joined = stored.join_entitlement(decoded(&before));
                    assert_eq!(decoded::<v2::Entitlement>(&after), joined);
                }
                Table::Grants => {
                    let joined = stored.join_grant(decoded(&before));
                    assert_eq!(decoded::<v2::Grant>(&after), joined);
                }
            }
            before.data.clear();
            after.data.clear();
            assert_eq!(after, before);
        }
    }
}
