//! The program as a user meets it: command lines in, text and exit status out.
#![allow(clippy::unwrap_used)]

mod earlier;
mod expand;
mod goldens;
mod hostile;
mod panics;
mod program;
mod refusals;
mod rollback;
mod steps;
mod streams;
mod terminal;
