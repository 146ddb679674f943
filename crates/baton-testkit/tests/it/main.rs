//! The kit itself, and the commands that test a connector.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
#![allow(clippy::disallowed_methods, reason = "tests make files")]

mod accounts;
mod actions;
mod breach;
mod changes;
mod conformance;
mod feeds;
mod kit;
mod parts;
mod provisioner;
mod selftest;
mod toy;
