//! Compaction of rows that are odd: expansions that are not to be done, rows
//! without a time, work that is stopped.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{
    CompactPlan, Error, Expander, Expansion, Filter, Format, GrantChange, MergeSteps, SortedRows,
    Table, View, compact, expand_sync, to_v3,
};
use baton_proto::Code;

use crate::compact::{compacted, now, options, plan};
use crate::support::{Folder, fixture, open};

/// Says which grants it sees an expansion of, and raises all others.
#[derive(Default)]
struct Looking {
    due: Vec<String>,
}

impl Expander for Looking {
    fn expand(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        let mut changes = Vec::new();
        rows.scan(Table::Grants, &mut |row| {
            if row.expansion.is_some() {
                self.due.push(row.id.to_owned());
            }
            let data = row.data.to_vec();
            changes.push(Ok(GrantChange::Replace { data }));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Expansion::new(changes.into_iter()))
    }
}

/// Grants with an expansion, and whether it is to be done.
fn expansions(path: &Path) -> BTreeMap<String, bool> {
    let file = open(path).unwrap();
    let view = file.view(View::Default { now: now() }).unwrap();
    let mut found = BTreeMap::new();
    view.scan(Table::Grants, &Filter::default(), &mut |row| {
        if row.expansion.is_some() {
            found.insert(row.id.to_owned(), !row.is_expanded);
        }
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    found
}

#[test]
fn an_expansion_that_is_not_to_be_done_stays_so() {
    let folder = Folder::new();
    let off = "update v1_grants set needs_expansion = 0";
    let made = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        conn.execute_batch(off).unwrap();
    });
    let v1 = folder.path().join("off.c1z");
    fs::rename(made, &v1).unwrap();
    let all = expansions(&v1);
    assert!(!all.is_empty() && all.values().all(|due| !due), "{all:?}");
    // Expanded, a grant is written anew, from its row and by the expander.
    let target = folder.path().join("expanded.c1z");
    let mut looking = Looking::default();
    expand_sync(
        &v1,
        None,
        &target,
        &options(&folder),
        MergeSteps::expand(&mut looking),
    )
    .unwrap();
    assert_eq!(looking.due, [""; 0]);
    assert_eq!(expansions(&target), all);
    for skip_expansion in [true, false] {
        let folder = Folder::new();
        let plan = CompactPlan {
            skip_expansion,
            ..plan(&[v1.clone(), v1.clone()], &folder)
        };
        let done = compact(
            &plan,
            &options(&folder),
            MergeSteps::expand(&mut Looking::default()),
        )
        .unwrap();
        assert_eq!(expansions(&done.path), all);
    }
    // Converted to v3 they are to be done, whatever the v1 file says.
    let v3 = folder.path().join("v3.c1z");
    to_v3(&v1, None, &v3, &options(&folder)).unwrap();
    assert!(expansions(&v3).values().all(|due| *due));
}

#[test]
fn the_syncs_that_were_merged_are_told() {
    let folder = Folder::new();
    let paths = [fixture("v1-small.c1z"), fixture("v1-multi-sync.c1z")];
    let mut plan = plan(&paths, &folder);
    plan.entries[1].sync_id = Some("nonsense".to_owned());
    let done = compacted(&plan, &folder);
    let newest = |path: &Path| {
        let run = open(path).unwrap().latest_finished(None).cloned();
        run.unwrap().id
    };
    let told: Vec<_> = done.inputs.iter().map(|run| run.id.clone()).collect();
    assert_eq!(told, paths.map(|path| newest(&path)));
}

#[test]
fn work_that_is_asked_to_stop_leaves_nothing() {
    for format in [Format::V1, Format::V3] {
        let folder = Folder::new();
        let plan = CompactPlan {
            format: Some(format),
            ..plan(&[fixture("v1-small.c1z"), fixture("v1-small.c1z")], &folder)
        };
        let options = options(&folder);
        options.stop.request();
        let error = compact(&plan, &options, MergeSteps::default()).unwrap_err();
        assert!(matches!(error, Error::Stopped), "{error}");
        assert_eq!(error.code(), Code::Canceled);
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    }
}

#[test]
fn a_row_without_a_time_gives_way_to_any_that_has_one() {
    let folder = Folder::new();
    let undated = "update v1_resources set discovered_at = '', data = replace(data, 'x', 'x');
        update v1_sync_runs set started_at = '2099-01-01 00:00:00.000000000'";
    let made = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        conn.execute_batch(undated).unwrap();
    });
    let base = folder.path().join("undated.c1z");
    fs::rename(made, &base).unwrap();
    // Older than the undated file says of itself.
    let plan = plan(&[base, fixture("v1-small.c1z")], &folder);
    let done = compacted(&plan, &folder);
    let resources = done.tables[1];
    assert_eq!(
        (resources.carried, resources.replaced),
        (0, resources.output)
    );
}
