//! The export to an OpenTelemetry collector, as the flags ask for it.

use std::ffi::OsString;
use std::path::Path;

use baton_flags::Config;
use baton_grpc::dial::PeerTls;
use baton_otel::{Collector, CollectorError, Endpoint, Otel, Settings, Trust};
use data_encoding::BASE64URL_NOPAD;

use crate::error::Result;
use crate::flags::otel as flags;
use crate::process::Process;
use crate::{network, preflight};

/// How a certificate in PEM form begins.
const PEM: &[u8] = b"-----BEGIN";
/// Largest file of certificates.
const MAX_CERT_BYTES: u64 = 1 << 20;

/// The exports of a run of a program; none without a collector.
pub(crate) fn of(
    config: &Config,
    (program, version): (&str, &str),
    process: &Process,
) -> Result<Option<Otel>> {
    let text = config.get(&flags::ENDPOINT).trim();
    if text.is_empty() {
        return Ok(None);
    }
    let endpoint = Endpoint::parse(text)
        .map_err(|error| invalid(flags::ENDPOINT.name(), &error.to_string()))?;
    let traces = !config.get(&flags::TRACING_DISABLED);
    let logs = !config.get(&flags::LOGGING_DISABLED);
    let (trust, flag) = trust(config, process, &endpoint)?;
    let collector = Collector::new(&endpoint, &trust).map_err(|error| {
        let flag = match &error {
            CollectorError::Authorities { .. } => flag,
            _ => flags::ENDPOINT.name(),
        };
        invalid(flag, &baton_proto::causes::one_line(&error))
    })?;
    let exported = traces || logs;
    Ok(exported.then(|| {
        Otel::new(Settings {
            collector,
            service_name: format!("{program}-server"),
            service_version: version.to_owned(),
            traces,
            logs,
            gate: process.stderr.gate(),
        })
    }))
}

/// Whose certificate the collector must have, and the flag that decided it.
fn trust(config: &Config, process: &Process, endpoint: &Endpoint) -> Result<(Trust, &'static str)> {
    let insecure = flags::TLS_INSECURE.name();
    if config.get(&flags::TLS_INSECURE) {
        if endpoint.encrypted() == Some(true) {
            let text = format!("https:// asks for TLS, --{insecure} for none");
            return Err(invalid(flags::ENDPOINT.name(), &text));
        }
        return Ok((Trust::Unencrypted, insecure));
    }
    if endpoint.encrypted() == Some(false) {
        return Ok((Trust::Unencrypted, flags::ENDPOINT.name()));
    }
    let (inline, path) = (&flags::TLS_CERT, &flags::TLS_CERT_PATH);
    let text = config.get(inline);
    match (config.get(path), text.is_empty()) {
        (Some(_), false) => {
            let text = format!("cannot be used together with --{}", path.name());
            Err(invalid(inline.name(), &text))
        }
        (Some(file), true) => {
            let pem = read(&process.cwd.join(file)).map_err(|error| {
                let text = format!("cannot read {}: {error}", file.display());
                invalid(path.name(), &text)
            })?;
            Ok((Trust::Pem(pem), path.name()))
        }
        (None, false) => Ok((Trust::Pem(decoded(text)?), inline.name())),
        (None, true) => {
            let network = network::settings(&process.env, &process.cwd);
            let tls = PeerTls {
                trusted: network.trusted,
                ..PeerTls::default()
            };
            Ok((Trust::Settings(tls), flags::ENDPOINT.name()))
        }
    }
}

/// The settings of the export that this run has, as variables of another process.
pub(crate) fn given(config: &Config) -> Vec<(OsString, OsString)> {
    let mut given = Vec::new();
    for field in [&flags::ENDPOINT, &flags::TLS_CERT] {
        if let Some(value) = config.given(field) {
            given.push((field.any(), OsString::from(value)));
        }
    }
    if let Some(path) = config.given(&flags::TLS_CERT_PATH).flatten() {
        given.push((flags::TLS_CERT_PATH.any(), path.into()));
    }
    for field in [
        &flags::TLS_INSECURE,
        &flags::TRACING_DISABLED,
        &flags::LOGGING_DISABLED,
    ] {
        if let Some(value) = config.given(field) {
            given.push((field.any(), value.to_string().into()));
        }
    }
    let given = given.into_iter();
    given
        .map(|(field, value)| (field.env_name().into(), value))
        .collect()
}

/// PEM as it is, or in base64 for URLs without padding.
fn decoded(text: &str) -> Result<Vec<u8>> {
    let text = text.trim().as_bytes();
    if text.starts_with(PEM) {
        return Ok(text.to_vec());
    }
    BASE64URL_NOPAD.decode(text).map_err(|error| {
        let text = format!("otel: failed to decode base64 TLS certificate: {error}");
        invalid(flags::TLS_CERT.name(), &text)
    })
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_CERT_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn invalid(flag: &str, problem: &str) -> crate::error::Error {
    preflight::invalid(format!("field {flag}: {problem}"))
}
