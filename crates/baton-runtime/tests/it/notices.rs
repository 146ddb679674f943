//! Notices of a program in service mode to a service manager.

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::{Call as ConnectorCall, Validator};
use baton_runtime::Signal;
use c1_sim::{Action, Call, Fault, PlannedTask};

use crate::probes::ask;
use crate::service_mode::{SYNC, World};

/// A service manager that keeps the notices.
struct Manager {
    notices: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    /// One that the next run of `world` notifies.
    fn of(world: &mut World) -> Self {
        let path = world.stage.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        world.stage.env.insert("NOTIFY_SOCKET".into(), path.into());
        let notices: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&notices);
        // It ends with the process.
        std::thread::spawn(move || {
            let mut notice = [0; 1024];
            while let Ok(length) = socket.recv(&mut notice) {
                let text = String::from_utf8_lossy(&notice[..length]).into_owned();
                kept.lock().unwrap().push(text);
            }
        });
        Self { notices }
    }

    fn has(&self, text: &str) -> bool {
        let notices = self.notices.lock().unwrap();
        notices.iter().any(|notice| notice.contains(text))
    }

    fn count(&self, text: &str) -> usize {
        let notices = self.notices.lock().unwrap();
        notices
            .iter()
            .filter(|notice| notice.contains(text))
            .count()
    }

    fn all(&self) -> Vec<String> {
        self.notices.lock().unwrap().clone()
    }
}

#[test]
fn the_manager_hears_of_each_step() {
    let mut world = World::new();
    let manager = Manager::of(&mut world);
    let refused = Fault::nth(Call::Hello, 1, Action::Hang);
    world.simulator.fault(refused).unwrap();
    let outcome = world.run_beside(&[], |live| {
        // Before the service has accepted the program.
        live.until("ready", |_| {
            manager.has("READY=1\nSTATUS=calling ConductorOne\n")
        });
        assert_eq!(live.simulator.count(Call::GetTask), 0);
        live.until("a call", |live| live.simulator.count(Call::Hello) > 0);
        live.simulator.break_connections();
        live.until("work", |_| manager.has("STATUS=asking for tasks\n"));
        live.signal(Signal::Reload);
        live.until("a reload", |_| manager.count("READY=1") == 2);
        live.signal(Signal::Terminate);
        live.until("the end", |_| manager.has("STOPPING=1\nSTATUS=stopping\n"));
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let all = manager.all();
    let at = |text: &str| {
        all.iter()
            .position(|notice| notice.starts_with(text))
            .unwrap()
    };
    assert_eq!(at("READY=1"), 0, "{all:?}");
    let reloading = at("RELOADING=1\nMONOTONIC_USEC=");
    let again = all[reloading..]
        .iter()
        .find(|notice| notice.starts_with("READY=1"));
    assert_eq!(again.unwrap(), "READY=1\nSTATUS=asking for tasks\n");
    assert!(at("STOPPING=1") > reloading, "{all:?}");
    assert_eq!(manager.count("WATCHDOG=1"), 0);
}

#[test]
fn the_watchdog_is_fed_while_the_service_works() {
    let mut world = World::new();
    let manager = Manager::of(&mut world);
    world
        .stage
        .env
        .insert("WATCHDOG_USEC".into(), "400000".into());
    let outcome = world.run_beside(&[], |live| {
        live.until("the watchdog", |_| manager.count("WATCHDOG=1") >= 4);
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
}

/// Blocks the threads of its callers, which no connector should.
#[derive(Clone, Default)]
struct Blocks {
    blocked: Arc<AtomicU32>,
    released: Arc<AtomicBool>,
}

impl Blocks {
    fn block(&self) {
        self.blocked.fetch_add(1, Ordering::Relaxed);
        for _ in 0..2_000 {
            if self.released.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[async_trait]
impl Validator for Blocks {
    async fn validate(&self, _: &ConnectorCall) -> baton_connector::Result<Vec<prost_types::Any>> {
        self.block();
        Ok(Vec::new())
    }
}

#[test]
fn the_watchdog_is_not_fed_while_all_threads_are_blocked() {
    let mut world = World::new();
    let manager = Manager::of(&mut world);
    world
        .stage
        .env
        .insert("WATCHDOG_USEC".into(), "200000".into());
    let blocks = Blocks::default();
    let of_engine = blocks.clone();
    world.stage.engine = Arc::new(move |connector, request, host| {
        let blocks = of_engine.clone();
        Box::pin(async move {
            blocks.block();
            baton_sync::run(connector, request, host).await
        })
    });
    world.connect_with(blocks.clone());
    let flags = ["--health-check", "--health-check-port=0"];
    let outcome = world.run_beside(&flags, |live| {
        let port = live.port();
        let blocked = || blocks.blocked.load(Ordering::Relaxed);
        // One of the two threads is for a check, and the other one for a sync.
        std::thread::spawn(move || ask(port, "/health", Duration::from_secs(20)));
        live.until("a blocked thread", |_| blocked() == 1);
        live.simulator.plan(PlannedTask::from_json(SYNC).unwrap());
        live.until("two blocked threads", |_| blocked() == 2);
        std::thread::sleep(Duration::from_millis(300));
        let fed = manager.count("WATCHDOG=1");
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(manager.count("WATCHDOG=1"), fed);
        blocks.released.store(true, Ordering::Relaxed);
        live.until("free threads", |_| manager.count("WATCHDOG=1") > fed);
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
}

#[test]
fn the_status_counts_the_tasks_that_run() {
    let mut world = World::new();
    let manager = Manager::of(&mut world);
    world.stage.engine = Arc::new(|connector, request, host| {
        Box::pin(async move {
            host.cancel.cancelled().await;
            baton_sync::run(connector, request, host).await
        })
    });
    world.plan(SYNC);
    let second = SYNC.replace("S00", "T00");
    world.plan(&second);
    let outcome = world.run_beside(&[], |live| {
        live.until("tasks", |_| manager.has("STATUS=2 tasks are running\n"));
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let mut world = World::new();
    let manager = Manager::of(&mut world);
    world
        .stage
        .env
        .insert("WATCHDOG_USEC".into(), "100000".into());
    world.stage.env.insert("WATCHDOG_PID".into(), "1".into());
    world.run_beside(&[], |live| {
        live.until("work", |_| manager.has("STATUS=asking for tasks\n"));
        std::thread::sleep(Duration::from_millis(300));
        live.signal(Signal::Terminate);
    });
    assert_eq!(manager.count("WATCHDOG=1"), 0);
}

#[test]
fn a_socket_that_is_gone_is_one_warning() {
    let mut world = World::new();
    let gone = world.stage.path().join("gone");
    world.stage.env.insert("NOTIFY_SOCKET".into(), gone.into());
    world
        .stage
        .env
        .insert("WATCHDOG_USEC".into(), "100000".into());
    let outcome = world.run_beside(&[], |live| {
        live.until("polls", |live| live.simulator.count(Call::GetTask) > 0);
        std::thread::sleep(Duration::from_millis(500));
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
    let warning = "cannot send notices to the service manager";
    assert_eq!(
        outcome.stderr.matches(warning).count(),
        1,
        "{}",
        outcome.stderr
    );
}

#[test]
fn nothing_is_sent_if_the_port_of_probes_cannot_be_bound() {
    let mut world = World::new();
    let manager = Manager::of(&mut world);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("--health-check-port={}", taken.local_addr().unwrap().port());
    let outcome = world.run_beside(&["--health-check", &port], |_| {});
    assert_eq!(outcome.status.code(), 2, "{}", outcome.stderr);
    assert_eq!(manager.all(), Vec::<String>::new());
}
