//! How fast stored rows become JSON: `cargo bench -p baton-proto [-- NAME]`.
//!
//! 100,000 grants as a sync of Atlassian stores them, rendered alone and with
//! what `baton grants -o json` shows around each (entitlement, resource, type,
//! principal), nothing cached. Prints the median of [`ROUNDS`] runs.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures real time and real files"
)]
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints rates"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_proto::json::{self, MessageId, Options, Registry};

const GRANTS: usize = 100_000;
const ROUNDS: usize = 7;
const ROWS: &str = include_str!("../tests/fixtures/atlassian-org-sync.rows.tsv");

fn rows(kind: &str) -> Vec<Vec<u8>> {
    ROWS.lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(found, _)| *found == kind)
        .map(|(_, data)| STANDARD.decode(data).expect("base64"))
        .collect()
}

fn id(kind: &str) -> MessageId {
    Registry::get()
        .message(&format!("c1.connector.v2.{kind}"))
        .expect("a known type")
}

/// Runs `render` for every grant, `ROUNDS` times; gives the median and the bytes.
fn measure(name: &str, mut render: impl FnMut(usize, &mut Vec<u8>)) {
    if std::env::args()
        .skip(1)
        .any(|only| !only.starts_with('-') && only != name)
    {
        return;
    }
    let mut times: Vec<Duration> = Vec::new();
    let mut written = 0;
    let mut out = Vec::with_capacity(1 << 16);
    for _ in 0..ROUNDS {
        written = 0;
        let start = Instant::now();
        for at in 0..GRANTS {
            out.clear();
            render(at, &mut out);
            written += black_box(&out).len();
        }
        times.push(start.elapsed());
    }
    times.sort();
    let median = times[ROUNDS / 2];
    let rate = written as f64 / 1e6 / median.as_secs_f64();
    println!(
        "{name}: {GRANTS} grants, {:.0} MB, median of {ROUNDS}: {} ms, {rate:.0} MB/s",
        written as f64 / 1e6,
        median.as_millis()
    );
}

fn main() {
    let options = Options::default();
    let grants = rows("Grant");
    let print = |out: &mut Vec<u8>, kind, data: &[u8]| {
        json::write(out, kind, data, &options).expect("a stored row");
    };
    let grant = id("Grant");
    measure("json/grants", |at, out| {
        print(out, grant, &grants[at % grants.len()]);
    });

    let entitlements = rows("Entitlement");
    let resources = rows("Resource");
    let types = rows("ResourceType");
    let (entitlement, resource, kind) = (id("Entitlement"), id("Resource"), id("ResourceType"));
    measure("json/grant-elements", |at, out| {
        out.extend_from_slice(b"{\"grant\":");
        print(out, grant, &grants[at % grants.len()]);
        out.extend_from_slice(b",\"entitlement\":");
        print(out, entitlement, &entitlements[at % entitlements.len()]);
        out.extend_from_slice(b",\"resource\":");
        print(out, resource, &resources[at % resources.len()]);
        out.extend_from_slice(b",\"resourceType\":");
        print(out, kind, &types[at % types.len()]);
        out.extend_from_slice(b",\"principal\":");
        print(out, resource, &resources[(at * 7) % resources.len()]);
        out.push(b'}');
    });

    let texts: Vec<String> = grants
        .iter()
        .map(|row| {
            let mut out = Vec::new();
            print(&mut out, grant, row);
            String::from_utf8(out).expect("UTF-8")
        })
        .collect();
    measure("json/parse-grants", |at, out| {
        *out = json::parse(grant, &texts[at % texts.len()]).expect("our own JSON");
    });
}
