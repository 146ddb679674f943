//! One suite over both formats: the same questions, the same answers. Where
//! the formats differ by nature, `conformance_differences` asserts how.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use baton_c1z::{
    C1zFile, Capabilities, Cursor, Error, Filter, OwnedRow, Page, Snapshot, Table, View,
};
use baton_proto::Code;

use crate::conformance_sync::{ABSENT, AnyMessage, Expected, MEMBERS, WORLD, odd};
use crate::seal_v1::ID;
use crate::support::{Dice, MULTI, open};

/// Runs `check` on every file of the generated sync.
pub fn on_every_file(check: impl Fn(&str, Snapshot<'_>)) {
    for sample in &WORLD.files {
        let file = open(&sample.path).unwrap();
        assert_eq!(file.format(), sample.format, "{}", sample.name);
        check(sample.name, file.view(View::Sync(ID)).unwrap());
    }
}

/// As [`on_every_file`], on one file of each kind of writer and payload that
/// rows are looked up in differently: for what takes long.
fn on_some_files(check: impl Fn(&str, Snapshot<'_>)) {
    on_every_file(|name, snapshot| {
        if ["v1", "v3", "v1 to v3", "v3 to v1"].contains(&name) {
            check(name, snapshot);
        }
    });
}

pub fn can(snapshot: &Snapshot<'_>) -> Capabilities {
    snapshot.file().capabilities()
}

/// A row without its message.
fn columns(row: &OwnedRow) -> OwnedRow {
    OwnedRow {
        data: Vec::new(),
        ..row.clone()
    }
}

/// Not by `assert_eq`: ids of 10 kB help nobody.
fn assert_row(row: &OwnedRow, expected: &Expected, table: Table, can: Capabilities, at: &str) {
    let short = |text: &str| text.chars().take(60).collect::<String>();
    let id = short(&expected.row.id);
    assert!(columns(row) == expected.row, "{at}: columns of {id:?}");
    let message = AnyMessage::decode(table, &row.data);
    assert!(
        message == expected.message.clone().in_file(can),
        "{at}: message of {id:?}"
    );
}

pub fn ids<'r>(rows: impl IntoIterator<Item = &'r Expected>) -> Vec<&'r str> {
    rows.into_iter().map(|row| row.row.id.as_str()).collect()
}

