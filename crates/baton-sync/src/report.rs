//! What a finished sync was: counts, completeness, what is missing and why.

use std::fmt;
use std::path::PathBuf;

use baton_c1z::Stats;
use baton_connector::{Planning, TrafficSnapshot};
use baton_proto::Advice;
use serde::{Deserialize, Serialize};

/// Whether a file holds everything that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Completeness {
    /// Everything that the connector has.
    Complete,
    /// Some objects could not be read ([`Report::skipped`] names them), or are
    /// of types that the connector does not have ([`Report::unknown_types`]).
    Partial,
}

/// Why a list is not, or not wholly, in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SkipKind {
    /// The connector may not read it. Makes the result partial.
    Forbidden,
    /// The connector's data contradicts itself there. Makes the result partial.
    Abandoned,
    /// The object was deleted while the sync ran. The result stays complete.
    Vanished,
}

/// A list that is not, or not wholly, in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// What was to be listed: `resources`, `entitlements` or `grants`.
    pub what: String,
    /// Type of the object whose list it is; for a listing of resources
    /// the type that was listed.
    pub resource_type: String,
    /// The object whose list it is, as `<type>:<id>`; empty for a list
    /// that belongs to no single object.
    pub resource: String,
    /// Why in a word.
    pub kind: SkipKind,
    /// Why in full: what the connector answered.
    pub reason: String,
    /// What the user can do about it.
    pub advice: Vec<Advice>,
}

/// What refers to a type that the connector does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownKind {
    /// An entitlement on a resource of the type; left out.
    Entitlement,
    /// A grant on a resource of the type, or to a principal of it; left out.
    Grant,
    /// A resource below a parent of the type; kept.
    Child,
}

/// Rows that refer to a type that the connector does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownType {
    /// What they are.
    pub kind: UnknownKind,
    /// The type.
    pub resource_type: String,
    /// How many there are.
    pub rows: u64,
    /// Up to three ids: of entitlements and of grants, and of resources as
    /// `<type>:<id>`.
    pub examples: Vec<String>,
}

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource_type,
            rows,
            ..
        } = self;
        let s = if *rows == 1 { "" } else { "s" };
        match self.kind {
            UnknownKind::Entitlement => write!(f, "{rows} entitlement{s} left out")?,
            UnknownKind::Grant => write!(f, "{rows} grant{s} left out")?,
            UnknownKind::Child => write!(f, "{rows} resource{s} without the parent")?,
        }
        write!(
            f,
            ": the connector has no resource type `{resource_type}`: "
        )?;
        for (n, id) in self.examples.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}`{id}`")?;
        }
        match rows.saturating_sub(self.examples.len() as u64) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A list with fewer or more rows than the application counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miscount {
    /// What was listed: `resources`, `entitlements` or `grants`.
    pub what: String,
    /// Type of the object whose list it is; for a listing of resources
    /// the type that was listed.
    pub resource_type: String,
    /// The object whose list it is, as `<type>:<id>`; empty for a list
    /// that belongs to no single object.
    pub resource: String,
    /// Different rows of the list, including those that were left out.
    pub listed: u64,
    /// Rows by the application's own count.
    pub counted: u64,
}

impl Miscount {
    /// By how much the two differ.
    pub fn difference(&self) -> u64 {
        self.counted.abs_diff(self.listed)
    }

    pub(crate) fn kind(&self) -> (&str, &str) {
        (&self.what, &self.resource_type)
    }
}

impl fmt::Display for Miscount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = list_name(&self.what, &self.resource_type, &self.resource);
        write!(
            f,
            "{list}: {} listed, but the application counts {}",
            self.listed, self.counted
        )
    }
}

/// Rows that lists have more than once under one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// As in [`Miscount::what`].
    pub what: String,
    /// As in [`Miscount::resource_type`].
    pub resource_type: String,
    /// How many rows had come before in their list.
    pub rows: u64,
    /// Up to three ids: of resources as `<type>:<id>`.
    pub examples: Vec<String>,
    /// Why this is right, if the connector gave a reason.
    pub reason: Option<String>,
}

impl fmt::Display for Repeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            resource_type,
            rows,
            ..
        } = self;
        let what = match rows {
            1 => what.strip_suffix('s').unwrap_or(what),
            _ => what,
        };
        write!(f, "{rows} repeated {what} of type `{resource_type}` (")?;
        for (n, id) in self.examples.iter().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}`{id}`")?;
        }
        if *rows > self.examples.len() as u64 {
            write!(f, ", …")?;
        }
        match &self.reason {
            Some(reason) => write!(f, "): {reason}"),
            None => write!(f, "): the last one of each id is kept"),
        }
    }
}

/// A list that cannot be compared with a count of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncounted {
    /// As in [`Miscount::what`].
    pub what: String,
    /// As in [`Miscount::resource_type`].
    pub resource_type: String,
    /// As in [`Miscount::resource`].
    pub resource: String,
    /// Why there is no count.
    pub reason: String,
}

