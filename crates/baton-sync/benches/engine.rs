//! The engine with a connector that costs nothing: from the pages to the
//! finished file.
//!
//! 50,000 users, 1,000 groups with 1,000 members each (another number of
//! groups as argument), whole messages embedded as the Go tools write them.
//! Prints the time of each phase, the size of the file and the peak memory
//! of the process.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
#![allow(clippy::print_stdout)] // a bench reports on stdout
#![allow(clippy::unwrap_used)] // and may end on anything unexpected

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use baton_connector::resource::{
    EntitlementBuilder, GrantBuilder, Profile, ResourceBuilder, ResourceTypeBuilder,
    UserTraitBuilder,
};
use baton_connector::{Call, Connector, Page, Result, Row, SplitMix, SystemClock};
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_sync::{Event, Observer, SyncHost, SyncRequest};
use prost_types::Any;
use tokio_util::sync::CancellationToken;

const USERS: usize = 50_000;
const MEMBERS: usize = 1_000;
const PAGE: usize = 1_000;

struct Organization {
    users: Vec<v2::Resource>,
    groups: Vec<v2::Resource>,
}

impl Organization {
    fn of(groups: usize) -> Self {
        let user = |n: usize| {
            let profile = Profile::new()
                .text("email", format!("user{n}@example.test"))
                .text("nickname", format!("u{n}"))
                .text("account_status", "active");
            ResourceBuilder::new("user", format!("712020:{n:08}"))
                .display_name(format!("User Number {n}"))
                .profile(profile)
                .user(UserTraitBuilder::new().primary_email(format!("user{n}@example.test")))
                .build()
                .unwrap()
        };
        let group = |n: usize| {
            ResourceBuilder::new("group", format!("group-{n:06}"))
                .display_name(format!("Group Number {n}"))
                .group()
                .build()
                .unwrap()
        };
        Self {
            users: (0..USERS).map(user).collect(),
            groups: (0..groups).map(group).collect(),
        }
    }
}

fn page<T: Clone>(items: &[T], token: &str) -> Page<T> {
    let start: usize = token.parse().unwrap_or(0);
    let end = items.len().min(start + PAGE);
    let next = if end < items.len() {
        end.to_string()
    } else {
        String::new()
    };
    Page::new(items[start..end].to_vec(), next)
}

fn member(group: &v2::Resource) -> v2::Entitlement {
    EntitlementBuilder::assignment(group, "member")
        .build()
        .unwrap()
}

#[async_trait]
impl Connector for Organization {
    async fn metadata(&self, _: &Call) -> Result<v2::ConnectorMetadata> {
        Ok(v2::ConnectorMetadata::default())
    }

    async fn validate(&self, _: &Call) -> Result<Vec<Any>> {
        Ok(Vec::new())
    }

    async fn list_resource_types(&self, _: &Call) -> Result<Page<v2::ResourceType>> {
        let kind = |id: &str, declared| {
            let built = ResourceTypeBuilder::new(id, id).with_trait(declared);
            built.build().unwrap()
        };
        Ok(Page::last(vec![
            kind("user", Trait::User),
            kind("group", Trait::Group),
        ]))
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        _: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        Ok(match type_id {
            "user" => page(&self.users, call.token()),
            _ => page(&self.groups, call.token()),
        })
    }

    async fn list_static_entitlements(&self, _: &Call, _: &str) -> Result<Page<v2::Entitlement>> {
        Ok(Page::empty())
    }

    async fn list_entitlements(
        &self,
        _: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        let is_group = resource.id.as_ref().unwrap().resource_type == "group";
        Ok(if is_group {
            Page::last(vec![member(resource)])
        } else {
            Page::empty()
        })
    }

    async fn list_grants(&self, _: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        let id = resource.id.as_ref().unwrap();
        let Some(number) = id.resource.strip_prefix("group-") else {
            return Ok(Page::empty());
        };
        let first = number.parse::<usize>().unwrap() * 37;
        let entitlement = member(resource);
        let grant = |n: usize| {
            let user = &self.users[(first + n) % USERS];
            GrantBuilder::of(&entitlement, user).build().unwrap()
        };
        Ok(Page::last((0..MEMBERS).map(grant).collect()))
    }

    async fn get_resource(
        &self,
        _: &Call,
        _: &v2::ResourceId,
        _: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        Ok(None)
    }

    async fn cleanup(&self, _: &Call) -> Result<()> {
        Ok(())
    }
}

struct Stopwatch(Mutex<Instant>);

impl Observer for Stopwatch {
    fn event(&self, event: &Event) {
        if let Event::PhaseFinished { phase, rows } = event {
            let mut since = self.0.lock().unwrap();
            let took = since.elapsed();
            *since = Instant::now();
            println!("{:>20} {rows:>9} rows {}", phase.name(), seconds(took));
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:>6.2} s", time.as_secs_f64())
}

/// Peak memory of the process so far, in MB.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1000
}

#[tokio::main]
async fn main() {
    let groups = std::env::args().find_map(|arg| arg.parse().ok());
    let organization = Arc::new(Organization::of(groups.unwrap_or(1_000)));
    let before = peak_mb();
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let host = SyncHost {
        clock: Arc::new(SystemClock),
        random: Arc::new(SplitMix::seeded(7)),
        cancel: CancellationToken::new(),
        observer: Arc::new(Stopwatch(Mutex::new(start))),
    };
    let request = SyncRequest::new(folder.path().join("sync.c1z"));
    let report = baton_sync::run(organization, request, host).await.unwrap();
    let bytes = std::fs::metadata(&report.path).unwrap().len();
    println!(
        "{:>20} {:>9} grants {}",
        "all",
        report.stats.grants,
        seconds(start.elapsed())
    );
    println!(
        "file {} MB, peak memory {} MB, of which the organization {before} MB",
        bytes / 1_000_000,
        peak_mb()
    );
}