pub fn scan(snapshot: &Snapshot<'_>, table: Table, filter: &Filter<'_>) -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    snapshot
        .scan(table, filter, &mut |row| {
            rows.push(row.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    rows
}

pub fn scan_ids(snapshot: &Snapshot<'_>, table: Table, filter: &Filter<'_>) -> Vec<String> {
    let rows = scan(snapshot, table, filter);
    rows.into_iter().map(|row| row.id).collect()
}

/// The cursor behind a page, by way of its text.
fn next(page: &Page) -> Option<Cursor> {
    let text = page.next.as_ref()?.to_string();
    Some(text.parse().unwrap())
}

/// Follows pages of `size` from `cursor`, which is behind so many rows: at
/// most `pages` of them, each full unless it is the last.
fn assert_pages(
    snapshot: &Snapshot<'_>,
    (table, filter): (Table, &Filter<'_>),
    size: u32,
    (cursor, behind): (Option<Cursor>, usize),
    pages: usize,
    wanted: &[&str],
) {
    let full = match size {
        0 | 10_001.. => 10_000,
        size => size as usize,
    };
    let (mut cursor, mut at) = (cursor, behind);
    for _ in 0..pages {
        let page = snapshot.page(table, filter, size, cursor.as_ref()).unwrap();
        let end = wanted.len().min(at + full);
        let got = page.rows.iter().map(|row| row.id.as_str());
        assert!(
            got.eq(wanted[at..end].iter().copied()),
            "{table:?} rows {at} to {end}, pages of {size}"
        );
        at = end;
        cursor = next(&page);
        assert_eq!(cursor.is_some(), at < wanted.len(), "{table:?} at {at}");
        if cursor.is_none() {
            return;
        }
    }
}

#[test]
fn filters_that_a_table_lacks_are_refused_alike() {
    let resource = Filter {
        resource: Some(("a", "b")),
        ..Filter::default()
    };
    let parent = Filter {
        parent: Some(("a", "b")),
        ..Filter::default()
    };
    let entitlement = Filter {
        entitlement_id: Some("a"),
        ..Filter::default()
    };
    let principal = Filter {
        principal: Some(("a", "b")),
        ..Filter::default()
    };
    let types = Filter {
        principal_types: &["a"],
        ..Filter::default()
    };
    let many = vec!["a"; 1001];
    let many = Filter {
        principal_types: &many,
        ..Filter::default()
    };
    on_every_file(|name, snapshot| {
        for table in Table::ALL {
            let refused = |filter: &Filter<'_>| {
                let scanned = snapshot.scan(table, filter, &mut |_| Ok(ControlFlow::Break(())));
                let outcomes = [
                    scanned.map(|()| 0),
                    snapshot.count(table, filter),
                    snapshot.page(table, filter, 1, None).map(|_| 0),
                ];
                let refusals = outcomes.iter().filter(|outcome| match outcome {
                    Ok(_) => false,
                    Err(Error::Filter { table: of, .. }) => *of == table,
                    Err(Error::Argument { .. }) => true,
                    Err(other) => panic!("{name}: {other}"),
                });
                match refusals.count() {
                    0 => false,
                    3 => true,
                    some => panic!("{name}: {some} of 3 refuse {filter:?}"),
                }
            };
            let answers = [&resource, &parent, &entitlement, &principal, &types, &many];
            let expected = match table {
                Table::ResourceTypes => [true; 6],
                Table::Resources => [false, false, true, true, true, true],
                Table::Entitlements => [false, true, true, true, true, true],
                Table::Grants => [false, true, false, false, false, true],
            };
            assert_eq!(answers.map(refused), expected, "{name} {table:?}");
        }
    });
}

#[test]
fn a_visitor_that_fails_or_breaks_ends_the_scan() {
    on_every_file(|name, snapshot| {
        for table in Table::ALL {
            let mut seen = 0;
            let mut visit = |_: &baton_c1z::Row<'_>| {
                seen += 1;
                Ok(match seen {
                    3 => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                })
            };
            snapshot
                .scan(table, &Filter::default(), &mut visit)
                .unwrap();
            assert_eq!(seen, 3, "{name} {table:?}");
            let mut visit = |_: &baton_c1z::Row<'_>| {
                Err(Error::Argument {
                    what: "row",
                    reason: "it is refused",
                })
            };
            let error = snapshot.scan(table, &Filter::default(), &mut visit);
            assert!(
                matches!(error, Err(Error::Argument { what: "row", .. })),
                "{name}"
            );
        }
    });
}

#[test]
fn the_generated_sync_is_as_odd_as_it_should_be() {
    let model = &WORLD.model;
    let of = |table| ids(model.rows(table)).into_iter().collect::<BTreeSet<_>>();
    for (table, least) in [
        (Table::ResourceTypes, 35),
        (Table::Resources, MEMBERS),
        (Table::Entitlements, 400),
        (Table::Grants, MEMBERS),
    ] {
        assert!(model.rows(table).len() > least, "{table:?}");
        if table != Table::Resources {
            let odd = odd();
            let there = odd.iter().filter(|id| of(table).contains(id.as_str()));
            assert!(there.count() > 30, "{table:?}");
        }
    }
    let expandable = model.rows(Table::Grants).iter();
    assert!(
        expandable
            .filter(|grant| grant.row.expansion.is_some())
            .count()
            > 100
    );
    let children = model.rows(Table::Resources).iter();
    assert!(children.filter(|child| child.row.parent.is_some()).count() > 100);
}

#[test]
fn a_scan_gives_every_row_once_in_canonical_order() {
    on_every_file(|name, snapshot| {
        for table in Table::ALL {
            let rows = scan(&snapshot, table, &Filter::default());
            let expected = WORLD.model.rows(table);
            assert_eq!(rows.len(), expected.len(), "{name} {table:?}");
            for (row, expected) in rows.iter().zip(expected) {
                assert_row(row, expected, table, can(&snapshot), name);
            }
        }
    });
}

#[test]
fn pages_of_any_size_are_the_scan_cut_into_pieces() {
    on_every_file(|name, snapshot| {
        let everything = Filter::default();
        for table in Table::ALL {
            let wanted = ids(WORLD.model.rows(table));
            for size in [100, 9_999, 10_000, 10_001, 0] {
                let all = usize::MAX;
                assert_pages(
                    &snapshot,
                    (table, &everything),
                    size,
                    (None, 0),
                    all,
                    &wanted,
                );
            }
            // Sizes may change between pages: the small ones are followed
            // at the beginning and up to the end.
            let late = wanted.len().saturating_sub(150).clamp(1, 10_000);
            let size = u32::try_from(late).unwrap();
            let page = snapshot.page(table, &everything, size, None).unwrap();
            assert_eq!(page.rows.len(), late, "{name}");
            for size in [1, 2, 3, 7] {
                let what = (table, &everything);
                assert_pages(&snapshot, what, size, (None, 0), 40, &wanted);
                let from = (next(&page), late);
                assert_pages(&snapshot, what, size, from, 200, &wanted);
            }
        }
    });
}

