//! The sync engine: it asks a connector for everything, page by page, and
//! leaves a sync file.
//!
//! Phases run one after the other; within a phase many lists are asked for
//! at once, the pages of one list in order. Every page goes into an
//! append-only log before it counts, so the next run resumes where an interrupted one
//! stopped, and the finished file does not depend on timing, on the number
//! of workers or on interruptions. The engine knows nothing of flags, of
//! printing and of HTTP; retries are the connector's business.
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use baton_connector::resource::{ResourceBuilder, ResourceTypeBuilder};
//! use baton_connector::{
//!     Call, ConnectorBuilder, Page, ResourceSyncer, SplitMix, SystemClock, TypeSpec, Types,
//! };
//! use baton_proto::c1::connector::v2;
//! use baton_sync::{SyncHost, Silent, SyncRequest};
//!
//! struct Rooms;
//!
//! #[async_trait]
//! impl ResourceSyncer for Rooms {
//!     async fn list(
//!         &self,
//!         _call: &Call,
//!         _parent: Option<&v2::ResourceId>,
//!     ) -> baton_connector::Result<Page<v2::Resource>> {
//!         let room = ResourceBuilder::new("room", "r1").display_name("Library");
//!         Ok(Page::last(vec![room.build()?]))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let room = ResourceTypeBuilder::named("Room").build()?;
//! let types = Types::new().with(TypeSpec::new(room, |(): &()| Ok(Rooms)));
//! let connector = ConnectorBuilder::new().types(&types, &())?.build()?;
//! let folder = tempfile::tempdir()?;
//! let host = SyncHost {
//!     clock: Arc::new(SystemClock),
//!     random: Arc::new(SplitMix::seeded(7)),
//!     cancel: Default::default(),
//!     observer: Arc::new(Silent),
//! };
//! let request = SyncRequest::new(folder.path().join("sync.c1z"));
//! let report = baton_sync::run(Arc::new(connector), request, host).await?;
//! assert_eq!(report.stats.resources, 1);
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod added;
mod blocking;
mod check;
mod context;
mod count_check;
mod crash;
mod digest;
mod drive;
mod error;
mod event;
mod external;
mod fetch;
mod findings;
mod groups;
mod index;
mod invariants;
mod journal;
mod list;
mod phases;
mod plan;
mod policy;
mod progress;
mod provenance;
mod recheck;
mod records;
mod repeats;
mod report;
mod request;
mod row_keys;
mod run;
mod seal;
mod sessions;
mod split_lists;
mod stopping;
mod strays;
mod target;
mod template;
mod types;

pub use blocking::Blocking;
pub use error::{Error, Result};
pub use event::{Event, Observer, Phase, Silent};
pub use invariants::MergeCheck;
pub use policy::merge_invariant;
pub use report::{
    Completeness, Dropped, Miscount, Repeated, Report, SkipKind, Skipped, Uncounted, UnknownKind,
    UnknownType,
};
pub use request::{ExternalResources, Provenance, SyncHost, SyncRequest, Workers};
pub use run::{new_sync_id, run};
pub use target::partial_path;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
