//! Any organization, any refusals, any interruptions: the file and the report
//! are those of an undisturbed run that asks for one page after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_c1z::Format;
use baton_connector::Error as Refusal;
use baton_connector::resource::{GrantBuilder, resource_id};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_sync::{Error, Report, SyncRequest, Workers};
use proptest::prelude::*;

use crate::sandbox::{Sandbox, rows};
use crate::world::{Twist, World, group, kind, user};

/// An organization and what goes wrong with it.
#[derive(Debug, Clone)]
struct Story {
    users: usize,
    /// Per group which users are in it, as bits.
    groups: Vec<u16>,
    page_size: usize,
    /// Groups whose grants may not be read.
    forbidden: BTreeSet<usize>,
    /// Groups whose grants come as several lists.
    split: BTreeSet<usize>,
    /// Lists whose second page is refused once, as if its cursor had died.
    dead: BTreeSet<&'static str>,
    /// Groups that list a grant on the group before once more.
    repeating: BTreeSet<usize>,
    /// Users that lack an id.
    nameless: usize,
}

/// When a run is stopped, and how many lists are read at once.
#[derive(Debug, Clone)]
struct Runs {
    stops: Vec<usize>,
    workers: u32,
    seed: u64,
    v3: bool,
}

fn story() -> impl Strategy<Value = Story> {
    let some_of = |most: usize| prop::collection::btree_set(0..5usize, 0..=most);
    let dead = ["types", "resources user", "resources group", "static group"];
    (
        0..9usize,
        prop::collection::vec(any::<u16>(), 0..5),
        1..4usize,
        some_of(2),
        some_of(2),
        prop::collection::btree_set(prop::sample::select(dead.to_vec()), 0..=2),
        some_of(2),
        0..3usize,
    )
        .prop_map(
            |(users, groups, page_size, forbidden, split, dead, repeating, nameless)| Story {
                users,
                groups,
                page_size,
                forbidden,
                split,
                dead,
                repeating,
                nameless,
            },
        )
}

fn runs() -> impl Strategy<Value = Runs> {
    (
        prop::collection::vec(1..25usize, 0..4),
        1..5u32,
        any::<u64>(),
        any::<bool>(),
    )
        .prop_map(|(stops, workers, seed, v3)| Runs {
            stops,
            workers,
            seed,
            v3,
        })
}

fn name(group: usize) -> String {
    format!("g{group}")
}

impl Story {
    /// The organization, without what goes wrong.
    fn world(&self) -> World {
        let mut world = World::empty();
        world.page_size = self.page_size;
        world.types = vec![kind("user", None), kind("group", None), kind("site", None)];
        for n in 0..self.users {
            world.add("user", user(&format!("u{n}")));
        }
        for _ in 0..self.nameless {
            world.add("user", v2::Resource::default());
        }
        for (n, members) in self.groups.iter().enumerate() {
            world.add("group", group(&name(n)));
            let members = (0..16).filter(|bit| members & (1 << bit) != 0);
            let members: Vec<_> = members.map(|bit| ("user", format!("u{bit}"))).collect();
            world.give("group", &name(n), "member", members);
            if self.repeating.contains(&n) && n > 0 {
                let before =
                    GrantBuilder::new(group(&name(n - 1)), "member", resource_id("user", "u0"))
                        .annotation(&v2::ExternalLink {
                            url: format!("seen in {n}"),
                        });
                let grants = world
                    .grants
                    .entry(format!("group:{}", name(n)))
                    .or_default();
                grants.push(before.build().expect("valid"));
            }
        }
        let template = v2::Entitlement {
            slug: "visitor".to_owned(),
            ..v2::Entitlement::default()
        };
        world.templates.insert("group".to_owned(), vec![template]);
        world
    }

    fn twist(&self, list: &str, token: &str, before: usize) -> Option<Twist> {
        let second = format!("p{}", self.page_size);
        if self.dead.iter().any(|dead| *dead == list) && token == second && before == 0 {
            let died = Refusal::stated(Code::InvalidArgument, "cursor expired");
            return Some(Twist::Fail(died));
        }
        let of_group = list.strip_prefix("grants group:g")?;
        let group: usize = of_group.parse().ok()?;
        if self.forbidden.contains(&group) {
            let refused = Refusal::stated(Code::PermissionDenied, "no");
            return Some(Twist::Fail(refused));
        }
        // The first page names the second list; nothing names a third.
        let is_split = self.split.contains(&group)
            && token.is_empty()
            && self.grants_of(group) > self.page_size;
        let second = match self.page_size {
            1 => &["p1"],
            2 => &["p2"],
            _ => &["p3"],
        };
        is_split.then_some(Twist::Spawn("", second))
    }

    fn grants_of(&self, group: usize) -> usize {
        let members = self.groups.get(group).map_or(0, |bits| bits.count_ones());
        members as usize + usize::from(self.repeating.contains(&group) && group > 0)
    }

    fn scripted(&self) -> World {
        let story = self.clone();
        self.world()
            .hooked(move |list, token, before| story.twist(list, token, before))
    }
}

/// What is told of a run, save how it came about.
fn told(report: &Report) -> String {
    format!(
        "{:?} {} {} {:?} {:?} {:?}",
        report.completeness,
        report.unreadable,
        report.vanished,
        report.skipped,
        report.dropped,
        report.warnings
    )
}

fn request(sandbox: &Sandbox, workers: Workers, v3: bool) -> SyncRequest {
    SyncRequest {
        workers,
        format: Some(if v3 { Format::V3 } else { Format::V1 }),
        allow_partial: true,
        ..sandbox.request()
    }
}

/// One run after the other, each but the last stopped at a call.
async fn interrupted(story: &Story, runs: &Runs) -> (Sandbox, Report, Vec<String>) {
    let sandbox = Sandbox::new();
    let workers = Workers::AtMost(runs.workers);
    let mut asked = Vec::new();
    for stop in &runs.stops {
        let runner = Sandbox::new();
        let (cancel, count, stop) = (runner.cancel.clone(), AtomicUsize::new(0), *stop);
        let plot = story.clone();
        let world = story
            .world()
            .slow(runs.seed)
            .hooked(move |list, token, before| {
                if count.fetch_add(1, Ordering::Relaxed) + 1 == stop {
                    cancel.cancel();
                }
                plot.twist(list, token, before)
            });
        let world = Arc::new(world);
        let request = request(&sandbox, workers, runs.v3);
        let result = baton_sync::run(world.clone(), request, runner.host()).await;
        asked.extend(world.calls());
        match result {
            Ok(report) => return (sandbox, report, asked),
            Err(Error::Interrupted { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    let world = Arc::new(story.scripted());
    let last = sandbox
        .run(&world, request(&sandbox, workers, runs.v3))
        .await;
    asked.extend(world.calls());
    (sandbox, last.expect("sealed"), asked)
}

async fn compare(story: &Story, runs: &Runs) {
    let undisturbed = Sandbox::new();
    let world = Arc::new(story.scripted());
    let wanted = request(&undisturbed, Workers::Sequential, runs.v3);
    let expected = undisturbed.run(&world, wanted).await.expect("sealed");
    let (sandbox, report, mut asked) = interrupted(story, runs).await;
    assert_eq!(rows(&sandbox.target()), rows(&undisturbed.target()));
    assert_eq!(told(&report), told(&expected));
    // Only a list whose cursor died is read again.
    if story.dead.is_empty() {
        let mut once = world.calls();
        once.sort();
        asked.sort();
        assert_eq!(asked, once);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn interruptions_and_workers_make_no_difference(story in story(), runs in runs()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(compare(&story, &runs));
    }
}
