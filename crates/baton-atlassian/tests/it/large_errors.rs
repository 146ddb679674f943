//! Errors of the API with long bodies: the code counts as far as it came.

use async_trait::async_trait;
use baton_atlassian::Settings;
use baton_connector::Secret;
use baton_connector::http::{BodyStream, Transport, TransportError, whole_body};
use baton_proto::Code;
use baton_proto::causes::one_line;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::simulated::run;

/// Bytes of an error body that are read.
const READ: usize = 64 * 1024;

/// Answers every request with this body and 403.
#[derive(Debug)]
struct Refusing(Vec<u8>);

#[async_trait]
impl Transport for Refusing {
    async fn send(
        &self,
        _request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let answer = http::Response::builder()
            .status(403)
            .header("content-type", "application/json");
        Ok(answer.body(whole_body(self.0.clone())).unwrap())
    }
}

/// What a sync says about a body of this length, whose code is at its
/// beginning, or ends at this byte.
async fn words(length: usize, code_end: Option<usize>) -> String {
    const CODE: &str = r#""code":"ADMIN-403-3","#;
    let filled = |bytes: usize| "x".repeat(bytes);
    let head = r#"{"errors":[{"title":""#;
    let title = code_end.map_or(0, |end| end - head.len() - CODE.len() - 1);
    let start = format!(
        "{head}{}\",{CODE}\"detail\":\"no such scope ",
        filled(title)
    );
    let end = r#""}],"links":{}}"#;
    let filler = length.saturating_sub(start.len() + end.len());
    let body = format!("{start}{}{end}", filled(filler));
    let base = "http://simulated.test/admin";
    let settings = Settings::new(Secret::new("key"), "o", base).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("sync.c1z");
    let transport = Refusing(body.into_bytes());
    let error = run(&settings, transport, &target, CancellationToken::new()).await;
    let error = error.expect_err("refused");
    assert_eq!(error.code(), Code::PermissionDenied);
    one_line(&error)
}

#[tokio::test(start_paused = true)]
async fn a_long_body_does_not_hide_the_code_and_the_message() {
    for length in [500, READ - 1, READ, READ + 1, 1024 * 1024] {
        let words = words(length, None).await;
        assert!(words.contains("ADMIN-403-3"), "{length}: {words}");
        assert!(words.contains("no such scope x"), "{length}: {words}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_counts_if_it_came_whole() {
    for (end, whole) in [
        (READ - 1, true),
        (READ, true),
        (READ + 1, true),
        (READ + 9, false),
    ] {
        let words = words(1024 * 1024, Some(end)).await;
        assert_eq!(words.contains("ADMIN-403-3"), whole, "{end}: {words}");
    }
}
