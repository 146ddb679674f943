//! Compaction against a model that knows nothing of sorting, and what it
//! refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use baton_c1z::{
    CompactEntry, CompactPlan, Compacted, Error, Expander, Expansion, Filter, Format, MergeSteps,
    RewriteOptions, SortedRows, Strategy, SyncRun, Table, View, compact, expand_sync, to_v3,
};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use prost::Message;
use rusqlite::{Connection, params};

use crate::support::{Dice, Folder, MULTI, fixture, open};

const NEW_ID: &str = "3MXvu0000000000000000000000";
const EXPANDS: &str = "group:g0:e0";

pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000)
}

pub fn options(folder: &Folder) -> RewriteOptions {
    RewriteOptions {
        temp_dir: Some(folder.path().to_owned()),
        now: now(),
        ..RewriteOptions::default()
    }
}

pub fn plan(paths: &[PathBuf], folder: &Folder) -> CompactPlan {
    CompactPlan {
        entries: paths
            .iter()
            .map(|path| CompactEntry {
                path: path.clone(),
                sync_id: None,
            })
            .collect(),
        output_dir: folder.path().to_owned(),
        sync_id: NEW_ID.to_owned(),
        format: None,
        strategy: Strategy::Auto,
        skip_expansion: true,
        ingest_invariant: baton_c1z::InvariantByFormat::default(),
    }
}

pub fn compacted(plan: &CompactPlan, folder: &Folder) -> Compacted {
    compact(plan, &options(folder), MergeSteps::default()).unwrap()
}

/// One row of an input. `a` and `b` choose what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spec {
    table: usize,
    a: usize,
    b: usize,
    /// Grants only: one of several ids for the same pair.
    id: usize,
    at: i64,
    expands: bool,
}

type Inputs = Vec<Vec<Spec>>;

fn random(dice: &mut Dice) -> Inputs {
    let inputs = 2 + dice.roll(3);
    let mut all = Vec::new();
    for _ in 0..inputs {
        let mut rows = BTreeMap::new();
        for _ in 0..dice.roll(40) {
            let spec = Spec {
                table: dice.roll(4),
                a: dice.roll(3),
                b: dice.roll(3),
                id: dice.roll(2),
                at: 1 + i64::try_from(dice.roll(4)).unwrap(),
                expands: dice.roll(4) == 0,
            };
            rows.insert(spec.id(), spec);
        }
        let mut rows: Vec<Spec> = rows.into_values().collect();
        // Files of other tools are in no order.
        for at in (1..rows.len()).rev() {
            rows.swap(at, dice.roll(at + 1));
        }
        all.push(rows);
    }
    all
}

impl Spec {
    /// Table and external id.
    fn id(&self) -> (usize, String) {
        let (a, b) = (self.a, self.b);
        let id = match self.table {
            0 => format!("type{a}"),
            1 => format!("user:u{a}"),
            2 => format!("group:g{a}:e{b}"),
            // Some ids stand for another pair in another input.
            _ if self.id == 1 => format!("odd{}", (a + b) % 2),
            _ => format!("group:g{a}:e0:user:u{b}"),
        };
        (self.table, id)
    }

    /// What makes it one row in format v3.
    fn key(&self) -> (usize, String) {
        match self.table {
            3 => (3, format!("{}/{}", self.a, self.b)),
            _ => self.id(),
        }
    }

