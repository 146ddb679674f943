//! The flags of the export to an OpenTelemetry collector, in the order of the schema.

use std::path::PathBuf;

use baton_flags::{AnyField, Export, Field};

pub(crate) const ENDPOINT: Field<String> = Field::string(
    "otel-collector-endpoint",
    "the endpoint of the OpenTelemetry collector to send observability data to (used for both tracing and logging if specific endpoints are not provided)",
)
.value_name("address")
.export(Export::Ops);
pub(crate) const TLS_CERT_PATH: Field<Option<PathBuf>> = Field::path(
    "otel-collector-endpoint-tls-cert-path",
    "path to a file containing a PEM-encoded certificate to use as a CA for TLS connections to the OpenTelemetry collector",
)
.must_name("the path of a certificate file")
.hidden()
.export(Export::Ops);
pub(crate) const TLS_CERT: Field<String> = Field::string(
    "otel-collector-endpoint-tls-cert",
    "a PEM-encoded certificate to use as a CA for TLS connections to the OpenTelemetry collector",
)
.value_name("pem")
.hidden()
.export(Export::Ops);
pub(crate) const TLS_INSECURE: Field<bool> = Field::bool(
    "otel-collector-endpoint-tls-insecure",
    "allow insecure connections to the OpenTelemetry collector",
)
.hidden()
.export(Export::Ops);
pub(crate) const TRACING_DISABLED: Field<bool> =
    Field::bool("otel-tracing-disabled", "disable OpenTelemetry tracing")
        .hidden()
        .export(Export::Ops);
pub(crate) const LOGGING_DISABLED: Field<bool> =
    Field::bool("otel-logging-disabled", "disable OpenTelemetry logging")
        .hidden()
        .export(Export::Ops);

/// All of them.
pub(crate) fn all() -> [AnyField; 6] {
    [
        ENDPOINT.any(),
        TLS_CERT_PATH.any(),
        TLS_CERT.any(),
        TLS_INSECURE.any(),
        TRACING_DISABLED.any(),
        LOGGING_DISABLED.any(),
    ]
}
