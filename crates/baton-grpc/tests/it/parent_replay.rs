//! What Go engines sent to their connector, in their order, sent to a server of ours.
//! The limiter's answers are equal byte for byte; a call that the Go connector answered
//! well is answered well, and one that it refused for its request is refused the same.

use std::collections::BTreeMap;

use crate::every_service;
use crate::raw::{Connection, framed, request};
use crate::recordings::{Recorded, file, runs_of_engines};
use crate::replay::{services, stand_in};

/// Runs in which the recorder changed the answers of the connector: what the engine
/// sent is as good, and the answers say nothing about it.
fn answers_were_changed(run: &str) -> bool {
    run.starts_with("parent/fault-")
}

fn bytes(run: &str, name: &str) -> Vec<u8> {
    match name.strip_prefix("hex:") {
        Some(hex) => (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect(),
        None => file(&format!("{run}/{name}")).to_vec(),
    }
}

/// What the connectors of the recordings hold, and ours do not.
fn is_of_the_connector(row: &Recorded) -> bool {
    let code = row.get("code");
    matches!(row.get("method"), "InvokeAction" | "GetActionStatus" | "CreateAccount")
        // The stand-in's own refusals of grants and page tokens.
        || row.get("message").contains("baton-atlassian")
        || (code != "0" && row.get("message").contains("page token"))
        || row.get("message").contains("404 X")
}

#[tokio::test(start_paused = true)]
async fn what_go_engines_send_is_answered() {
    let mut failures = Vec::new();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (run, rows) in runs_of_engines() {
        let is_full = run.starts_with("parent/full-");
        let connector = if is_full {
            every_service::connector("")
        } else {
            stand_in()
        };
        let mut connection = Connection::of(services(connector, true, true)).await;
        // Of the runs with changed answers, not every request was kept.
        for row in rows.iter().filter(|row| !row.get("request").is_empty()) {
            let path = row.path();
            let sent = bytes(run, row.get("request"));
            let answer = connection.send(request(&path, framed(&sent))).await;
            let name = format!("{run} {} {}", row.get("n"), row.get("method"));
            *kinds.entry(row.get("method").to_owned()).or_default() += 1;
            let is_limiter = row.get("service") == "c1.ratelimit.v1.RateLimiterService";
            if is_limiter && !answers_were_changed(run) {
                let wanted = bytes(run, row.get("response"));
                if answer.code() != 0 || answer.only_message() != wanted {
                    failures.push(format!("{name}: {:?}", answer.message()));
                }
                continue;
            }
            if answers_were_changed(run) || is_of_the_connector(row) {
                // Understood, whatever the answer: no broken rule or unknown method.
                let refused = [3, 12, 13].contains(&answer.code());
                if refused && row.get("code") == "0" {
                    failures.push(format!("{name}: {} {}", answer.code(), answer.message()));
                }
                continue;
            }
            let got = (answer.code().to_string(), answer.message());
            let wanted = (row.get("code").to_owned(), row.message());
            if got != wanted {
                failures.push(format!("{name}: got {got:?}, wanted {wanted:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let all: usize = kinds.values().sum();
    assert!(all > 850 && kinds.len() >= 18, "{all} calls of {kinds:?}");
}
