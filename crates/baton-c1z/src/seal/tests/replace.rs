//! Grants that are replaced by others.

use std::ops::ControlFlow;

use super::*;
use crate::seal::replace::{GrantReplacer, PutGrant};
use crate::seal::{Expander, Expansion, GrantChange, SortedRows};

/// Replaces each grant to a placeholder by what the function returns. Then
/// the rows are looked at, and one grant is added.
struct Replacing<F> {
    by: Replacer<F>,
    look: Look,
}

struct Replacer<F>(F);

#[derive(Default)]
struct Look {
    seen: Vec<String>,
    added: Option<Vec<u8>>,
}

impl<F> Replacing<F> {
    fn by(by: F) -> Self {
        Self {
            by: Replacer(by),
            look: Look::default(),
        }
    }
}

impl<F: FnMut(&Row<'_>) -> Vec<TestRow>> Replacing<F> {
    fn steps(&mut self) -> SealSteps<'_> {
        SealSteps {
            replace: Some(&mut self.by),
            expand: Some(&mut self.look),
            ..SealSteps::default()
        }
    }
}

impl<F: FnMut(&Row<'_>) -> Vec<TestRow>> GrantReplacer for Replacer<F> {
    fn prepare(&mut self, rows: &dyn SortedRows) -> Result<bool> {
        let mut some = false;
        rows.scan(Table::Grants, &mut |row| {
            some |= row.principal_type_id == "placeholder";
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(some)
    }

    fn replace(&mut self, grant: &Row<'_>, put: &mut PutGrant<'_>) -> Result<bool> {
        if grant.principal_type_id != "placeholder" {
            return Ok(false);
        }
        for row in (self.0)(grant) {
            put(&row.1)?;
        }
        Ok(true)
    }

    fn warnings(&self) -> Vec<String> {
        vec!["replaced".to_owned()]
    }
}

impl Expander for Look {
    fn expand(&mut self, rows: &dyn SortedRows) -> Result<Expansion> {
        self.seen.clear();
        rows.scan(Table::Grants, &mut |row| {
            self.seen.push(row.id.to_owned());
            Ok(ControlFlow::Continue(()))
        })?;
        let added = self.added.take();
        let added = added.map(|data| Ok(GrantChange::Insert { data }));
        Ok(Expansion::new(added.into_iter()))
    }
}

fn to(user: &str, id: &str, note: &str) -> TestRow {
    grant(("t", "r"), "t:r:m", ("user", user), id, note)
}

fn placeholder(name: &str, id: &str) -> TestRow {
    grant(("t", "r"), "t:r:m", ("placeholder", name), id, "")
}

fn grants(rows: &[(Table, OwnedRow)]) -> Vec<String> {
    let text = |row: &OwnedRow| format!("{} to {}", row.id, row.principal_id);
    rows.iter().map(|(_, row)| text(row)).collect()
}

#[test]
fn placeholders_make_way_for_as_many_grants_as_there_are() {
    for identity in [Identity::ExternalId, Identity::Tuple] {
        // Also where nothing fits in memory.
        for budget in [0, 1 << 20] {
            let mut bench = bench();
            let list = ListId::grants("t", "r");
            let rows = [
                placeholder("p", "p"),
                to("kept", "kept", ""),
                placeholder("q", "q"),
            ];
            bench.page(&list, 0, 0, &rows);
            let mut by = Replacing::by(|row: &Row<'_>| match row.principal_id {
                "p" => (0..2000)
                    .map(|n| to(&format!("u{n:04}"), &format!("i{n:04}"), ""))
                    .collect(),
                _ => Vec::new(),
            });
            let (sealed, rows) = bench.seal(identity, by.steps(), budget).expect("sealed");
            assert_eq!(rows.len(), 2001, "{identity:?} {budget}");
            assert_eq!(by.look.seen.len(), 2001);
            assert_eq!(by.look.seen[0], "kept");
            assert!(rows.is_sorted_by_key(|(_, row)| row.principal_id.clone()));
            assert_eq!((sealed.inserted, sealed.duplicates), (0, 0));
        }
    }
}

#[test]
fn nothing_changes_where_nothing_is_to_be_replaced() {
    let mut bench = bench();
    bench.page(&ListId::grants("t", "r"), 0, 0, &[to("a", "a", "")]);
    let mut by = Replacing::by(|_: &Row<'_>| unreachable!("asked"));
    let (_, rows) = bench
        .seal(Identity::ExternalId, by.steps(), 0)
        .expect("sealed");
    assert_eq!(grants(&rows), ["a to a"]);
}

#[test]
fn the_last_of_several_with_one_identity_counts_also_against_a_row() {
    for identity in [Identity::ExternalId, Identity::Tuple] {
        let mut bench = bench();
        let rows = [
            placeholder("p", "p"),
            to("u", "same", "old"),
            placeholder("q", "q"),
        ];
        bench.page(&ListId::grants("t", "r"), 0, 0, &rows);
        let mut by = Replacing::by(|row: &Row<'_>| vec![to("u", "same", row.principal_id)]);
        let (_, rows) = bench.seal(identity, by.steps(), 0).expect("sealed");
        assert_eq!(grants(&rows), ["same to u"]);
        let message: v2::Grant = prost::Message::decode(rows[0].1.data.as_slice()).expect("valid");
        let link: v2::ExternalLink = any::find(&message.annotations)
            .expect("valid")
            .expect("there");
        assert_eq!(link.url, "q", "{identity:?}");
    }
}

#[test]
fn an_id_that_another_grant_has_is_taken_unless_that_one_goes() {
    let mut bench = bench();
    // `gone` is the id of a placeholder, `there` that of a grant that stays.
    let rows = [placeholder("p", "gone"), to("owner", "there", "")];
    bench.page(&ListId::grants("t", "r"), 0, 0, &rows);
    let new = || {
        vec![
            to("a", "gone", ""),
            to("b", "there", ""),
            to("c", "twice", ""),
            to("d", "twice", ""),
        ]
    };
    let mut by = Replacing::by(|_: &Row<'_>| new());
    let (_, rows) = bench
        .seal(Identity::ExternalId, by.steps(), 0)
        .expect("sealed");
    assert_eq!(grants(&rows), ["gone to a", "twice to c", "there to owner"]);
    // Where ids identify nothing, all have room.
    let mut by = Replacing::by(|_: &Row<'_>| new());
    let (_, rows) = bench.seal(Identity::Tuple, by.steps(), 0).expect("sealed");
    assert_eq!(rows.len(), 5);
}

#[test]
fn an_id_that_a_placeholder_won_is_free_even_where_others_lost_it() {
    let mut bench = bench();
    let list = |n: &str| ListId::grants("t", n);
    // The placeholder is the later of two rows with one id.
    bench.page(&list("1"), 0, 0, &[to("superseded", "p", "")]);
    bench.page(&list("2"), 0, 0, &[placeholder("winner", "p")]);
    let mut by = Replacing::by(|_: &Row<'_>| vec![to("a", "p", "")]);
    let (_, rows) = bench
        .seal(Identity::ExternalId, by.steps(), 0)
        .expect("sealed");
    assert_eq!(grants(&rows), ["p to a"]);
    // What expansion adds finds the id free, too.
    let mut by = Replacing::by(|_: &Row<'_>| Vec::new());
    by.look.added = Some(to("z", "p", "").1);
    let (_, rows) = bench
        .seal(Identity::ExternalId, by.steps(), 0)
        .expect("sealed");
    assert_eq!(grants(&rows), ["p to z"]);
}

#[test]
fn what_expansion_adds_meets_the_new_grants_and_not_the_old_ones() {
    for (id, expected) in [
        // The id of a placeholder is free again.
        ("p", vec!["new to a", "p to z"]),
        // That of a new grant is taken.
        ("new", vec!["new to a"]),
    ] {
        let mut bench = bench();
        bench.page(&ListId::grants("t", "r"), 0, 0, &[placeholder("x", "p")]);
        let mut by = Replacing::by(|_: &Row<'_>| vec![to("a", "new", "")]);
        by.look.added = Some(to("z", id, "").1);
        let (_, rows) = bench
            .seal(Identity::ExternalId, by.steps(), 0)
            .expect("sealed");
        assert_eq!(grants(&rows), expected);
    }
}

#[test]
fn the_id_of_a_new_grant_that_is_the_placeholders_own_is_taken() {
    let mut bench = bench();
    bench.page(&ListId::grants("t", "r"), 0, 0, &[placeholder("x", "p")]);
    let mut by = Replacing::by(|_: &Row<'_>| vec![placeholder("x", "p")]);
    by.look.added = Some(to("z", "p", "").1);
    let (_, rows) = bench
        .seal(Identity::ExternalId, by.steps(), 0)
        .expect("sealed");
    assert_eq!(grants(&rows), ["p to x"]);
}

#[test]
fn a_row_that_lost_makes_no_grants() {
    let mut bench = bench();
    let list = |n: &str| ListId::grants("t", n);
    bench.page(&list("1"), 0, 0, &[placeholder("early", "p")]);
    bench.page(&list("2"), 0, 0, &[placeholder("late", "p")]);
    bench.page(&list("3"), 0, 0, &[placeholder("dropped", "d")]);
    bench
        .log
        .drop_list(&list("3"), crate::log::DropReason::Vanished, "gone")
        .expect("dropped");
    let mut by = Replacing::by(|row: &Row<'_>| vec![to(row.principal_id, row.principal_id, "")]);
    let (_, rows) = bench
        .seal(Identity::ExternalId, by.steps(), 0)
        .expect("sealed");
    assert_eq!(grants(&rows), ["late to late"]);
}

#[test]
fn an_expansion_among_the_annotations_is_one() {
    for identity in [Identity::ExternalId, Identity::Tuple] {
        let mut bench = bench();
        bench.page(&ListId::grants("t", "r"), 0, 0, &[placeholder("p", "p")]);
        let mut by = Replacing::by(|_: &Row<'_>| {
            let message = grant_message(("t", "r"), "t:r:m", ("group", "g"), "new", "");
            vec![expandable(message, &["group:g:member"])]
        });
        let (sealed, rows) = bench.seal(identity, by.steps(), 0).expect("sealed");
        assert_eq!(sealed.expandable, 1);
        assert!(rows[0].1.expansion.is_some(), "{identity:?}");
    }
}
