//! The recorded cases on the whole way: pages in a log, sealed into a file of
//! either format, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, SystemTime};

use baton_access::GraphExpander;
use baton_c1z::{
    C1zFile, Filter, Fingerprint, Format, ListId, NewRun, PageHeader, PageLog, PageRow,
    ReadOptions, SealPlan, SealSteps, SyncType, Table, View, WorkDir,
};
use baton_proto::c1::connector::v2;
use baton_proto::{encode, wire};

use crate::model::{File, Pair, Seen};
use crate::recorded_cases::{Case, cases};

const SYNC: &str = "2zqMwKx4k0Gf5sYQJ7mZ0p1a2b3";

fn append<B: AsRef<[u8]>>(log: &mut PageLog, list: &ListId, rows: &[PageRow<B>]) {
    let header = PageHeader {
        list,
        generation: 0,
        page: 0,
        request_token: "",
        next_token: "",
    };
    log.append_page(&header, rows).expect("a page");
}

/// Types and resources of everything that the case names.
fn resources(case: &Case) -> (BTreeSet<String>, BTreeSet<Pair>) {
    let owners = case.entitlements.iter().map(|e| e.resource.clone());
    let all: BTreeSet<Pair> = owners
        .chain(case.grants.iter().map(|g| g.principal.clone()))
        .collect();
    (all.iter().map(|(kind, _)| kind.clone()).collect(), all)
}

fn append_case(log: &mut PageLog, case: &Case) {
    let (types, resources) = resources(case);
    let types: Vec<_> = types
        .into_iter()
        .map(|id| {
            encode::to_vec(&v2::ResourceType {
                id,
                ..Default::default()
            })
        })
        .collect();
    let rows: Vec<_> = types.iter().map(PageRow::resource_type).collect();
    append(log, &ListId::resource_types(), &rows);
    let resources: Vec<_> = resources
        .into_iter()
        .map(|(resource_type, resource)| v2::Resource {
            id: Some(v2::ResourceId {
                resource_type,
                resource,
                ..Default::default()
            }),
            ..Default::default()
        })
        .map(|resource| encode::to_vec(&resource))
        .collect();
    let rows: Vec<_> = resources.iter().map(PageRow::resource).collect();
    append(log, &ListId::resources("any", None), &rows);
    let file = File::new(&case.entitlements, &case.grants);
    let rows: Vec<_> = file
        .entitlements
        .iter()
        .map(|row| PageRow::entitlement(&row.data))
        .collect();
    append(log, &ListId::entitlements("any", "any"), &rows);
    // As a connector sends them: the expansion is an annotation.
    let grants: Vec<_> = file
        .grants
        .iter()
        .map(|row| match &row.expansion {
            None => row.data.clone(),
            Some(expansion) => {
                let name = "c1.connector.v2.GrantExpandable";
                wire::append_annotation(&row.data, 4, name, expansion).expect("a grant")
            }
        })
        .collect();
    let rows: Vec<_> = grants.iter().map(PageRow::grant).collect();
    append(log, &ListId::grants("any", "any"), &rows);
}

fn seal(case: &Case, format: Format, target: &Path) -> baton_c1z::Result<()> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(490_896);
    let dir = WorkDir::locate(target, None, now)?;
    let (mut log, _) = PageLog::open(&dir, &Fingerprint::default(), now, true)?;
    append_case(&mut log, case);
    let run = NewRun {
        id: SYNC.to_owned(),
        sync_type: SyncType::Full,
        started_at: now,
        ended_at: now,
        parent_sync_id: String::new(),
        token: r#"{"version":1}"#.to_owned(),
        supports_diff: true,
        ingest_invariant: baton_c1z::IngestInvariant::default(),
    };
    let plan = SealPlan {
        format,
        ..SealPlan::new(target.to_owned(), run)
    };
    baton_c1z::seal(
        log,
        plan,
        SealSteps::expand(&mut GraphExpander::default()),
        &mut |_| (),
    )
    .map(|_| ())
}

fn read(target: &Path) -> BTreeMap<String, Seen> {
    let file = C1zFile::open(target, &ReadOptions::default()).expect("a file");
    let snapshot = file.view(View::Sync(SYNC)).expect("the sync");
    let mut rows = Vec::new();
    snapshot
        .scan(Table::Grants, &Filter::default(), &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .expect("rows");
    let mut seen = File::from_rows(Vec::new(), rows).seen();
    for grant in seen.values_mut() {
        grant.label.clear();
    }
    seen
}

#[test]
fn recorded_cases_come_out_of_a_sealed_file_in_each_format_that_can_hold_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sealed = BTreeMap::new();
    for case in cases() {
        // A connector cannot send an expansion that is not to be done.
        if case.expected_error.is_some() || case.grants.iter().any(|g| !g.needs_expansion) {
            continue;
        }
        // Several grants of one pair are one in format v3.
        let pairs: BTreeSet<_> = case
            .grants
            .iter()
            .map(|g| (&g.entitlement, &g.principal))
            .collect();
        for format in [Format::V1, Format::V3] {
            if format == Format::V3 && pairs.len() < case.grants.len() {
                continue;
            }
            let target = folder
                .path()
                .join(format!("{}.{}.c1z", case.name, format.name()));
            seal(&case, format, &target).expect(&case.name);
            assert_eq!(
                read(&target),
                case.expected(),
                "{} in {}",
                case.name,
                format.name()
            );
            *sealed.entry(format.name()).or_insert(0) += 1;
        }
    }
    assert!(sealed["v1"] >= 20 && sealed["v3"] >= 18, "{sealed:?}");
}

#[test]
fn a_recorded_failure_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    for case in cases()
        .into_iter()
        .filter(|case| case.expected_error.is_some())
    {
        for format in [Format::V1, Format::V3] {
            let target = folder.path().join(format!("{}.c1z", case.name));
            seal(&case, format, &target).expect_err(&case.name);
            assert!(!target.exists(), "{}", case.name);
        }
    }
}
