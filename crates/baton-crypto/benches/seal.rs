//! Encrypts a password to three recipients: an age key, an Ed25519 JWK and a
//! key of curve P-256. Prints the median of 201 runs. Run it with
//! `cargo bench -p baton-crypto`.

use std::time::{Duration, Instant};

use baton_crypto::{Plaintext, Recipients, config_of_text};

const KEYS: [&str; 3] = [
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    include_str!("../tests/keys/id_ed25519.pub"),
    include_str!("../tests/keys/p256.jwk"),
];

/// The budget of one encryption to three recipients.
const BUDGET: Duration = Duration::from_millis(5);

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench measures real time and reports on stdout"
)]
fn main() -> Result<(), baton_crypto::Error> {
    let configs = KEYS.map(config_of_text);
    let configs = configs.into_iter().collect::<Result<Vec<_>, _>>()?;
    let recipients = Recipients::parse(&configs)?;
    let mut times = Vec::new();
    for _ in 0..201 {
        let secret = Plaintext::new("password", *b"twenty characters...");
        let start = Instant::now();
        let sealed = recipients.seal(&[secret]);
        times.push(start.elapsed());
        assert_eq!((sealed.copies.len(), sealed.failures.len()), (3, 0));
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    println!(
        "three recipients: median {} µs, slowest {} µs, budget {} µs",
        median.as_micros(),
        times[times.len() - 1].as_micros(),
        BUDGET.as_micros()
    );
    Ok(())
}
