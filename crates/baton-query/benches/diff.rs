//! A diff of two files with a million grants each, of which one in a hundred
//! changed.
//!
//! `cargo bench -p baton-query --bench diff -- [FOLDER]` makes the files in
//! the folder (default: a temporary one) and prints, for each pair of formats,
//! the seconds of the median of three runs, with opening both files, and the
//! peak of resident memory. Each run is a process of its own.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
// A bench prints to the terminal and panics on the first failure.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use baton_c1z::{
    C1zFile, Fingerprint, Format, ListId, NewRun, PageHeader, PageLog, PageRow, ReadOptions,
    SealPlan, SealSteps, SyncType, View, WorkDir, seal,
};
use baton_proto::c1::connector::v2;
use baton_proto::{any, encode};
use baton_query::diff::{DiffSettings, Sides, diff};

const RUNS: usize = 3;
const USERS: usize = 50_000;
const GROUPS: usize = 1_000;
const GRANTS_PER_GROUP: usize = 1_000;
/// One grant in so many differs between the two sides.
const CHANGED_OF: usize = 100;
/// The word that makes a process measure one run.
const MEASURE: &str = "measure";

fn resource(kind: &str, number: usize) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: kind.into(),
            resource: format!("{kind}-{number:08}"),
            ..Default::default()
        }),
        display_name: format!("The {kind} with number {number}"),
        ..Default::default()
    }
}

fn entitlement(group: usize) -> v2::Entitlement {
    v2::Entitlement {
        id: format!("group:group-{group:08}:member"),
        resource: Some(resource("group", group)),
        display_name: format!("Member of {group}"),
        slug: "member".into(),
        ..Default::default()
    }
}

/// The grants of a group. Of the new side, one in a hundred is immutable, or
/// has another principal.
fn grants(group: usize, is_new: bool) -> Vec<v2::Grant> {
    let grant = |at: usize| {
        let changed = is_new && at.is_multiple_of(CHANGED_OF);
        let moved = changed && at.is_multiple_of(2 * CHANGED_OF);
        let user = (group * 37 + at * 7 + usize::from(moved)) % USERS;
        let entitlement = entitlement(group);
        let principal = resource("user", user);
        let id = format!("{}:user:user-{user:08}", entitlement.id);
        let annotations = if changed && !moved {
            vec![any::pack(&v2::GrantImmutable::default())]
        } else {
            Vec::new()
        };
        v2::Grant {
            entitlement: Some(entitlement),
            principal: Some(principal),
            id,
            annotations,
            ..Default::default()
        }
    };
    (0..GRANTS_PER_GROUP).map(grant).collect()
}

fn make(path: &Path, format: Format, is_new: bool) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(490_000);
    let dir = WorkDir::locate(path, None, now).unwrap();
    let (mut log, _) = PageLog::open(&dir, &Fingerprint::default(), now, true).unwrap();
    let types = ["group", "user"].map(|id| {
        encode::to_vec(&v2::ResourceType {
            id: id.into(),
            ..Default::default()
        })
    });
    append(
        &mut log,
        &ListId::resource_types(),
        &types.each_ref().map(PageRow::resource_type),
    );
    for (kind, count) in [("group", GROUPS), ("user", USERS)] {
        let rows: Vec<_> = (0..count)
            .map(|n| encode::to_vec(&resource(kind, n)))
            .collect();
        let rows: Vec<_> = rows.iter().map(PageRow::resource).collect();
        append(&mut log, &ListId::resources(kind, None), &rows);
    }
    for group in 0..GROUPS {
        let id = format!("group-{group:08}");
        let row = encode::to_vec(&entitlement(group));
        append(
            &mut log,
            &ListId::entitlements("group", &id),
            &[PageRow::entitlement(&row)],
        );
        let rows: Vec<_> = grants(group, is_new).iter().map(encode::to_vec).collect();
        let rows: Vec<_> = rows.iter().map(PageRow::grant).collect();
        append(&mut log, &ListId::grants("group", &id), &rows);
    }
    let run = NewRun {
        id: "3MVxu1fAkCi8scufhFJpQZ00000".into(),
        sync_type: SyncType::Full,
        started_at: now,
        ended_at: now,
        parent_sync_id: String::new(),
        token: String::new(),
        supports_diff: true,
        ingest_invariant: baton_c1z::IngestInvariant::default(),
    };
    let plan = SealPlan {
        format,
        ..SealPlan::new(path.to_owned(), run)
    };
    seal(log, plan, SealSteps::default(), &mut |_| ()).unwrap();
}

fn append<B: AsRef<[u8]>>(log: &mut PageLog, list: &ListId, rows: &[PageRow<B>]) {
    let header = PageHeader {
        list,
        generation: 0,
        page: 0,
        request_token: "",
        next_token: "",
    };
    log.append_page(&header, rows).unwrap();
}

/// Compares two files, and prints seconds, MiB and changes.
fn measure(old: &str, new: &str) {
    let begun = Instant::now();
    let open = |path: &str| C1zFile::open(path.as_ref(), &ReadOptions::default()).unwrap();
    let (old, new) = (open(old), open(new));
    let sides = Sides {
        old: old.view(View::AllRows).unwrap(),
        new: new.view(View::AllRows).unwrap(),
    };
    let counts = diff(&sides, &DiffSettings::default(), &mut |change| {
        change.fields()?;
        Ok(ControlFlow::Continue(()))
    });
    let changes = counts.unwrap().total();
    let seconds = begun.elapsed().as_secs_f64();
    println!("{seconds:.2} {} {changes}", peak_mib());
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn median(old: &Path, new: &Path) -> String {
    let mut all: Vec<(f64, String)> = (0..RUNS)
        .map(|_| {
            let out = Command::new(std::env::current_exe().unwrap())
                .args([MEASURE.as_ref(), old.as_os_str(), new.as_os_str()])
                .output()
                .unwrap();
            assert!(out.status.success(), "{out:?}");
            let text = String::from_utf8(out.stdout).unwrap();
            let seconds = text.split(' ').next().unwrap().parse().unwrap();
            (seconds, text.trim().to_owned())
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.swap_remove(RUNS / 2).1
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, old, new] = words.as_slice()
        && word == MEASURE
    {
        return measure(old, new);
    }
    let temporary = tempfile::tempdir().unwrap();
    let given = words.iter().find(|word| !word.starts_with('-'));
    let folder = given.map_or(temporary.path().to_owned(), PathBuf::from);
    let path = |format: Format, side: &str| folder.join(format!("{format:?}-{side}.c1z"));
    for format in [Format::V1, Format::V3] {
        for (side, is_new) in [("old", false), ("new", true)] {
            let path = path(format, side);
            if !path.exists() {
                make(&path, format, is_new);
            }
        }
    }
    println!("old, new: seconds, MiB, changes");
    for (old, new) in [
        (Format::V3, Format::V3),
        (Format::V1, Format::V1),
        (Format::V1, Format::V3),
        (Format::V3, Format::V1),
    ] {
        println!(
            "{old:?}, {new:?}: {}",
            median(&path(old, "old"), &path(new, "new"))
        );
    }
}
