//! What must hold between the rows of a sync as a whole (sync-runtime.md
//! §3.3): references lead to rows of the sync, exclusion groups make sense. The
//! rows that will be in the file are checked, just before it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use baton_c1z::{Row, RowCheck, SortedRows, Table};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::figures::counted;
use baton_proto::wire;
use prost::Name;

use crate::blocking::Doing;
use crate::digest::{Digests, digest};
use crate::error::{Error, Result};
use crate::groups::Groups;

const CHECKING: &str = "checking the rows of the sync";
/// Examples that a finding names: ids are long, and one line must hold them.
const MAX_EXAMPLES: usize = 3;
/// Broken exclusion groups that are listed one by one.
const MAX_GROUPS_LISTED: usize = 25;

/// What happens when a rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnBroken {
    Warn,
    Fail,
}

impl OnBroken {
    pub(crate) fn fail_if(fails: bool) -> Self {
        if fails { Self::Fail } else { Self::Warn }
    }
}

/// How references between rows are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct References {
    /// A row names another row that is not in the sync.
    pub(crate) on_broken: OnBroken,
    /// A grant embeds a resource that is to be inserted and is not in the sync.
    pub(crate) on_absent_inserted: OnBroken,
}

/// The rules that a sync is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Exclusion groups make sense; `None`: there are none.
    pub(crate) groups: Option<OnBroken>,
    /// References lead to rows; `None`: they are not followed.
    pub(crate) references: Option<References>,
}

impl Rules {
    /// Whether there is nothing to check.
    pub(crate) fn is_empty(self) -> bool {
        self.groups.is_none() && self.references.is_none()
    }
}

/// Checks the rows of a compaction. A broken rule that fails a connector's
/// sync is a warning here: each file was accepted once, and the parts need not
/// fit together (sync-runtime.md §3.3).
#[derive(Debug)]
pub struct MergeCheck(Check);

impl MergeCheck {
    /// The check.
    pub fn new() -> Self {
        let rules = Rules {
            groups: Some(OnBroken::Warn),
            references: Some(References {
                on_broken: OnBroken::Warn,
                on_absent_inserted: OnBroken::Warn,
            }),
        };
        Self(Check::new(rules, Doing::new(CHECKING)))
    }
}

impl Default for MergeCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl RowCheck for MergeCheck {
    fn check(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<Vec<String>> {
        self.0.check(rows)
    }
}

/// Fails if resources name child types that were not listed below them (I4).
pub(crate) fn check_children(unknown: &BTreeSet<String>) -> Result<()> {
    let Some(example) = unknown.first() else {
        return Ok(());
    };
    Err(Error::Invariant {
        id: "I4",
        problem: format!("resources name the child type `{example}`, which was not listed"),
    })
}

/// Checks the rows that will be in the file against the rules.
#[derive(Debug)]
pub(crate) struct Check {
    rules: Rules,
    /// What the work on the file is busy with.
    doing: Doing,
}

impl Check {
    pub(crate) fn new(rules: Rules, doing: Doing) -> Self {
        Self { rules, doing }
    }
}

impl RowCheck for Check {
    fn check(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<Vec<String>> {
        self.doing.set(CHECKING);
        let mut warnings = Vec::new();
        if let Some(on_broken) = self.rules.groups {
            warnings.extend(check_groups(rows, on_broken)?);
        }
        if let Some(rules) = self.rules.references {
            warnings.extend(check_references(rows, rules)?);
        }
        Ok(warnings)
    }
}

fn check_groups(rows: &dyn SortedRows, on_broken: OnBroken) -> baton_c1z::Result<Vec<String>> {
    let mut warnings = Vec::new();
    let mut groups = Groups::default();
    scan(rows, Table::Entitlements, &mut |row| match groups.add(
        row.id,
        row.resource_type_id,
        row.data,
    ) {
        Err(error) if on_broken == OnBroken::Warn => {
            if warnings.len() < MAX_GROUPS_LISTED {
                warnings.push(error.to_string());
            }
            Ok(())
        }
        checked => checked,
    })?;
    Ok(warnings)
}

fn check_references(rows: &dyn SortedRows, rules: References) -> baton_c1z::Result<Vec<String>> {
    let mut findings = BrokenRules::default();
    let known = Known::read(rows, &mut findings)?;
    scan(rows, Table::Grants, &mut |row| {
        findings.grant(&known, row, rules.on_absent_inserted)
    })?;
    findings.end_orphaned();
    match findings.first() {
        Some(error) if rules.on_broken == OnBroken::Fail => Err(error.into()),
        _ => Ok(findings.warnings()),
    }
}

/// Visits a table.
fn scan(
    rows: &dyn SortedRows,
    table: Table,
    visit: &mut dyn FnMut(&Row<'_>) -> Result<()>,
) -> baton_c1z::Result<()> {
    rows.scan(table, &mut |row| {
        visit(row)?;
        Ok(ControlFlow::Continue(()))
    })
}

#[derive(Default)]
struct Known {
    resources: Digests,
    entitlements: Digests,
}

impl Known {
    /// Learns which resources and entitlements exist.
    fn read(rows: &dyn SortedRows, findings: &mut BrokenRules) -> baton_c1z::Result<Self> {
        let mut known = Self::default();
        scan(rows, Table::Resources, &mut |row| {
            let id = digest(&[row.resource_type_id, row.resource_id]);
            known.resources.insert(id);
            Ok(())
        })?;
        scan(rows, Table::Entitlements, &mut |row| {
            known.entitlements.insert(digest(&[row.id]));
            if !known.has_resource(row.resource_type_id, row.resource_id) {
                findings.note(Broken::EntitlementResource, row.id);
            }
            Ok(())
        })?;
        Ok(known)
    }

    /// Rows without an identity refer to nothing.
    fn has_resource(&self, kind: &str, id: &str) -> bool {
        kind.is_empty() || self.resources.contains(&digest(&[kind, id]))
    }
}

/// What is found broken, in the order in which it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Broken {
    EntitlementResource,
    GrantResource,
    GrantEntitlement,
    GrantPrincipal,
    Placeholder,
}

impl Broken {
    /// The invariant, and one and several rows that break it.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::EntitlementResource => (
                "I7",
                "entitlement is on a resource that is not in the sync",
                "entitlements are on resources that are not in the sync",
            ),
            Self::GrantResource => (
                "I3",
                "grant is on a resource that is not in the sync",
                "grants are on resources that are not in the sync",
            ),
            Self::GrantEntitlement => (
                "I8",
                "granted entitlement is not in the sync",
                "granted entitlements are not in the sync",
            ),
            Self::GrantPrincipal => (
                "I9",
                "grant is to a principal that is not in the sync",
                "grants are to principals that are not in the sync",
            ),
            Self::Placeholder => (
                "I9",
                "grant has an unmatched external principal",
                "grants have an unmatched external principal",
            ),
        }
    }
}

