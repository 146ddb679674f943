//! How requests prove who sends them, and tokens that end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_connector::http::{
    BodyStream, CallClient, ClientCredentials, Credential, HeaderName, HttpParts, HttpSettings,
    Request, SecretRegistry, Token, TokenSource, Transport, TransportError, whole_body,
};
use baton_connector::{Code, Error, Result, Secret, async_trait};

use crate::script::{Client, Reply, Script, base, client, failed, get, ok, parts, status};

const SECRET: &str = "s3cr3t";

fn secret() -> Secret {
    Secret::new(SECRET)
}

fn header(script: &Script, at: usize, name: &str) -> String {
    let seen = script.seen.lock().unwrap();
    let value = seen[at].1.headers().get(name).unwrap();
    assert!(value.is_sensitive(), "{name}");
    value.to_str().unwrap().to_owned()
}

fn bodies(script: &Script) -> Vec<String> {
    let seen = script.seen.lock().unwrap();
    let text =
        |request: &http::Request<bytes::Bytes>| String::from_utf8(request.body().to_vec()).unwrap();
    seen.iter().map(|(_, request)| text(request)).collect()
}

#[tokio::test]
async fn each_kind_sends_its_header_and_shows_only_its_name() {
    let private = HeaderName::from_static("private-token");
    for (credential, name, sent) in [
        (
            Credential::bearer("key", &secret()),
            "authorization",
            "Bearer s3cr3t",
        ),
        (
            Credential::scheme("key", "token", &secret()),
            "authorization",
            "token s3cr3t",
        ),
        // The pair of RFC 7617.
        (
            Credential::basic("key", "Aladdin", &Secret::new("open sesame")),
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (
            Credential::header("key", private, &secret()),
            "private-token",
            "s3cr3t",
        ),
    ] {
        let credential = credential.unwrap();
        let script = Script::new([ok()]);
        let request = get("/x").credential(&credential);
        client(&script).send(&request).await.unwrap();
        assert_eq!(header(&script, 0, name), sent);
        let shown = format!("{credential:?} {request:?}");
        assert!(
            !shown.contains(SECRET) && !shown.contains("QWxh"),
            "{shown}"
        );
        assert!(format!("{credential:?}").contains("key"));
    }
}

#[test]
fn what_cannot_be_sent_is_refused_without_being_repeated() {
    let bad = Secret::new("s3cr3t\r\nx: y");
    for refused in [
        Credential::bearer("key", &bad),
        Credential::scheme("key", "token", &bad),
        Credential::scheme("key", "", &secret()),
        Credential::scheme("key", "a b", &secret()),
        Credential::basic("key", "a:b", &secret()),
        Credential::header("key", HeaderName::from_static("private-token"), &bad),
    ] {
        let error = refused.expect_err("refused");
        assert_eq!(error.code(), Code::InvalidArgument);
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let shown = format!("{error} {error:?} {cause:?}");
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(shown.contains("key"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_credential_has_limits_of_its_own() {
    let script = Script::new([status(429).with("retry-after", 600), ok()]);
    let client = Arc::new(client(&script));
    let request = |name: &str| get("/x").credential(&Credential::bearer(name, &secret()).unwrap());
    let (one, other) = (request("one"), request("other"));
    let limited = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.send(&one).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = tokio::time::Instant::now();
    client.send(&other).await.unwrap();
    assert!(
        asked.elapsed() < Duration::from_mins(1),
        "it waits for nobody"
    );
    assert!(!limited.is_finished());
    limited.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_form_is_encoded() {
    let script = Script::new([ok()]);
    let request = Request::post(&base(), "/x", &[]).unwrap();
    let request = request.form([("a b", "c&d=\u{fc}"), ("e", "")]);
    client(&script).send(&request).await.unwrap();
    assert_eq!(bodies(&script), ["a+b=c%26d%3D%C3%BC&e="]);
    let seen = script.seen.lock().unwrap();
    let kind = &seen[0].1.headers()["content-type"];
    assert_eq!(kind, "application/x-www-form-urlencoded");
}

fn token(value: &str, seconds: u64) -> Reply {
    ok().body(&format!(
        r#"{{"access_token":"{value}","token_type":"bearer","expires_in":{seconds}}}"#
    ))
}

fn source() -> ClientCredentials {
    ClientCredentials::new(&base(), "/oauth/token", "client 1", &Secret::new("p&w"))
}

fn renewed() -> Request {
    get("/x").credential(&Credential::renewed("access token", source()))
}

fn paths(script: &Script) -> Vec<String> {
    let seen = script.seen.lock().unwrap();
    seen.iter()
        .map(|(_, request)| request.uri().path().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_token_is_asked_for_once_and_again_when_it_is_nearly_over() {
    let script = Script::new([token("t-one", 3600), ok(), ok(), token("t-two", 3600), ok()]);
    let client = client(&script);
    let request = renewed();
    client.send(&request).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3569)).await;
    client.send(&request).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    client.send(&request).await.unwrap();
    let (own, asked) = ("/admin/x", "/admin/oauth/token");
    assert_eq!(paths(&script), [asked, own, own, asked, own]);
    assert_eq!(
        header(&script, 0, "authorization"),
        "Basic Y2xpZW50KzE6cCUyNnc="
    );
    assert_eq!(header(&script, 2, "authorization"), "Bearer t-one");
    assert_eq!(header(&script, 4, "authorization"), "Bearer t-two");
    assert_eq!(bodies(&script)[0], "grant_type=client_credentials");
}

#[tokio::test]
async fn the_client_can_prove_itself_in_the_form() {
    let script = Script::new([token("t-one", 60), ok()]);
    let source = source().in_body().param("scope", "a b");
    let request = get("/x").credential(&Credential::renewed("token", source));
    client(&script).send(&request).await.unwrap();
    let form = "grant_type=client_credentials&scope=a+b&client_id=client+1&client_secret=p%26w";
    assert_eq!(bodies(&script)[0], form);
}

/// Knows the tokens that it gave: only the last one does.
#[derive(Debug, Default)]
struct Issuer {
    given: Mutex<u32>,
    refused: Mutex<u32>,
}

#[async_trait]
impl Transport for Issuer {
    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> std::result::Result<http::Response<BodyStream>, TransportError> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut given = self.given.lock().unwrap();
        let (mut status, mut body) = (200, "{}".to_owned());
        if request.uri().path().contains("oauth") {
            *given += 1;
            body = format!(r#"{{"access_token":"t-{given}"}}"#);
        } else if request.headers()["authorization"] != format!("Bearer t-{given}") {
            *self.refused.lock().unwrap() += 1;
            status = 401;
        }
        let answer = http::Response::builder().status(status);
        Ok(answer.body(whole_body(body)).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_renewed_once_for_all_who_need_it() {
    let issuer = Arc::new(Issuer::default());
    let transport = Arc::clone(&issuer) as Arc<dyn Transport>;
    let client = Client::new(HttpParts::new(transport, 1), HttpSettings::default());
    let request = renewed();
    let at_once = async || {
        let mut all = Vec::new();
        all.resize_with(8, || client.send(&request));
        let ended = futures_util::future::join_all(all).await;
        assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    };
    // Until the limiter lets several through at once.
    at_once().await;
    at_once().await;
    assert_eq!(*issuer.given.lock().unwrap(), 1);
    *issuer.given.lock().unwrap() += 1;
    at_once().await;
    let refused = *issuer.refused.lock().unwrap();
    assert!(refused > 1, "several were refused: {refused}");
    assert_eq!(
        *issuer.given.lock().unwrap(),
        3,
        "one token for all of them"
    );
}

#[tokio::test]
async fn a_new_token_that_is_refused_too_is_an_error() {
    let script = Script::new([
        token("t-one", 3600),
        status(401),
        token("t-two", 3600),
        status(401),
    ]);
    let error = failed(client(&script).send(&renewed()).await);
    assert_eq!(error.code(), Code::Unauthenticated);
    assert_eq!(error.status(), Some(401));
    assert_eq!(script.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_names_its_endpoint_and_no_secret() {
    let echo = r#"{"code":"GONE","message":"client p&w"}"#;
    for (reply, code) in [
        (status(400).body(echo), Code::Unauthenticated),
        (status(401).body(echo), Code::Unauthenticated),
        (status(403).body(echo), Code::Unauthenticated),
        (
            status(404).body(r#"{"code":"GONE"}"#),
            Code::Unauthenticated,
        ),
        (status(500), Code::Unavailable),
        (ok().body(r#"{"access_token":7}"#), Code::Internal),
        (ok().body(r#"{"access_token":""}"#), Code::Internal),
        (
            ok().body(r#"{"access_token":"s3cr3t","token_type":"mac"}"#),
            Code::Internal,
        ),
        (ok().body(r#"["s3cr3t"]"#), Code::Internal),
        (
            ok().body(r#"{"access_token":"s3cr3t\n"}"#),
            Code::Unauthenticated,
        ),
    ] {
        let shown = format!("{reply:?}");
        let script = Script::new([reply]);
        let error = failed(client(&script).send(&renewed()).await);
        assert!(matches!(error, Error::Token { .. }), "{shown}: {error:?}");
        let text = error.to_string();
        let expected =
            "cannot get a token for the access token from https://api.test/admin/oauth/token";
        assert_eq!(text, expected);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(!cause.contains("s3cr3t"), "{cause}");
        // Nothing that was asked for is gone or forbidden.
        assert!(!error.is_vanished() && error.status().is_none(), "{shown}");
        assert_eq!(error.code(), code, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_waited_for_a_failed_renewal_share_its_error() {
    let script = Script::slow(Duration::from_millis(10), [status(401)]);
    let client = client(&script);
    let request = renewed();
    let (a, b) = tokio::join!(client.send(&request), client.send(&request));
    assert!(a.is_err() && b.is_err());
    assert_eq!(script.count(), 1);
    assert!(client.send(&request).await.is_err());
    assert_eq!(script.count(), 2, "a later request tries again");
}

#[derive(Debug, Default)]
struct Learned(Mutex<Vec<String>>);

impl SecretRegistry for Learned {
    fn register(&self, secret: &Secret) {
        self.0.lock().unwrap().push(secret.expose().to_owned());
    }
}

#[derive(Debug)]
struct Numbered(Mutex<u32>);

#[async_trait]
impl TokenSource for Numbered {
    fn endpoint(&self) -> String {
        "a file".to_owned()
    }

    async fn token(&self, _client: &CallClient) -> Result<Token> {
        let mut number = self.0.lock().unwrap();
        *number += 1;
        Ok(Token {
            value: Secret::new(format!("t-{number}")),
            lifetime: None,
        })
    }
}

#[tokio::test]
async fn every_token_is_made_known_to_those_who_hide_secrets() {
    let script = Script::new([ok(), status(401), ok()]);
    let learned = Arc::new(Learned::default());
    let parts = HttpParts {
        secrets: Arc::clone(&learned) as Arc<dyn SecretRegistry>,
        ..parts(&script)
    };
    let client = Client::new(parts, HttpSettings::default());
    let credential = Credential::renewed("token", Numbered(Mutex::new(0)));
    for _ in 0..2 {
        client
            .send(&get("/x").credential(&credential))
            .await
            .unwrap();
    }
    assert_eq!(*learned.0.lock().unwrap(), ["t-1", "t-2"]);
    assert!(!format!("{credential:?}").contains("t-1"));
}
