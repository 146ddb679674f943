//! A log sealed into a file of format v3: the same guarantees as for v1.

use baton_c1z::{Error, Format, NewAsset, Resumed, SealPlan};

use crate::log_support::{events, locate, open};
use crate::seal_v1::{ID, Target, append, plan, seal, target};
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
        let error = seal(target.log(), plan).unwrap_err();
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
    let error = seal(target.log(), plan).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }), "{error}");
    assert!(!target.path.exists());
}

#[test]
fn a_damaged_v3_target_is_refused_and_stays() {
    let target = target();
    std::fs::write(&target.path, b"C1Z3\0\0\0\0\x05damaged").unwrap();
    let error = seal(target.log(), plan(&target.path)).unwrap_err();
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
        let sealed = seal(log, v3_plan(&target)).unwrap();
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
fn an_existing_file_keeps_its_format_whatever_the_plan_says() {
    let target = target();
    std::fs::copy(fixture("v1-small.c1z"), &target.path).unwrap();
    seal(target.log(), v3_plan(&target)).unwrap();
    let v1 = std::fs::read(&target.path).unwrap();
    assert!(v1.starts_with(b"C1ZF\0"));
    std::fs::copy(fixture("v3-small.c1z"), &target.path).unwrap();
    let sealed = seal(target.log(), plan(&target.path)).unwrap();
    assert_eq!(sealed.removed_syncs, ["3MVxu086Rkx6hm6BDngv7sfZbFs"]);
    let v3 = std::fs::read(&target.path).unwrap();
    assert!(v3.starts_with(b"C1Z3\0"));
    let again = seal(target.log(), plan(&target.path)).unwrap();
    assert_eq!(again.removed_syncs, Vec::<String>::new());
    assert!(std::fs::read(&target.path).unwrap() == v3);
}
