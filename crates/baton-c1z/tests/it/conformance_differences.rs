//! Differences that the formats have by nature: each is what `Capabilities`
//! says, or is named in the documentation.

use std::time::{Duration, SystemTime};

use baton_c1z::{
    C1zFile, Cleanup, Error, Filter, Format, ListId, PageLog, PageRow, RewriteOptions, SealPlan,
    Snapshot, Table, View, to_v3,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_proto::encode;

use crate::conformance::{can, scan, scan_ids};
use crate::conformance_sync::WORLD;
use crate::log_support::{locate, open as open_log};
use crate::seal_v1::{
    ID, Target, append, grant, member_of, page, plan, resource, seal_plain, target,
};
use crate::support::{Folder, fixture, open};

/// A log of the small sync in `seal_v1`, and what `more` appends, sealed into
/// each format.
fn sealed_into_both(more: impl Fn(&mut PageLog)) -> [(Target, Result<C1zFile, Error>); 2] {
    [Format::V1, Format::V3].map(|format| {
        let target = target();
        let (mut log, _) = open_log(&locate(&target.path));
        append(&mut log, &[0, 1, 2, 3, 4, 5]);
        more(&mut log);
        let plan = SealPlan {
            format,
            ..plan(&target.path)
        };
        let sealed = seal_plain(log, plan).map(|_| target.open());
        (target, sealed)
    })
}

/// Calls `check` on the sync in each of both files.
fn in_both(more: impl Fn(&mut PageLog), check: impl Fn(Snapshot<'_>)) {
    for (_target, file) in sealed_into_both(more) {
        check(file.unwrap().view(View::Sync(ID)).unwrap());
    }
}

fn put_grants(log: &mut PageLog, grants: &[v2::Grant]) {
    let rows: Vec<_> = grants.iter().map(encode::to_vec).collect();
    let rows: Vec<_> = rows.iter().map(PageRow::grant).collect();
    page(log, &ListId::grants("group", "z"), 0, &rows);
}

#[test]
fn rows_that_lack_a_part_of_their_identity_are_kept_in_one_format_and_refused_in_the_other() {
    type Spoil = fn(&mut v2::Grant);
    let spoil: [Spoil; 5] = [
        |grant| grant.principal = None,
        |grant| grant.principal = Some(resource("", "1")),
        |grant| grant.principal = Some(resource("user", "")),
        |grant| grant.entitlement = None,
        |grant| grant.entitlement.get_or_insert_default().id.clear(),
    ];
    for spoil in spoil {
        let mut odd = grant("a", "4");
        odd.id = "odd".into();
        spoil(&mut odd);
        let [(_in_v1, v1), (in_v3, v3)] =
            sealed_into_both(|log| put_grants(log, std::slice::from_ref(&odd)));
        let file = v1.unwrap();
        let view = file.view(View::Sync(ID)).unwrap();
        assert!(view.get(Table::Grants, "odd").unwrap().is_some());
        let error = v3.unwrap_err();
        assert!(
            matches!(&error, Error::Unstorable { table: Table::Grants, id } if id == "odd"),
            "{error}"
        );
        assert!(!in_v3.path.exists());
    }
}

#[test]
fn resources_whose_joined_ids_are_one_are_refused_in_one_format_and_told_apart_in_the_other() {
    let twins = [("a:b", "c"), ("a", "b:c")];
    let [(in_v1, v1), (_in_v3, v3)] = sealed_into_both(|log| {
        let rows = twins.map(|(type_id, id)| encode::to_vec(&resource(type_id, id)));
        let rows = rows.each_ref().map(PageRow::resource);
        page(log, &ListId::resources("a", None), 0, &rows);
    });
    // Not `lookup_by_bare_id`: there is one row per joined id, or none.
    let error = v1.unwrap_err();
    assert!(matches!(error, Error::DuplicateId { .. }), "{error}");
    assert!(!in_v1.path.exists());
    let file = v3.unwrap();
    let view = file.view(View::Sync(ID)).unwrap();
    for (type_id, id) in twins {
        let found = view.get_resource(type_id, id).unwrap().unwrap();
        assert_eq!(
            (found.resource_type_id.as_str(), found.resource_id.as_str()),
            (type_id, id)
        );
    }
    assert!(!view.file().capabilities().lookup_by_bare_id);
    let error = view.get(Table::Resources, "a:b:c").unwrap_err();
    assert!(matches!(error, Error::DuplicateId { .. }), "{error}");
}

#[test]
fn an_id_of_two_entitlements_is_ambiguous_only_where_ids_are_no_keys() {
    let put = |log: &mut PageLog| {
        let rows = ["a", "b"].map(|group| {
            encode::to_vec(&v2::Entitlement {
                id: "shared".into(),
                ..member_of(group)
            })
        });
        let rows = rows.each_ref().map(PageRow::entitlement);
        page(log, &ListId::entitlements("group", "z"), 0, &rows);
        let grants = ["a", "b"].map(|group| {
            let mut of = grant(group, "2");
            of.id = "shared".into();
            of
        });
        put_grants(log, &grants);
    };
    in_both(put, |view| {
        for table in [Table::Entitlements, Table::Grants] {
            let found = view.get(table, "shared");
            let rows = scan_ids(&view, table, &Filter::default());
            let rows = rows.iter().filter(|id| *id == "shared").count();
            if can(&view).lookup_by_bare_id {
                // The later one has taken the place of the other.
                assert_eq!(found.unwrap().unwrap().resource_id, "b");
                assert_eq!(rows, 1);
            } else {
                assert!(matches!(found, Err(Error::DuplicateId { .. })));
                assert_eq!(rows, 2);
            }
        }
    });
}

#[test]
fn a_pair_of_principal_and_entitlement_has_one_grant_or_several() {
    let put = |log: &mut PageLog| {
        let twins = ["one", "two"].map(|id| v2::Grant {
            id: id.into(),
            ..grant("b", "4")
        });
        put_grants(log, &twins);
    };
    in_both(put, |view| {
        let of_pair = Filter {
            entitlement_id: Some("group:b:member"),
            principal: Some(("user", "4")),
            ..Filter::default()
        };
        let found = scan_ids(&view, Table::Grants, &of_pair);
        if can(&view).duplicate_pairs {
            assert_eq!(found, ["one", "two"]);
        } else {
            assert_eq!(found, ["two"], "the later one stays");
            assert_eq!(view.get(Table::Grants, "one").unwrap(), None);
        }
        assert_eq!(
            view.count(Table::Grants, &of_pair).unwrap(),
            found.len() as u64
        );
        let stats = view.stats().unwrap();
        assert_eq!(stats.grants, 7 + i64::try_from(found.len()).unwrap());
    });
}

#[test]
fn a_grant_without_an_id_has_none_or_the_one_that_its_parts_give() {
    let put = |log: &mut PageLog| {
        let nameless = v2::Grant {
            id: String::new(),
            ..grant("b", "4")
        };
        put_grants(log, &[nameless]);
    };
    in_both(put, |view| {
        // An id is a key in its own right, or made from the key.
        let id = if can(&view).lookup_by_bare_id {
            ""
        } else {
            "group:b:member:user:4"
        };
        let found = view.get(Table::Grants, id).unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.principal_id.as_str()), (id, "4"));
        assert_eq!(scan(&view, Table::Grants, &Filter::default()).len(), 8);
    });
}

