//! New grants that come in order, and are made while the file is written.

use super::*;
use crate::columns;
use crate::error::Error;
use crate::seal::{
    Expander, Expansion, GrantChange, NewGrants, SealSteps, SortedRows, visit_sealed,
};

/// Gives these messages, then an error if there is one.
struct Given {
    messages: Vec<Vec<u8>>,
    at: Option<usize>,
    failure: Option<Error>,
}

impl NewGrants for Given {
    fn advance(&mut self) -> Result<bool> {
        let at = self.at.map_or(0, |at| at + 1);
        self.at = Some(at);
        match self.failure.take() {
            Some(failure) if at >= self.messages.len() => Err(failure),
            failure => {
                self.failure = failure;
                Ok(at < self.messages.len())
            }
        }
    }

    fn make(&mut self) -> Result<()> {
        Ok(())
    }

    fn rewind(&mut self) {
        self.at = None;
    }

    fn row(&self) -> Row<'_> {
        let data = &self.messages[self.at.expect("advanced")];
        columns::read(Table::Grants, data).expect("a grant")
    }
}

/// Changes and inserts, once.
struct Once(Option<Expansion>);

impl Expander for Once {
    fn expand(&mut self, _rows: &dyn SortedRows) -> Result<Expansion> {
        Ok(self.0.take().expect("asked once"))
    }
}

fn expansion(changes: Vec<GrantChange>, inserts: &[Vec<u8>], failure: Option<Error>) -> Once {
    let given = Given {
        messages: inserts.to_vec(),
        at: None,
        failure,
    };
    let changes = changes.into_iter().map(Ok);
    Once(Some(Expansion::new(changes).with_inserts(given)))
}

fn member(user: &str, id: &str, text: &str) -> Vec<u8> {
    grant(("group", "1"), "group:1:member", ("user", user), id, text).1
}

/// Users 2 and 4 in group 1.
fn log() -> Bench {
    let mut bench = bench();
    let rows = ["4", "2"].map(|user| TestRow(Table::Grants, member(user, user, "old")));
    bench.page(&ListId::grants("group", "1"), 0, 0, &rows);
    bench
}

fn principals(rows: &[(Table, OwnedRow)]) -> Vec<&str> {
    let rows = rows.iter();
    rows.map(|(_, row)| row.principal_id.as_str()).collect()
}

#[test]
fn inserts_come_to_their_places_among_rows_and_changes() {
    for identity in [Identity::ExternalId, Identity::Tuple] {
        let inserts = ["1", "3", "6"].map(|user| member(user, user, "made"));
        let changes = vec![
            GrantChange::Insert {
                data: member("5", "5", "made"),
            },
            GrantChange::Replace {
                data: member("2", "2", "new"),
            },
        ];
        let mut expander = expansion(changes, &inserts, None);
        let (sealed, rows) = log()
            .seal(identity, SealSteps::expand(&mut expander), 0)
            .expect("sealed");
        assert_eq!(principals(&rows), ["1", "2", "3", "4", "5", "6"]);
        assert_eq!((sealed.inserted, sealed.replaced), (4, 1));
    }
}

#[test]
fn inserts_alone_are_enough() {
    for identity in [Identity::ExternalId, Identity::Tuple] {
        let mut expander = expansion(Vec::new(), &[member("9", "9", "made")], None);
        let (sealed, rows) = log()
            .seal(identity, SealSteps::expand(&mut expander), 0)
            .expect("sealed");
        assert_eq!(principals(&rows), ["2", "4", "9"]);
        assert_eq!(sealed.inserted, 1);
    }
}

#[test]
fn of_several_for_one_grant_the_change_or_else_the_first_counts() {
    let made = |user: &str, text: &str| member(user, user, text);
    let changes = vec![GrantChange::Insert {
        data: made("3", "changed"),
    }];
    let inserts = [made("1", "a"), made("1", "b"), made("3", "c")];
    let mut expander = expansion(changes, &inserts, None);
    let (sealed, rows) = log()
        .seal(Identity::Tuple, SealSteps::expand(&mut expander), 0)
        .expect("sealed");
    assert_eq!(principals(&rows), ["1", "2", "3", "4"]);
    assert_eq!(rows[0].1.data, made("1", "a"));
    assert_eq!(rows[2].1.data, made("3", "changed"));
    assert_eq!(sealed.inserted, 2);
}

#[test]
fn where_ids_tell_grants_apart_an_insert_gives_way_to_a_later_row() {
    let inserts = [member("1", "4", "made"), member("3", "3", "made")];
    let mut expander = expansion(Vec::new(), &inserts, None);
    let (sealed, rows) = log()
        .seal(Identity::ExternalId, SealSteps::expand(&mut expander), 0)
        .expect("sealed");
    assert_eq!(principals(&rows), ["2", "3", "4"]);
    assert_eq!(sealed.inserted, 1);
    // Two with one id: the first in canonical order stays, taken up or not.
    for changes in [
        Vec::new(),
        vec![GrantChange::Insert {
            data: member("7", "7", "changed"),
        }],
    ] {
        let inserts = ["1", "3", "5"].map(|user| member(user, "same", "made"));
        let more = changes.len() as u64;
        let mut expander = expansion(changes, &inserts, None);
        let (sealed, rows) = log()
            .seal(Identity::ExternalId, SealSteps::expand(&mut expander), 0)
            .expect("sealed");
        assert_eq!(principals(&rows)[..3], ["1", "2", "4"]);
        assert_eq!(sealed.inserted, 1 + more);
    }
}

#[test]
fn inserts_out_of_order_and_failures_end_the_seal() {
    let bench = log();
    let inserts = ["3", "1"].map(|user| member(user, user, "made"));
    for identity in [Identity::ExternalId, Identity::Tuple] {
        let mut unsorted = expansion(Vec::new(), &inserts, None);
        assert!(
            bench
                .seal(identity, SealSteps::expand(&mut unsorted), 0)
                .is_err()
        );
    }
    for identity in [Identity::ExternalId, Identity::Tuple] {
        let failure = Error::caller(baton_proto::Code::FailedPrecondition, "no");
        let mut failing = expansion(Vec::new(), &inserts[..1], Some(failure));
        let error = bench
            .seal(identity, SealSteps::expand(&mut failing), 0)
            .expect_err("failed");
        assert_eq!(error.code(), baton_proto::Code::FailedPrecondition);
    }
    assert_eq!(bench.rows().len(), 2, "the log is as it was");
}

#[test]
fn what_would_be_written_can_be_seen_without_a_file() {
    let mut bench = bench();
    let rows = ["4", "2"].map(|user| TestRow(Table::Grants, member(user, user, "old")));
    bench.page(&ListId::grants("group", "1"), 0, 0, &rows);
    for format in [crate::Format::V1, crate::Format::V3] {
        let mut expander = expansion(Vec::new(), &[member("3", "3", "made")], None);
        let mut seen = Vec::new();
        let mut visit = |_: Table, row: &Row<'_>| {
            seen.push(row.principal_id.to_owned());
            Ok(())
        };
        let steps = SealSteps::expand(&mut expander);
        visit_sealed(&bench.log, format, 0, steps, &mut visit).expect("visited");
        assert_eq!(seen, ["2", "3", "4"]);
    }
}
