//! Secrets stay out of everything that people read.

use std::io::Write;
use std::sync::{Arc, Mutex};

use baton_connector::http::{Credential, HeaderName, Request};
use baton_connector::{Error, Secret};
use baton_proto::Advise;
use tracing_subscriber::fmt::MakeWriter;
use url::Url;

use crate::script::{Script, base, client, failed, status};

const SECRET: &str = "s3cr3t-t0ken";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

fn request() -> Request {
    let credential = Credential::bearer("api key", &Secret::new(SECRET)).unwrap();
    Request::get(&base(), "/users", &[])
        .unwrap()
        .query("token", SECRET)
        .header(HeaderName::from_static("x-api-key"), SECRET)
        .unwrap()
        .credential(&credential)
}

#[test]
fn no_log_line_has_the_token() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let script = Script::new([
            status(429).with("retry-after", 20),
            status(403).with("set-cookie", SECRET),
        ]);
        runtime.block_on(client(&script).send(&request()))
    })
    .expect_err("refused");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("request answered"), "{text}");
    assert!(text.contains("waiting"), "{text}");
    assert!(text.contains("REDACTED"), "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

#[tokio::test]
async fn neither_errors_nor_debug_output_have_the_token() {
    let script = Script::new([status(403)]);
    let client = client(&script);
    let error = failed(client.send(&request()).await);
    let shown = format!(
        "{error} {error:?} {:?} {:?} {client:?}",
        error.advice(),
        request()
    );
    assert!(!shown.contains(SECRET), "{shown}");
    let sent = script.seen.lock().unwrap();
    assert_eq!(
        sent[0].1.headers()["authorization"],
        format!("Bearer {SECRET}")
    );
}

#[tokio::test]
async fn a_sensitive_url_is_shown_as_its_template() {
    let url = Url::parse(&format!("https://api.test/{SECRET}")).unwrap();
    let request = Request::get(&url, "/users/{user}", &[SECRET])
        .unwrap()
        .sensitive_url();
    let error = failed(client(&Script::new([status(404)])).send(&request).await);
    assert_eq!(error.to_string(), "GET /users/{user} answered 404");
}

#[test]
fn a_secret_prints_as_redacted() {
    let secret = Secret::new(SECRET);
    assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
    let error = Error::Setting {
        setting: "token",
        reason: format!("{secret}"),
    };
    assert!(!error.to_string().contains(SECRET));
}
