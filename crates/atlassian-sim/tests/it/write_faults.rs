//! Faults of writes, and when changes become visible.

use std::time::Duration;

use atlassian_sim::{
    Answers, Config, Generation, HANG_LIMIT, Membership, Simulator, TransportFault, Writes,
};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{config, get, ids, newest_events, path};
use crate::stage::{Stage, set_membership};
use crate::write_table::{ADD_MEMBER, ASSIGN, PROMOTE, RETIRED, WRITES, Write};

fn set_fault(sim: &Simulator, endpoint: &str, action: &str) {
    sim.set_faults(vec![format!("{endpoint}#1={action}").parse().unwrap()]);
}

/// Sends each write under each fault, and once more without it.
async fn meet_faults(config: Config, writes: &[Write]) {
    for action in [
        "lose-answer",
        "hang",
        "mask:503",
        "html:502",
        "reset",
        "503",
        "429",
        "409:ADMIN-UAM-409-3",
        "409:ADMIN-UAM-409-2",
        "409:ADMIN-409-28",
        "403:ADMIN-UAM-403-1",
        "403:forbidden.action",
        "403:forbidden.targetUnverified",
        "409:conflict.lifecycleErrors",
        "409:uniqueness",
    ] {
        let effective = ["lose-answer", "hang", "mask:503"].contains(&action);
        let stage = Stage::of(config.clone());
        for write in writes {
            let name = write.endpoint;
            set_fault(&stage.sim, name, action);
            let begin = tokio::time::Instant::now();
            let answer = write.send(&stage).await;
            assert_eq!(stage.changed(), effective, "{name} {action}");
            let reset = ["lose-answer", "hang", "reset"].contains(&action);
            assert_eq!(answer.fault == Some(TransportFault::ConnectionReset), reset);
            let logged = stage.sim.requests().pop().unwrap().status;
            assert_eq!(logged, if reset { 0 } else { answer.status.as_u16() });
            assert!(action != "hang" || begin.elapsed() >= HANG_LIMIT);
            let again = write.send(&stage).await;
            if effective {
                assert_eq!(
                    (again.status.as_u16(), stage.changed()),
                    write.again,
                    "{name} {action}: again"
                );
            } else {
                assert!(
                    again.status.is_success() && stage.changed(),
                    "{name} {action}: again"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_write_can_be_carried_out_without_an_answer() {
    meet_faults(config(60, 12), &WRITES).await;
}

#[tokio::test(start_paused = true)]
async fn retired_suspensions_that_are_served_meet_the_same_faults() {
    let answers = Answers {
        retired_v1: Generation::Alive,
        ..Answers::default()
    };
    let config = Config {
        answers,
        ..config(60, 12)
    };
    meet_faults(config, &RETIRED).await;
}

#[tokio::test(start_paused = true)]
async fn each_write_that_changes_something_writes_an_event() {
    let stage = Stage::new();
    let newest = async || newest_events(&stage.sim).await[0]["id"].clone();
    let known = get(&stage.sim, "v1:event-actions").await.json();
    let known = ids(known["data"].as_array().unwrap(), "id");
    for write in &WRITES {
        let before = newest().await;
        let answer = write.send(&stage).await;
        assert!(
            answer.status.is_success() && stage.changed(),
            "{}",
            write.endpoint
        );
        assert_ne!(newest().await, before, "{}", write.endpoint);
        let action = &newest_events(&stage.sim).await[0]["attributes"]["action"];
        let action = action.as_str().unwrap();
        assert!(known.iter().any(|k| k == action), "{action}");
    }
}

#[test]
fn every_write_is_in_the_table() {
    let sim = crate::client::simulator(20, 2);
    let mut served = sim.write_endpoints();
    let mut tested = WRITES.map(|w| w.endpoint);
    served.sort_unstable();
    tested.sort_unstable();
    assert_eq!(served, tested);
}

#[tokio::test]
async fn an_injected_error_has_the_form_of_its_endpoint() {
    let stage = Stage::new();
    let cases = [
        (
            0,
            "409:ADMIN-UAM-409-2",
            "/errors/0/code",
            "ADMIN-UAM-409-2",
        ),
        (2, "429", "/message", "Too Many Requests"),
        (16, "403:forbidden.action", "/key", "forbidden.action"),
        (
            16,
            "403:forbidden.targetUnverified",
            "/key",
            "forbidden.targetUnverified",
        ),
        (16, "403", "/key", "forbidden"),
        (16, "404:notFound", "/key", "notFound"),
        (16, "404", "/key", "accountNotFound"),
        (16, "409", "/key", "conflict.lifecycleErrors"),
        (16, "409", "/context/accountId", "{member}"),
        (16, "401", "/key", "unauthorized"),
        (16, "429", "/key", "tooManyRequests"),
        (16, "503", "/key", "internalServerError"),
        (24, "409:uniqueness", "/scimType", "uniqueness"),
        (24, "503", "/status", "503"),
        (24, "429", "/status", "429"),
        (24, "401", "/error", "Unauthorized"),
        (24, "403", "/error", "Forbidden"),
    ];
    for (place, action, pointer, expected) in cases {
        let write = &WRITES[place];
        set_fault(&stage.sim, write.endpoint, action);
        let body = write.send(&stage).await.json();
        let found = body.pointer(pointer).and_then(|v| v.as_str());
        let expected = stage.fill(expected);
        assert_eq!(found, Some(expected.as_str()), "{action}: {body}");
        assert!(body["scimType"].is_null() || action.contains("uniqueness"));
    }
}

#[tokio::test]
async fn a_429_of_a_write_comes_with_and_without_retry_after() {
    let stage = Stage::new();
    for (rule, expected) in [("429", None), ("429:retry-after=7", Some("7"))] {
        set_fault(&stage.sim, ADD_MEMBER.endpoint, rule);
        let answer = ADD_MEMBER.send(&stage).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("retry-after"), expected);
    }
    set_fault(&stage.sim, ASSIGN.endpoint, "429");
    let answer = ASSIGN.send(&stage).await;
    assert_eq!(answer.json()["code"], json!(429));
    assert!(stage.sim.writes().iter().all(|r| !r.changed));
}

#[tokio::test]
async fn rules_by_page_carry_a_write_out_once() {
    let stage = Stage::new();
    let rule = format!("{}@last#1=delay:1ms", ADD_MEMBER.endpoint);
    stage.sim.set_faults(vec![rule.parse().unwrap()]);
    let answer = ADD_MEMBER.send(&stage).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(stage.changed());
}

#[tokio::test]
async fn only_requests_that_change_something_count_as_writes() {
    let stage = Stage::new();
    let sim = &stage.sim;
    get(sim, "v2:directories").await;
    stage
        .send("POST", "v2:directories/-/users/search", "{}")
        .await;
    stage.send("POST", "v2:workspaces", "{}").await;
    assert!(sim.writes().is_empty());
    stage.send("POST", "v2:nothing", "{}").await;
    stage.send("POST", "v1:users/invite", "{}").await;
    ADD_MEMBER.send(&stage).await;
    let writes = sim.writes();
    let facts: Vec<_> = writes.iter().map(|w| (w.endpoint, w.changed)).collect();
    assert_eq!(
        facts,
        [
            (None, false),
            (Some("POST v1/users/invite"), false),
            (Some(ADD_MEMBER.endpoint), true)
        ]
    );
    assert_eq!(writes[2].method, "POST");
    assert_eq!(writes[2].path, path(sim, &stage.fill(ADD_MEMBER.path)));
    assert!(writes[2].body.contains(&stage.user));
}

#[tokio::test(start_paused = true)]
async fn changes_become_visible_after_their_delay_and_are_decided_on_at_once() {
    let seconds = Duration::from_secs;
    let stage = Stage::of(Config {
        visibility_delay: seconds(5),
        writes: Writes {
            organization_role_delay: Some(seconds(30)),
            readd_conflicts: true,
            ..Writes::default()
        },
        ..config(60, 12)
    });
    let (user, group) = (stage.user.clone(), stage.group.clone());
    let admin = || stage.role(&user, &stage.organization, "atlassian/org-admin");
    PROMOTE.send(&stage).await;
    assert_eq!(ADD_MEMBER.send(&stage).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ADD_MEMBER.send(&stage).await.status, StatusCode::CONFLICT);
    let settled = stage.sim.settled_truth();
    assert!(
        settled
            .memberships
            .iter()
            .any(|m| m.account_id == user && m.group_id == group)
    );
    tokio::time::advance(seconds(4)).await;
    assert!(!stage.is_member(&group, &user));
    tokio::time::advance(seconds(1)).await;
    assert!(stage.is_member(&group, &user));
    assert!(admin().is_none());
    tokio::time::advance(seconds(25)).await;
    assert!(admin().is_some());
    assert!(stage.sim.truth() == stage.sim.settled_truth());
    let events = newest_events(&stage.sim).await;
    let time = |name: &str| {
        let at = events[0]["attributes"][name].as_str().unwrap();
        at.parse::<jiff::Timestamp>().unwrap()
    };
    let late = time("processedAt").duration_since(time("time"));
    assert!(late.as_secs() >= 30, "{late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_by_the_handle_wins_over_a_pending_one() {
    let stage = Stage::of(Config {
        visibility_delay: Duration::from_secs(5),
        ..config(60, 12)
    });
    let org = stage.sim.organization();
    let (user, group) = (stage.user.clone(), stage.group.clone());
    ADD_MEMBER.send(&stage).await;
    org.remove_member(&group, &user).unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(!stage.is_member(&group, &user));
    ADD_MEMBER.send(&stage).await;
    set_membership(&stage, &user, &stage.directory, Membership::None);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(!stage.is_member(&group, &user));
    let (seen, settled) = (stage.sim.truth(), stage.sim.settled_truth());
    assert!(seen.memberships == settled.memberships);
}

#[tokio::test]
async fn an_answer_is_lost_on_a_socket_after_the_change() {
    for (action, answered) in [("lose-answer", false), ("reset", false), ("mask:500", true)] {
        let stage = Stage::new();
        set_fault(&stage.sim, ADD_MEMBER.endpoint, action);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = stage.sim.serve(listener).unwrap();
        let path = path(&stage.sim, &stage.fill(ADD_MEMBER.path));
        let (token, body) = (stage.sim.access_token(), stage.fill(ADD_MEMBER.body));
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes).await;
        assert_eq!(end.is_ok(), answered, "{action}");
        assert_eq!(bytes.starts_with(b"HTTP/1.1 500"), answered, "{action}");
        assert_eq!(
            stage.is_member(&stage.group, &stage.user),
            action != "reset"
        );
        server.shutdown().await.unwrap();
    }
}
