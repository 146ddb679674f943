//! What answers and their absence mean.

use super::*;

#[tokio::test(start_paused = true)]
async fn types_have_their_usual_form_and_unknown_ones_stay() {
    let cases = [
        (r#"{"access_token":"t"}"#, "Bearer t"),
        (r#"{"access_token":"t","token_type":""}"#, "Bearer t"),
        (
            r#"{"access_token":"t","token_type":null,"expires_in":null}"#,
            "Bearer t",
        ),
        (r#"{"access_token":"t","token_type":"bEARER"}"#, "Bearer t"),
        (r#"{"access_token":"t","token_type":"mac"}"#, "MAC t"),
        (r#"{"access_token":"t","token_type":"BASIC"}"#, "Basic t"),
        (r#"{"access_token":"t","token_type":"dpop"}"#, "dpop t"),
        (
            r#"{"access_token":"t","token_type":"Custom Type"}"#,
            "Custom Type t",
        ),
        (
            r#"{"Access_Token":"y","access_token":"t","scope":"s"}"#,
            "Bearer t",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(kit([token(body)]).header().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_not_tokens_can_pass_and_show_nothing_of_the_body() {
    let large: &'static str = Box::leak("s3cr3t ".repeat(10_000).into_boxed_str());
    let cases = [
        ("", "it is not a JSON object"),
        ("<html>s3cr3t</html>", "it is not a JSON object"),
        (r#""s3cr3t""#, "it is not a JSON object"),
        (r#"{"access_token":"s3cr3t"#, "it is not a JSON object"),
        (
            r#"{"Access_Token":"s3cr3t","EXPIRES_IN":3600}"#,
            "`access_token` is missing or empty",
        ),
        (
            r#"{"access_token":""}"#,
            "`access_token` is missing or empty",
        ),
        (
            r#"{"access_token":["s3cr3t"]}"#,
            "`access_token` is not text",
        ),
        (
            r#"{"access_token":"t","token_type":7}"#,
            "`token_type` is not text",
        ),
        (
            r#"{"access_token":"s3cr3t","expires_in":"3600"}"#,
            "`expires_in` is not an integer",
        ),
        (
            r#"{"access_token":"s3cr3t","expires_in":3600.5}"#,
            "`expires_in` is not an integer",
        ),
        (
            r#"{"access_token":"s3cr3t\n"}"#,
            "the token has characters of no header",
        ),
        (large, "its answer has more than 65536 bytes"),
    ];
    for (body, what) in cases {
        let error = kit([token(body)]).error().await;
        assert_eq!((error.code(), error.may_pass()), (Code::Unavailable, true));
        let text = one_line(&error);
        assert!(text.starts_with("cannot get an access token from localhost:46293: "));
        assert!(text.ends_with(what), "{text}");
        assert!(!format!("{error:?}{text}").contains("s3cr3t"), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_statuses_can_pass_and_a_wait_is_kept() {
    for status in [201, 204, 302, 404, 429, 500, 503] {
        let headers = vec![("retry-after", "17")];
        let error = kit([Reply::Answer(status, "", headers)]).error().await;
        assert_eq!((error.code(), error.may_pass()), (Code::Unavailable, true));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
        let text = format!("it answered with status {status}");
        assert!(one_line(&error).ends_with(&text));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_the_network_can_pass_and_give_advice() {
    let cases = [
        (
            TransportErrorKind::UnknownHost,
            vec![Advice::CheckClientCredentials],
        ),
        (TransportErrorKind::Refused, vec![Advice::CheckNetwork]),
        (TransportErrorKind::Tls, vec![Advice::TrustCertificate]),
        (
            TransportErrorKind::ProxyAuth,
            vec![Advice::GiveProxyCredentials],
        ),
        (TransportErrorKind::Reset, vec![]),
    ];
    for (kind, advice) in cases {
        let error = kit([Reply::Fails(kind)]).error().await;
        assert_eq!((error.code(), error.advice()), (Code::Unavailable, advice));
        assert!(one_line(&error).contains(&kind.to_string()));
    }
    let error = kit([Reply::Late(31, "")]).error().await;
    assert!(one_line(&error).ends_with("it did not answer within 30 s"));
    assert_eq!(error.advice(), [Advice::CheckNetwork]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_names_its_code_and_a_wrong_clock() {
    let body = r#"{"error":"invalid_client","error_description":"s3cr3t"}"#;
    for status in [400, 401, 403] {
        let error = kit([Reply::Answer(status, body, Vec::new())]).error().await;
        assert_eq!(
            (error.code(), error.may_pass()),
            (Code::Unauthenticated, false)
        );
        assert_eq!(
            one_line(&error),
            format!(
                "localhost:46293 refused the client credentials with status {status} (`invalid_client`)"
            )
        );
        assert_eq!(error.advice(), [Advice::CheckClientCredentials]);
    }
    // 5 minutes after the time of the clock.
    let late = vec![("date", "Mon, 30 Nov 2026 17:01:51 GMT")];
    let odd = r#"{"error":"<script>"}"#;
    let error = kit([Reply::Answer(401, odd, late)]).error().await;
    let expected = "localhost:46293 refused the client credentials with status 401; the clock of \
                    this machine is 5 min behind that of the server";
    assert_eq!(one_line(&error), expected);
    assert_eq!(
        error.advice(),
        [Advice::SetClock, Advice::CheckClientCredentials]
    );
}
