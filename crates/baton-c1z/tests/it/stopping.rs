//! Work on files that is asked to stop, in each of its steps and operations.

use std::path::Path;

use baton_c1z::{
    DiffPlan, Error, Format, MergeSteps, RewriteOptions, SealEvent, SealPlan, SealSteps, Stop,
    Table, clone_sync, compact, diff_syncs, dump, expand_sync, recalculate_stats, roll_back, seal,
    to_v1, to_v3,
};
use baton_proto::Code;

use crate::compact::{self as compacting, options};
use crate::log_support::{events, locate, open};
use crate::seal_v1::{Derive, plan, target};
use crate::support::{Folder, fixture};

fn step(event: &SealEvent) -> &'static str {
    match event {
        SealEvent::Sorting { .. } => "sort",
        SealEvent::Expanding { .. } => "expand",
        SealEvent::Writing { .. } => "write",
        SealEvent::Indexing => "index",
        SealEvent::Compressing { .. } => "compress",
        _ => "other",
    }
}

#[test]
fn a_seal_stops_in_each_step_and_the_next_one_makes_the_same_file() {
    for format in [Format::V1, Format::V3] {
        let undisturbed = target();
        let whole = SealPlan {
            format,
            ..plan(&undisturbed.path)
        };
        let log = undisturbed.log();
        seal(log, whole, SealSteps::expand(&mut Derive), &mut |_| {}).unwrap();
        for at in ["sort", "expand", "write", "index", "compress"] {
            let target = target();
            // Something stands there already, and stays.
            let before = std::fs::read(&undisturbed.path).unwrap();
            let log = target.log();
            let pages = events(&log);
            let sealing = || SealPlan {
                format,
                ..plan(&target.path)
            };
            let stop = Stop::default();
            let mut reached = false;
            let error = stop.scope(|| {
                seal(
                    log,
                    sealing(),
                    SealSteps::expand(&mut Derive),
                    &mut |event| {
                        if step(&event) == at {
                            reached = true;
                            Stop::current().request();
                        }
                    },
                )
                .unwrap_err()
            });
            assert!(reached, "{format:?} has no step {at}");
            assert!(matches!(error, Error::Stopped), "{format:?}, {at}: {error}");
            assert_eq!(error.code(), Code::Canceled);
            assert!(!target.path.exists(), "{format:?}, {at}");
            let (log, _) = open(&locate(&target.path));
            assert!(events(&log) == pages, "{format:?}, {at}: the log is whole");
            seal(log, sealing(), SealSteps::expand(&mut Derive), &mut |_| {}).unwrap();
            assert_eq!(target.names(), ["sync.c1z"], "{format:?}, {at}");
            for table in Table::ALL {
                assert_eq!(target.rows(table), undisturbed.rows(table), "{at}");
            }
            assert_eq!(std::fs::read(&undisturbed.path).unwrap(), before);
        }
    }
}

/// What makes or changes files, by name: from a v1 or a v3 file.
type Operation = fn(&Path, &Path, &RewriteOptions) -> Result<(), Error>;

const OF_V1: [(&str, Operation); 7] = [
    ("to v3", |from, to, options| {
        to_v3(from, None, to, options).map(drop)
    }),
    ("copy", |from, to, options| {
        clone_sync(from, None, to, options).map(drop)
    }),
    ("dump", |from, to, options| {
        dump(from, to, options).map(drop)
    }),
    ("expand", |from, to, options| {
        expand_sync(from, None, to, options, MergeSteps::default()).map(drop)
    }),
    ("roll back", |from, to, options| {
        roll_back(from, None, to, false, options).map(drop)
    }),
    ("count", |from, _, options| {
        recalculate_stats(from, None, options, &mut |_| ()).map(drop)
    }),
    ("compact", |from, to, options| {
        let folder = to.parent().unwrap().to_owned();
        let entries = [from, from].map(|path| baton_c1z::CompactEntry {
            path: path.to_owned(),
            sync_id: None,
        });
        let plan = baton_c1z::CompactPlan {
            entries: entries.into(),
            output_dir: folder,
            ..compacting::plan(&[], &Folder::new())
        };
        compact(&plan, options, MergeSteps::default()).map(drop)
    }),
];

const OF_V3: [(&str, Operation); 4] = [
    ("to v1", |from, to, options| {
        to_v1(from, to, options).map(drop)
    }),
    OF_V1[1],
    OF_V1[3],
    OF_V1[5],
];

#[test]
fn each_operation_on_files_stops_and_leaves_nothing() {
    let made = Folder::new();
    let v3 = made.path().join("v3.c1z");
    to_v3(&fixture("v1-small.c1z"), None, &v3, &options(&made)).unwrap();
    let of_v1 = OF_V1.map(|operation| (fixture("v1-small.c1z"), operation));
    let of_v3 = OF_V3.map(|operation| (v3.clone(), operation));
    for (source, (name, operation)) in of_v1.into_iter().chain(of_v3) {
        let folder = Folder::new();
        let from = folder.path().join("from.c1z");
        std::fs::copy(&source, &from).unwrap();
        let before = std::fs::read(&from).unwrap();
        let to = folder.path().join("to.c1z");
        let options = options(&folder);
        options.stop.request();
        let done = options.stop.during(|| operation(&from, &to, &options));
        assert!(matches!(done, Err(Error::Stopped)), "{name}: {done:?}");
        assert_eq!(folder.names(), ["from.c1z"], "{name}");
        assert!(std::fs::read(&from).unwrap() == before, "{name}");
        // Asked to go on, it does.
        let options = RewriteOptions {
            stop: Stop::default(),
            ..options
        };
        let done = options.stop.during(|| operation(&from, &to, &options));
        let nothing_to_do = matches!(done, Err(Error::NotExpanded { .. }));
        assert!(done.is_ok() || nothing_to_do, "{name}: {done:?}");
    }
}

#[test]
fn a_difference_stops_and_leaves_the_file_as_it_was() {
    let folder = Folder::new();
    let path = folder.path().join("two.c1z");
    std::fs::copy(fixture("v1-multi-sync.c1z"), &path).unwrap();
    let runs = crate::support::open(&path).unwrap().sync_runs().to_vec();
    let ids: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
    let before = std::fs::read(&path).unwrap();
    let options = options(&folder);
    options.stop.request();
    let plan = DiffPlan {
        path: &path,
        base_sync_id: ids[0],
        applied_sync_id: ids[1],
        new_sync_id: "3MXvu0000000000000000000000",
    };
    let done = options.stop.during(|| diff_syncs(&plan, &options));
    assert!(matches!(done, Err(Error::Stopped)), "{done:?}");
    assert!(std::fs::read(&path).unwrap() == before);
}
