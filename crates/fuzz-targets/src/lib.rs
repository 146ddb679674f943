//! What is fuzzed: one function per decoder of bytes that come from outside.
//!
//! A target feeds its input to one decoder, walks all that it yields and
//! asserts what must hold whatever the input is. Typed errors are fine;
//! panics, endless work and memory out of proportion are not. The targets
//! are run over corpora and their mutations by this crate's tests, and by
//! libFuzzer from the package in `fuzz/`. Only decoders that are public are
//! called, and this crate knows no format better than is needed to repair
//! checksums, behind which a fuzzer would otherwise not get.

#![warn(missing_docs)]

pub mod archive;
mod c1z;
mod crypto;
mod grpc;
mod mutate;
mod pebble;
mod query;
mod repair;

pub use c1z::{LOG_FINGERPRINT, LOG_TIME};
pub use mutate::{Mutator, Random};

/// One decoder under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name, which is also that of its corpus and its fuzz binary.
    pub name: &'static str,
    /// Runs it on one input. Panics if something that must hold does not.
    pub run: fn(&[u8]),
    /// What one run costs, as multiples of a cheap one.
    pub cost: u32,
}

/// Most steps that a walk over what one input decodes to makes. Compressed
/// blocks of equal rows may hold more than anyone wants to wait for.
const MAX_STEPS: usize = 1 << 16;

const fn target(name: &'static str, run: fn(&[u8]), cost: u32) -> Target {
    Target { name, run, cost }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("log", pebble::log, 1),
    target("manifest", pebble::manifest, 1),
    target("edit", pebble::edit, 1),
    target("batch", pebble::batch, 1),
    target("footer", pebble::footer, 1),
    target("block", pebble::block, 1),
    target("row_block", pebble::row_block, 2),
    target("columnar_block", pebble::columnar_block, 2),
    target("table", pebble::table, 5),
    target("directory", pebble::directory, 20),
    target("envelope_v1", c1z::envelope, 40),
    target("envelope_v3", c1z::envelope, 40),
    target("index", c1z::index, 20),
    target("database_v1", c1z::database_v1, 40),
    target("record", c1z::record, 1),
    target("page_log", c1z::page_log, 20),
    target("cursor", c1z::cursor, 1),
    target("stats", c1z::stats, 1),
    target("jwk", crypto::jwk, 10),
    target("jwe", crypto::jwe, 10),
    target("age_file", crypto::age_file, 10),
    target("client_secret", crypto::client_secret, 1),
    target("credential_options", crypto::credential_options, 1),
    target("condition", query::condition, 20),
    target("compare", query::compare, 2),
    target("request", grpc::request, 1),
];

/// Runs the target called `name` on `data`.
///
/// # Panics
/// If there is no such target, and as [`Target::run`].
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    match target {
        Some(target) => (target.run)(data),
        None => panic!("there is no fuzz target `{name}`"),
    }
}
