//! The kit itself, and the commands that test a connector.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod kit;
mod selftest;
mod toy;
