//! What a connector is, and the HTTP client that every connector shares.
//!
//! A connector describes one application's access: resource types, resources,
//! entitlements and grants, page by page. Authors write one
//! [`ResourceSyncer`] per type, with the [`resource`] builders and the
//! [`http`] client; [`ConnectorBuilder`] checks them and makes the
//! [`Connector`] that engines drive.
//!
//! The crate knows the wire types and HTTP; it knows no file format, no
//! engine and no command line. It reads no environment and keeps no global
//! state: settings, clock, randomness and network are values.
#![warn(missing_docs)]

mod added;
mod builder;
mod call;
mod clock;
mod connector;
mod counted;
mod error;
pub mod http;
mod local;
pub mod paging;
mod remarks;
pub mod resource;
pub mod session;
mod syncer;
mod traffic;

pub use added::Added;
pub use baton_proto::Secret;
pub use builder::{BuiltConnector, ConnectorBuilder, Upstream, Validator};
pub use call::{Call, Run, RunLocal, RunView};
pub use clock::{Clock, Random, SplitMix, SystemClock};
pub use connector::{Connector, Page, PageToken};
pub use counted::Counted;
pub use error::{Error, RequestError, RequestErrorKind, Result};
pub use local::Local;
pub use remarks::{Planning, Remark, Remarks};
pub use syncer::{Repeats, ResourceSyncer, SyncerCapabilities};
pub use traffic::{
    ActiveWait, AnnouncedLimit, EndpointTraffic, LeastTime, Throttle, ThrottledBy, TrafficSnapshot,
    WaitReason, Waited,
};

// What every connector needs of other crates, so that it need not depend on them.
pub use async_trait::async_trait;
pub use baton_proto::Code;
/// The wire types: resources, entitlements, grants, annotations.
pub use baton_proto::c1::connector::v2;
pub use prost_types::{Any, Timestamp};
