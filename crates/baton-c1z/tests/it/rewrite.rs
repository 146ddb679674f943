//! Syncs whose rows get new content.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{
    Asset, Error, Filter, Format, NewAsset, NewContent, RewriteOptions, RewrittenSync, Row,
    RowRewriter, Table, View, rewrite_syncs,
};
use baton_proto::c1::connector::v2;
use baton_proto::{Code, encode};
use prost::Message as _;

use crate::support::{Folder, fixture, open};

/// Gives resources another id, and nothing else.
struct Renamed(fn(&str) -> String);

fn decoded<M: prost::Message + prost::Name + Default>(data: &[u8]) -> baton_proto::Result<M> {
    M::decode(data).map_err(|source| baton_proto::Error::Decode {
        message: M::full_name(),
        source,
    })
}

impl RowRewriter for Renamed {
    fn row(&mut self, table: Table, row: &Row<'_>) -> baton_proto::Result<NewContent> {
        let data = match table {
            Table::Resources => {
                let mut resource: v2::Resource = decoded(row.data)?;
                if let Some(id) = &mut resource.id {
                    id.resource = self.0(&id.resource);
                }
                encode::to_vec(&resource)
            }
            _ => row.data.to_vec(),
        };
        Ok(NewContent {
            data,
            expansion: row.expansion.map(<[u8]>::to_vec),
        })
    }

    fn asset(&mut self, id: &str, asset: Asset) -> NewAsset {
        NewAsset {
            id: id.to_owned(),
            content_type: asset.content_type,
            data: asset.data,
        }
    }
}

fn options(folder: &Folder) -> RewriteOptions {
    RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        ..RewriteOptions::default()
    }
}

/// The syncs of a file, as they are.
fn all_syncs(path: &Path) -> Vec<RewrittenSync> {
    let runs = open(path).unwrap().sync_runs().to_vec();
    runs.into_iter()
        .map(|run| RewrittenSync {
            source_id: run.id.clone(),
            run,
        })
        .collect()
}

/// Ids and counts per sync; of grants also whom they connect.
fn content(path: &Path) -> BTreeMap<String, Vec<String>> {
    let file = open(path).unwrap();
    let mut content = BTreeMap::new();
    for run in file.sync_runs() {
        let view = file.view(View::Sync(&run.id)).unwrap();
        let mut rows = Vec::new();
        for table in Table::ALL {
            view.scan(table, &Filter::default(), &mut |row| {
                rows.push(format!(
                    "{table:?} {} {} {}:{} {} {:?}",
                    row.id,
                    row.entitlement_id,
                    row.principal_type_id,
                    row.principal_id,
                    row.resource_id,
                    row.expansion,
                ));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        }
        rows.sort();
        content.insert(run.id.clone(), rows);
    }
    content
}

#[test]
fn rows_that_stay_give_the_same_file_in_both_formats() {
    for name in ["v1-small.c1z", "v1-multi-sync.c1z", "v3-small.c1z"] {
        for format in [Format::V1, Format::V3] {
            let (folder, source) = (Folder::new(), fixture(name));
            let syncs = all_syncs(&source);
            if format == Format::V3 && syncs.len() > 1 {
                continue;
            }
            let target = folder.path().join("new.c1z");
            let mut same = Renamed(str::to_owned);
            let options = options(&folder);
            let done =
                rewrite_syncs(&source, &target, format, &syncs, &mut same, &options).unwrap();
            assert_eq!(done.dropped_rows + done.merged_grants, 0);
            assert_eq!(content(&target), content(&source), "{name} {format:?}");
            assert_eq!(open(&target).unwrap().format(), format);
            assert_eq!(folder.names(), ["new.c1z"]);
        }
    }
}

#[test]
fn rows_are_sorted_by_their_new_ids() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let (folder, source) = (Folder::new(), fixture(name));
        let target = folder.path().join("new.c1z");
        let mut reversed = Renamed(|id| id.chars().rev().collect());
        let format = open(&source).unwrap().format();
        let options = options(&folder);
        rewrite_syncs(
            &source,
            &target,
            format,
            &all_syncs(&source),
            &mut reversed,
            &options,
        )
        .unwrap();
        let file = open(&target).unwrap();
        let view = file.view(View::AllRows).unwrap();
        let mut ids = Vec::new();
        view.scan(Table::Resources, &Filter::default(), &mut |row| {
            ids.push(row.id.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        let expected = [
            "group:1g", "group:2g", "group:3g", "org:emca", "user:1u", "user:2u", "user:3u",
            "user:4u", "user:5u",
        ];
        assert_eq!(ids, expected, "{name}");
        let row = view.get_resource("user", "1u").unwrap().unwrap();
        let user = v2::Resource::decode(&row.data[..]).unwrap();
        assert_eq!(user.display_name, "User 1");
    }
}

#[test]
fn of_rows_with_one_new_id_the_first_stays_and_the_others_are_counted() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let (folder, source) = (Folder::new(), fixture(name));
        let target = folder.path().join("new.c1z");
        let mut one = Renamed(|_| "x".to_owned());
        let format = open(&source).unwrap().format();
        let options = options(&folder);
        let syncs = all_syncs(&source);
        let done = rewrite_syncs(&source, &target, format, &syncs, &mut one, &options).unwrap();
        // Of five users, three groups and an organization, one each.
        assert_eq!(done.dropped_rows, 6, "{name}");
    }
}

#[test]
fn what_cannot_be_written_leaves_no_file() {
    let (folder, source) = (Folder::new(), fixture("v1-multi-sync.c1z"));
    let target = folder.path().join("new.c1z");
    let options = options(&folder);
    let mut syncs = all_syncs(&source);
    let mut same = Renamed(str::to_owned);
    let mut write = |source: &Path, format, syncs: &[RewrittenSync]| {
        let error = rewrite_syncs(source, &target, format, syncs, &mut same, &options);
        error.unwrap_err()
    };
    let error = write(&source, Format::V3, &syncs);
    assert!(matches!(error, Error::Argument { .. }), "{error}");
    "nope".clone_into(&mut syncs[0].source_id);
    assert_eq!(write(&source, Format::V1, &syncs).code(), Code::NotFound);
    let missing = folder.path().join("missing.c1z");
    assert!(matches!(
        write(&missing, Format::V1, &[]),
        Error::NoFile { .. }
    ));
    assert!(folder.names().is_empty());
    folder.file("new.c1z", b"taken");
    let error = write(&source, Format::V1, &syncs);
    assert!(matches!(error, Error::Exists { .. }), "{error}");
}
