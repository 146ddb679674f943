//! Faults of writes, and when changes become visible.

use std::time::Duration;

use atlassian_sim::{Config, HANG_LIMIT, Membership, Simulator, TransportFault, Writes};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Answer, config, get, newest_events, path};
use crate::stage::{Stage, set_membership};

/// A write that changes something, and what it answers when it is sent again.
struct Write {
    endpoint: &'static str,
    path: &'static str,
    body: &'static str,
    /// Status, and whether it changes something.
    again: (u16, bool),
}

impl Write {
    fn method(&self) -> &'static str {
        self.endpoint.split(' ').next().unwrap()
    }

    async fn send(&self, stage: &Stage) -> Answer {
        stage.send(self.method(), self.path, self.body).await
    }
}

const fn write(
    endpoint: &'static str,
    path: &'static str,
    body: &'static str,
    again: (u16, bool),
) -> Write {
    Write {
        endpoint,
        path,
        body,
        again,
    }
}

const ADD_MEMBER: Write = write(
    "POST v2/groups/{id}/memberships",
    "v2:directories/{dir}/groups/{group}/memberships",
    r#"{"accountId": "{user}"}"#,
    (204, false),
);
const ASSIGN: Write = write(
    "POST v1/users/{id}/roles/assign",
    "v1:users/{user}/roles/assign",
    r#"{"role": "atlassian/user", "resource": "{jira}"}"#,
    (204, false),
);
const PROMOTE: Write = write(
    "POST v1/users/{id}/role-assignments/assign",
    "v1:users/{user}/role-assignments/assign",
    r#"{"role": "atlassian/org-admin"}"#,
    (204, false),
);

/// Every write, in an order in which each finds something to change.
const WRITES: [Write; 32] = [
    ADD_MEMBER,
    write(
        "DELETE v2/groups/{id}/memberships/{member}",
        "v2:directories/{dir}/groups/{group}/memberships/{user}",
        "",
        (404, false),
    ),
    ASSIGN,
    write(
        "POST v1/users/{id}/roles/revoke",
        "v1:users/{user}/roles/revoke",
        r#"{"role": "atlassian/user", "resource": "{jira}"}"#,
        (204, false),
    ),
    write(
        "POST v2/groups/{id}/role-assignments/assign",
        "v2:directories/{dir}/groups/{group}/role-assignments/assign",
        r#"{"roleId": "atlassian/user", "resourceId": "{jira}"}"#,
        (204, false),
    ),
    write(
        "POST v2/groups/{id}/role-assignments/revoke",
        "v2:directories/{dir}/groups/{group}/role-assignments/revoke",
        r#"{"roleId": "atlassian/user", "resourceId": "{jira}"}"#,
        (204, false),
    ),
    PROMOTE,
    write(
        "POST v1/users/{id}/role-assignments/revoke",
        "v1:users/{user}/role-assignments/revoke",
        r#"{"role": "atlassian/org-admin"}"#,
        (204, false),
    ),
    write(
        "POST v2/users/{id}/suspend",
        "v2:directories/{dir}/users/{user}/suspend",
        "",
        (204, false),
    ),
    write(
        "POST v2/users/{id}/restore",
        "v2:directories/{dir}/users/{user}/restore",
        "",
        (204, false),
    ),
    write(
        "POST v2/groups",
        "v2:directories/{dir}/groups",
        r#"{"name": "new"}"#,
        (409, false),
    ),
    write(
        "DELETE v2/groups/{id}",
        "v2:directories/{dir}/groups/{group}",
        "",
        (404, false),
    ),
    write(
        "DELETE v2/users/{id}",
        "v2:directories/{dir}/users/{user}",
        "",
        (404, false),
    ),
    write(
        "POST v2/users/invite",
        "v2:users/invite",
        r#"{"emails": ["new@other.example"]}"#,
        (200, true),
    ),
    write(
        "POST users/{id}/manage/lifecycle/disable",
        "/users/{member}/manage/lifecycle/disable",
        "",
        (204, false),
    ),
    write(
        "POST users/{id}/manage/lifecycle/enable",
        "/users/{member}/manage/lifecycle/enable",
        "",
        (204, false),
    ),
    write(
        "POST users/{id}/manage/lifecycle/delete",
        "/users/{member}/manage/lifecycle/delete",
        "",
        (409, false),
    ),
    write(
        "POST users/{id}/manage/lifecycle/cancel-delete",
        "/users/{member}/manage/lifecycle/cancel-delete",
        "",
        (409, false),
    ),
    write(
        "DELETE users/{id}/manage/api-tokens/{token}",
        "/users/{member}/manage/api-tokens/{token}",
        "",
        (404, false),
    ),
    write(
        "PATCH users/{id}/manage/profile",
        "/users/{member}/manage/profile",
        r#"{"name": "Mem Two"}"#,
        (200, false),
    ),
    write(
        "PUT users/{id}/manage/email",
        "/users/{member}/manage/email",
        r#"{"email": "mem.two@{domain}"}"#,
        (204, false),
    ),
    write(
        "POST api-access/v1/api-keys",
        "api-access/v1:api-keys",
        r#"{"label": "second"}"#,
        (200, true),
    ),
    write(
        "PATCH api-access/v1/api-keys/revoke/{key}",
        "api-access/v1:api-keys/revoke/{key}",
        "",
        (204, true),
    ),
    write(
        "DELETE api-access/v1/api-tokens",
        "api-access/v1:api-tokens",
        "",
        (204, false),
    ),
    write(
        "POST scim/Users",
        "scim:Users",
        r#"{"userName": "kim", "emails": [{"value": "kim@{domain}", "primary": true}]}"#,
        (409, false),
    ),
    write(
        "PUT scim/Users/{id}",
        "scim:Users/{scim_user}",
        r#"{"userName": "kim", "title": "Engineer", "emails": [{"value": "kim@{domain}", "primary": true}]}"#,
        (200, false),
    ),
    write(
        "PATCH scim/Users/{id}",
        "scim:Users/{scim_user}",
        r#"{"Operations": [{"op": "replace", "path": "active", "value": false}]}"#,
        (200, false),
    ),
    write(
        "POST scim/Groups",
        "scim:Groups",
        r#"{"displayName": "provided"}"#,
        (409, false),
    ),
    write(
        "PATCH scim/Groups/{id}",
        "scim:Groups/{scim_group}",
        r#"{"Operations": [{"op": "add", "path": "members", "value": [{"value": "{scim_user}"}]}]}"#,
        (200, false),
    ),
    write(
        "PUT scim/Groups/{id}",
        "scim:Groups/{scim_group}",
        r#"{"displayName": "provided"}"#,
        (200, false),
    ),
    write(
        "DELETE scim/Groups/{id}",
        "scim:Groups/{scim_group}",
        "",
        (404, false),
    ),
    write(
        "DELETE scim/Users/{id}",
        "scim:Users/{scim_user}",
        "",
        (404, false),
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
        "403:forbidden.action",
        "403:forbidden.targetUnverified",
        "409:conflict.lifecycleErrors",
        "409:uniqueness",
    ] {
        let effective = ["lose-answer", "hang", "mask:503"].contains(&action);
        let stage = Stage::new();
        for write in &WRITES {
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
