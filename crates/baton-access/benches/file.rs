//! Expansion on its real path: pages in a log, the log sealed into a file.
//!
//! `nested`: a group of 10,000 members nested in 1,000 groups, 10 million
//! derived grants. All rows of the file are handed to something that counts
//! them, in the place of the format's writer.
//! `layers`: 232 entitlements and 787 edges, 30 layers deep, about 380,000
//! resulting grants; sealed into a finished file.
//!
//! Every row is a whole message; a resource has about 300 bytes. Prints, per
//! case, the median of several runs in seconds (of which processor time, of all
//! threads), and the peak of resident memory: `load` is reading and sorting the
//! log, `graph` everything from the first look at a grant to the first change,
//! `rows` up to the last change (in v3 the rows are written meanwhile), `write`
//! the rest of the seal.
//!
//! `cargo bench -p baton-access --bench file -- [nested|layers|v1|v3] [runs]`

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
// A bench speaks to whoever runs it, and stops where it fails.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use baton_access::GraphExpander;
use baton_c1z::{
    Expander, Expansion, Fingerprint, Format, ListId, NewGrants, NewRun, PageHeader, PageLog,
    PageRow, Row, SealPlan, SealSteps, SortedRows, SyncType, Table, WorkDir, seal, visit_sealed,
};
use baton_proto::c1::connector::v2;
use baton_proto::{any, encode};

const PAGE_ROWS: usize = 1_000;

fn resource(kind: &str, id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: kind.to_owned(),
            resource: id.to_owned(),
            ..Default::default()
        }),
        display_name: format!("{kind} {id}"),
        description: "x".repeat(260),
        ..Default::default()
    }
}

fn entitlement(of: &v2::Resource) -> v2::Entitlement {
    let id = of.id.clone().unwrap_or_default();
    v2::Entitlement {
        id: format!("{}:{}:member", id.resource_type, id.resource),
        slug: "member".to_owned(),
        resource: Some(of.clone()),
        ..Default::default()
    }
}

fn grant(
    on: &v2::Entitlement,
    to: &v2::Resource,
    expand: Option<&v2::GrantExpandable>,
) -> v2::Grant {
    let principal = to.id.clone().unwrap_or_default();
    v2::Grant {
        id: format!(
            "{}:{}:{}",
            on.id, principal.resource_type, principal.resource
        ),
        entitlement: Some(v2::Entitlement {
            id: on.id.clone(),
            resource: on.resource.clone(),
            ..Default::default()
        }),
        principal: Some(to.clone()),
        annotations: expand.into_iter().map(any::pack).collect(),
        ..Default::default()
    }
}

/// What a connector would have sent.
#[derive(Default)]
struct Input {
    resources: Vec<v2::Resource>,
    /// Each with its grants.
    entitlements: Vec<(v2::Entitlement, Vec<v2::Grant>)>,
}

/// A group of 10,000 is a member of 1,000 groups.
fn nested() -> Input {
    let groups: Vec<_> = (0..=1_000)
        .map(|n| resource("group", &format!("g{n:04}")))
        .collect();
    let users: Vec<_> = (0..10_000)
        .map(|n| resource("user", &format!("u{n:05}")))
        .collect();
    let inner = entitlement(&groups[0]);
    let members = users.iter().map(|user| grant(&inner, user, None)).collect();
    let mut entitlements = vec![(inner.clone(), members)];
    for group in &groups[1..] {
        let on = entitlement(group);
        let expand = v2::GrantExpandable {
            entitlement_ids: vec![inner.id.clone()],
            ..Default::default()
        };
        let only = grant(&on, &groups[0], Some(&expand));
        entitlements.push((on, vec![only]));
    }
    Input {
        resources: [groups, users].concat(),
        entitlements,
    }
}

/// Layers of eight groups; each is nested in some of the next layers.
fn layers() -> Input {
    const GROUPS: usize = 232;
    const EDGES: usize = 787;
    const WIDTH: usize = 8;
    const USERS: usize = 1_800;
    const MEMBERS: usize = 104;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 11).unwrap() % limit
    };
    let groups: Vec<_> = (0..GROUPS)
        .map(|n| resource("group", &format!("g{n:04}")))
        .collect();
    let users: Vec<_> = (0..USERS)
        .map(|n| resource("user", &format!("u{n:05}")))
        .collect();
    let mut entitlements: Vec<(v2::Entitlement, Vec<v2::Grant>)> = groups
        .iter()
        .map(|group| {
            let on = entitlement(group);
            let chosen: BTreeSet<usize> = (0..MEMBERS).map(|_| below(USERS)).collect();
            let grants = chosen.iter().map(|&user| grant(&on, &users[user], None));
            (on.clone(), grants.collect())
        })
        .collect();
    let mut seen = BTreeSet::new();
    while seen.len() < EDGES {
        let source = below(GROUPS - WIDTH);
        let layer = source / WIDTH + 1;
        let destination = layer * WIDTH + below(WIDTH);
        let shallow = below(4) == 0;
        if seen.insert((source, destination)) {
            let expand = v2::GrantExpandable {
                entitlement_ids: vec![entitlements[source].0.id.clone()],
                shallow,
                ..Default::default()
            };
            let (on, grants) = &mut entitlements[destination];
            grants.push(grant(on, &groups[source], Some(&expand)));
        }
    }
    Input {
        resources: [groups, users].concat(),
        entitlements,
    }
}