/// A filter that owns what it says.
#[derive(Debug, Default, Clone)]
struct Question {
    resource_type_id: Option<String>,
    resource: Option<(String, String)>,
    parent: Option<(String, String)>,
    entitlement_id: Option<String>,
    principal: Option<(String, String)>,
    principal_types: Vec<String>,
}

fn pair(of: &(String, String)) -> (&str, &str) {
    (&of.0, &of.1)
}

impl Question {
    fn ask(&self, then: impl FnOnce(&Filter<'_>)) {
        let types: Vec<&str> = self.principal_types.iter().map(String::as_str).collect();
        then(&Filter {
            resource_type_id: self.resource_type_id.as_deref(),
            resource: self.resource.as_ref().map(pair),
            parent: self.parent.as_ref().map(pair),
            entitlement_id: self.entitlement_id.as_deref(),
            principal: self.principal.as_ref().map(pair),
            principal_types: &types,
            dates: false,
        });
    }

    /// Each part with some chance set to that of a row, so that questions
    /// with several parts have answers too, or to what is nowhere.
    fn random(table: Table, dice: &mut Dice) -> Self {
        let rows = WORLD.model.rows(table);
        // Most rows are members of the one group: the others are the odd ones.
        let (from, to) = match dice.roll(4) {
            0 => (0, rows.len()),
            _ => (0, rows.len().min(900)),
        };
        let row = &rows[from + dice.roll(to - from)].row;
        let some = |value: &str, dice: &mut Dice| match dice.roll(12) {
            0 => ABSENT[dice.roll(ABSENT.len())].to_owned(),
            1 => odd().swap_remove(dice.roll(odd().len())),
            _ => value.to_owned(),
        };
        let mut question = Self::default();
        if dice.roll(3) == 0 {
            question.resource_type_id = Some(some(&row.resource_type_id, dice));
        }
        if table != Table::ResourceTypes && dice.roll(2) == 0 {
            let type_id = some(&row.resource_type_id, dice);
            question.resource = Some((type_id, some(&row.resource_id, dice)));
        }
        if let (Table::Resources, Some((type_id, id)), 0 | 1) = (table, &row.parent, dice.roll(3)) {
            question.parent = Some((some(type_id, dice), some(id, dice)));
        }
        if table == Table::Grants {
            if dice.roll(2) == 0 {
                question.entitlement_id = Some(some(&row.entitlement_id, dice));
            }
            if dice.roll(2) == 0 {
                let type_id = some(&row.principal_type_id, dice);
                question.principal = Some((type_id, some(&row.principal_id, dice)));
            }
            for _ in 0..dice.roll(4).saturating_sub(1) {
                question
                    .principal_types
                    .push(some(&row.principal_type_id, dice));
            }
        }
        question
    }
}

#[test]
fn filters_select_what_they_say_in_any_combination() {
    let mut dice = Dice(11);
    let mut questions: Vec<(Table, Question)> = Vec::new();
    for table in Table::ALL {
        let many = if table == Table::Grants { 90 } else { 30 };
        questions.extend((0..many).map(|_| (table, Question::random(table, &mut dice))));
    }
    let (mut empty, mut some) = (0, 0);
    for (table, question) in &questions {
        question.ask(|filter| match WORLD.model.select(*table, filter).len() {
            0 => empty += 1,
            _ => some += 1,
        });
    }
    assert!(empty > 20 && some > 80, "{empty} {some}");
    on_some_files(|name, snapshot| {
        for (n, (table, question)) in questions.iter().enumerate() {
            question.ask(|filter| {
                let wanted = WORLD.model.select(*table, filter);
                let wanted = ids(wanted);
                let at = || format!("{name}: {table:?} question {n}");
                let count = snapshot.count(*table, filter).unwrap();
                assert_eq!(count, wanted.len() as u64, "{}", at());
                assert!(scan_ids(&snapshot, *table, filter) == wanted, "{}", at());
                let size = [1, 2, 3, 7][n % 4];
                assert_pages(&snapshot, (*table, filter), size, (None, 0), 30, &wanted);
                let size = [100, 10_001][n % 2];
                let all = usize::MAX;
                assert_pages(&snapshot, (*table, filter), size, (None, 0), all, &wanted);
            });
        }
    });
}

#[test]
fn every_odd_id_is_found_as_what_it_is() {
    on_some_files(|name, snapshot| {
        for table in Table::ALL {
            let rows = WORLD.model.rows(table);
            // All that are not members of the big group, and some that are.
            let step = |at: &usize| (*at < 900 && at.is_multiple_of(3)) || at.is_multiple_of(997);
            let some = (0..rows.len()).filter(step);
            // A grant whose id says nothing is looked for in all grants.
            let joined = |row: &OwnedRow| {
                let parts = [
                    &row.entitlement_id,
                    &row.principal_type_id,
                    &row.principal_id,
                ];
                row.id == parts.map(String::as_str).join(":")
            };
            let mut searched = 0;
            for expected in some.map(|at| &rows[at]) {
                if table == Table::Grants && !joined(&expected.row) {
                    searched += 1;
                    if searched % 2 != 0 {
                        continue;
                    }
                }
                let found = snapshot.get(table, &expected.row.id).unwrap();
                let found = found.unwrap_or_else(|| panic!("{name}: {:.60?}", expected.row.id));
                assert_row(&found, expected, table, can(&snapshot), name);
                if can(&snapshot).lookup_by_bare_id {
                    let only = snapshot.get_only(table, &expected.row.id).unwrap();
                    assert!(only == Some(found), "{name}: {:.60?}", expected.row.id);
                }
                if table == Table::Resources {
                    let row = &expected.row;
                    let found = snapshot.get_resource(&row.resource_type_id, &row.resource_id);
                    let only = snapshot.get_only_resource(&row.resource_type_id, &row.resource_id);
                    assert!(only.unwrap() == found.as_ref().unwrap().clone(), "{name}");
                    assert_row(
                        &found.unwrap().unwrap(),
                        expected,
                        table,
                        can(&snapshot),
                        name,
                    );
                }
            }
        }
    });
}

#[test]
fn ids_that_nothing_has_are_not_found() {
    let mut dice = Dice(3);
    let mut missing: Vec<String> = ABSENT.iter().copied().map(str::to_owned).collect();
    let mut known = BTreeSet::new();
    for table in Table::ALL {
        known.extend(ids(WORLD.model.rows(table)));
        for _ in 0..4 {
            let rows = &WORLD.model.rows(table)[..30];
            let id = &rows[dice.roll(rows.len())].row.id;
            missing.extend([format!("{id}\0"), format!("{id}:"), format!(":{id}")]);
            missing.push(id.chars().skip(1).collect());
        }
    }
    missing.retain(|id| !known.contains(id.as_str()));
    assert!(missing.len() > 40);
    on_every_file(|name, snapshot| {
        for id in &missing {
            for table in [Table::ResourceTypes, Table::Resources, Table::Entitlements] {
                assert_eq!(snapshot.get(table, id).unwrap(), None, "{name} {id:.60?}");
            }
            assert_eq!(
                snapshot.get_resource("user", id).unwrap(),
                None,
                "{id:.60?}"
            );
            assert_eq!(snapshot.get_resource(id, "big").unwrap(), None, "{id:.60?}");
        }
        // Each of these may be looked for in all grants.
        for id in missing.iter().step_by(7) {
            assert_eq!(snapshot.get(Table::Grants, id).unwrap(), None, "{name}");
        }
    });
}

#[test]
fn assets_are_found_by_odd_ids_and_only_by_those() {
    on_every_file(|name, snapshot| {
        for new in &WORLD.sync.assets {
            let found = snapshot.asset(&new.id).unwrap().unwrap();
            assert_eq!(found.data, new.data, "{name}");
            let content_type = match new.content_type.as_str() {
                "" => "unknown",
                stated => stated,
            };
            assert_eq!(found.content_type, content_type, "{name}");
        }
        for id in ABSENT {
            assert_eq!(snapshot.asset(id).unwrap(), None, "{name} {id:?}");
        }
    });
}

#[test]
fn counts_and_runs_are_the_same_stored_or_counted() {
    let first = open(&WORLD.files[0].path).unwrap();
    let run = first.view(View::Sync(ID)).unwrap().sync().unwrap().clone();
    assert!(run.is_finished());
    on_every_file(|name, snapshot| {
        let counted = snapshot.recount().unwrap();
        assert_eq!(snapshot.stats().unwrap(), counted, "{name}");
        let rows = |table| i64::try_from(WORLD.model.rows(table).len()).unwrap();
        assert_eq!(
            [
                counted.resource_types,
                counted.resources,
                counted.entitlements,
                counted.grants,
                counted.assets
            ],
            [
                rows(Table::ResourceTypes),
                rows(Table::Resources),
                rows(Table::Entitlements),
                rows(Table::Grants),
                i64::try_from(WORLD.sync.assets.len()).unwrap()
            ],
            "{name}"
        );
        for (type_id, count) in &counted.grants_by_type {
            let filter = Filter {
                resource_type_id: Some(type_id),
                ..Filter::default()
            };
            let found = snapshot.count(Table::Grants, &filter).unwrap();
            assert_eq!(found, count.unsigned_abs(), "{name}");
        }
        let mut same = snapshot.sync().unwrap().clone();
        // The state of the syncer of a finished sync does not outlive a
        // conversion into format v3.
        if name.contains("to v3") {
            assert_eq!(same.sync_token, "", "{name}");
            same.sync_token.clone_from(&run.sync_token);
        }
        assert_eq!(same, run, "{name}");
    });
}

#[test]
fn a_cursor_is_of_no_use_in_another_file_sync_table_or_question() {
    let group = Filter {
        resource_type_id: Some("group"),
        ..Filter::default()
    };
    let files: Vec<C1zFile> = WORLD.files.iter().map(|s| open(&s.path).unwrap()).collect();
    let contents: Vec<Vec<u8>> = WORLD
        .files
        .iter()
        .map(|sample| std::fs::read(&sample.path).unwrap())
        .collect();
    for (n, file) in files.iter().enumerate() {
        let snapshot = file.view(View::Sync(ID)).unwrap();
        let page = snapshot.page(Table::Grants, &group, 5, None).unwrap();
        let cursor = next(&page).unwrap();
        let refused = |snapshot: &Snapshot<'_>, table, filter: &Filter<'_>| {
            let outcome = snapshot.page(table, filter, 5, Some(&cursor));
            matches!(outcome, Err(Error::Cursor { .. }))
        };
        assert!(!refused(&snapshot, Table::Grants, &group));
        assert!(refused(&snapshot, Table::Entitlements, &group));
        assert!(refused(&snapshot, Table::Grants, &Filter::default()));
        let all = file.view(View::AllRows).unwrap();
        assert!(refused(&all, Table::Grants, &group));
        for (m, other) in files.iter().enumerate() {
            let name = (WORLD.files[n].name, WORLD.files[m].name);
            let other = other.view(View::Sync(ID)).unwrap();
            let is_refused = refused(&other, Table::Grants, &group);
            assert_eq!(is_refused, contents[n] != contents[m], "{name:?}");
        }
    }
}

#[test]
fn a_view_shows_the_sync_that_it_is_asked_for() {
    for sample in &WORLD.files {
        let file = open(&sample.path).unwrap();
        let error = file.view(View::Sync("3MVxu1fAkCi8scufhFJpQZ0000x"));
        assert!(matches!(error, Err(Error::NoSuchSync { .. })));
        assert_eq!(error.unwrap_err().code(), Code::NotFound);
        let runs = file.sync_runs().to_vec();
        let all = file.view(View::AllRows).unwrap();
        let types = |snapshot: &Snapshot<'_>| {
            snapshot
                .count(Table::ResourceTypes, &Filter::default())
                .unwrap()
        };
        let ours = WORLD.model.rows(Table::ResourceTypes).len() as u64;
        if runs.len() == 1 {
            // Finished long ago, and still the newest.
            let now = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 100);
            let default = file.view(View::Default { now }).unwrap();
            assert_eq!(default.sync().map(|run| run.id.as_str()), Some(ID));
            assert_eq!((types(&default), types(&all)), (ours, ours));
        } else {
            assert!(file.capabilities().many_syncs);
            assert_eq!(runs.len(), 1 + MULTI.len());
            assert!(types(&all) > ours, "{}", sample.name);
            let latest = file.latest_finished(None).cloned().unwrap();
            assert_ne!(latest.id, ID);
        }
    }
}
