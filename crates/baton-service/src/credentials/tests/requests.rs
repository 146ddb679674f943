//! What is sent, when, and how often.

use super::*;

#[test]
fn assertions_equal_the_recorded_ones_to_the_byte() {
    for case in recorded()["requests"].as_array().unwrap() {
        let body = case["body"].as_str().unwrap();
        let form: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
        let mut parts = form[0].1.split('.').map(|part| {
            let json = URL_SAFE_NO_PAD.decode(part).unwrap();
            serde_json::from_slice::<Value>(&json).unwrap_or_default()
        });
        let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
        let secret = match header["kid"].as_str() {
            Some(kid) => named_secret(kid),
            None => recorded_secret(),
        };
        let secret = ClientSecret::parse(&secret).unwrap();
        let id = ClientId::parse(case["client_id"].as_str().unwrap()).unwrap();
        let now = Duration::from_secs(claims["iat"].as_u64().unwrap());
        let nonce = HEXLOWER.decode(header["nonce"].as_str().unwrap().as_bytes());
        let nonce = nonce.unwrap().try_into().unwrap();
        let made = assertion::signed(&id, &secret, SystemTime::UNIX_EPOCH + now, nonce);
        assert_eq!(made.unwrap(), form[0].1, "{}", case["case"]);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_have_the_form_of_the_recorded_ones() {
    for case in recorded()["requests"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap().to_owned();
        let answer = token(r#"{"access_token":"t","expires_in":60}"#);
        let kit = kit_of(&text("client_id"), case["replacement"].as_str(), [answer]);
        kit.header().await;
        let seen = lock(&kit.network.seen);
        let request = &seen[0];
        let header = |name: &str| {
            let all = case["headers"].as_array().unwrap();
            all.iter().find(|pair| pair[0] == name).unwrap()[1]
                .as_str()
                .unwrap()
        };
        assert_eq!(request.method(), header(":method"));
        let uri = format!("https://{}{}", header(":authority"), text("path"));
        assert_eq!(request.uri().to_string(), uri);
        assert_eq!(request.headers()["content-type"], header("content-type"));
        let agent = request.headers()["user-agent"].to_str().unwrap();
        let first = header("user-agent").split(' ').next().unwrap();
        assert!(agent.starts_with(&format!("{first} ")));
        assert_eq!(request.headers().len(), 2);
        // The same after the assertion, which has another nonce.
        let body = std::str::from_utf8(request.body()).unwrap();
        let (ours, theirs) = (body.split_once('&').unwrap(), text("body"));
        let theirs = theirs.split_once('&').unwrap();
        assert_eq!(ours.1, theirs.1);
        assert!(ours.0.starts_with("client_assertion=ey"));
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_has_another_nonce_and_two_minutes_on_both_sides() {
    let answer = || token(r#"{"access_token":"t"}"#);
    let kit = kit([answer(), answer()]);
    kit.header().await;
    kit.header().await;
    let ((first, claims), (second, _)) = (kit.assertion(0), kit.assertion(1));
    assert_eq!(first["nonce"].as_str().unwrap().len(), 32);
    assert_ne!(first["nonce"], second["nonce"]);
    let id = "golden-client@localhost:46293/valet";
    let expected = json!({
        "iss": id, "sub": id, "aud": "localhost",
        "exp": NOW + 120, "nbf": NOW - 120, "iat": NOW,
    });
    assert_eq!(claims, expected);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_until_10_s_before_its_end() {
    let kit = kit([
        token(r#"{"access_token":"one","token_type":"Bearer","expires_in":30}"#),
        token(r#"{"access_token":"two","expires_in":5}"#),
        token(r#"{"access_token":"three","expires_in":-1}"#),
        token(r#"{"access_token":"four","expires_in":9223372036854775807}"#),
    ]);
    assert_eq!(kit.header().await, "Bearer one");
    tokio::time::advance(Duration::from_millis(19_999)).await;
    assert_eq!(kit.header().await, "Bearer one");
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(kit.header().await, "Bearer two");
    // These lived for less than 10 s.
    assert_eq!(kit.header().await, "Bearer three");
    assert_eq!(kit.header().await, "Bearer four");
    tokio::time::advance(Duration::from_hours(100_000)).await;
    assert_eq!(kit.header().await, "Bearer four");
    assert_eq!(*lock(&kit.learned.0), ["one", "two", "three", "four"]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_share_one_request_and_its_failure() {
    let slow = Reply::Late(2, r#"{"access_token":"one","expires_in":60}"#);
    let fine = kit([slow]);
    let calls = (0..10).map(|_| fine.header());
    let headers = futures_util::future::join_all(calls).await;
    assert_eq!(headers, vec!["Bearer one"; 10]);
    assert_eq!(fine.requests(), 1);

    let broken = kit([Reply::Late(2, "broken"), Reply::Late(2, "broken")]);
    let errors = futures_util::future::join_all((0..10).map(|_| broken.error())).await;
    assert_eq!(errors.len(), 10);
    assert_eq!(broken.requests(), 1);
    // A later call asks again.
    broken.error().await;
    assert_eq!(broken.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_lets_the_next_one_ask() {
    let kit = kit([Reply::Late(20, ""), token(r#"{"access_token":"one"}"#)]);
    let second = timeout(Duration::from_secs(1), kit.credentials.authorization());
    assert!(second.await.is_err());
    assert_eq!(kit.header().await, "Bearer one");
}

#[tokio::test(start_paused = true)]
async fn only_the_token_that_was_refused_is_given_up() {
    let kit = kit([
        token(r#"{"access_token":"one","expires_in":60}"#),
        token(r#"{"access_token":"two","expires_in":60}"#),
    ]);
    let first = kit.credentials.authorization().await.unwrap();
    kit.credentials.renew(&first);
    assert_eq!(kit.header().await, "Bearer two");
    // A call with the old token ends later.
    kit.credentials.renew(&first);
    assert_eq!(kit.header().await, "Bearer two");
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_a_secret_that_changed_is_tried_once_at_once() {
    let refusal = || Reply::Answer(401, "", Vec::new());
    let kit = kit([
        refusal(),
        refusal(),
        token(r#"{"access_token":"one"}"#),
        refusal(),
        refusal(),
    ]);
    // Unchanged: one request.
    kit.error().await;
    assert_eq!(kit.requests(), 1);
    *lock(&kit.place.0) = named_secret("new");
    assert_eq!(kit.header().await, "Bearer one");
    assert_eq!(kit.requests(), 3);
    assert_eq!(kit.assertion(1).0.get("kid"), None);
    assert_eq!(kit.assertion(2).0["kid"], "new");
    assert_eq!(kit.credentials.secret().key_id(), Some("new"));
    // Unreadable: the refusal is the error, and the secret stays.
    *lock(&kit.place.0) = "half a secr".to_owned();
    assert_eq!(kit.error().await.code(), Code::Unauthenticated);
    assert_eq!(kit.requests(), 4);
    // The new one is refused too: no third request.
    *lock(&kit.place.0) = named_secret("newer");
    lock(&kit.network.replies).push_back(refusal());
    assert_eq!(kit.error().await.code(), Code::Unauthenticated);
    assert_eq!(kit.requests(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_reload_gives_the_token_up_only_if_the_secret_changed() {
    let kit = kit([
        token(r#"{"access_token":"one","expires_in":60}"#),
        token(r#"{"access_token":"two","expires_in":60}"#),
    ]);
    assert_eq!(kit.header().await, "Bearer one");
    assert!(!kit.credentials.reload().await.unwrap());
    assert_eq!(kit.header().await, "Bearer one");
    *lock(&kit.place.0) = "nothing".to_owned();
    let error = kit.credentials.reload().await.unwrap_err();
    assert_eq!(
        one_line(&error),
        "cannot read the client secret: invalid client secret"
    );
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(kit.header().await, "Bearer one");
    *lock(&kit.place.0) = named_secret("new");
    assert!(kit.credentials.reload().await.unwrap());
    assert_eq!(kit.header().await, "Bearer two");
    assert_eq!(kit.assertion(1).0["kid"], "new");
}

#[tokio::test(start_paused = true)]
async fn nothing_prints_a_secret() {
    let kit = kit([token(r#"{"access_token":"s3cr3t","expires_in":60}"#)]);
    let header = kit.credentials.authorization().await.unwrap();
    let fixed = FixedSecret::new(Secret::new(recorded_secret()));
    let printed = format!(
        "{:?} {header:?} {fixed:?} {:?}",
        kit.credentials,
        fixed.read()
    );
    assert!(!printed.contains("s3cr3t"), "{printed}");
    let payload = recorded_secret().rsplit_once(':').unwrap().1.to_owned();
    assert!(!printed.contains(&payload), "{printed}");
}