/// An entitlement that grants name and that is not in the sync.
#[derive(Debug, Default)]
struct Orphaned {
    id: String,
    /// All of its grants embed a resource that is to be inserted, which is
    /// allowed.
    excused: bool,
}

#[derive(Debug, Default)]
struct BrokenRules {
    found: BTreeMap<Broken, (u64, Vec<String>)>,
    /// Grants of one entitlement come one after the other.
    orphaned: Option<Orphaned>,
}

impl BrokenRules {
    fn note(&mut self, broken: Broken, example: &str) {
        let (count, examples) = self.found.entry(broken).or_default();
        *count += 1;
        if examples.len() < MAX_EXAMPLES {
            examples.push(example.to_owned());
        }
    }

    fn grant(&mut self, known: &Known, row: &Row<'_>, on_absent: OnBroken) -> Result<()> {
        let has = |names: &[&str]| {
            wire::has_annotation(row.data, field::grant::ANNOTATIONS, names).map_err(|source| {
                Error::Annotation {
                    record: format!("grant `{}`", row.id),
                    source,
                }
            })
        };
        if !known.has_resource(row.resource_type_id, row.resource_id) {
            if on_absent == OnBroken::Fail && has(&[&v2::InsertResourceGrants::full_name()])? {
                return Err(Error::Invariant {
                    id: "I3",
                    problem: format!(
                        "grant `{}` embeds resource `{}:{}`, which is not in the sync",
                        row.id, row.resource_type_id, row.resource_id
                    ),
                });
            }
            self.note(Broken::GrantResource, row.id);
        }
        let orphan = !row.entitlement_id.is_empty()
            && !known.entitlements.contains(&digest(&[row.entitlement_id]));
        if orphan {
            let excused = has(&[&v2::InsertResourceGrants::full_name()])?;
            match &mut self.orphaned {
                Some(orphaned) if orphaned.id == row.entitlement_id => {
                    orphaned.excused &= excused;
                }
                _ => {
                    self.end_orphaned();
                    self.orphaned = Some(Orphaned {
                        id: row.entitlement_id.to_owned(),
                        excused,
                    });
                }
            }
        }
        if !known.has_resource(row.principal_type_id, row.principal_id) {
            let waits = has(&[
                &v2::ExternalResourceMatchAll::full_name(),
                &v2::ExternalResourceMatchId::full_name(),
                &v2::ExternalResourceMatch::full_name(),
            ])?;
            let broken = if waits {
                Broken::Placeholder
            } else {
                Broken::GrantPrincipal
            };
            self.note(broken, row.id);
        }
        Ok(())
    }

