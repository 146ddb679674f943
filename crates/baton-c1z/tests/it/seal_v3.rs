//! A log sealed into a file of format v3: the same guarantees as for v1.

use baton_c1z::{
    C1zFile, Error, Filter, Format, ListId, NewAsset, OwnedRow, PageRow, ReadOptions, Resumed,
    SealEvent, SealPlan, SealSteps, Table, View, seal,
};
use baton_proto::encode;

use crate::log_support::{events, locate, open};
use crate::seal_v1::{
    Derive, ID, Target, append, fail_at_every_call, page, plan, resource, seal_plain, target,
};
use crate::support::fixture;

fn v3_plan(target: &Target) -> SealPlan {
    SealPlan {
        format: Format::V3,
        ..plan(&target.path)
    }
}

#[test]
fn a_sync_id_that_is_no_ksuid_is_refused_and_the_log_stays() {
    for id in ["", "x", "zzzzzzzzzzzzzzzzzzzzzzzzzzz", &format!("{ID}0")] {
        let target = target();
        let mut plan = v3_plan(&target);
        plan.run.id = id.into();
        let error = seal_plain(target.log(), plan).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }), "{id}: {error}");
        let (log, resumed) = open(&locate(&target.path));
        assert!(matches!(resumed, Resumed::Continued { .. }));
        assert!(!events(&log).is_empty());
        assert!(!target.path.exists());
    }
}

#[test]
fn two_assets_of_one_id_are_refused_and_leave_no_file() {
    let target = target();
    let asset = |data: &[u8]| NewAsset {
        id: "note".into(),
        content_type: String::new(),
        data: data.to_vec(),
    };
    let mut plan = v3_plan(&target);
    plan.assets = vec![asset(b"1"), asset(b"2")];
    let error = seal_plain(target.log(), plan).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }), "{error}");
    assert!(!target.path.exists());
}

#[test]
fn a_damaged_v3_target_is_refused_and_stays() {
    let target = target();
    std::fs::write(&target.path, b"C1Z3\0\0\0\0\x05damaged").unwrap();
    let error = seal_plain(target.log(), plan(&target.path)).unwrap_err();
    assert!(matches!(error, Error::Envelope { .. }), "{error}");
    assert_eq!(
        std::fs::read(&target.path).unwrap(),
        b"C1Z3\0\0\0\0\x05damaged"
    );
}

#[test]
fn the_file_does_not_depend_on_the_order_in_which_pages_arrived() {
    let mut files = Vec::new();
    for order in [[0, 1, 2, 3, 4, 5], [5, 3, 1, 4, 0, 2], [2, 4, 5, 0, 3, 1]] {
        let target = target();
        let (mut log, _) = open(&locate(&target.path));
        append(&mut log, &order);
        let sealed = seal_plain(log, v3_plan(&target)).unwrap();
        assert_eq!(sealed.stats.grants, 7);
        assert_eq!(target.names(), ["sync.c1z"]);
        files.push(std::fs::read(&target.path).unwrap());
    }
    // Not compared by `assert_eq`: nobody wants to see them.
    assert!(files[0].starts_with(b"C1Z3\0"));
    assert!(files[0] == files[1]);
    assert!(files[0] == files[2]);
}

#[test]
fn a_v3_file_stays_v3_and_a_v1_file_becomes_what_the_plan_says() {
    let target = target();
    std::fs::copy(fixture("v1-small.c1z"), &target.path).unwrap();
    seal_plain(target.log(), plan(&target.path)).unwrap();
    let v1 = std::fs::read(&target.path).unwrap();
    assert!(v1.starts_with(b"C1ZF\0"));
    let sealed = seal_plain(target.log(), v3_plan(&target)).unwrap();
    // Of a v1 file all other syncs go: there is room for one.
    assert_eq!(sealed.removed_syncs, ["3MVxu1fAkCi8scufhFJpQZ20696"]);
    assert!(std::fs::read(&target.path).unwrap().starts_with(b"C1Z3\0"));
    std::fs::copy(fixture("v3-small.c1z"), &target.path).unwrap();
    let sealed = seal_plain(target.log(), plan(&target.path)).unwrap();
    assert_eq!(sealed.removed_syncs, ["3MVxu086Rkx6hm6BDngv7sfZbFs"]);
    let v3 = std::fs::read(&target.path).unwrap();
    assert!(v3.starts_with(b"C1Z3\0"));
    let again = seal_plain(target.log(), plan(&target.path)).unwrap();
    assert_eq!(again.removed_syncs, Vec::<String>::new());
    assert!(std::fs::read(&target.path).unwrap() == v3);
}

/// A row without what only one of the formats keeps.
fn core(row: OwnedRow) -> OwnedRow {
    OwnedRow {
        data: Vec::new(),
        ..row
    }
}