fn append<'a>(
    log: &mut PageLog,
    list: &ListId,
    wrap: for<'r> fn(&'r [u8]) -> PageRow<&'r [u8]>,
    rows: impl Iterator<Item = Vec<u8>> + 'a,
) {
    let rows: Vec<Vec<u8>> = rows.collect();
    let pages = rows.chunks(PAGE_ROWS).len();
    for (page, rows) in rows.chunks(PAGE_ROWS).enumerate() {
        let rows: Vec<_> = rows.iter().map(|row| wrap(row)).collect();
        let header = PageHeader {
            list,
            generation: 0,
            page: u32::try_from(page).unwrap(),
            request_token: if page == 0 { "" } else { "this" },
            next_token: if page + 1 == pages { "" } else { "next" },
        };
        log.append_page(&header, &rows).unwrap();
    }
}

impl Input {
    fn append(&self, log: &mut PageLog) {
        let types = ["group", "user"].map(|id| v2::ResourceType {
            id: id.to_owned(),
            ..Default::default()
        });
        let list = ListId::resource_types();
        append(
            log,
            &list,
            |row| PageRow::resource_type(row),
            types.iter().map(encode::to_vec),
        );
        for kind in ["group", "user"] {
            let of_kind = self
                .resources
                .iter()
                .filter(|r| r.id.as_ref().is_some_and(|id| id.resource_type == kind));
            let list = ListId::resources(kind, None);
            append(
                log,
                &list,
                |row| PageRow::resource(row),
                of_kind.map(encode::to_vec),
            );
        }
        for (on, grants) in &self.entitlements {
            let id = on.resource.as_ref().and_then(|r| r.id.as_ref()).unwrap();
            let list = ListId::entitlements(&id.resource_type, &id.resource);
            append(
                log,
                &list,
                |row| PageRow::entitlement(row),
                std::iter::once(encode::to_vec(on)),
            );
            let list = ListId::grants(&id.resource_type, &id.resource);
            append(
                log,
                &list,
                |row| PageRow::grant(row),
                grants.iter().map(encode::to_vec),
            );
        }
        log.sync().unwrap();
    }
}

/// When what was done.
#[derive(Debug, Default)]
struct Marks {
    begun: Cell<Option<Clock>>,
    first: Cell<Option<Clock>>,
    /// Changes made, and when the last one was.
    last: Arc<Mutex<(u64, Option<Clock>)>>,
}

/// The expander with a watch on it.
struct Timed {
    inner: GraphExpander<'static>,
    marks: Rc<Marks>,
}

/// Counts what passes, and notes the end.
struct Watched<I> {
    inner: I,
    count: u64,
    last: Arc<Mutex<(u64, Option<Clock>)>>,
}

impl<I> Watched<I> {
    fn ended(&mut self) {
        let mut last = self.last.lock().unwrap();
        last.0 += std::mem::take(&mut self.count);
        last.1 = Some(Clock::now());
    }
}

impl<I: Iterator> Iterator for Watched<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let next = self.inner.next();
        match next {
            Some(_) => self.count += 1,
            None => self.ended(),
        }
        next
    }
}

/// Counts what is made: a pass may look at the ids alone.
impl NewGrants for Watched<Box<dyn NewGrants>> {
    fn advance(&mut self) -> baton_c1z::Result<bool> {
        let more = self.inner.advance()?;
        if !more {
            self.ended();
        }
        Ok(more)
    }

    fn make(&mut self) -> baton_c1z::Result<()> {
        self.count += 1;
        self.inner.make()
    }

    fn row(&self) -> Row<'_> {
        self.inner.row()
    }

    fn rewind(&mut self) {
        self.inner.rewind();
    }
}

impl Expander for Timed {
    fn expand(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        self.marks.begun.set(Some(Clock::now()));
        let mut expansion = self.inner.expand(rows)?;
        self.marks.first.set(Some(Clock::now()));
        let last = || Arc::clone(&self.marks.last);
        expansion.changes = Box::new(Watched {
            inner: expansion.changes,
            count: 0,
            last: last(),
        });
        expansion.inserts = expansion.inserts.map(|inner| {
            Box::new(Watched {
                inner,
                count: 0,
                last: last(),
            }) as Box<dyn NewGrants>
        });
        Ok(expansion)
    }
}