impl Uncounted {
    pub(crate) fn kind(&self) -> (&str, &str) {
        (&self.what, &self.resource_type)
    }
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = list_name(&self.what, &self.resource_type, &self.resource);
        write!(
            f,
            "{list}: not compared with the application's own count: {}",
            self.reason
        )
    }
}

/// ``grants of `group:g1` ``, or the type where there is no single object.
fn list_name(what: &str, resource_type: &str, resource: &str) -> String {
    if resource.is_empty() {
        format!("{what} of type `{resource_type}`")
    } else {
        format!("{what} of `{resource}`")
    }
}

/// Records of the connector that are not in the file, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Dropped {
    /// Resource types without an id.
    #[serde(skip_serializing_if = "is_zero")]
    pub invalid_resource_types: u64,
    /// Resources without type or id, also those that grants embed.
    #[serde(skip_serializing_if = "is_zero")]
    pub invalid_resources: u64,
    /// Entitlements without an id or a whole resource id.
    #[serde(skip_serializing_if = "is_zero")]
    pub invalid_entitlements: u64,
    /// Entitlements on a resource of a type that the connector does not have.
    #[serde(skip_serializing_if = "is_zero")]
    pub entitlements_of_unknown_type: u64,
    /// Grants whose entitlement or principal is of such a type.
    #[serde(skip_serializing_if = "is_zero")]
    pub grants_of_unknown_type: u64,
    /// Resources of such a type that grants embed.
    #[serde(skip_serializing_if = "is_zero")]
    pub grant_resources_of_unknown_type: u64,
    /// Such types in the type filters of expandable grants.
    #[serde(skip_serializing_if = "is_zero")]
    pub expansion_types: u64,
    /// Expansions whose type filter had no other types.
    #[serde(skip_serializing_if = "is_zero")]
    pub expansions: u64,
    /// Entitlements of types that the request leaves out.
    #[serde(skip_serializing_if = "is_zero")]
    pub filtered_entitlements: u64,
    /// Grants whose entitlement or principal is of such a type.
    #[serde(skip_serializing_if = "is_zero")]
    pub filtered_grants: u64,
    /// Resources of such a type that grants embed.
    #[serde(skip_serializing_if = "is_zero")]
    pub filtered_grant_resources: u64,
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Dropped {
    fn counters(&mut self) -> [&mut u64; 11] {
        [
            &mut self.invalid_resource_types,
            &mut self.invalid_resources,
            &mut self.invalid_entitlements,
            &mut self.entitlements_of_unknown_type,
            &mut self.grants_of_unknown_type,
            &mut self.grant_resources_of_unknown_type,
            &mut self.expansion_types,
            &mut self.expansions,
            &mut self.filtered_entitlements,
            &mut self.filtered_grants,
            &mut self.filtered_grant_resources,
        ]
    }

    pub(crate) fn add(&mut self, mut other: Self) {
        for (sum, n) in self.counters().into_iter().zip(other.counters()) {
            *sum += *n;
        }
    }

    /// Subtracts what [`Dropped::add`] added.
    pub(crate) fn subtract(&mut self, mut other: Self) {
        for (sum, n) in self.counters().into_iter().zip(other.counters()) {
            *sum = sum.saturating_sub(*n);
        }
    }

    /// Whether nothing was dropped.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What the request's type filter leaves out on purpose, as text that goes
    /// behind a number, each with its number.
    pub fn filtered(&self) -> [(u64, &'static str); 3] {
        [
            (self.filtered_entitlements, "entitlements"),
            (self.filtered_grants, "grants"),
            (self.filtered_grant_resources, "resources of grants"),
        ]
    }

    /// Whether nothing was dropped but what the type filter leaves out.
    pub fn is_on_purpose(&self) -> bool {
        let filtered = Self {
            filtered_entitlements: self.filtered_entitlements,
            filtered_grants: self.filtered_grants,
            filtered_grant_resources: self.filtered_grant_resources,
            ..Self::default()
        };
        *self == filtered
    }

    /// The other reasons, each with its number, as text that goes behind a
    /// one, and behind other numbers.
    pub fn by_reason(&self) -> [(u64, &'static str, &'static str); 8] {
        [
            (
                self.invalid_resource_types,
                "resource type without an id",
                "resource types without an id",
            ),
            (
                self.invalid_resources,
                "resource without a whole id",
                "resources without a whole id",
            ),
            (
                self.invalid_entitlements,
                "entitlement without an id or a resource",
                "entitlements without an id or a resource",
            ),
            (
                self.entitlements_of_unknown_type,
                "entitlement of a type that the connector does not have",
                "entitlements of types that the connector does not have",
            ),
            (
                self.grants_of_unknown_type,
                "grant of a type that the connector does not have",
                "grants of types that the connector does not have",
            ),
            (
                self.grant_resources_of_unknown_type,
                "resource of grants, of a type that the connector does not have",
                "resources of grants, of types that the connector does not have",
            ),
            (
                self.expansion_types,
                "type outside the sync that expansions are limited to",
                "types outside the sync that expansions are limited to",
            ),
            (
                self.expansions,
                "expansion limited to such types only",
                "expansions limited to such types only",
            ),
        ]
    }

    /// Rows that were listed and left out.
    pub(crate) fn rows(&self) -> u64 {
        self.invalid()
            + self.entitlements_of_unknown_type
            + self.grants_of_unknown_type
            + self.filtered_entitlements
            + self.filtered_grants
    }

    /// Records that were invalid in themselves.
    pub fn invalid(&self) -> u64 {
        self.invalid_resource_types + self.invalid_resources + self.invalid_entitlements
    }
}

/// The outcome of a sync that was sealed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Id of the sync.
    pub sync_id: String,
    /// The file that holds it. For a partial result this is beside the
    /// target, unless the request allowed it there.
    pub path: PathBuf,
    /// Counts of this sync.
    pub stats: Stats,
    /// Counts of the last finished sync that the target held before.
    pub previous: Option<Stats>,
    /// The sync is about named resources only.
    pub targeted: bool,
    /// Whether everything is there.
    pub completeness: Completeness,
    /// Lists that are not, or not wholly, in the file, in stable order; at
    /// most [`Report::MAX_SKIPPED`] are named.
    pub skipped: Vec<Skipped>,
    /// Number of lists that could not be read, named or not.
    pub unreadable: u64,
    /// Number of lists whose object was deleted while the sync ran.
    pub vanished: u64,
    /// Records that were left out.
    pub dropped: Dropped,
    /// Rows that refer to types that the connector does not have, in stable
    /// order. They make the result partial. The warnings name them too.
    pub unknown_types: Vec<UnknownType>,
    /// Lists that brought fewer rows than the application counts, in stable
    /// order. The warnings name them too.
    pub shortfalls: Vec<Miscount>,
    /// Lists that brought more rows than the application counts, in stable
    /// order. The warnings name them too.
    pub surpluses: Vec<Miscount>,
    /// Rows that a list brought more than once, in stable order. Warnings or
    /// notes name them too.
    pub repeated: Vec<Repeated>,
    /// What is worth knowing, though nothing is wrong.
    pub notes: Vec<String>,
    /// Lists that the application was asked to count and did not. The warnings
    /// name them too.
    pub uncounted: Vec<Uncounted>,
    /// What else was noticed, such as edges that expansion left out.
    pub warnings: Vec<String>,
    /// Pages of an earlier, interrupted run were used.
    pub resumed: bool,
    /// Records that arrived more than once under one id.
    pub duplicates: u64,
    /// What was asked of the application, if the connector counts it.
    pub traffic: Option<TrafficSnapshot>,
    /// What planning the requests cost and saved, if the connector does that.
    pub planning: Option<Planning>,
}

