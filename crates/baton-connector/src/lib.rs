//! What a connector is, and the HTTP client that every connector shares.
//!
//! A connector describes one application's access: resource types, resources,
//! entitlements and grants, page by page. Authors write one
//! [`ResourceSyncer`] per type, with the [`resource`] builders and the
//! [`http`] client, and registers them as [`Types`]; [`ConnectorBuilder`] makes
//! the [`Connector`] that engines drive.
//!
//! The crate knows the wire types and HTTP; it knows no file format, no
//! engine and no command line. It reads no environment and keeps no global
//! state: settings, clock, randomness and network are values.
#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests make files and threads")
)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")
)]
#![warn(missing_docs)]

mod account;
mod action;
mod added;
mod announced;
mod builder;
mod built_accounts;
mod built_feeds;
mod call;
mod change;
mod change_settings;
mod clock;
mod connector;
mod credential;
mod error;
mod event_feed;
mod held;
pub mod http;
mod in_flight;
mod ksuid;
mod limits;
mod local;
mod page;
pub mod paging;
pub mod resource;
mod retrying;
mod run_notes;
mod sealing;
pub mod session;
mod syncer;
mod ticket;
mod traffic;
mod traffic_source;
mod transport_error;
mod types;
mod upstream_count;
mod write_view;

pub use account::{
    Account, AccountField, AccountManager, AccountOutcome, AccountProfile, AccountSchema, Accounts,
    NewAccount,
};
pub use action::{Action, ActionSchema, ActionState, Actions, Argument, Arguments, Invoke};
pub use added::Added;
pub use baton_proto::Secret;
pub use builder::{BuiltConnector, ConnectorBuilder, Validator};
pub use call::{Call, Run, RunLocal, RunView};
pub use change::{
    Answer, Change, Creating, Creation, Deleted, Deleting, Granted, Made, Protected, Provisioner,
    Provisioning, Reply, ResourceCreator, ResourceDeleter, Revoked, Write,
};
pub use change_settings::{ChangeSettings, Outcome, Plan, Recorder, Report};
pub use clock::{Clock, Random, SplitMix, SystemClock};
pub use connector::Connector;
pub use credential::{
    CredentialIssuer, CredentialKinds, CredentialManager, Credentials, IssueRequest,
    IssuedCredential, NewCredential,
};
pub use error::{Error, RemoteError, RequestError, RequestErrorKind, Result};
pub use event_feed::{
    EventFeed, EventFeeds, EventPage, EventRequest, MAX_EVENT_CURSOR_BYTES, MAX_EVENTS_PER_PAGE,
};
pub use held::{Held, Operation, Through};
pub use ksuid::new_ksuid;
pub use local::LocalHooks;
pub use page::{Page, PageNotes, PageToken, Row};
pub use paging::fingerprint;
pub use retrying::{CallRetryPolicy, Retrying};
pub use run_notes::{NotesSource, Planning, RunNotes};
pub use sealing::Answered;
pub use syncer::{
    ExpectedDuplicates, ResourceGetter, ResourceSyncer, TypeEntitlements, TypeGrants,
};
pub use ticket::{TicketFault, TicketManager, Tickets, check_ticket};
pub use traffic::{
    ActiveWait, AnnouncedLimit, EndpointTraffic, LeastTime, Throttle, ThrottledBy, TrafficSnapshot,
    WaitReason, Waited,
};
pub use traffic_source::TrafficSource;
pub use types::{TypeSpec, Types};
pub use upstream_count::UpstreamCount;
pub use write_view::WriteView;

// What every connector needs of other crates, so that it need not depend on them.
pub use async_trait::async_trait;
pub use baton_crypto::{ClientSecret, Hidden, LocalOptions, Plaintext};
pub use baton_proto::Code;
/// The kinds and rules of arguments.
pub use baton_proto::c1::config::v1 as config;
/// The wire types: resources, entitlements, grants, annotations.
pub use baton_proto::c1::connector::v2;
pub use prost_types::{Any, Struct, Timestamp};
pub use url::Url;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