    fn end_orphaned(&mut self) {
        if let Some(orphaned) = self.orphaned.take()
            && !orphaned.excused
        {
            self.note(Broken::GrantEntitlement, &orphaned.id);
        }
    }

    /// The first finding as an error; an unmatched placeholder is not one.
    fn first(&self) -> Option<Error> {
        let mut found = self.found.iter();
        let (broken, (count, examples)) =
            found.find(|(broken, _)| **broken != Broken::Placeholder)?;
        let (id, one, many) = broken.words();
        let problem = format!(
            "{}: {}",
            counted(*count, one, many),
            named(*count, examples)
        );
        Some(Error::Invariant { id, problem })
    }

    /// One line per kind.
    fn warnings(mut self) -> Vec<String> {
        self.end_orphaned();
        let line = |(broken, (count, examples)): (Broken, (u64, Vec<String>))| {
            let (id, one, many) = broken.words();
            let what = counted(count, one, many);
            format!(
                "{what} (ingest invariant {id}): {}",
                named(count, &examples)
            )
        };
        self.found.into_iter().map(line).collect()
    }
}

/// The examples of a finding, and how many more there are.
fn named(count: u64, examples: &[String]) -> String {
    let more = match count - examples.len() as u64 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("`{}`{more}", examples.join("`, `"))
}

#[cfg(test)]
mod tests {
    use baton_proto::{any, encode};

    use super::*;

    fn known(resources: &[[&str; 2]], entitlements: &[&str]) -> Known {
        Known {
            resources: resources.iter().map(|id| digest(id)).collect(),
            entitlements: entitlements.iter().map(|id| digest(&[id])).collect(),
        }
    }

    fn grant(annotations: Vec<prost_types::Any>) -> Vec<u8> {
        encode::to_vec(&v2::Grant {
            annotations,
            ..v2::Grant::default()
        })
    }

    fn row<'a>(id: &'a str, entitlement: &'a str, to: &'a str, data: &'a [u8]) -> Row<'a> {
        Row {
            id,
            resource_type_id: "group",
            resource_id: "g",
            entitlement_id: entitlement,
            principal_type_id: "user",
            principal_id: to,
            data,
            ..Row::default()
        }
    }

    #[test]
    fn broken_references_are_counted_by_kind_with_examples() {
        let known = known(&[["user", "u"]], &["e"]);
        let mut findings = BrokenRules::default();
        let plain = grant(Vec::new());
        let inserted = grant(vec![any::pack(&v2::InsertResourceGrants::default())]);
        let waiting = grant(vec![any::pack(&v2::ExternalResourceMatchAll::default())]);
        for row in [
            row("1", "e", "u", &plain),
            row("2", "e", "x", &plain),
            row("3", "e", "x", &waiting),
            row("4", "excused", "u", &inserted),
            row("5", "half", "u", &inserted),
            row("6", "half", "u", &plain),
        ] {
            findings
                .grant(&known, &row, OnBroken::Warn)
                .expect("only warnings");
        }
        assert_eq!(
            findings.warnings(),
            [
                "6 grants are on resources that are not in the sync (ingest invariant I3): `1`, `2`, `3` and 3 more",
                "1 granted entitlement is not in the sync (ingest invariant I8): `half`",
                "1 grant is to a principal that is not in the sync (ingest invariant I9): `2`",
                "1 grant has an unmatched external principal (ingest invariant I9): `3`",
            ]
        );
    }

    #[test]
    fn a_resource_that_a_grant_embeds_must_be_in_the_sync() {
        let known = known(&[["user", "u"]], &["e"]);
        let inserted = grant(vec![any::pack(&v2::InsertResourceGrants::default())]);
        let error = BrokenRules::default()
            .grant(&known, &row("1", "e", "u", &inserted), OnBroken::Fail)
            .expect_err("fatal");
        assert_eq!(
            error.to_string(),
            "ingest invariant I3 violated: grant `1` embeds resource `group:g`, which is not in the sync"
        );
    }

    #[test]
    fn at_most_three_examples_are_listed() {
        let mut findings = BrokenRules::default();
        for n in 0..30 {
            findings.note(Broken::GrantPrincipal, &n.to_string());
        }
        let warnings = findings.warnings();
        assert!(warnings[0].ends_with("`2` and 27 more"), "{warnings:?}");
    }
}
