//! What must hold between the rows of a sync as a whole (sync-runtime.md
//! §3.3), judged on the rows that will be in the file, just before it is
//! written: references lead somewhere, exclusion groups make sense.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use baton_c1z::{Expander, Expansion, Format, Row, SortedRows, Substitutes, Table};
use baton_proto::c1::connector::v2;
use baton_proto::field::c1::connector::v2 as field;
use baton_proto::figures::counted;
use baton_proto::wire;
use prost::Name;

use crate::blocking::Doing;
use crate::digest::{Digests, digest};
use crate::error::{Error, Result};
use crate::external::Matcher;
use crate::groups::Groups;
use crate::records;

/// What [`Checks`] does, for the report of a panic.
pub(crate) const EXPANDING: &str = "expanding grants";
const CHECKING: &str = "checking the rows of the sync";
const MATCHING: &str = "matching external principals";
/// Examples that a finding names: ids are long, and one line must hold them.
const MAX_EXAMPLES: usize = 3;
/// Broken exclusion groups that are told one by one.
const MAX_GROUPS_TOLD: usize = 25;
/// The version of these rules, as it is stored with a sync that keeps them.
const GENERATION: &str = "1";
/// How the sync came about, as it is stored beside the version.
const MODE: &str = "connector";
/// The same of a sync that was put together from others.
const MODE_MERGE: &str = "compaction_merge";
/// The same where every finding was to fail it.
const MODE_FAIL_FAST: &str = "connector_fail_fast";

/// Which rules a sync is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Some entitlement is in an exclusion group.
    pub(crate) groups: bool,
    /// References are followed.
    pub(crate) references: bool,
    /// A grant that brings a resource along must lead to it.
    pub(crate) inserted_must_exist: bool,
    /// What is found fails the sync, placeholders left aside.
    pub(crate) fail_fast: bool,
    /// What is found in exclusion groups is only told.
    pub(crate) soft: bool,
}

/// The mark of a sync that keeps the rules: generation, coverage and mode.
/// Coverage that is judged on the side, as warnings only, does not count.
pub(crate) fn marker(
    covers_children: bool,
    covers_references: bool,
    fail_fast: bool,
) -> [String; 3] {
    let mut covered = vec!["I5", "I10"];
    if covers_children {
        covered.push("I4");
    }
    if covers_references {
        covered.extend(["I7", "I3", "I8", "I9"]);
    }
    let coverage = records::to_text(&covered);
    let mode = if fail_fast { MODE_FAIL_FAST } else { MODE };
    [GENERATION.to_owned(), coverage, mode.to_owned()]
}

/// Checks the rows of a compaction, then expands them. What would fail the
/// sync of a connector is a warning here: the files were accepted once, and
/// their parts need not fit together (sync-runtime.md §3.3).
#[derive(Debug)]
pub struct MergeChecks<E>(Checks<E>);

impl<E: Expander> MergeChecks<E> {
    /// Checks, then has `inner` expand.
    pub fn new(inner: E) -> Self {
        Self(Checks {
            inner,
            expands: true,
            matcher: None,
            rules: Rules {
                groups: true,
                references: true,
                inserted_must_exist: false,
                fail_fast: false,
                soft: true,
            },
            doing: Doing::new(EXPANDING),
            verdict: None,
        })
    }
}

impl<E: Expander> Expander for MergeChecks<E> {
    fn needs_rows(&self) -> bool {
        true
    }

    fn ingest_invariant(&self, format: Format) -> [String; 3] {
        let [generation, coverage, _] = marker(false, format == Format::V3, false);
        [generation, coverage, MODE_MERGE.to_owned()]
    }

