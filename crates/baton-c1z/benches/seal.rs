//! From page log to finished file: 50,000 users, 1,000 groups, 1,000,000
//! grants with whole embedded messages, as the Go tools write them.
//!
//! `cargo bench -p baton-c1z --bench seal -- [runs] [grants per group]
//! [part of a name] [keep=FOLDER]` prints, for lists that arrive in random and in canonical
//! order, the median seconds of each step, the peak of resident memory, and
//! the sizes; for v1 also into a file that keeps a sync of as many grants.
//! `keep` leaves the last file of each kind in a folder, for measuring the
//! programs on.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
// A bench speaks to whoever runs it, and stops where it fails.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use baton_c1z::{
    Fingerprint, Format, ListId, NewRun, PageHeader, PageLog, PageRow, SealEvent, SealPlan,
    SealSteps, SyncType, WorkDir, seal,
};
use baton_proto::c1::connector::v2;
use baton_proto::{any, encode};
use prost_types::value::Kind;

const USERS: usize = 50_000;
const GROUPS: usize = 1_000;
const PAGE_ROWS: usize = 100;
const TARGET: &str = "sync.c1z";
const STEPS: [&str; 7] = [
    "append", "sort", "write", "index", "compress", "seal", "total",
];

/// A fixed sequence of numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % n
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

fn id_of(kind: &str, number: usize) -> String {
    // As long, and as far from any order, as the ids of a real directory.
    let scattered = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{kind}-{scattered:016x}-{number:08}")
}

fn resource_id(kind: &str, id: &str) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: kind.into(),
        resource: id.into(),
        ..Default::default()
    }
}

fn profile(fields: &[(&str, String)]) -> prost_types::Struct {
    let text = |value: &String| prost_types::Value {
        kind: Some(Kind::StringValue(value.clone())),
    };
    prost_types::Struct {
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .collect(),
    }
}

// Connectors still write the trait's own profile.
#[allow(deprecated)]
fn user(number: usize) -> v2::Resource {
    let id = id_of("user", number);
    let mail = format!("firstname.lastname.{number}@subsidiary.example.com");
    let long = |what: &str| format!("{what} number {number} of the example organization");
    let user_trait = v2::UserTrait {
        emails: vec![v2::user_trait::Email {
            address: mail.clone(),
            is_primary: true,
        }],
        login: mail.clone(),
        profile: Some(profile(&[
            ("account_id", id.clone()),
            ("department", long("department of interesting things")),
            ("email", mail),
            ("job_title", long("senior engineer for something")),
            ("location", long("building and floor of the office")),
            ("manager", long("the manager of this person is person")),
            ("nickname", format!("nick{number}")),
            ("organization", long("organizational unit")),
        ])),
        ..Default::default()
    };
    v2::Resource {
        id: Some(resource_id("user", &id)),
        display_name: format!("Firstname Lastname {number}"),
        annotations: vec![any::pack(&user_trait)],
        ..Default::default()
    }
}

#[allow(deprecated)]
fn group(number: usize) -> v2::Resource {
    let id = id_of("group", number);
    let group_trait = v2::GroupTrait {
        profile: Some(profile(&[
            (
                "description",
                format!("everybody who works on project {number}"),
            ),
            ("group_id", id.clone()),
        ])),
        ..Default::default()
    };
    v2::Resource {
        id: Some(resource_id("group", &id)),
        display_name: format!("Project {number}"),
        annotations: vec![any::pack(&group_trait)],
        ..Default::default()
    }
}

fn membership(group: &v2::Resource) -> v2::Entitlement {
    let id = group.id.clone().unwrap_or_default().resource;
    v2::Entitlement {
        id: format!("group:{id}:member"),
        display_name: format!("{} group member", group.display_name),
        description: format!("Is a member of the group {}", group.display_name),
        slug: "member".into(),
        purpose: v2::entitlement::PurposeValue::Assignment as i32,
        grantable_to: vec![resource_type("user")],
        resource: Some(group.clone()),
        ..Default::default()
    }
}

fn resource_type(id: &str) -> v2::ResourceType {
    v2::ResourceType {
        id: id.into(),
        display_name: id.to_uppercase(),
        ..Default::default()
    }
}

fn grant(entitlement: &v2::Entitlement, principal: v2::Resource) -> v2::Grant {
    let id = principal.id.clone().unwrap_or_default().resource;
    v2::Grant {
        id: format!("{}:user:{id}", entitlement.id),
        entitlement: Some(entitlement.clone()),
        principal: Some(principal),
        ..Default::default()
    }
}

