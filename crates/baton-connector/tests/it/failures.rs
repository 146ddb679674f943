//! What single failures become: codes, messages, hints.

use baton_connector::RequestErrorKind;
use baton_connector::http::{HttpSettings, TransportErrorKind};
use baton_proto::{Advice, Advise, Code};

use crate::script::{Client, Reply, Script, client, failed, get, kind, ok, parts, proven, status};

#[tokio::test(start_paused = true)]
async fn every_status_has_its_code() {
    let cases = [
        (300, Code::Unknown),
        (301, Code::Unknown),
        (400, Code::InvalidArgument),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (404, Code::NotFound),
        (405, Code::InvalidArgument),
        (407, Code::InvalidArgument),
        (408, Code::DeadlineExceeded),
        (409, Code::AlreadyExists),
        (410, Code::InvalidArgument),
        (418, Code::InvalidArgument),
        (500, Code::Unavailable),
        (501, Code::Unimplemented),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
        (599, Code::Unavailable),
    ];
    for (answered, code) in cases {
        let script = Script::new([status(answered)]);
        let error = failed(client(&script).send(&get("/x")).await);
        assert_eq!(error.code(), code, "{answered}");
        assert_eq!(error.status(), Some(answered));
    }
}

#[tokio::test]
async fn the_applications_code_and_words_are_in_the_message() {
    let refusal = status(403)
        .with("x-request-id", "4c1")
        .body(r#"{"code":"ADMIN-403-3","message":"not your\norganization"}"#);
    let error = failed(
        client(&Script::new([refusal]))
            .send(&get("/orgs/groups"))
            .await,
    );
    assert_eq!(
        error.to_string(),
        "GET https://api.test/admin/orgs/groups answered 403 \
         (ADMIN-403-3: not your organization) (request id 4c1)"
    );
    assert!(!error.is_vanished());
}

#[tokio::test]
async fn the_request_id_may_come_from_the_body() {
    let refusal = status(404).body(r#"{"message":"no route","requestId":"r-9"}"#);
    let error = failed(client(&Script::new([refusal])).send(&get("/x")).await);
    assert_eq!(error.request().unwrap().request_id.as_deref(), Some("r-9"));
}

#[tokio::test]
async fn only_the_applications_own_404_means_vanished() {
    let gone = r#"{"code":"GONE"}"#;
    for (answer, vanished) in [
        (status(404).body(gone), true),
        (status(410).body(gone), true),
        (status(404).body(r#"{"status":404}"#), false),
        (status(404).body("<html>"), false),
        (status(403).body(gone), false),
    ] {
        let error = failed(client(&Script::new([answer])).send(&get("/x")).await);
        assert_eq!(error.is_vanished(), vanished, "{error}");
    }
}

#[tokio::test]
async fn a_web_page_is_told_from_broken_json() {
    let page = "<!doctype html><title>Sign in</title>";
    let pages = [
        ok().with("content-type", "text/html; charset=utf-8")
            .body(page),
        ok().with("content-type", "application/json").body(page),
        ok().with("content-type", "text/plain")
            .body("blocked by policy"),
    ];
    for answer in pages {
        let script = Script::new([answer]);
        let error = failed(client(&script).json::<serde_json::Value>(&get("/x")).await);
        assert!(matches!(kind(&error), RequestErrorKind::NotJson { .. }));
        assert!(error.to_string().contains("instead of JSON"), "{error}");
        assert_eq!(error.advice(), [Advice::CheckWhoAnswers]);
    }
    let empty = failed(
        client(&Script::new([ok().body("")]))
            .json::<serde_json::Value>(&get("/x"))
            .await,
    );
    assert!(
        empty.to_string().contains("with an empty body instead"),
        "{empty}"
    );
    let page = status(503).with("content-type", "text/html").body(page);
    let error = failed(client(&Script::new([page])).send(&get("/x")).await);
    assert_eq!(error.advice(), [Advice::CheckWhoAnswers]);
}

#[derive(Debug, serde::Deserialize)]
struct Listing {
    #[expect(dead_code, reason = "read for its errors")]
    data: Vec<Row>,
}

#[derive(Debug, serde::Deserialize)]
struct Row {
    #[expect(dead_code, reason = "read for its errors")]
    id: String,
}

#[tokio::test]
async fn unusable_json_names_the_place_and_the_request() {
    let cases = [
        (r#"{"data":[{"id":"a"},{"id":7}]}"#, "at `data[1].id`"),
        (r#"{"data":[{}]}"#, "missing field `id`"),
        (r#"{"data":{}}"#, "at `data`"),
        (r#"{"data":["#, "EOF"),
        (r#"{"data":[]} {}"#, "trailing"),
        ("null", "invalid type: null"),
    ];
    for (body, says) in cases {
        let answer = ok().with("x-request-id", "4c1").body(body);
        let script = Script::new([answer]);
        let error = failed(client(&script).json::<Listing>(&get("/lists")).await);
        assert!(matches!(kind(&error), RequestErrorKind::Decode { .. }));
        let text = error.to_string();
        assert!(text.contains(says), "{body}: {text}");
        assert!(text.contains("GET https://api.test/admin/lists"), "{text}");
        assert!(text.contains("(request id 4c1)"), "{text}");
        assert_eq!(error.code(), Code::Internal);
        assert_eq!(script.count(), 1, "broken JSON is not asked for again");
    }
}

#[tokio::test]
async fn deep_json_is_an_error_and_no_stack_overflow() {
    let body = "[".repeat(100_000);
    let script = Script::new([ok().body(&body)]);
    let error = failed(client(&script).json::<serde_json::Value>(&get("/x")).await);
    assert!(error.to_string().contains("recursion limit"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn oversized_answers_stop_at_the_limit() {
    for answer in [
        Reply::Bytes(5_000_000),
        ok().with("content-length", 5_000_000).body("{}"),
    ] {
        let settings = HttpSettings {
            max_response_bytes: 100_000,
            ..HttpSettings::default()
        };
        let script = Script::new([answer]);
        let client = Client::new(parts(&script), settings);
        let error = failed(client.send(&get("/x")).await);
        let limit_bytes = 100_000;
        assert_eq!(kind(&error), &RequestErrorKind::TooLarge { limit_bytes });
        assert!(error.to_string().contains("more than 100000 bytes"));
        assert_eq!(script.count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endless_error_body_does_not_hide_the_status() {
    let body = "x".repeat(1_000_000);
    let error = failed(
        client(&Script::new([status(400).body(&body)]))
            .send(&get("/x"))
            .await,
    );
    assert_eq!(error.status(), Some(400));
}

#[tokio::test(start_paused = true)]
async fn transport_failures_have_codes_and_advice() {
    use TransportErrorKind as T;
    let cases = [
        (
            T::UnknownHost,
            Code::InvalidArgument,
            Some(Advice::CheckHost),
        ),
        (
            T::NameLookup,
            Code::Unavailable,
            Some(Advice::CheckNameService),
        ),
        (T::Refused, Code::Unavailable, Some(Advice::CheckNetwork)),
        (
            T::Unreachable,
            Code::Unavailable,
            Some(Advice::CheckNetwork),
        ),
        (
            T::ConnectTimeout,
            Code::DeadlineExceeded,
            Some(Advice::CheckNetwork),
        ),
        (T::Tls, Code::Unknown, Some(Advice::TrustCertificate)),
        (
            T::ProxyAuth,
            Code::InvalidArgument,
            Some(Advice::GiveProxyCredentials),
        ),
        (T::Proxy, Code::Unavailable, Some(Advice::CheckNetwork)),
        (T::Reset, Code::Unavailable, None),
        (T::Truncated, Code::Unavailable, None),
        (T::Timeout, Code::DeadlineExceeded, None),
        (T::Protocol, Code::Unknown, None),
    ];
    for (failure, code, advice) in cases {
        let error = failed(
            client(&Script::new([Reply::Fail(failure)]))
                .send(&get("/x"))
                .await,
        );
        assert_eq!(error.code(), code, "{failure}");
        assert!(error.to_string().contains(&failure.to_string()), "{error}");
        let advice: Vec<Advice> = advice.into_iter().collect();
        assert_eq!(error.advice(), advice, "{failure}");
    }
}

#[tokio::test]
async fn a_proxys_407_asks_for_proxy_credentials() {
    let error = failed(client(&Script::new([status(407)])).send(&get("/x")).await);
    assert!(
        error
            .to_string()
            .contains("the proxy rejected the credentials")
    );
    assert_eq!(error.advice(), [Advice::GiveProxyCredentials]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_names_the_host_only() {
    let moved = status(302).with("location", "https://evil.test/steal?token=1");
    let script = Script::new([moved]);
    let error = failed(client(&script).send(&get("/x")).await);
    assert_eq!(script.count(), 1);
    assert_eq!(
        error.advice(),
        [Advice::CorrectBaseUrl(Some("evil.test".to_owned()))]
    );
}

#[tokio::test(start_paused = true)]
async fn silence_and_slow_drips_end_by_timeouts() {
    for reply in [Reply::Hang, Reply::Drip] {
        let script = Script::new([reply]);
        let began = tokio::time::Instant::now();
        let error = failed(client(&script).send(&get("/x")).await);
        assert_eq!(error.code(), Code::DeadlineExceeded);
        assert!(began.elapsed() <= HttpSettings::default().total_timeout);
        assert_eq!(script.count(), 1, "the first window is over");
    }
}

#[tokio::test]
async fn waits_asked_for_are_told_to_the_caller() {
    let refused = status(403).with("retry-after", 17);
    let error = failed(proven(&Script::new([refused])).await.send(&get("/x")).await);
    assert_eq!(error.retry_after().unwrap().as_secs(), 17);
}

#[tokio::test]
async fn what_came_instead_of_json_is_named() {
    let cases: [(&str, Option<&str>, &[u8], &str); 8] = [
        (
            "application/json",
            None,
            b"<html>",
            "with a web page instead",
        ),
        (
            "application/json",
            None,
            b"\x1f\x8b\x08\0",
            "gzip data that no header announces",
        ),
        (
            "application/json",
            Some("br"),
            b"\x8b\x01\x80",
            "in the encoding `br`, which was not asked for",
        ),
        (
            "application/json",
            Some("gzip"),
            b"\x1f\x8b\x08\0",
            "in the encoding `gzip`",
        ),
        ("application/json", None, b"\xff\xfe{\0}\0", "UTF-16 text"),
        ("application/json", None, b"{\0}\0", "UTF-16 text"),
        ("text/plain", None, b"blocked", "with text instead"),
        ("application/json", None, b"", "an empty body"),
    ];
    for (content_type, encoding, body, says) in cases {
        let mut answer = ok().with("content-type", content_type).raw(body);
        if let Some(encoding) = encoding {
            answer = answer.with("content-encoding", encoding);
        }
        let script = Script::new([answer]);
        let client = client(&script);
        let response = client.send(&get("/x")).await.unwrap();
        let errors = [
            failed(response.json::<serde_json::Value>()),
            failed(response.document()),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(matches!(kind(&error), RequestErrorKind::NotJson { .. }));
            assert!(text.contains(says), "{text}");
            assert!(text.contains(content_type), "{text}");
            assert_eq!(error.code(), Code::Internal);
        }
    }
}

#[tokio::test]
async fn of_the_successes_only_200_answers_a_read() {
    for answered in [201, 202, 203, 204, 205, 206, 207, 226, 299] {
        let script = Script::new([status(answered)]);
        let response = client(&script).send(&get("/x")).await.unwrap();
        let error = failed(response.document());
        let text = error.to_string();
        let says = format!("answered {answered} instead of 200");
        assert!(text.contains(&says), "{text}");
        assert_eq!(error.code(), Code::Internal);
        assert_eq!(script.count(), 1, "it is not asked for again");
    }
    let response = client(&Script::new([ok()])).send(&get("/x")).await.unwrap();
    assert!(response.document().is_ok());
}

#[tokio::test]
async fn a_byte_order_mark_in_front_is_no_error() {
    let script = Script::new([ok().raw(b"\xef\xbb\xbf{\"a\":1}")]);
    let response = client(&script).send(&get("/x")).await.unwrap();
    assert!(response.document().is_ok());
    assert_eq!(response.json::<serde_json::Value>().unwrap()["a"], 1);
}
