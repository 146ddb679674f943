//! What the programs print for people.
//!
//! [`Block`] is a piece of output: lines, some with a label (`error:`,
//! `warning:`, `hint:` …). [`Printer`] writes blocks. [`TextGate`] is the one
//! place where text from outside loses control characters and known secrets;
//! every line of a block passes it when it is written, so a name can never
//! make a line, a colour or a movement of the cursor.
//!
//! ```
//! use baton_term::{Block, TextGate};
//!
//! let mut block = Block::new();
//! block.warning("group `evil\n\u{1b}[2Jname` has no members");
//! assert_eq!(
//!     block.render(&TextGate::default(), false),
//!     "warning: group `evil\u{fffd}\u{fffd}[2Jname` has no members\n"
//! );
//! ```

#![warn(missing_docs)]

mod block;
mod gate;
mod printer;
mod secrets;
mod startup;
mod stdout;
mod width;

pub use block::{Block, Label};
pub use gate::{TextGate, clean, is_forbidden};
pub use printer::Printer;
pub use startup::stdout_was_closed;
pub use stdout::StandardOutput;
pub use width::{columns_of_stderr, columns_of_stdout, lines_of_stdout};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