impl Report {
    /// Number of skipped lists that are named one by one.
    pub const MAX_SKIPPED: usize = 10_000;

    /// A complete sync in `path` about which nothing else is to be reported.
    pub fn new(sync_id: impl Into<String>, path: impl Into<PathBuf>, stats: Stats) -> Self {
        Self {
            sync_id: sync_id.into(),
            path: path.into(),
            stats,
            previous: None,
            targeted: false,
            completeness: Completeness::Complete,
            skipped: Vec::new(),
            unreadable: 0,
            vanished: 0,
            dropped: Dropped::default(),
            unknown_types: Vec::new(),
            shortfalls: Vec::new(),
            surpluses: Vec::new(),
            repeated: Vec::new(),
            notes: Vec::new(),
            uncounted: Vec::new(),
            warnings: Vec::new(),
            resumed: false,
            duplicates: 0,
            traffic: None,
            planning: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_its_reason() {
        let mut dropped = Dropped::default();
        for (counter, n) in dropped.counters().into_iter().zip(1..) {
            *counter = n;
        }
        let (reasons, filtered) = (dropped.by_reason(), dropped.filtered());
        let reasons = reasons.iter().map(|(n, _, _)| *n);
        let mut all: Vec<u64> = reasons.chain(filtered.iter().map(|(n, _)| *n)).collect();
        all.sort_unstable();
        assert_eq!(all, (1..=11).collect::<Vec<_>>());
        assert!(!dropped.is_on_purpose());
    }

    #[test]
    fn counters_are_taken_back_as_they_were_added() {
        let one = Dropped {
            invalid_resources: 2,
            expansions: 1,
            ..Dropped::default()
        };
        let mut sum = one;
        sum.add(one);
        assert_eq!((sum.invalid(), sum.expansions), (4, 2));
        sum.subtract(one);
        sum.subtract(one);
        assert!(sum.is_empty());
    }
}