    fn insert(&self, conn: &Connection, input: usize, sync_id: &str) {
        let id = self.id().1;
        let at = format!("2026-01-01 00:00:0{}", self.at);
        let mark = format!("from {input}");
        let (group, user) = (format!("g{}", self.a), format!("u{}", self.b));
        match self.table {
            0 => {
                let data = v2::ResourceType {
                    id: id.clone(),
                    display_name: mark,
                    ..Default::default()
                };
                conn.execute(
                    "insert into v1_resource_types (external_id, data, sync_id, discovered_at)
                     values (?, ?, ?, ?)",
                    params![id, data.encode_to_vec(), sync_id, at],
                )
            }
            1 => conn.execute(
                "insert into v1_resources (resource_type_id, external_id, data, sync_id,
                    discovered_at) values ('user', ?, ?, ?, ?)",
                params![
                    id,
                    resource("user", &format!("u{}", self.a), &mark).encode_to_vec(),
                    sync_id,
                    at
                ],
            ),
            2 => {
                let data = v2::Entitlement {
                    id: id.clone(),
                    resource: Some(resource("group", &group, "")),
                    display_name: mark,
                    ..Default::default()
                };
                conn.execute(
                    "insert into v1_entitlements (resource_type_id, resource_id, external_id,
                        data, sync_id, discovered_at) values ('group', ?, ?, ?, ?, ?)",
                    params![group, id, data.encode_to_vec(), sync_id, at],
                )
            }
            _ => {
                let entitlement = format!("group:{group}:e0");
                let data = v2::Grant {
                    id: id.clone(),
                    entitlement: Some(v2::Entitlement {
                        id: entitlement.clone(),
                        resource: Some(resource("group", &group, "")),
                        ..Default::default()
                    }),
                    principal: Some(resource("user", &user, "")),
                    sources: Some(v2::GrantSources {
                        sources: [(mark, v2::grant_sources::GrantSource::default())].into(),
                    }),
                    ..Default::default()
                };
                let expansion = self.expands.then(|| {
                    v2::GrantExpandable {
                        entitlement_ids: vec![EXPANDS.to_owned()],
                        ..Default::default()
                    }
                    .encode_to_vec()
                });
                conn.execute(
                    "insert into v1_grants (resource_type_id, resource_id, entitlement_id,
                        principal_resource_type_id, principal_resource_id, external_id, expansion,
                        needs_expansion, data, sync_id, discovered_at)
                     values ('group', ?, ?, 'user', ?, ?, ?, ?, ?, ?, ?)",
                    params![
                        group,
                        entitlement,
                        user,
                        id,
                        expansion,
                        self.expands,
                        data.encode_to_vec(),
                        sync_id,
                        at
                    ],
                )
            }
        }
        .unwrap();
    }
}

fn resource(type_id: &str, id: &str, name: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: type_id.to_owned(),
            resource: id.to_owned(),
            ..Default::default()
        }),
        display_name: name.to_owned(),
        ..Default::default()
    }
}

/// Writes an input as a v1 file whose sync is of this type.
fn write(folder: &Folder, rows: &[Spec], input: usize, sync_type: &str) -> PathBuf {
    let made = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        for table in ["resource_types", "resources", "entitlements", "grants"] {
            conn.execute(&format!("delete from v1_{table}"), [])
                .unwrap();
        }
        conn.execute("update v1_sync_runs set sync_type = ?", [sync_type])
            .unwrap();
        let id: String = conn
            .query_row("select sync_id from v1_sync_runs", [], |row| row.get(0))
            .unwrap();
        for row in rows {
            row.insert(conn, input, &id);
        }
    });
    let path = folder.path().join(format!("in{input}.c1z"));
    fs::rename(made, &path).unwrap();
    path
}

/// What a test compares of a row: table, id, which inputs it comes from, and
/// whether it has an expansion.
type Seen = BTreeSet<(usize, String, Vec<String>, bool)>;