#[test]
fn both_formats_hold_the_same_rows_also_the_expanded_ones() {
    let (v1, v3) = (target(), target());
    let [in_v1, in_v3] = [(&v1, plan(&v1.path)), (&v3, v3_plan(&v3))].map(|(target, plan)| {
        seal(
            target.log(),
            plan,
            SealSteps::expand(&mut Derive),
            &mut |_| {},
        )
        .unwrap()
    });
    assert_eq!((in_v3.grants_inserted, in_v3.grants_replaced), (1, 1));
    assert_eq!(in_v3.expandable_grants, 1);
    assert_eq!(in_v3.stats, in_v1.stats);
    assert_eq!(v3.open().format(), Format::V3);
    for table in Table::ALL {
        let [ours, theirs] = [&v3, &v1].map(|target| target.rows(table).into_iter().map(core));
        assert!(ours.eq(theirs), "{}", table.name());
    }
    let runs = [&v1, &v3].map(|target| target.open().sync_runs().to_vec());
    assert_eq!(runs[0], runs[1]);
    let derived = v3.rows(Table::Grants).swap_remove(2);
    assert_eq!(derived.id, "group:a:member:user:2");
    let derived =
        <baton_proto::c1::connector::v2::Grant as prost::Message>::decode(derived.data.as_slice())
            .unwrap();
    assert_eq!(derived.annotations.len(), 1);
}

#[test]
fn stored_indexes_find_the_grants() {
    let target = target();
    seal_plain(target.log(), v3_plan(&target)).unwrap();
    let file = C1zFile::open(&target.path, &ReadOptions::default()).unwrap();
    let view = file.view(View::Sync(ID)).unwrap();
    for row in target.rows(Table::Grants) {
        let filter = Filter {
            principal: Some((&row.principal_type_id, &row.principal_id)),
            entitlement_id: Some(&row.entitlement_id),
            ..Filter::default()
        };
        assert_eq!(view.count(Table::Grants, &filter).unwrap(), 1);
    }
}

#[test]
fn assets_are_in_the_file_and_the_steps_are_told() {
    let target = target();
    let mut plan = v3_plan(&target);
    plan.assets = ["b", "a", "empty"]
        .map(|id| NewAsset {
            id: id.into(),
            content_type: String::new(),
            data: if id == "empty" { Vec::new() } else { id.into() },
        })
        .to_vec();
    let mut steps = Vec::new();
    let mut progress = |event| {
        let step = match event {
            SealEvent::Sorting { .. } => "sort",
            SealEvent::Expanding { .. } => "expand",
            SealEvent::Writing { .. } => "write",
            SealEvent::Indexing => "index",
            SealEvent::Compressing { .. } => "compress",
            _ => "other",
        };
        if steps.last() != Some(&step) {
            steps.push(step);
        }
    };
    let sealed = seal(
        target.log(),
        plan,
        SealSteps::expand(&mut Derive),
        &mut progress,
    )
    .unwrap();
    assert_eq!(steps, ["sort", "expand", "write", "index", "compress"]);
    assert_eq!(sealed.stats.assets, 2);
    let file = target.open();
    let asset = file.view(View::Sync(ID)).unwrap().asset("a").unwrap();
    let asset = asset.unwrap();
    assert_eq!(
        (asset.content_type.as_str(), &asset.data[..]),
        ("unknown", &b"a"[..])
    );
}

#[test]
fn a_packing_that_was_chosen_once_stays() {
    for name in ["v3-small-tar.c1z", "v3-small-tarzstd.c1z"] {
        let target = target();
        std::fs::copy(fixture(name), &target.path).unwrap();
        seal_plain(target.log(), v3_plan(&target)).unwrap();
        assert_eq!(target.rows(Table::Grants).len(), 7, "{name}");
        let bytes = std::fs::read(&target.path).unwrap();
        assert!(!bytes.ends_with(b"C1ZIDX1\0"), "{name}");
    }
}

#[test]
fn whichever_call_of_the_file_layer_fails_the_target_stays_and_the_next_run_resumes() {
    fail_at_every_call(v3_plan);
}

/// Users of 4 KB each, in pages of 100, the pages in the order that is given.
fn append_users(log: &mut baton_c1z::PageLog, pages: impl Iterator<Item = u32>) {
    for number in pages {
        let users: Vec<_> = (0..100)
            .map(|n| {
                encode::to_vec(&resource(
                    "user",
                    &format!("{:05}", (number * 7919 + n * 31) % 3_000),
                ))
            })
            .collect();
        let rows: Vec<_> = users.iter().map(PageRow::resource).collect();
        page(log, &ListId::resources("user", None), number, &rows);
    }
}

#[test]
fn a_log_that_several_threads_read_gives_the_same_file_whatever_the_order_of_pages() {
    for format in [Format::V1, Format::V3] {
        let mut files = Vec::new();
        for step in [1, 7, 29] {
            let target = target();
            let mut log = target.log();
            append_users(&mut log, (0..40).map(|n| n * step % 40));
            // Three parts, the last one incomplete.
            assert!(log.size_bytes() > 12 << 20);
            if step == 7 {
                // Opened again, it is cut into the same parts.
                drop(log);
                log = open(&locate(&target.path)).0;
            }
            let mut plan = SealPlan {
                format,
                ..plan(&target.path)
            };
            plan.memory_budget_bytes = 4 << 20;
            let sealed = seal_plain(log, plan).unwrap();
            assert!(sealed.duplicates_resolved > 1_000);
            files.push(std::fs::read(&target.path).unwrap());
        }
        assert!(files[0] == files[1], "{format:?}");
        assert!(files[0] == files[2], "{format:?}");
    }
}
