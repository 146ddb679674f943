//! A bounded run of every fuzz target: each corpus file, its truncations, and
//! seeded mutations. `FUZZ_ROUNDS` multiplies the number of mutations. A
//! failure names the target and the input, which can be made again from them.
#![allow(
    clippy::disallowed_methods,
    reason = "tests make files, threads and processes"
)]
#![allow(clippy::unwrap_used, reason = "a failed assumption fails its test")]

mod memory;
mod runs;