fn seen(path: &Path) -> Seen {
    let file = open(path).unwrap();
    let view = file.view(View::Sync(NEW_ID)).unwrap();
    let mut all = Seen::new();
    for (number, table) in Table::ALL.into_iter().enumerate() {
        view.scan(table, &Filter::default(), &mut |row| {
            let marks = match table {
                Table::ResourceTypes => {
                    vec![v2::ResourceType::decode(row.data).unwrap().display_name]
                }
                Table::Resources => vec![v2::Resource::decode(row.data).unwrap().display_name],
                Table::Entitlements => {
                    vec![v2::Entitlement::decode(row.data).unwrap().display_name]
                }
                Table::Grants => {
                    let sources = v2::Grant::decode(row.data).unwrap().sources.unwrap();
                    sources.sources.into_keys().collect()
                }
            };
            let is_new = all.insert((number, row.id.to_owned(), marks, row.expansion.is_some()));
            assert!(is_new, "{} twice", row.id);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    }
    all
}

/// The rows that should stay, by the rules as they are written down.
fn expected(inputs: &Inputs, format: Format, base_wins: bool) -> Seen {
    type Best = ((i64, usize), String, bool);
    let mut best: BTreeMap<(usize, String), Best> = BTreeMap::new();
    for (number, rows) in inputs.iter().enumerate() {
        let rank = if base_wins && number == 0 {
            usize::MAX
        } else {
            number
        };
        // Within an input, format v3 makes one grant of those of a pair.
        let mut own: BTreeMap<(usize, String), (i64, String, bool)> = BTreeMap::new();
        for spec in rows {
            let key = if format == Format::V3 {
                spec.key()
            } else {
                spec.id()
            };
            let expands = spec.table == 3 && spec.expands;
            let this = (spec.at, spec.id().1, expands);
            match own.get_mut(&key) {
                None => {
                    own.insert(key, this);
                }
                Some(old) => {
                    let expands = old.2 || this.2;
                    if (this.0, &this.1) < (old.0, &old.1) {
                        *old = this;
                    }
                    old.2 = expands;
                }
            }
        }
        for (key, (at, id, expands)) in own {
            let this = ((at, rank), id, expands);
            match best.get_mut(&key) {
                Some(old) if old.0 > this.0 => {}
                _ => {
                    best.insert(key, this);
                }
            }
        }
    }
    best.into_iter()
        .map(|((table, _), ((_, rank), id, expands))| {
            let input = if rank == usize::MAX { 0 } else { rank };
            (table, id, vec![format!("from {input}")], expands)
        })
        .collect()
}

#[test]
fn random_files_give_what_the_rules_say_in_both_formats_and_by_every_strategy() {
    for seed in 0..12 {
        let mut dice = Dice(seed);
        let inputs = random(&mut dice);
        let folder = Folder::new();
        let paths: Vec<PathBuf> = inputs
            .iter()
            .enumerate()
            .map(|(number, rows)| write(&folder, rows, number, "full"))
            .collect();
        let as_v3: Vec<PathBuf> = paths
            .iter()
            .enumerate()
            .map(|(number, path)| {
                let out = folder.path().join(format!("in{number}-v3.c1z"));
                if dice.roll(3) == 0 {
                    return path.clone();
                }
                to_v3(path, None, &out, &options(&folder)).unwrap();
                out
            })
            .collect();
        for (paths, format, strategy) in [
            (&paths, Format::V1, Strategy::Auto),
            (&paths, Format::V3, Strategy::Overlay),
            (&as_v3, Format::V3, Strategy::Kway),
            (&as_v3, Format::V3, Strategy::Fold),
        ] {
            let plan = CompactPlan {
                format: Some(format),
                strategy,
                ..plan(paths, &folder)
            };
            let done = compacted(&plan, &folder);
            let fold = strategy == Strategy::Fold;
            let found = seen(&done.path);
            assert_eq!(
                found,
                expected(&inputs, format, fold),
                "seed {seed}, {format:?}, {strategy:?}: {inputs:#?}"
            );
            for (number, counts) in done.tables.iter().enumerate() {
                let rows = found.iter().filter(|row| row.0 == number).count() as u64;
                assert_eq!(counts.output, rows, "seed {seed}");
                assert_eq!(rows, counts.added + counts.replaced + counts.carried);
            }
            fs::remove_file(done.path).unwrap();
        }
    }
}

fn only_run(path: &Path) -> SyncRun {
    let runs = open(path).unwrap().sync_runs().to_vec();
    let [run] = runs.as_slice() else {
        panic!("{} runs", runs.len());
    };
    run.clone()
}

#[test]
fn the_new_run_is_of_the_widest_type_and_named_like_its_file() {
    let row = Spec {
        table: 0,
        a: 0,
        b: 0,
        id: 0,
        at: 1,
        expands: false,
    };
    for (types, widest) in [
        (["partial", "full"], "full"),
        (["partial", "resources_only"], "resources_only"),
        (["partial", "partial"], "partial"),
    ] {
        let folder = Folder::new();
        let paths = [0, 1].map(|input| write(&folder, &[row], input, types[input]));
        let done = compacted(&plan(&paths, &folder), &folder);
        assert_eq!(
            done.path.file_name().unwrap().to_str().unwrap(),
            format!("compacted-{NEW_ID}.c1z")
        );
        let run = only_run(&done.path);
        assert_eq!(run.id, NEW_ID);
        assert_eq!(run.sync_type, widest);
        assert_eq!(run.started_at, Some(now().into()));
        assert_eq!(run.ended_at, Some(now().into()));
        assert_eq!((run.sync_token.as_str(), run.supports_diff), ("", false));
        assert_eq!(run.parent_sync_id, "");
        assert_eq!(run.stats, Some(done.stats));
        // Inputs and result, nothing else.
        assert_eq!(folder.names().len(), 3, "{:?}", folder.names());
    }
}

struct Counting(u32);

impl Expander for Counting {
    fn expand(&mut self, _: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        self.0 += 1;
        Ok(Expansion::new(std::iter::empty()))
    }
}

#[test]
fn only_what_is_partial_or_to_be_skipped_is_not_expanded() {
    for (types, skip, expands) in [
        (["full", "partial"], false, true),
        (["resources_only", "partial"], false, true),
        (["partial", "partial"], false, false),
        (["full", "full"], true, false),
    ] {
        let folder = Folder::new();
        let paths = [0, 1].map(|input| write(&folder, &[], input, types[input]));
        let plan = CompactPlan {
            skip_expansion: skip,
            ..plan(&paths, &folder)
        };
        let mut expander = Counting(0);
        let done = compact(&plan, &options(&folder), MergeSteps::expand(&mut expander)).unwrap();
        assert_eq!(expander.0, u32::from(expands), "{types:?}");
        let run = only_run(&done.path);
        assert_eq!(run.supports_diff, expands, "{types:?}");
        assert_eq!(!run.sync_token.is_empty(), expands, "{types:?}");
    }
}

#[test]
fn a_folded_v3_file_keeps_the_start_of_its_base_and_says_how_it_was_made() {
    let folder = Folder::new();
    let paths = [fixture("v3-small.c1z"), fixture("v1-small.c1z")];
    let base = only_run(&paths[0]);
    for (strategy, mode) in [
        (Strategy::Fold, "fold"),
        (Strategy::Overlay, "overlay"),
        (Strategy::Kway, "kway"),
    ] {
        let plan = CompactPlan {
            strategy,
            ..plan(&paths, &folder)
        };
        let done = compacted(&plan, &folder);
        assert_eq!(open(&done.path).unwrap().format(), Format::V3);
        let run = only_run(&done.path);
        assert_eq!(run.started_at == base.started_at, mode == "fold");
        // Nothing was expanded, so the newest input says when it ended.
        assert_eq!(run.ended_at, base.ended_at);
        let token: serde_json::Value = serde_json::from_str(&run.sync_token).unwrap();
        assert_eq!(token["compaction"]["mode"], mode);
        assert_eq!(token["compaction"]["base_sync_id"], base.id.as_str());
        assert_eq!(token["compaction"]["partial_count"], 1);
        fs::remove_file(done.path).unwrap();
    }
}

#[test]
fn a_v1_input_on_its_way_into_v3_is_taken_at_the_sync_asked_for() {
    let folder = Folder::new();
    let multi = fixture("v1-multi-sync.c1z");
    let paths = [fixture("v3-small.c1z"), multi];
    let mut plan = plan(&paths, &folder);
    for (id, outcome) in [
        (Some("nope"), Some(Code::NotFound)),
        (Some(MULTI[4]), Some(Code::FailedPrecondition)),
        (Some(MULTI[0]), None),
        (None, None),
    ] {
        plan.entries[1].sync_id = id.map(ToOwned::to_owned);
        // The id of a v3 file is not looked at.
        plan.entries[0].sync_id = Some("whatever".to_owned());
        match (
            compact(&plan, &options(&folder), MergeSteps::default()),
            outcome,
        ) {
            (Err(error), Some(code)) => assert_eq!(error.code(), code, "{error}"),
            (Ok(done), None) => {
                if let Some(id) = id {
                    assert!(done.run.sync_token.contains(id));
                }
                fs::remove_file(done.path).unwrap();
            }
            (other, _) => panic!("{id:?}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_compacted_is_refused_and_leaves_no_file() {
    let inputs = Folder::new();
    let folder = Folder::new();
    let small = fixture("v1-small.c1z");
    let v3 = fixture("v3-small.c1z");
    let diff = write(&inputs, &[], 0, "partial_upserts");
    let cut = inputs.file("cut.c1z", &fs::read(&small).unwrap()[..3000]);
    let missing = folder.path().join("missing.c1z");
    let empty = inputs.file("empty.c1z", b"");
    let unfinished = fixture("baton-cli/v1-unfinished.c1z");
    for (paths, format, code, words) in [
        (vec![], None, Code::Unknown, "two or more files"),
        (vec![&small], None, Code::Unknown, "two or more files"),
        (
            vec![&small, &v3],
            Some(Format::V1),
            Code::Unknown,
            "cannot be compacted",
        ),
        (vec![&small, &diff], None, Code::NotFound, "no finished"),
        (
            vec![&small, &unfinished],
            None,
            Code::NotFound,
            "no finished",
        ),
        (
            vec![&small, &missing],
            None,
            Code::NotFound,
            "missing.c1z does not exist or is empty",
        ),
        (
            vec![&empty, &small],
            None,
            Code::NotFound,
            "empty.c1z does not exist or is empty",
        ),
        (vec![&small, &cut], None, Code::DataLoss, "damaged"),
        (vec![&v3, &cut], None, Code::DataLoss, "damaged"),
    ] {
        let paths: Vec<PathBuf> = paths.into_iter().cloned().collect();
        let plan = CompactPlan {
            format,
            ..plan(&paths, &folder)
        };
        let error = compact(&plan, &options(&folder), MergeSteps::default()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(folder.names().is_empty(), "{:?}", folder.names());
    }
    // What is there already stays.
    let there = folder.file(&format!("compacted-{NEW_ID}.c1z"), b"mine");
    let plan = plan(&[small.clone(), small], &folder);
    let error = compact(&plan, &options(&folder), MergeSteps::default()).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert_eq!(fs::read(there).unwrap(), b"mine");
}

struct Failing;

impl Expander for Failing {
    fn expand(&mut self, _: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        Ok(Expansion::new(std::iter::once(Err(Error::caller(
            Code::Aborted,
            "no more",
        )))))
    }
}

#[test]
fn a_failure_while_expanding_leaves_the_inputs_only() {
    for paths in [
        [fixture("v1-small.c1z"), fixture("v1-small.c1z")],
        [fixture("v3-small.c1z"), fixture("v1-small.c1z")],
    ] {
        let folder = Folder::new();
        let before = paths.clone().map(|path| fs::read(path).unwrap());
        let plan = CompactPlan {
            skip_expansion: false,
            ..plan(&paths, &folder)
        };
        let error =
            compact(&plan, &options(&folder), MergeSteps::expand(&mut Failing)).unwrap_err();
        assert_eq!(error.code(), Code::Aborted);
        assert!(folder.names().is_empty(), "{:?}", folder.names());
        assert_eq!(paths.map(|path| fs::read(path).unwrap()), before);
    }
}

/// A file under its own name.
fn named(folder: &Folder, made: &Path, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::rename(made, &path).unwrap();
    path
}

/// `v1-small.c1z`, changed by `sql`.
fn changed(folder: &Folder, name: &str, sql: &str) -> PathBuf {
    let made = folder.c1z_with(Some("v1-small.c1z"), |conn| {
        conn.execute_batch(sql).unwrap();
    });
    named(folder, &made, name)
}

#[test]
fn a_malformed_row_is_told_with_the_file_that_it_is_in() {
    let inputs = Folder::new();
    let good = fixture("v1-small.c1z");
    for (table, column) in [
        (Table::Resources, "v1_resources"),
        (Table::Grants, "v1_grants"),
    ] {
        let bad = changed(
            &inputs,
            "bad.c1z",
            &format!("update {column} set data = x'0aff'"),
        );
        for format in [Format::V1, Format::V3] {
            let folder = Folder::new();
            let plan = CompactPlan {
                format: Some(format),
                ..plan(&[good.clone(), bad.clone()], &folder)
            };
            match compact(&plan, &options(&folder), MergeSteps::default()) {
                Err(Error::Row {
                    path,
                    table: of,
                    id,
                    ..
                }) => {
                    assert_eq!((path, of), (bad.clone(), table));
                    assert!(!id.is_empty());
                }
                other => panic!("{format:?}, {table:?}: {other:?}"),
            }
            assert!(folder.names().is_empty(), "{:?}", folder.names());
        }
    }
}

#[test]
fn two_rows_that_become_one_are_an_error_that_names_them() {
    const TWICE: &str = "
        insert into v1_resources (resource_type_id, external_id, data, sync_id, discovered_at)
        select resource_type_id, substr(external_id, 6), data, sync_id, discovered_at
        from v1_resources where external_id = 'user:u1'";
    let inputs = Folder::new();
    let twice = changed(&inputs, "twice.c1z", TWICE);
    for format in [Format::V1, Format::V3] {
        let folder = Folder::new();
        let plan = CompactPlan {
            format: Some(format),
            ..plan(&[fixture("v1-small.c1z"), twice.clone()], &folder)
        };
        let error = compact(&plan, &options(&folder), MergeSteps::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "two rows of resources have the id `user:u1`",
            "{format:?}"
        );
        assert_eq!(error.code(), Code::FailedPrecondition);
    }
    let folder = Folder::new();
    let target = folder.path().join("out.c1z");
    let error = expand_sync(
        &twice,
        None,
        &target,
        &options(&folder),
        MergeSteps::default(),
    );
    assert!(matches!(error, Err(Error::DuplicateId { .. })), "{error:?}");
    assert!(folder.names().is_empty(), "{:?}", folder.names());
}

/// Somebody else makes the target while it is worked on.
struct Meanwhile(PathBuf);

impl Expander for Meanwhile {
    fn expand(&mut self, _: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        fs::write(&self.0, "theirs").unwrap();
        Ok(Expansion::new(std::iter::empty()))
    }
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        let folder = Folder::new();
        let source = fixture(name);
        let target = folder.path().join(format!("compacted-{NEW_ID}.c1z"));
        let plan = CompactPlan {
            skip_expansion: false,
            ..plan(&[source.clone(), source.clone()], &folder)
        };
        let mut somebody = Meanwhile(target.clone());
        for compacts in [true, false] {
            let error = if compacts {
                compact(&plan, &options(&folder), MergeSteps::expand(&mut somebody)).map(|_| ())
            } else {
                expand_sync(
                    &source,
                    None,
                    &target,
                    &options(&folder),
                    MergeSteps::expand(&mut somebody),
                )
                .map(|_| ())
            };
            assert!(matches!(error, Err(Error::Exists { .. })), "{error:?}");
            assert_eq!(fs::read(&target).unwrap(), b"theirs");
            assert_eq!(folder.names().len(), 1, "{:?}", folder.names());
            fs::remove_file(&target).unwrap();
        }
    }
}

/// A file with one asset, in both formats.
fn with_asset(folder: &Folder, asset: &str) -> [PathBuf; 2] {
    let sql = format!(
        "delete from v1_assets;
         insert into v1_assets (external_id, content_type, data, sync_id, discovered_at)
         select '{asset}', 'image/png', x'010203', sync_id, '2026-01-01 00:00:00'
         from v1_sync_runs"
    );
    let v1 = changed(folder, &format!("{asset}.c1z"), &sql);
    let v3 = folder.path().join(format!("{asset}-v3.c1z"));
    to_v3(&v1, None, &v3, &options(folder)).unwrap();
    [v1, v3]
}

fn has_asset(path: &Path, id: &str) -> bool {
    let file = open(path).unwrap();
    let run = only_run(path);
    let found = file.view(View::Sync(&run.id)).unwrap().asset(id).unwrap();
    if let Some(asset) = &found {
        assert_eq!(asset.content_type, "image/png");
        assert_eq!(asset.data, [1, 2, 3]);
    }
    found.is_some()
}

#[test]
fn only_a_base_that_is_folded_into_keeps_its_assets() {
    let inputs = Folder::new();
    let [base, base_v3] = with_asset(&inputs, "logo");
    let [other, _] = with_asset(&inputs, "icon");
    for (base, strategy, kept) in [
        (&base_v3, Strategy::Fold, true),
        (&base_v3, Strategy::Overlay, false),
        (&base_v3, Strategy::Kway, false),
        (&base, Strategy::Auto, false),
    ] {
        let folder = Folder::new();
        let plan = CompactPlan {
            strategy,
            ..plan(&[base.clone(), other.clone()], &folder)
        };
        let done = compacted(&plan, &folder);
        assert_eq!(has_asset(&done.path, "logo"), kept, "{strategy:?}");
        assert!(!has_asset(&done.path, "icon"), "{strategy:?}");
        assert_eq!(done.stats.assets, i64::from(kept), "{strategy:?}");
    }
}

#[test]
fn an_expansion_keeps_the_assets() {
    let inputs = Folder::new();
    for source in with_asset(&inputs, "logo") {
        let folder = Folder::new();
        let target = folder.path().join("out.c1z");
        let done = expand_sync(
            &source,
            None,
            &target,
            &options(&folder),
            MergeSteps::default(),
        );
        assert_eq!(done.unwrap().stats.assets, 1);
        assert!(has_asset(&target, "logo"));
    }
}
