//! Files of format v3 in an earlier layout of keys, through the library: in
//! bounded memory, page by page, with nothing left behind.

use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;

use baton_c1z::{
    C1zFile, Error, Filter, MergeSteps, OwnedRow, ReadOptions, RewriteOptions, Table, View,
    clone_sync, compact, recalculate_stats,
};
use baton_proto::Code;
use sha2::{Digest, Sha256};

use crate::compact as compacting;
use crate::support::{Folder, earlier, fixture, now};

const REAL: &str = "pebble2/real-old-layout.c1z";

fn rows(file: &C1zFile, table: Table) -> Vec<OwnedRow> {
    let view = file.view(View::Default { now: now() }).unwrap();
    let mut all = Vec::new();
    view.scan(table, &Filter::default(), &mut |row| {
        all.push(row.to_owned());
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    all
}

/// Reads with a private folder that can be looked into, in little memory.
fn frugal(folder: &Folder, memory_budget_bytes: u64) -> ReadOptions {
    ReadOptions {
        temp_dir: Some(folder.path().to_owned()),
        memory_budget_bytes,
        ..ReadOptions::default()
    }
}

#[test]
fn a_genuine_file_lists_what_the_go_tool_lists_whatever_memory_there_is() {
    let expected = fs::read_to_string(fixture("pebble2/real-old-layout.ids.tsv")).unwrap();
    let folder = Folder::new();
    for budget in [64 << 20, 1 << 20] {
        let file = C1zFile::open(&fixture(REAL), &frugal(&folder, budget)).unwrap();
        assert!(file.migration().unwrap().warnings().is_empty());
        let mut seen =
            String::from("kind\tcount\tsha256 of the ids in listing order, one a line\n");
        for table in [Table::Resources, Table::Entitlements, Table::Grants] {
            let view = file.view(View::Default { now: now() }).unwrap();
            let (mut count, mut hash) = (0, Sha256::new());
            let mut first = true;
            view.scan(table, &Filter::default(), &mut |row| {
                if !first {
                    hash.update(b"\n");
                }
                first = false;
                hash.update(row.id.as_bytes());
                count += 1;
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
            hash.update(b"\n");
            let mut hex = String::new();
            for byte in hash.finalize() {
                write!(hex, "{byte:02x}").unwrap();
            }
            writeln!(seen, "{}\t{count}\t{hex}", table.name()).unwrap();
        }
        assert_eq!(seen.trim(), expected.trim());
        let stats = file.sync_runs().to_vec()[0].stats.clone().unwrap();
        assert_eq!(
            (stats.resources, stats.entitlements, stats.grants),
            (35_217, 334, 66_601)
        );
        assert_eq!(stats.entitlements_by_type.values().sum::<i64>(), 334);
        drop(file);
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    }
}

#[test]
fn damage_is_an_error_that_leaves_nothing_behind() {
    let files = earlier();
    let folder = Folder::new();
    let temp = Folder::new();
    for (name, bytes) in &files {
        let Some(name) = name.strip_suffix(".c1z") else {
            continue;
        };
        let path = folder.file("sync.c1z", bytes);
        let opened = C1zFile::open(&path, &frugal(&temp, 0));
        if let Err(error) = &opened {
            assert!(
                matches!(error.code(), Code::DataLoss | Code::Unimplemented),
                "{name}: {error}"
            );
            assert!(error.to_string().contains("sync.c1z"), "{name}: {error}");
        }
        drop(opened);
        assert!(temp.names().is_empty(), "{name}: {:?}", temp.names());
    }
}

#[test]
fn a_private_copy_that_passes_the_limit_is_an_error() {
    let folder = Folder::new();
    let mut options = frugal(&folder, 1 << 20);
    options.limits.cap_decoded_bytes(8 << 20);
    // The file itself decodes to less.
    let error = C1zFile::open(&fixture(REAL), &options).err().unwrap();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert!(folder.names().is_empty());
}

#[test]
fn a_copy_and_new_counts_have_the_current_layout_and_the_same_rows() {
    let folder = Folder::new();
    let files = earlier();
    let options = RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        ..RewriteOptions::default()
    };
    for name in [
        "damage-plain",
        "damage-merge-expansion",
        "damage-stale-old-indexes",
    ] {
        let source = folder.file("source.c1z", &files[&format!("{name}.c1z")]);
        let old = C1zFile::open(&source, &ReadOptions::default()).unwrap();
        assert!(old.migration().is_some(), "{name}");
        let copy = folder.path().join("copy.c1z");
        clone_sync(&source, None, &copy, &options).unwrap();
        recalculate_stats(&source, None, &options, &mut |_| {}).unwrap();
        for made in [&copy, &source] {
            let new = C1zFile::open(made, &ReadOptions::default()).unwrap();
            assert_eq!(new.migration(), None, "{name}");
            for table in Table::ALL {
                assert_eq!(rows(&new, table), rows(&old, table), "{name} {table:?}");
            }
            let view = |file| C1zFile::view(file, View::Default { now: now() }).unwrap();
            assert_eq!(view(&new).stats().unwrap(), view(&old).stats().unwrap());
        }
        fs::remove_file(&copy).unwrap();
    }
}

#[test]
fn pages_and_filters_see_the_rows_of_the_current_layout() {
    let file = C1zFile::open(&fixture(REAL), &ReadOptions::default()).unwrap();
    let view = file.view(View::Default { now: now() }).unwrap();
    let all = Filter::default();
    let mut paged = Vec::new();
    let mut cursor = None;
    loop {
        // The file is opened anew for each page, as a stateless server does.
        let again = C1zFile::open(&fixture(REAL), &ReadOptions::default()).unwrap();
        let again = again.view(View::Default { now: now() }).unwrap();
        let page = again
            .page(Table::Resources, &all, 10_000, cursor.as_ref())
            .unwrap();
        paged.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, rows(&file, Table::Resources));
    let grants = rows(&file, Table::Grants);
    for at in [0, grants.len() / 2, grants.len() - 1] {
        let grant = &grants[at];
        let principal = (
            grant.principal_type_id.as_str(),
            grant.principal_id.as_str(),
        );
        let filter = Filter {
            principal: Some(principal),
            ..all
        };
        let of_principal = grants
            .iter()
            .filter(|g| (g.principal_type_id.as_str(), g.principal_id.as_str()) == principal);
        assert_eq!(
            view.count(Table::Grants, &filter).unwrap(),
            of_principal.count() as u64
        );
        assert_eq!(
            view.get(Table::Grants, &grant.id).unwrap().as_ref(),
            Some(grant)
        );
    }
}

#[test]
fn a_compaction_reports_the_rows_that_it_does_not_take_as_they_are() {
    let files = earlier();
    let mut seen = 0;
    for (name, bytes) in &files {
        let folder = Folder::new();
        let path = folder.file("earlier.c1z", bytes);
        let Ok(file) = C1zFile::open(&path, &ReadOptions::default()) else {
            continue;
        };
        let expected = file.migration().map_or(Vec::new(), |m| m.warnings());
        drop(file);
        let plan = compacting::plan(&[fixture("v3-small.c1z"), path.clone()], &folder);
        let options = compacting::options(&folder);
        let Ok(done) = compact(&plan, &options, MergeSteps::default()) else {
            // Without a finished sync there is nothing to compact.
            continue;
        };
        let expected: Vec<String> = expected
            .into_iter()
            .map(|warning| format!("{}: {warning}", path.display()))
            .collect();
        assert_eq!(done.warnings, expected, "{name}");
        seen += expected.len();
    }
    assert!(seen >= 3, "{seen}");
}