    fn expand(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        self.0.expand(rows)
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

/// Checks the rules, then expands.
#[derive(Debug)]
pub(crate) struct Checks<E> {
    pub(crate) inner: E,
    /// The connector's grants are expanded. Expansions that only the copied
    /// ones have are not done.
    pub(crate) expands: bool,
    /// Finds the principals of placeholders, where another file brings some.
    pub(crate) matcher: Option<Matcher>,
    pub(crate) rules: Rules,
    /// What the work on the file is busy with.
    pub(crate) doing: Doing,
    /// What was found wrong: the error that leaves the seal says less.
    pub(crate) verdict: Option<Error>,
}

impl<E: Expander> Expander for Checks<E> {
    fn needs_rows(&self) -> bool {
        self.rules.groups
            || self.rules.references
            || self.matcher.is_some()
            || self.inner.needs_rows()
    }

    fn substitutes(&mut self) -> Option<&mut dyn Substitutes> {
        let matcher = self.matcher.as_mut()?;
        self.doing.set(MATCHING);
        Some(matcher)
    }

    fn expand(&mut self, rows: &dyn SortedRows) -> baton_c1z::Result<Expansion> {
        let mut told = Vec::new();
        self.doing.set(CHECKING);
        if self.rules.groups {
            let (mut groups, soft) = (Groups::default(), self.rules.soft);
            self.scan(rows, Table::Entitlements, &mut |row| match groups.add(
                row.id,
                row.resource_type_id,
                row.data,
            ) {
                Err(error) if soft => {
                    if told.len() < MAX_GROUPS_TOLD {
                        told.push(error.to_string());
                    }
                    Ok(())
                }
                judged => judged,
            })?;
        }
        let mut findings = Findings::default();
        if self.rules.references {
            let known = self.known(rows, &mut findings)?;
            let must = self.rules.inserted_must_exist;
            self.scan(rows, Table::Grants, &mut |row| {
                findings.grant(&known, row, must)
            })?;
        }
        findings.end_orphaned();
        if self.rules.fail_fast
            && let Some(error) = findings.first()
        {
            let code = error.code();
            self.verdict = Some(error);
            return Err(baton_c1z::Error::caller(code, "ingest invariants"));
        }
        self.doing.set(EXPANDING);
        let due = self.expands && rows.expandable_count() > 0;
        let mut expansion = if due || self.inner.needs_rows() {
            self.inner.expand(rows)?
        } else {
            Expansion::new(std::iter::empty())
        };
        if let Some(matcher) = &self.matcher {
            expansion.warnings.extend(matcher.warnings());
        }
        expansion.warnings.extend(told);
        expansion.warnings.extend(findings.tell());
        Ok(expansion)
    }
}

impl<E> Checks<E> {
    /// Visits a table; an error of the visitor becomes the verdict.
    fn scan(
        &mut self,
        rows: &dyn SortedRows,
        table: Table,
        visit: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> baton_c1z::Result<()> {
        rows.scan(table, &mut |row| match visit(row) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) => {
                let code = error.code();
                self.verdict = Some(error);
                Err(baton_c1z::Error::caller(code, "ingest invariants"))
            }
        })
    }

    /// Learns which resources and entitlements there are.
    fn known(
        &mut self,
        rows: &dyn SortedRows,
        findings: &mut Findings,
    ) -> baton_c1z::Result<Known> {
        let mut known = Known::default();
        self.scan(rows, Table::Resources, &mut |row| {
            known
                .resources
                .insert(digest(&[row.resource_type_id, row.resource_id]));
            Ok(())
        })?;
        self.scan(rows, Table::Entitlements, &mut |row| {
            known.entitlements.insert(digest(&[row.id]));
            if !known.has_resource(row.resource_type_id, row.resource_id) {
                findings.note(Broken::EntitlementResource, row.id);
            }
            Ok(())
        })?;
        Ok(known)
    }
}

#[derive(Default)]
struct Known {
    resources: Digests,
    entitlements: Digests,
}

impl Known {
    /// Rows without an identity refer to nothing.
    fn has_resource(&self, kind: &str, id: &str) -> bool {
        kind.is_empty() || self.resources.contains(&digest(&[kind, id]))
    }
}

/// What is found broken, in the order in which it is told.
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

/// An entitlement that grants name and nothing lists.
#[derive(Debug, Default)]
struct Orphaned {
    id: String,
    /// All of its grants bring their resource along, which excuses them.
    excused: bool,
}

#[derive(Debug, Default)]
struct Findings {
    found: BTreeMap<Broken, (u64, Vec<String>)>,
    /// Grants of one entitlement come one after the other.
    orphaned: Option<Orphaned>,
}

impl Findings {
    fn note(&mut self, broken: Broken, example: &str) {
        let (count, examples) = self.found.entry(broken).or_default();
        *count += 1;
        if examples.len() < MAX_EXAMPLES {
            examples.push(example.to_owned());
        }
    }

    fn grant(&mut self, known: &Known, row: &Row<'_>, must: bool) -> Result<()> {
        let has = |names: &[&str]| {
            wire::has_annotation(row.data, field::grant::ANNOTATIONS, names).map_err(|source| {
                Error::Annotation {
                    record: format!("grant `{}`", row.id),
                    source,
                }
            })
        };
        if !known.has_resource(row.resource_type_id, row.resource_id) {
            if must && has(&[&v2::InsertResourceGrants::full_name()])? {
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

    /// The first finding as an error; a placeholder is none.
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
    fn tell(mut self) -> Vec<String> {
        self.end_orphaned();
        let tell = |(broken, (count, examples)): (Broken, (u64, Vec<String>))| {
            let (id, one, many) = broken.words();
            let what = counted(count, one, many);
            format!(
                "{what} (ingest invariant {id}): {}",
                named(count, &examples)
            )
        };
        self.found.into_iter().map(tell).collect()
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
    fn what_leads_nowhere_is_counted_by_kind_with_examples() {
        let known = known(&[["user", "u"]], &["e"]);
        let mut findings = Findings::default();
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
            findings.grant(&known, &row, false).expect("only warnings");
        }
        assert_eq!(
            findings.tell(),
            [
                "6 grants are on resources that are not in the sync (ingest invariant I3): `1`, `2`, `3` and 3 more",
                "1 granted entitlement is not in the sync (ingest invariant I8): `half`",
                "1 grant is to a principal that is not in the sync (ingest invariant I9): `2`",
                "1 grant has an unmatched external principal (ingest invariant I9): `3`",
            ]
        );
    }

    #[test]
    fn a_grant_must_lead_to_the_resource_that_it_brings_along() {
        let known = known(&[["user", "u"]], &["e"]);
        let inserted = grant(vec![any::pack(&v2::InsertResourceGrants::default())]);
        let error = Findings::default()
            .grant(&known, &row("1", "e", "u", &inserted), true)
            .expect_err("fatal");
        assert_eq!(
            error.to_string(),
            "ingest invariant I3 violated: grant `1` embeds resource `group:g`, which is not in the sync"
        );
    }

    #[test]
    fn examples_end_where_they_are_too_many() {
        let mut findings = Findings::default();
        for n in 0..30 {
            findings.note(Broken::GrantPrincipal, &n.to_string());
        }
        let told = findings.tell();
        assert!(told[0].ends_with("`2` and 27 more"), "{told:?}");
    }
}