/// Appends pages, and counts the time of the appending alone.
struct Appender {
    log: PageLog,
    spent: Duration,
    row_bytes: u64,
}

impl Appender {
    fn list(
        &mut self,
        list: &ListId,
        wrap: for<'r> fn(&'r [u8]) -> PageRow<&'r [u8]>,
        rows: impl ExactSizeIterator<Item = Vec<u8>>,
    ) {
        let pages = rows.len().div_ceil(PAGE_ROWS);
        let mut rows = rows;
        for page in 0..pages {
            let rows: Vec<Vec<u8>> = rows.by_ref().take(PAGE_ROWS).collect();
            self.row_bytes += rows.iter().map(|row| row.len() as u64).sum::<u64>();
            let rows: Vec<_> = rows.iter().map(|row| wrap(row)).collect();
            let header = PageHeader {
                list,
                generation: 0,
                page: u32::try_from(page).unwrap(),
                request_token: if page == 0 { "" } else { "this" },
                next_token: if page + 1 == pages { "" } else { "next" },
            };
            let begun = Instant::now();
            self.log.append_page(&header, &rows).unwrap();
            self.spent += begun.elapsed();
        }
    }
}

fn append_all(log: PageLog, members: usize, shuffled: bool) -> Appender {
    let mut appender = Appender {
        log,
        spent: Duration::ZERO,
        row_bytes: 0,
    };
    let mut numbers = Numbers(42);
    let order = |kind: &str, count: usize, numbers: &mut Numbers| {
        let mut all: Vec<usize> = (0..count).collect();
        if shuffled {
            numbers.shuffle(&mut all);
        } else {
            all.sort_by_key(|number| id_of(kind, *number));
        }
        all
    };
    let types = ["group", "user"].map(|id| encode::to_vec(&resource_type(id)));
    appender.list(
        &ListId::resource_types(),
        |row| PageRow::resource_type(row),
        types.into_iter(),
    );
    let groups = order("group", GROUPS, &mut numbers);
    let rows = groups.iter().map(|n| encode::to_vec(&group(*n)));
    appender.list(
        &ListId::resources("group", None),
        |row| PageRow::resource(row),
        rows,
    );
    let users = order("user", USERS, &mut numbers);
    let rows = users.iter().map(|n| encode::to_vec(&user(*n)));
    appender.list(
        &ListId::resources("user", None),
        |row| PageRow::resource(row),
        rows,
    );
    for number in &groups {
        let rows = [encode::to_vec(&membership(&group(*number)))];
        let list = ListId::entitlements("group", &id_of("group", *number));
        appender.list(&list, |row| PageRow::entitlement(row), rows.into_iter());
    }
    for number in &groups {
        let first = numbers.below(USERS);
        let mut chosen: Vec<usize> = (0..members).map(|n| (first + n * 37) % USERS).collect();
        if shuffled {
            numbers.shuffle(&mut chosen);
        } else {
            chosen.sort_by_key(|number| id_of("user", *number));
        }
        let entitlement = membership(&group(*number));
        let rows = chosen
            .iter()
            .map(|n| encode::to_vec(&grant(&entitlement, user(*n))));
        let list = ListId::grants("group", &id_of("group", *number));
        appender.list(&list, |row| PageRow::grant(row), rows);
    }
    appender.log.sync().unwrap();
    appender
}

/// Seconds that passed, and seconds of processor time, of all threads.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    wall: f64,
    cpu: f64,
}

impl Clock {
    fn now(begun: Instant) -> Self {
        // User and system time, in hundredths of a second on Linux.
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        Self {
            wall: begun.elapsed().as_secs_f64(),
            cpu: ticks
                .filter_map(|ticks| ticks.parse::<f64>().ok())
                .sum::<f64>()
                / 100.0,
        }
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            wall: self.wall - earlier.wall,
            cpu: self.cpu - earlier.cpu,
        }
    }
}

/// Time per step, peak memory, and sizes in bytes: rows, log, file.
struct Measured {
    steps: [Clock; STEPS.len()],
    peak: u64,
    sizes: [u64; 3],
}