#[test]
fn a_parent_without_an_id_is_kept_or_none() {
    let put = |log: &mut PageLog| {
        let orphan = v2::Resource {
            parent_resource_id: Some(v2::ResourceId {
                resource_type: "group".into(),
                ..Default::default()
            }),
            ..resource("user", "orphan")
        };
        let row = encode::to_vec(&orphan);
        page(
            log,
            &ListId::resources("user", None),
            9,
            &[PageRow::resource(&row)],
        );
    };
    in_both(put, |view| {
        let of_format = view.file().format();
        let found = view.get_resource("user", "orphan").unwrap().unwrap();
        let of_parent = Filter {
            parent: Some(("group", "")),
            ..Filter::default()
        };
        let children = view.count(Table::Resources, &of_parent).unwrap();
        match of_format {
            Format::V1 => {
                assert_eq!(found.parent, Some(("group".into(), String::new())));
                assert_eq!(children, 1);
            }
            Format::V3 => assert_eq!((found.parent, children), (None, 0)),
        }
    });
}

#[test]
fn a_file_holds_several_syncs_or_the_last_one() {
    for format in [Format::V1, Format::V3] {
        let target = target();
        let ids = ["3MVxu1fAkCi8scufhFJpQZ00001", "3MVxu1fAkCi8scufhFJpQZ00002"];
        for (n, id) in ids.into_iter().enumerate() {
            let mut plan = SealPlan {
                format,
                cleanup: Cleanup::Skip,
                ..plan(&target.path)
            };
            plan.run.id = id.into();
            plan.run.ended_at += Duration::from_mins(n as u64);
            seal_plain(target.log(), plan).unwrap();
        }
        let file = target.open();
        let runs: Vec<_> = file
            .sync_runs()
            .to_vec()
            .into_iter()
            .map(|run| run.id)
            .collect();
        if file.capabilities().many_syncs {
            assert_eq!(runs, ids);
        } else {
            assert_eq!(runs, ids[1..]);
            assert!(matches!(
                file.view(View::Sync(ids[0])),
                Err(Error::NoSuchSync { .. })
            ));
        }
        let newest = file.view(View::Sync(ids[1])).unwrap();
        assert_eq!(newest.count(Table::Grants, &Filter::default()).unwrap(), 7);
    }
}

#[test]
fn an_unfinished_sync_is_shown_for_seven_days_and_then_all_rows_or_an_error() {
    let folder = Folder::new();
    let options = RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        ..RewriteOptions::default()
    };
    let v1 = fixture("baton-cli/v1-unfinished.c1z");
    let id = open(&v1).unwrap().sync_runs().to_vec().swap_remove(0).id;
    let v3 = folder.path().join("v3.c1z");
    to_v3(&v1, Some(&id), &v3, &options).unwrap();
    for path in [&v1, &v3] {
        let file = open(path).unwrap();
        let run = file.sync_runs().to_vec().swap_remove(0);
        assert!(!run.is_finished());
        assert_eq!(file.latest_finished(None).cloned(), None);
        let started = SystemTime::try_from(run.started_at.unwrap()).unwrap();
        let week = Duration::from_hours(7 * 24);
        let shown = |now| {
            let view = file.view(View::Default { now }).unwrap();
            let rows = view.count(Table::Grants, &Filter::default()).unwrap();
            (view.sync().is_some(), rows)
        };
        assert_eq!(shown(started + week), (true, 8));
        let late = started + week + Duration::from_secs(1);
        if file.capabilities().many_syncs {
            assert_eq!(shown(late), (false, 8));
        } else {
            let error = file.view(View::Default { now: late }).unwrap_err();
            assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
        }
    }
}

#[test]
fn what_a_format_can_do_is_what_it_says() {
    for sample in &WORLD.files {
        let can = open(&sample.path).unwrap().capabilities();
        let all = [
            can.many_syncs,
            can.embedded_objects,
            can.duplicate_pairs,
            can.lookup_by_bare_id,
        ];
        assert_eq!(all, [sample.format == Format::V1; 4], "{}", sample.name);
    }
}