/// Seconds that passed, and seconds of processor time, of all threads.
#[derive(Debug, Clone, Copy)]
struct Clock {
    wall: Instant,
    cpu: f64,
}

impl Clock {
    fn now() -> Self {
        // User and system time, in hundredths of a second on Linux.
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        Self {
            wall: Instant::now(),
            cpu: ticks
                .filter_map(|ticks| ticks.parse::<f64>().ok())
                .sum::<f64>()
                / 100.0,
        }
    }

    fn since(self, earlier: Self) -> (f64, f64) {
        let wall = self.wall.duration_since(earlier.wall).as_secs_f64();
        (wall, self.cpu - earlier.cpu)
    }
}

struct Measured {
    /// load, graph, rows, write, all.
    steps: [(f64, f64); 5],
    peak: u64,
    changes: u64,
    grants: u64,
    file: u64,
}

/// Memory for sorting.
const BUDGET: usize = SealPlan::MEMORY_BUDGET_BYTES;

fn run_once(folder: &Path, input: &Input, format: Format, count_only: bool) -> Measured {
    let target = folder.join("sync.c1z");
    let now: SystemTime = UNIX_EPOCH + Duration::from_hours(490_896);
    let dir = WorkDir::locate(&target, None, now).unwrap();
    let (mut log, _) = PageLog::open(&dir, &Fingerprint::default(), now, true).unwrap();
    input.append(&mut log);
    let run = NewRun {
        id: "2zqMwKx4k0Gf5sYQJ7mZ0p1a2b3".to_owned(),
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
        ..SealPlan::new(target.clone(), run)
    };
    let marks = Rc::new(Marks::default());
    let mut expander = Timed {
        inner: GraphExpander::default(),
        marks: Rc::clone(&marks),
    };
    forget_peak();
    let start = Clock::now();
    let mut grants = 0_u64;
    if count_only {
        let mut count = |table, row: &Row<'_>| {
            let grant = table == Table::Grants && !black_box(row).data.is_empty();
            grants += u64::from(grant);
            Ok(())
        };
        let steps = SealSteps::expand(&mut expander);
        visit_sealed(&log, format, BUDGET, steps, &mut count).unwrap();
    } else {
        let sealed = seal(log, plan, SealSteps::expand(&mut expander), &mut |_| ()).unwrap();
        grants = u64::try_from(sealed.stats.grants).unwrap();
    }
    let end = Clock::now();
    let (changes, last) = *marks.last.lock().unwrap();
    let (begun, first) = (marks.begun.get().unwrap(), marks.first.get().unwrap());
    let written = last.unwrap();
    let seconds = |from: Clock, to: Clock| to.since(from);
    let file = std::fs::metadata(&target).map_or(0, |meta| meta.len());
    let _ = std::fs::remove_file(target);
    Measured {
        steps: [
            seconds(start, begun),
            seconds(begun, first),
            seconds(first, written),
            seconds(written, end),
            seconds(start, end),
        ],
        peak: peak_bytes(),
        changes,
        grants,
        file,
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

/// Name, input, format, and whether rows are counted instead of written.
type Case = (&'static str, fn() -> Input, Format, bool);

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let runs = args
        .iter()
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(3_usize)
        .max(1);
    let only = args.iter().find(|arg| arg.parse::<usize>().is_err());
    let cases: [Case; 4] = [
        ("layers v1", layers, Format::V1, false),
        ("layers v3", layers, Format::V3, false),
        ("nested v1", nested, Format::V1, true),
        ("nested v3", nested, Format::V3, true),
    ];
    for (name, make, format, count_only) in cases {
        if only.is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let input = make();
        let all: Vec<_> = (0..runs)
            .map(|_| run_once(folder.path(), &input, format, count_only))
            .collect();
        let median = |step: usize, part: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = all.iter().map(|run| part(&run.steps[step])).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let peak = all.iter().map(|run| run.peak >> 20).max().unwrap_or(0);
        let last = &all[runs - 1];
        print!("{name}:");
        for (at, step) in ["load", "graph", "rows", "write", "all"].iter().enumerate() {
            let (wall, cpu) = (median(at, |step| step.0), median(at, |step| step.1));
            print!("  {step} {wall:.2} ({cpu:.2})");
        }
        println!(
            "; peak {peak} MiB; {} changes, {} grants, file {} MiB; median of {runs}",
            last.changes,
            last.grants,
            last.file >> 20,
        );
    }
}