fn run_once(
    folder: &Path,
    format: Format,
    members: usize,
    shuffled: bool,
    sync_id: &str,
) -> Measured {
    let target = folder.join(TARGET);
    let now: SystemTime = UNIX_EPOCH + Duration::from_hours(490_896);
    let dir = WorkDir::locate(&target, None, now).unwrap();
    let (log, _) = PageLog::open(&dir, &Fingerprint::default(), now, true).unwrap();
    let appender = append_all(log, members, shuffled);
    let log_bytes = appender.log.size_bytes();
    let run = NewRun {
        id: sync_id.into(),
        sync_type: SyncType::Full,
        started_at: now,
        ended_at: now,
        parent_sync_id: String::new(),
        token: r#"{"version":1}"#.into(),
        supports_diff: true,
        ingest_invariant: baton_c1z::IngestInvariant::default(),
    };
    forget_peak();
    let begun = Instant::now();
    let start = Clock::now(begun);
    let mut marks = [None; 3];
    let plan = SealPlan {
        format,
        ..SealPlan::new(target.clone(), run)
    };
    let sealed = seal(appender.log, plan, SealSteps::default(), &mut |event| {
        let step = match event {
            SealEvent::Writing { .. } => 0,
            SealEvent::Indexing => 1,
            SealEvent::Compressing { .. } => 2,
            _ => return,
        };
        marks[step].get_or_insert_with(|| Clock::now(begun));
    })
    .unwrap();
    let end = Clock::now(begun);
    let peak = peak_bytes();
    assert_eq!(
        usize::try_from(sealed.stats.grants).unwrap(),
        members * GROUPS
    );
    let [sorted, written, indexed] = marks.map(|mark| mark.unwrap_or(end));
    let file_bytes = std::fs::metadata(&target).unwrap().len();
    let append = Clock {
        wall: appender.spent.as_secs_f64(),
        cpu: 0.0,
    };
    let seal = end.since(start);
    Measured {
        steps: [
            append,
            sorted.since(start),
            written.since(sorted),
            indexed.since(written),
            end.since(indexed),
            seal,
            Clock {
                wall: append.wall + seal.wall,
                cpu: 0.0,
            },
        ],
        peak,
        sizes: [appender.row_bytes, log_bytes, file_bytes],
    }
}

/// Starts counting the peak of resident memory anew, where that is possible.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Peak of resident memory in bytes; 0 where it is not known.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Whether an argument chooses cases by their name.
fn name_part(arg: &str) -> bool {
    !arg.starts_with('-') && !arg.starts_with("keep=") && arg.parse::<usize>().is_err()
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse().ok());
    let only = std::env::args().skip(1).find(|arg| name_part(arg));
    let keep = std::env::args()
        .skip(1)
        .find_map(|arg| Some(PathBuf::from(arg.strip_prefix("keep=")?)));
    let runs: usize = numbers.next().unwrap_or(3).max(1);
    let members: usize = numbers.next().unwrap_or(1_000);
    let folder = tempfile::tempdir().unwrap();
    let grant_bytes = encode::to_vec(&grant(&membership(&group(0)), user(0))).len();
    println!(
        "{USERS} users, {GROUPS} groups, {} grants of {grant_bytes} bytes; median of {runs}, seconds (of which processor time)",
        members * GROUPS
    );
    for (name, format, shuffled, syncs) in [
        ("v3, shuffled", Format::V3, true, 1),
        ("v3, in order", Format::V3, false, 1),
        ("v1, shuffled", Format::V1, true, 1),
        ("v1, in order", Format::V1, false, 1),
        ("v1, beside an earlier sync", Format::V1, false, 2),
    ] {
        if only.as_deref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let all: Vec<_> = (0..runs)
            .map(|_| {
                // Only the last one counts.
                let ids = &["2zqMwKx4k0Gf5sYQJ7mZ0p1a2b3", "2zqMwKx4k0Gf5sYQJ7mZ0p1a2b4"];
                let sealed = ids[..syncs].iter().fold(None, |_, id| {
                    Some(run_once(folder.path(), format, members, shuffled, id))
                });
                let target = folder.path().join(TARGET);
                if let Some(keep) = &keep {
                    let name = match (format, syncs) {
                        (Format::V3, _) => "v3.c1z",
                        (Format::V1, 1) => "v1.c1z",
                        (Format::V1, _) => "v1-two.c1z",
                    };
                    std::fs::copy(&target, keep.join(name)).unwrap();
                }
                std::fs::remove_file(target).unwrap();
                sealed.unwrap()
            })
            .collect();
        print!("{name}:");
        for (at, step) in STEPS.iter().enumerate() {
            let of = |part: fn(&Clock) -> f64| {
                median(all.iter().map(|run| part(&run.steps[at])).collect())
            };
            print!(
                "  {step} {:.2} ({:.2})",
                of(|clock| clock.wall),
                of(|clock| clock.cpu)
            );
        }
        let peak = all.iter().map(|run| run.peak >> 20).max().unwrap_or(0);
        let [rows, log, file] = all[0].sizes.map(|bytes| bytes >> 20);
        println!("  peak {peak} MiB; rows {rows} MiB, log {log} MiB, file {file} MiB");
    }
}
