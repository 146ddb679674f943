//! Faults of writes, and when changes become visible.

use std::time::Duration;

use atlassian_sim::{Config, HANG_LIMIT, Membership, Simulator, TransportFault, Writes};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::ask::{config, get, newest_events, path};
use crate::stage::{Stage, set_membership};

const USER: &str = r#"{"accountId": "{user}"}"#;

/// Every write with a body that changes something.
const WRITES: [(&str, &str, &str, &str); 8] = [
    (
        "POST v2/groups/{id}/memberships",
        "POST",
        "v2:directories/{dir}/groups/{group}/memberships",
        USER,
    ),
    (
        "DELETE v2/groups/{id}/memberships/{member}",
        "DELETE",
        "v2:directories/{dir}/groups/{group}/memberships/{user}",
        "",
    ),
    (
        "POST v1/users/{id}/roles/assign",
        "POST",
        "v1:users/{user}/roles/assign",
        r#"{"role": "atlassian/user", "resource": "{jira}"}"#,
    ),
    (
        "POST v1/users/{id}/roles/revoke",
        "POST",
        "v1:users/{user}/roles/revoke",
        r#"{"role": "atlassian/user", "resource": "{jira}"}"#,
    ),
    (
        "POST v2/groups/{id}/role-assignments/assign",
        "POST",
        "v2:directories/{dir}/groups/{group}/role-assignments/assign",
        r#"{"roleId": "atlassian/user", "resourceId": "{jira}"}"#,
    ),
    (
        "POST v2/groups/{id}/role-assignments/revoke",
        "POST",
        "v2:directories/{dir}/groups/{group}/role-assignments/revoke",
        r#"{"roleId": "atlassian/user", "resourceId": "{jira}"}"#,
    ),
    (
        "POST v1/users/{id}/role-assignments/assign",
        "POST",
        "v1:users/{user}/role-assignments/assign",
        r#"{"role": "atlassian/org-admin"}"#,
    ),
    (
        "POST v1/users/{id}/role-assignments/revoke",
        "POST",
        "v1:users/{user}/role-assignments/revoke",
        r#"{"role": "atlassian/org-admin"}"#,
    ),
];

fn set_fault(sim: &Simulator, endpoint: &str, action: &str) {
    sim.set_faults(vec![format!("{endpoint}#1={action}").parse().unwrap()]);
}

#[tokio::test(start_paused = true)]
async fn each_write_can_be_carried_out_without_an_answer() {
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
    ] {
        let effective = ["lose-answer", "hang", "mask:503"].contains(&action);
        let stage = Stage::new();
        for (endpoint, method, path, body) in WRITES {
            set_fault(&stage.sim, endpoint, action);
            let begin = tokio::time::Instant::now();
            let answer = stage.send(method, path, body).await;
            assert_eq!(stage.changed(), effective, "{endpoint} {action}");
            let reset = ["lose-answer", "hang", "reset"].contains(&action);
            assert_eq!(answer.fault == Some(TransportFault::ConnectionReset), reset);
            let logged = stage.sim.requests().pop().unwrap().status;
            assert_eq!(logged, if reset { 0 } else { answer.status.as_u16() });
            assert!(action != "hang" || begin.elapsed() >= HANG_LIMIT);
            let again = stage.send(method, path, body).await;
            let absent = method == "DELETE" && effective;
            let expected = if absent {
                StatusCode::NOT_FOUND
            } else {
                StatusCode::NO_CONTENT
            };
            assert_eq!(again.status, expected, "{endpoint} {action}: again");
            assert_eq!(stage.changed(), !effective, "{endpoint} {action}: again");
        }
    }
}

#[tokio::test]
async fn a_429_of_a_write_comes_with_and_without_retry_after() {
    let stage = Stage::new();
    for (rule, expected) in [("429", None), ("429:retry-after=7", Some("7"))] {
        set_fault(&stage.sim, WRITES[0].0, rule);
        let answer = stage.send(WRITES[0].1, WRITES[0].2, WRITES[0].3).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("retry-after"), expected);
    }
    set_fault(&stage.sim, WRITES[2].0, "429");
    let answer = stage.send(WRITES[2].1, WRITES[2].2, WRITES[2].3).await;
    assert_eq!(answer.json()["code"], json!(429));
    assert!(stage.sim.writes().iter().all(|r| !r.changed));
}

#[tokio::test]
async fn rules_by_page_carry_a_write_out_once() {
    let stage = Stage::new();
    let rule = format!("{}@last#1=delay:1ms", WRITES[0].0);
    stage.sim.set_faults(vec![rule.parse().unwrap()]);
    let answer = stage.send(WRITES[0].1, WRITES[0].2, WRITES[0].3).await;
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
    stage.send(WRITES[0].1, WRITES[0].2, WRITES[0].3).await;
    let writes = sim.writes();
    let facts: Vec<_> = writes.iter().map(|w| (w.endpoint, w.changed)).collect();
    assert_eq!(
        facts,
        [
            (None, false),
            (Some("POST v1/users/invite"), false),
            (Some(WRITES[0].0), true)
        ]
    );
    assert_eq!(writes[2].method, "POST");
    assert_eq!(writes[2].path, path(sim, &stage.fill(WRITES[0].2)));
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
    let (_, method, path, body) = WRITES[6];
    stage.send(method, path, body).await;
    let (_, method, path, body) = WRITES[0];
    assert_eq!(
        stage.send(method, path, body).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        stage.send(method, path, body).await.status,
        StatusCode::CONFLICT
    );
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
    let (_, method, path, body) = WRITES[0];
    stage.send(method, path, body).await;
    org.remove_member(&group, &user).unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(!stage.is_member(&group, &user));
    stage.send(method, path, body).await;
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
        set_fault(&stage.sim, WRITES[0].0, action);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = stage.sim.serve(listener).unwrap();
        let path = path(&stage.sim, &stage.fill(WRITES[0].2));
        let (token, body) = (stage.sim.access_token(), stage.fill(WRITES[0].3));
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
