//! A log sealed into a v1 file: what is in it, and what a failure leaves.

use std::cell::Cell;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use baton_c1z::{
    Access, C1zFile, Cleanup, DataFile, DropReason, Error, Expander, Expansion, Files, Filter,
    GrantChange, ListId, NewAsset, NewRun, Open, OwnedRow, PageHeader, PageLog, PageRow,
    ReadOptions, Resumed, SealEvent, SealPlan, SealSteps, Sealed, SortedRows, SyncType,
    SystemFiles, Table, View, WorkDir, seal,
};
use baton_proto::c1::connector::v2;
use baton_proto::{Code, any, encode};

use crate::log_support::{events, fingerprint, locate, now, open};
use crate::support::fixture;

pub const ID: &str = "3MVxu1fAkCi8scufhFJpQZ00000";

pub fn resource(type_id: &str, id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: type_id.into(),
            resource: id.into(),
            ..Default::default()
        }),
        display_name: format!("{type_id} {id}"),
        // Long enough that all rows do not fit in the smallest budget.
        description: "long ".repeat(800),
        ..Default::default()
    }
}

pub fn member_of(group: &str) -> v2::Entitlement {
    v2::Entitlement {
        resource: Some(resource("group", group)),
        id: format!("group:{group}:member"),
        ..Default::default()
    }
}

pub fn grant(group: &str, user: &str) -> v2::Grant {
    v2::Grant {
        id: format!("group:{group}:member:user:{user}"),
        entitlement: Some(member_of(group)),
        principal: Some(resource("user", user)),
        ..Default::default()
    }
}

/// Group `inner` as a member of `outer`, whose members inherit.
pub fn nested(outer: &str, inner: &str) -> v2::Grant {
    let expandable = v2::GrantExpandable {
        entitlement_ids: vec![format!("group:{inner}:member")],
        ..Default::default()
    };
    v2::Grant {
        id: format!("group:{outer}:member:group:{inner}"),
        entitlement: Some(member_of(outer)),
        principal: Some(resource("group", inner)),
        annotations: vec![any::pack(&expandable)],
        ..Default::default()
    }
}

pub fn page<B: AsRef<[u8]>>(log: &mut PageLog, list: &ListId, number: u32, rows: &[PageRow<B>]) {
    let header = PageHeader {
        list,
        generation: 0,
        page: number,
        request_token: "",
        next_token: "",
    };
    log.append_page(&header, rows).unwrap();
}

/// Two types, four users, three groups, six grants; the lists in the order
/// that `order` gives.
pub fn append(log: &mut PageLog, order: &[usize]) {
    for part in order {
        match part {
            0 => {
                let types = ["user", "group"].map(|id| {
                    encode::to_vec(&v2::ResourceType {
                        id: id.into(),
                        ..Default::default()
                    })
                });
                let rows = types.each_ref().map(PageRow::resource_type);
                page(log, &ListId::resource_types(), 0, &rows);
            }
            1 => {
                let users = ["4", "2", "3", "1"].map(|id| encode::to_vec(&resource("user", id)));
                let rows = users.each_ref().map(PageRow::resource);
                let list = ListId::resources("user", None);
                page(log, &list, 1, &rows[2..]);
                page(log, &list, 0, &rows[..2]);
            }
            2 => {
                let groups = ["b", "a", "c"].map(|id| encode::to_vec(&resource("group", id)));
                let rows = groups.each_ref().map(PageRow::resource);
                page(log, &ListId::resources("group", None), 0, &rows);
            }
            part => {
                let group = ["a", "b", "c"][part - 3];
                let entitlement = encode::to_vec(&member_of(group));
                let list = ListId::entitlements("group", group);
                page(log, &list, 0, &[PageRow::entitlement(&entitlement)]);
                let mut grants = vec![grant(group, "3"), grant(group, "1")];
                if group == "a" {
                    grants.push(nested("a", "b"));
                }
                let rows: Vec<_> = grants.iter().map(encode::to_vec).collect();
                let rows: Vec<_> = rows.iter().map(PageRow::grant).collect();
                page(log, &ListId::grants("group", group), 0, &rows);
            }
        }
    }
}

pub fn run(id: &str) -> NewRun {
    NewRun {
        id: id.into(),
        sync_type: SyncType::Full,
        started_at: now(),
        ended_at: now() + Duration::from_mins(1),
        parent_sync_id: String::new(),
        token: r#"{"version":1}"#.into(),
        supports_diff: true,
        ingest_invariant: baton_c1z::IngestInvariant::default(),
    }
}

pub fn plan(target: &Path) -> SealPlan {
    SealPlan::new(target.to_owned(), run(ID))
}

pub fn seal_plain(log: PageLog, plan: SealPlan) -> Result<Sealed, Error> {
    seal(log, plan, SealSteps::default(), &mut |_| {})
}

