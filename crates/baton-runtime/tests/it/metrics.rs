//! Metrics of a whole program in service mode, compared with what the simulator saw.

#![allow(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "the numbers are small and exact"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use baton_metrics::TextForm;
use baton_proto::Code;
use baton_runtime::Signal;
use c1_sim::{Action, Call, Fault};

use crate::checker::{Exposition, checked};
use crate::probes::SERVED;
use crate::service_mode::{GRANT, Live, SYNC, World};

/// Reads the metrics in this form.
fn scrape(port: u16, form: TextForm) -> Exposition {
    let accept = match form {
        TextForm::Prometheus => "*/*",
        TextForm::OpenMetrics => {
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3"
        }
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let content_type = format!("content-type: {}", form.content_type());
    assert!(head.contains(&content_type), "{head}");
    checked(body, form)
}

#[test]
fn the_metrics_of_a_service_are_what_the_simulator_saw() {
    let mut world = World::new();
    let refused = Action::status(Code::Unavailable, "as planned");
    world
        .simulator
        .fault(Fault::nth(Call::GetTask, 1, refused))
        .unwrap();
    world.plan(SYNC);
    world.plan(GRANT);
    let outcome = world.run_beside(SERVED, |live: &Live| {
        let port = live.port();
        live.until("two reports", |live| live.simulator.finished().len() >= 2);
        let seen = scrape(port, TextForm::OpenMetrics);
        assert_eq!(seen.value("baton_service_accepted", &[]), Some(1.0));
        let seen = scrape(port, TextForm::Prometheus);
        let of = |name: &str, labels: &[(&str, &str)]| {
            let value = seen.value(name, labels);
            value.unwrap_or_else(|| panic!("{name} {labels:?}: {seen:#?}"))
        };
        let (done, failed) = (("result", "success"), ("result", "failure"));
        for (kind, done_count, failed_count) in [
            ("sync_full", 1.0, 0.0),
            ("grant", 0.0, 1.0),
            ("revoke", 0.0, 0.0),
        ] {
            let kind = ("type", kind);
            assert_eq!(of("baton_tasks_total", &[kind, done]), done_count);
            assert_eq!(of("baton_tasks_total", &[kind, failed]), failed_count);
        }
        for kind in ["sync_full", "grant"] {
            assert_eq!(of("baton_tasks_running", &[("type", kind)]), 0.0);
        }
        assert_eq!(of("baton_syncs_total", &[("result", "complete")]), 1.0);
        let uploads = live.simulator.uploads();
        let received: usize = uploads.iter().map(|upload| upload.bytes.len()).sum();
        let file = ("file", "sync_file");
        assert_eq!(of("baton_upload_bytes_total", &[file]), received as f64);
        assert_eq!(of("baton_uploads_total", &[file, ("code", "OK")]), 1.0);
        let unavailable = ("code", "Unavailable");
        assert_eq!(of("baton_poll_failures_total", &[unavailable]), 1.0);
        let build = seen
            .samples
            .iter()
            .find(|one| one.name == "baton_build_info");
        assert_eq!(build.unwrap().labels["program"], "baton-toy");
        if cfg!(target_os = "linux") {
            assert!(of("process_resident_memory_bytes", &[]) > 1e6);
        }
        // No id of a task, a client or a sync is in any label.
        let labels = seen.samples.iter().flat_map(|one| one.labels.values());
        for value in labels {
            let is_id = ["S0000", "G0000", "sim@", "tenant", "o-1"];
            assert!(!is_id.iter().any(|id| value.contains(id)), "{value}");
        }
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
}

#[test]
fn a_scrape_during_a_sync_counts_it_as_running() {
    let mut world = World::new();
    let go = Arc::new(tokio::sync::Notify::new());
    let held = Arc::clone(&go);
    world.stage.engine = Arc::new(move |connector, request, host| {
        let held = Arc::clone(&held);
        Box::pin(async move {
            held.notified().await;
            baton_sync::run(connector, request, host).await
        })
    });
    world.plan(SYNC);
    let running = |port| {
        let seen = scrape(port, TextForm::Prometheus);
        seen.value("baton_tasks_running", &[("type", "sync_full")])
    };
    let outcome = world.run_beside(SERVED, |live: &Live| {
        let port = live.port();
        live.until("a running sync", |_| running(port) == Some(1.0));
        assert!(live.simulator.finished().is_empty());
        go.notify_one();
        live.until("the end of the sync", |_| running(port) == Some(0.0));
        live.until("a report", |live| !live.simulator.finished().is_empty());
        live.signal(Signal::Terminate);
    });
    assert_eq!(outcome.status.code(), 0, "{}", outcome.stderr);
}
