//! The token endpoint, and the tokens of calls.

use std::time::Duration;

use c1_sim::{Call, ClientKey, Simulator};
use http::StatusCode;
use serde_json::json;

use crate::client::{Assertion, Client, ID, START, config, form, verdict};

/// The fields of a form.
type Form<'a> = Vec<(&'a str, &'a str)>;

async fn status(simulator: &Simulator, assertion: &Assertion) -> StatusCode {
    let response = simulator.token(assertion.request()).await.unwrap();
    response.status()
}

#[tokio::test(start_paused = true)]
async fn a_correct_request_gets_a_token_and_the_date() {
    let simulator = Simulator::new(config());
    let request = Assertion::at(START, 1).request();
    let response = simulator.token(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["date"], "Mon, 30 Nov 2026 00:53:20 GMT");
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let expected = json!({
        "access_token": "c1-sim-access-token-1", "token_type": "Bearer", "expires_in": 3600
    });
    assert_eq!(body, expected);
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_audience_is_a_string_or_a_list_of_one() {
    for (aud, expected) in [
        (json!("tenant.test"), 200),
        (json!(["tenant.test"]), 200),
        (json!(["tenant.test", "tenant.test"]), 401),
        (json!([]), 401),
        (json!("tenant.test:443"), 401),
    ] {
        let mut assertion = Assertion::at(START, 1);
        assertion.claims["aud"] = aud.clone();
        let simulator = Simulator::new(config());
        assert_eq!(status(&simulator, &assertion).await, expected, "{aud}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_wrong_assertion_is_refused_and_noted() {
    let change = |part: &str, name: &str, value: serde_json::Value| {
        let mut assertion = Assertion::at(START, 1);
        let part = match part {
            "header" => &mut assertion.header,
            _ => &mut assertion.claims,
        };
        part[name] = value;
        assertion
    };
    for (assertion, text) in [
        (change("header", "alg", json!("none")), "`alg` is `none`"),
        (
            change("header", "nonce", json!("short")),
            "the nonce has not 32",
        ),
        (
            change("header", "nonce", json!("A".repeat(32))),
            "the nonce has not 32",
        ),
        (
            change("header", "typ", json!("JWT")),
            "the header cannot be read: unknown field `typ`",
        ),
        (change("claims", "iss", json!("other")), "`iss` is `other`"),
        (change("claims", "sub", json!("other")), "`sub` is `other`"),
        (
            change("claims", "exp", json!(START + 119)),
            "from `nbf` to `exp` are 239 s",
        ),
        (
            change("claims", "iat", json!(START - 1)),
            "`iat` is not in the middle",
        ),
        (
            change("claims", "jti", json!("x")),
            "the payload cannot be read: unknown field `jti`",
        ),
        (
            change("claims", "exp", json!("soon")),
            "the payload cannot be read",
        ),
    ] {
        let simulator = Simulator::new(config());
        assert_eq!(status(&simulator, &assertion).await, 401);
        let found = verdict(&simulator);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("Token 1: {text}")),
            "{found:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_wrong_form_is_refused_and_noted() {
    let assertion = Assertion::at(START, 1).text();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let right = [
        ("client_id", ID),
        ("grant_type", "client_credentials"),
        ("client_assertion_type", kind),
        ("client_assertion", assertion.as_str()),
    ];
    let without = |name: &str| {
        right
            .into_iter()
            .filter(|(field, _)| *field != name)
            .collect()
    };
    let with = |name, value| {
        let mut fields = right.to_vec();
        fields.push((name, value));
        fields
    };
    let cases: [(Form<'_>, u16, &str); 7] = [
        (without("client_id"), 401, "`client_id` is ``"),
        (without("grant_type"), 400, "`grant_type` is ``"),
        (
            without("client_assertion_type"),
            400,
            "`client_assertion_type` is ``",
        ),
        (
            without("client_assertion"),
            401,
            "the assertion has 1 parts",
        ),
        (with("scope", "all"), 400, "unexpected field `scope`"),
        (
            with("client_id", ID),
            400,
            "the field `client_id` occurs twice",
        ),
        (vec![], 400, "`grant_type` is ``"),
    ];
    for (fields, expected, text) in cases {
        let simulator = Simulator::new(config());
        let response = simulator.token(form(&fields)).await.unwrap();
        assert_eq!(response.status(), expected, "{text}");
        let error = if expected == 400 {
            "invalid_request"
        } else {
            "invalid_client"
        };
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body, json!({ "error": error }));
        let found = verdict(&simulator);
        assert!(
            found[0].starts_with(&format!("Token 1: {text}")),
            "{found:?}"
        );
    }
    let simulator = Simulator::new(config());
    let mut request = form(&right);
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    request.headers_mut().remove("user-agent");
    assert_eq!(simulator.token(request).await.unwrap().status(), 400);
    assert_eq!(verdict(&simulator).len(), 2, "content type and user agent");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_and_an_unknown_key_are_refused_but_not_wrong() {
    let simulator = Simulator::new(config());
    // The client's own tolerance of two minutes, and the minute of the server.
    for (off, expected) in [(180, 200), (181, 401), (-180, 200), (-181, 401), (600, 401)] {
        let nonce = u128::from(i64::unsigned_abs(off)) * 2 + u128::from(off < 0);
        let simulator = Simulator::new(config());
        let assertion = Assertion::at(START + off, nonce);
        assert_eq!(status(&simulator, &assertion).await, expected, "{off}");
        assert_eq!(verdict(&simulator), [""; 0]);
    }
    let mut assertion = Assertion::at(START, 9);
    assertion.key = ClientKey::from_seed([8; 32]).unwrap();
    assert_eq!(status(&simulator, &assertion).await, 401);
    simulator.set_keys(vec![assertion.key.public()]);
    assert_eq!(status(&simulator, &assertion).await, 200);
    assert_eq!(
        status(&simulator, &Assertion::at(START, 10)).await,
        401,
        "the old key"
    );
    assert_eq!(verdict(&simulator), [""; 0]);
    let date = jiff::Timestamp::from_second(START + 600).unwrap();
    simulator.set_clock(date);
    let response = simulator.token(assertion.request()).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["date"], "Mon, 30 Nov 2026 01:03:20 GMT");
}

#[tokio::test(start_paused = true)]
async fn a_nonce_is_used_once() {
    let simulator = Simulator::new(config());
    let assertion = Assertion::at(START, 1);
    assert_eq!(status(&simulator, &assertion).await, 200);
    assert_eq!(status(&simulator, &assertion).await, 401);
    assert_eq!(verdict(&simulator), ["Token 2: the nonce was used before"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_requested_early_is_noted_unless_the_client_has_started_again() {
    let simulator = Simulator::new(config());
    let mut client = Client::greeted(&simulator).await;
    client.renew().await;
    client.hello("").await.answer();
    assert_eq!(verdict(&simulator), [""; 0], "a start");
    tokio::time::advance(Duration::from_secs(3589)).await;
    client.renew().await;
    client.get_task().await.answer();
    assert_eq!(
        verdict(&simulator),
        ["Token 3: a token is requested while the last one is valid for 11 s"]
    );
    tokio::time::advance(Duration::from_secs(3590)).await;
    client.renew().await;
    client.get_task().await.answer();
    assert_eq!(verdict(&simulator).len(), 1, "10 s before its end");
}

#[tokio::test(start_paused = true)]
async fn calls_need_a_token_that_was_given_and_has_not_expired() {
    let simulator = Simulator::new(config());
    let mut client = Client::connect(&simulator).await;
    let refused = client.hello("").await.refusal();
    assert_eq!(refused, (16, "the call has no token".to_owned()));
    client.authorization = Some("Bearer guessed".to_owned());
    tokio::time::advance(Duration::from_secs(1)).await;
    let refused = client.hello("").await.refusal();
    assert_eq!(refused.1, "the token was not given by the endpoint");
    client.renew().await;
    client.hello("").await.answer();
    tokio::time::advance(Duration::from_secs(3601)).await;
    let refused = client.get_task().await.refusal();
    assert_eq!(refused, (16, "the token has expired".to_owned()));
    client.renew().await;
    client.get_task().await.answer();
    let expected = [
        "Hello 1: the call has no token",
        "Hello 2: the token was not given by the endpoint",
    ];
    assert_eq!(verdict(&simulator), expected);
    assert_eq!(
        (simulator.count(Call::Token), simulator.count(Call::Hello)),
        (2, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn the_user_agent_begins_with_the_name_of_the_client() {
    let simulator = Simulator::new(config());
    let mut client = Client::with_token(&simulator).await;
    client.agent = "test-clients/1".to_owned();
    client.hello("").await.answer();
    let text = "Hello 1: the user agent does not begin with `test-client `";
    assert_eq!(verdict(&simulator), [text]);
}
