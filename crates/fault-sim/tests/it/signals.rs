//! Signals, neighbours and leftovers, as a real process meets them.

use std::process::{Child, Command, Output};
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

use atlassian_sim::{Action, Calls, Fault, RetryAfter};

use crate::process::{Stage, output_text, rows, wait_until};

fn send(signal: &str, child: &Child) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success());
}

fn ended(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

#[test]
fn a_signal_finishes_the_pages_in_flight_and_the_next_run_goes_on() {
    let _starting = crate::STARTING
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let stage = Stage::new(25, Duration::from_millis(40));
        let args = ["--workers", "2", "--request-plan", "plain"];
        let child = stage.start(&args);
        stage.wait_for_requests(12);
        send(signal, &child);
        let output = ended(child);
        assert_eq!(output.status.code(), Some(code), "{}", output_text(&output));
        assert!(output_text(&output).contains("finishing the requests in flight"));
        assert!(
            output_text(&output).contains("run the same command again to resume"),
            "{}",
            output_text(&output)
        );
        assert!(!stage.target.exists());
        assert!(stage.log_bytes() > 0);
        let before = stage.asked();
        // What was asked for has been stored: nothing is asked again but the
        // credentials' check.
        stage.simulator.reset_log();
        let output = stage.run(&args);
        assert!(output.status.success(), "{}", output_text(&output));
        let again = stage.asked();
        let again: Vec<_> = again
            .keys()
            .filter(|key| before.contains_key(*key))
            .collect();
        assert!(
            again.iter().all(|key| key.contains("/v1/orgs")),
            "{again:#?}"
        );
        let other = stage.folder.path().join("whole.c1z");
        let whole = stage.command(&other, &[]).output().unwrap();
        assert!(whole.status.success());
        assert!(rows(&stage.target) == rows(&other));
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let _starting = crate::STARTING
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    // Answers that take an hour: nothing in flight would ever be finished.
    let stage = Stage::new(25, Duration::from_hours(1));
    let child = stage.start(&[]);
    stage.wait_for_requests(1);
    // In the check of the credentials there is nothing to finish; so the
    // first signal is enough there.
    send("-INT", &child);
    let output = ended(child);
    assert_eq!(output.status.code(), Some(130), "{}", output_text(&output));

    let stage = Stage::new(25, Duration::ZERO);
    let late = |list| Fault::new(list, Calls::All, Action::Delay(Duration::from_hours(1)));
    let lists = ["v2/users/search", "v2/users"];
    stage.simulator.set_faults(lists.map(late).into());
    let child = stage.start(&[]);
    wait_until(|| {
        let count = |name| stage.simulator.count(name);
        count("POST v2/users/search") + count("GET v2/users") > 0
    });
    send("-INT", &child);
    std::thread::sleep(Duration::from_millis(100));
    send("-TERM", &child);
    let output = ended(child);
    assert_eq!(output.status.code(), Some(143), "{}", output_text(&output));
    assert!(
        output_text(&output).contains("stopped at once"),
        "{}",
        output_text(&output)
    );
    stage.simulator.set_faults(Vec::new());
    let output = stage.run(&[]);
    assert!(output.status.success(), "{}", output_text(&output));
}

/// Whatever a request waits for, the first signal ends the process: far sooner
/// than the wait.
#[test]
fn one_signal_ends_every_wait_at_once() {
    let _starting = crate::STARTING
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let long = RetryAfter::Seconds(800);
    for (what, action) in [
        ("a stated wait after 429", Action::TooManyRequests(long)),
        ("a bare 429", Action::TooManyRequests(RetryAfter::Absent)),
    ] {
        for list in ["POST v2/users/search", "GET v2/users/{id}/role-assignments"] {
            let stage = Stage::new(25, Duration::ZERO);
            let fault = Fault::new(list, Calls::All, action.clone());
            stage.simulator.set_faults(vec![fault]);
            let child = stage.start(&["--request-plan", "plain"]);
            wait_until(|| stage.simulator.count(list) > 0);
            // All that can be answered was answered by then.
            std::thread::sleep(Duration::from_secs(1));
            let begun = Instant::now();
            send("-TERM", &child);
            let output = ended(child);
            let took = begun.elapsed();
            assert_eq!(
                output.status.code(),
                Some(143),
                "{what}: {}",
                output_text(&output)
            );
            assert!(took < Duration::from_secs(9), "{what} in {list}: {took:?}");
            assert!(!stage.target.exists());
            stage.simulator.set_faults(Vec::new());
            let output = stage.run(&[]);
            assert!(output.status.success(), "{what}: {}", output_text(&output));
        }
    }
}

#[test]
fn a_second_process_on_the_same_file_is_told_who_is_at_work() {
    let _starting = crate::STARTING
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let stage = Stage::new(25, Duration::from_millis(200));
    let mut first = stage.start(&[]);
    wait_until(|| stage.log_bytes() > 0);
    let asked = stage.simulator.total();
    let second = stage.run(&[]);
    assert_eq!(second.status.code(), Some(10), "{}", output_text(&second));
    assert!(
        output_text(&second).contains(&first.id().to_string()),
        "{}",
        output_text(&second)
    );
    assert!(stage.simulator.total() >= asked);
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock ends with its holder.
    let third = stage.run_to(60, &[]);
    assert_ne!(third.status.code(), Some(10), "{}", output_text(&third));
}

#[test]
fn work_of_another_version_is_set_aside_and_that_is_said() {
    let _starting = crate::STARTING
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let stage = Stage::new(25, Duration::ZERO);
    let killed = stage.run_to(30, &[]);
    assert_eq!(killed.status.code(), None, "{}", output_text(&killed));
    let log = stage.work().join("pages.log");
    let mut bytes = std::fs::read(&log).unwrap();
    // The layout's version stands behind the magic of eight bytes.
    bytes[8] ^= 0x40;
    std::fs::write(&log, bytes).unwrap();
    let output = stage.run(&[]);
    assert!(output.status.success(), "{}", output_text(&output));
    assert!(
        output_text(&output).contains("it was written by another version"),
        "{}",
        output_text(&output)
    );
    assert_eq!(stage.names(), ["sync.c1z"]);
}

#[test]
fn abandoned_working_folders_are_removed_and_that_is_said() {
    let _starting = crate::STARTING
        .read()
        .unwrap_or_else(PoisonError::into_inner);
    let stage = Stage::new(25, Duration::ZERO);
    let killed = stage.run_to(30, &[]);
    assert_eq!(killed.status.code(), None, "{}", output_text(&killed));
    let orphan = stage.folder.path().join(".gone.c1z.baton-work");
    std::fs::rename(stage.work(), &orphan).unwrap();
    let output = stage.run(&[]);
    assert!(output.status.success(), "{}", output_text(&output));
    assert!(orphan.is_dir(), "it may still be wanted");

    let long_ago = SystemTime::now() - Duration::from_hours(8 * 24);
    for name in ["pages.log", "lock"] {
        let file = std::fs::File::options()
            .write(true)
            .open(orphan.join(name))
            .unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let output = stage.run(&[]);
    assert!(output.status.success(), "{}", output_text(&output));
    assert!(!orphan.exists());
    assert!(
        output_text(&output).contains("removed the abandoned working folder"),
        "{}",
        output_text(&output)
    );
}
