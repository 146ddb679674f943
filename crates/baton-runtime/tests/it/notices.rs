//! Notices of a program in service mode to a service manager.

use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_runtime::Signal;
use c1_sim::{Action, Call, Fault};

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

#[test]
fn the_watchdog_is_not_fed_while_the_threads_of_tasks_are_blocked() {
    let mut world = World::new();
    let manager = Manager::of(&mut world);
    let usec = OsString::from("200000");
    world.stage.env.insert("WATCHDOG_USEC".into(), usec);
    let one_thread = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    world.stage.runtime = Some(one_thread.unwrap());
    let is_blocked = Arc::new(AtomicBool::new(false));
    let is_released = Arc::new(AtomicBool::new(false));
    let (blocked, released) = (Arc::clone(&is_blocked), Arc::clone(&is_released));
    world.stage.engine = Arc::new(move |connector, request, host| {
        let (blocked, released) = (Arc::clone(&blocked), Arc::clone(&released));
        Box::pin(async move {
            // As no connector should.
            blocked.store(true, Ordering::Relaxed);
            for _ in 0..2_000 {
                if released.load(Ordering::Relaxed) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            baton_sync::run(connector, request, host).await
        })
    });
    world.plan(SYNC);
    let outcome = world.run_beside(&[], |live| {
        live.until("a blocked thread", |_| is_blocked.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(300));
        let fed = manager.count("WATCHDOG=1");
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(manager.count("WATCHDOG=1"), fed);
        is_released.store(true, Ordering::Relaxed);
        live.until("a free thread", |_| manager.count("WATCHDOG=1") > fed);
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