pub struct Target {
    pub folder: tempfile::TempDir,
    pub path: PathBuf,
}

pub fn target() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sync.c1z");
    Target { folder, path }
}

impl Target {
    pub fn log(&self) -> PageLog {
        let (mut log, _) = open(&locate(&self.path));
        append(&mut log, &[0, 1, 2, 3, 4, 5]);
        log
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub fn open(&self) -> C1zFile {
        C1zFile::open(&self.path, &ReadOptions::default()).unwrap()
    }

    pub fn rows(&self, table: Table) -> Vec<OwnedRow> {
        let file = self.open();
        let mut rows = Vec::new();
        file.view(View::Sync(ID))
            .unwrap()
            .scan(table, &Filter::default(), &mut |row| {
                rows.push(row.to_owned());
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        rows
    }

    pub fn ids(&self, table: Table) -> Vec<String> {
        self.rows(table).into_iter().map(|row| row.id).collect()
    }
}

#[test]
fn rows_come_out_in_canonical_order_and_nothing_else_is_left() {
    let target = target();
    let sealed = seal_plain(target.log(), plan(&target.path)).unwrap();
    assert_eq!(target.names(), ["sync.c1z"]);
    assert_eq!(target.ids(Table::ResourceTypes), ["group", "user"]);
    assert_eq!(
        target.ids(Table::Resources),
        [
            "group:a", "group:b", "group:c", "user:1", "user:2", "user:3", "user:4"
        ]
    );
    assert_eq!(
        target.ids(Table::Grants)[..3],
        [
            "group:a:member:group:b",
            "group:a:member:user:1",
            "group:a:member:user:3"
        ]
    );
    assert_eq!(sealed.stats.resources_by_type["user"], 4);
    assert_eq!(sealed.stats.grants, 7);
    assert_eq!(sealed.leftover, None);
    let runs = target.open().sync_runs().to_vec();
    assert_eq!(runs[0].stats.as_ref(), Some(&sealed.stats));
    assert_eq!(runs[0].sync_token, r#"{"version":1}"#);
    let first = &target.rows(Table::Grants)[0];
    assert!(first.expansion.is_some());
}

#[test]
fn the_file_does_not_depend_on_the_order_in_which_pages_arrived() {
    let mut files = Vec::new();
    for order in [[0, 1, 2, 3, 4, 5], [5, 3, 1, 4, 0, 2], [2, 4, 5, 0, 3, 1]] {
        let target = target();
        let (mut log, _) = open(&locate(&target.path));
        append(&mut log, &order);
        seal_plain(log, plan(&target.path)).unwrap();
        files.push(std::fs::read(&target.path).unwrap());
    }
    // Not compared by `assert_eq`: nobody wants to see them.
    assert!(files[0] == files[1]);
    assert!(files[0] == files[2]);
}

#[test]
fn sealing_over_an_existing_file_keeps_its_syncs_unless_cleaned_up() {
    let target = target();
    std::fs::copy(fixture("v1-small.c1z"), &target.path).unwrap();
    let before = target.open().sync_runs().to_vec();
    seal_plain(target.log(), plan(&target.path)).unwrap();
    let after = target.open().sync_runs().to_vec();
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after[..before.len()], before[..]);
    let mut again = plan(&target.path);
    again.run.id = "3MVxu1fAkCi8scufhFJpQZ00001".into();
    again.run.started_at += Duration::from_hours(1);
    again.run.ended_at += Duration::from_hours(2);
    again.cleanup = Cleanup::Keep(1);
    let sealed = seal_plain(target.log(), again).unwrap();
    assert!(sealed.removed_syncs.contains(&ID.to_owned()));
    assert_eq!(target.open().sync_runs().to_vec().len(), 1);
}

#[test]
fn a_seal_that_was_stopped_before_tidying_up_can_be_repeated() {
    let target = target();
    let log = target.log();
    let saved = std::fs::read(log.path()).unwrap();
    let (dir, path) = (log.work_dir().path().to_owned(), log.path().to_owned());
    seal_plain(log, plan(&target.path)).unwrap();
    let first = Table::ALL.map(|table| target.rows(table));
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(path, saved).unwrap();
    let (log, resumed) = open(&locate(&target.path));
    assert!(matches!(resumed, Resumed::Continued { .. }));
    let sealed = seal_plain(log, plan(&target.path)).unwrap();
    assert_eq!(sealed.removed_syncs, Vec::<String>::new());
    assert_eq!(target.open().sync_runs().to_vec().len(), 1);
    assert!(Table::ALL.map(|table| target.rows(table)) == first);
}

#[test]
fn assets_and_counts_are_in_the_file() {
    let target = target();
    let mut plan = plan(&target.path);
    plan.assets = vec![NewAsset {
        id: "note".into(),
        content_type: "text/plain".into(),
        data: b"hello".to_vec(),
    }];
    let mut steps = Vec::new();
    let mut derive = Derive;
    let expand = SealSteps::expand(&mut derive);
    let sealed = seal(target.log(), plan, expand, &mut |event| {
        steps.push(match event {
            SealEvent::Sorting { .. } => "sort",
            SealEvent::Expanding { .. } => "expand",
            SealEvent::Writing { .. } => "write",
            SealEvent::Indexing => "index",
            SealEvent::Compressing { .. } => "compress",
            _ => "other",
        });
    })
    .unwrap();
    assert_eq!(sealed.stats.assets, 1);
    assert_eq!(steps, ["sort", "expand", "write", "index", "compress"]);
}

/// Derives one grant, and changes another.
pub struct Derive;

impl Expander for Derive {
    fn expand(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        let mut members = Vec::new();
        rows.scan_entitlement("group:b:member", &mut |row| {
            members.push(row.principal_id.to_owned());
            Ok(ControlFlow::Continue(()))
        })?;
        assert_eq!(members, ["1", "3"]);
        let mut changed = grant("a", "1");
        changed.sources = Some(v2::GrantSources::default());
        let mut derived = grant("a", "2");
        derived.annotations = vec![any::pack(&v2::GrantImmutable::default())];
        let changes = [
            GrantChange::Replace {
                data: encode::to_vec(&changed),
            },
            GrantChange::Insert {
                data: encode::to_vec(&derived),
            },
        ];
        Ok(Expansion::new(changes.into_iter().map(Ok)))
    }
}

#[test]
fn expanded_grants_are_in_the_file_at_their_place() {
    let target = target();
    let log = target.log();
    let sealed = seal(
        log,
        plan(&target.path),
        SealSteps::expand(&mut Derive),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!((sealed.grants_inserted, sealed.grants_replaced), (1, 1));
    assert_eq!(sealed.stats.grants, 8);
    assert_eq!(
        target.ids(Table::Grants)[..4],
        [
            "group:a:member:group:b",
            "group:a:member:user:1",
            "group:a:member:user:2",
            "group:a:member:user:3"
        ]
    );
}

#[test]
fn dropped_lists_are_counted_and_not_in_the_file() {
    let target = target();
    let mut log = target.log();
    let list = ListId::grants("group", "a");
    log.drop_list(&list, DropReason::Forbidden, "403").unwrap();
    let sealed = seal_plain(log, plan(&target.path)).unwrap();
    assert_eq!(sealed.dropped_lists, 1);
    assert_eq!(sealed.stats.grants, 4);
}

/// A file layer in which the n-th call that changes something fails.
#[derive(Debug)]
struct Failing {
    left: Arc<AtomicI64>,
    how: ErrorKind,
}

impl Failing {
    fn tick(left: &AtomicI64, how: ErrorKind) -> std::io::Result<()> {
        match left.fetch_sub(1, Ordering::Relaxed) {
            0 => Err(how.into()),
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct FailingFile(Box<dyn DataFile>, Arc<AtomicI64>, ErrorKind);

impl Files for Failing {
    fn open(&self, path: &Path, how: Open) -> std::io::Result<Box<dyn DataFile>> {
        Failing::tick(&self.left, self.how)?;
        let file = SystemFiles.open(path, how)?;
        Ok(Box::new(FailingFile(
            file,
            Arc::clone(&self.left),
            self.how,
        )))
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        Failing::tick(&self.left, self.how)?;
        SystemFiles.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        Failing::tick(&self.left, self.how)?;
        SystemFiles.remove_file(path)
    }
    fn create_dir_all(&self, path: &Path) -> std::io::Result<()> {
        Failing::tick(&self.left, self.how)?;
        SystemFiles.create_dir_all(path)
    }
    fn remove_dir_all(&self, path: &Path) -> std::io::Result<()> {
        Failing::tick(&self.left, self.how)?;
        SystemFiles.remove_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        Failing::tick(&self.left, self.how)?;
        SystemFiles.sync_dir(path)
    }
}

impl DataFile for FailingFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
        Failing::tick(&self.1, self.2)?;
        self.0.read_at(buf, offset)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        Failing::tick(&self.1, self.2)?;
        self.0.write_all_at(bytes, offset)
    }
    fn set_access(&self, access: &Access) -> std::io::Result<()> {
        Failing::tick(&self.1, self.2)?;
        self.0.set_access(access)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        Failing::tick(&self.1, self.2)?;
        self.0.set_len(len)
    }
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn sync(&self) -> std::io::Result<()> {
        Failing::tick(&self.1, self.2)?;
        self.0.sync()
    }
}

/// How a disk refuses, and the code that this has.
const REFUSALS: [(ErrorKind, Code); 4] = [
    (ErrorKind::StorageFull, Code::ResourceExhausted),
    (ErrorKind::QuotaExceeded, Code::ResourceExhausted),
    (ErrorKind::ReadOnlyFilesystem, Code::PermissionDenied),
    (ErrorKind::PermissionDenied, Code::PermissionDenied),
];

/// A file layer on a disk with little room.
#[derive(Debug)]
struct Tight(u64);

impl Files for Tight {
    fn open(&self, path: &Path, how: Open) -> std::io::Result<Box<dyn DataFile>> {
        SystemFiles.open(path, how)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        SystemFiles.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        SystemFiles.remove_file(path)
    }
    fn create_dir_all(&self, path: &Path) -> std::io::Result<()> {
        SystemFiles.create_dir_all(path)
    }
    fn remove_dir_all(&self, path: &Path) -> std::io::Result<()> {
        SystemFiles.remove_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        SystemFiles.sync_dir(path)
    }
    fn free_bytes(&self, _: &Path) -> Option<u64> {
        Some(self.0)
    }
}

#[test]
fn without_room_on_the_disk_nothing_is_written_and_the_next_run_resumes() {
    let target = target();
    std::fs::write(&target.path, b"").unwrap();
    for free in [0, 10] {
        let dir = WorkDir::locate_on(Arc::new(Tight(free)), &target.path, None, now()).unwrap();
        let (mut log, _) = PageLog::open(&dir, &fingerprint(), now(), false).unwrap();
        if events(&log).is_empty() {
            append(&mut log, &[0, 1, 2, 3, 4, 5]);
        }
        drop(dir);
        let error = seal(
            log,
            plan(&target.path),
            SealSteps::expand(&mut Derive),
            &mut |_| {},
        );
        let error = error.unwrap_err();
        let Error::NoRoom {
            needed,
            free: found,
            ..
        } = &error
        else {
            panic!("{error}");
        };
        assert!(*needed > free && *found == free, "{error}");
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!(std::fs::read(&target.path).unwrap().is_empty());
    }
    let (log, _) = open(&locate(&target.path));
    assert!(!events(&log).is_empty());
    seal_plain(log, plan(&target.path)).unwrap();
}

/// Seals, with the n-th call of the file layer failing for every n: the target
/// stays, and the next run resumes.
pub fn fail_at_every_call(plan: impl Fn(&Target) -> SealPlan) {
    let target = target();
    let whole = {
        let log = target.log();
        let saved = events(&log);
        seal_plain(log, plan(&target)).unwrap();
        saved
    };
    let expected = std::fs::read(&target.path).unwrap();
    let failed = Cell::new(0);
    for at in 0..60 {
        std::fs::write(&target.path, b"").unwrap();
        let left = Arc::new(AtomicI64::new(i64::MAX));
        let (how, code) = REFUSALS[usize::try_from(at).unwrap() % REFUSALS.len()];
        let files = Failing {
            left: Arc::clone(&left),
            how,
        };
        let dir = WorkDir::locate_on(Arc::new(files), &target.path, None, now()).unwrap();
        let (mut log, _) = PageLog::open(&dir, &fingerprint(), now(), false).unwrap();
        if events(&log).is_empty() {
            append(&mut log, &[0, 1, 2, 3, 4, 5]);
        }
        drop(dir);
        left.store(at, Ordering::Relaxed);
        let mut small = plan(&target);
        small.memory_budget_bytes = 0;
        let sealed = seal(log, small, SealSteps::expand(&mut Derive), &mut |_| {});
        match sealed {
            // Tidying up may fail; the file is whole then.
            Ok(sealed) => assert_eq!(sealed.stats.grants, 8),
            Err(error) => {
                failed.set(failed.get() + 1);
                assert_eq!(error.code(), code, "{error}");
                let found = std::fs::read(&target.path).unwrap();
                if error.to_string().contains("make the rename durable") {
                    // The one failure after the last step: the file is whole.
                    let file = C1zFile::open(&target.path, &ReadOptions::default()).unwrap();
                    let run = file.latest_finished(None).cloned().unwrap();
                    assert_eq!(run.stats.unwrap().grants, 8, "call {at}");
                } else {
                    assert!(found.is_empty(), "call {at}");
                }
                let (log, _) = open(&locate(&target.path));
                assert!(events(&log) == whole, "call {at}");
            }
        }
    }
    assert!(failed.get() > 10);
    let (mut log, _) = open(&locate(&target.path));
    if events(&log).is_empty() {
        append(&mut log, &[0, 1, 2, 3, 4, 5]);
    }
    std::fs::write(&target.path, b"").unwrap();
    seal_plain(log, plan(&target)).unwrap();
    assert!(std::fs::read(&target.path).unwrap() == expected);
}

#[test]
fn whichever_call_of_the_file_layer_fails_the_target_stays_and_the_next_run_resumes() {
    fail_at_every_call(|target| plan(&target.path));
}
