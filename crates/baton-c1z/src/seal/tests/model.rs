//! Random logs against a plain model of the rules.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::columns;
use crate::log::DropReason;
use crate::seal::collect::external_id;
use crate::v3;

const IDS: [&str; 6] = ["", "a", "b", "a:b", "b:c", "c\0\u{1}"];

#[derive(Debug, Clone)]
struct Piece {
    list: ListId,
    generation: u32,
    page: u32,
    rows: Vec<TestRow>,
}

fn random_row(numbers: &mut Numbers, note: usize) -> TestRow {
    let ids: [&str; 6] = std::array::from_fn(|_| IDS[numbers.below(IDS.len())]);
    let [type_id, resource_id, entitlement_id, user_type, user, id] = ids;
    let on = (type_id, resource_id);
    let to = (user_type, user);
    let joined = format!("{type_id}:{resource_id}:{entitlement_id}");
    let note = format!("note {note}");
    match numbers.below(7) {
        0 => resource_type(id, &note),
        1 => resource(on, &note),
        2 => entitlement(on, id, &note),
        3 => entitlement(on, &joined, &note),
        4 => grant(on, &joined, to, id, &note),
        5 => grant(on, entitlement_id, to, id, &note),
        _ => expandable(
            grant_message(on, entitlement_id, to, id, &note),
            &[["", " ", "x"][numbers.below(3)]],
        ),
    }
}

fn random_pages(numbers: &mut Numbers) -> Vec<Piece> {
    let mut pages = Vec::new();
    for list in 0..2 + numbers.below(6) {
        let id = format!("r{list}");
        let list = [
            ListId::resources(&id, None),
            ListId::entitlements("t", &id),
            ListId::grants("t", &id),
        ][numbers.below(3)]
        .clone();
        for generation in 0..u32::try_from(1 + numbers.below(2)).unwrap_or(1) {
            for page in 0..u32::try_from(numbers.below(4)).unwrap_or(0) {
                let rows = (0..numbers.below(12)).map(|_| {
                    let note = numbers.below(1000);
                    random_row(numbers, note)
                });
                pages.push(Piece {
                    list: list.clone(),
                    generation,
                    page,
                    rows: rows.collect(),
                });
            }
        }
    }
    pages
}

/// Appends pages in this order, then what restarts and drops lists.
fn seal(
    pages: &[Piece],
    dropped: &[ListId],
    identity: Identity,
    budget: usize,
) -> Vec<(Table, OwnedRow)> {
    let mut bench = bench();
    for page in pages {
        bench.page(&page.list, page.generation, page.page, &page.rows);
    }
    for list in dropped {
        bench
            .log
            .drop_list(list, DropReason::Vanished, "")
            .expect("dropped");
    }
    bench
        .seal(identity, SealSteps::default(), budget)
        .expect("sealed")
        .1
}

/// What makes a row the same row, and its place.
type Place = (Table, Vec<String>, String);

fn place(table: Table, row: &Row<'_>) -> Place {
    let entitlement = |id: &str| {
        let prefix = format!("{}:{}:", row.resource_type_id, row.resource_id);
        match id.strip_prefix(&prefix) {
            Some(tail) => ["1".to_owned(), tail.to_owned()],
            None => ["0".to_owned(), id.to_owned()],
        }
    };
    let mut key = vec![row.resource_type_id.to_owned(), row.resource_id.to_owned()];
    match table {
        Table::ResourceTypes => key = vec![row.id.to_owned()],
        Table::Resources => {}
        Table::Entitlements => key.extend(entitlement(row.id)),
        Table::Grants => {
            key.extend(entitlement(row.entitlement_id));
            key.extend([
                row.principal_type_id.to_owned(),
                row.principal_id.to_owned(),
            ]);
        }
    }
    (table, key, row.id.to_owned())
}

fn model(pages: &[Piece], dropped: &[ListId], identity: Identity) -> Vec<(Table, OwnedRow)> {
    let mut last: HashMap<&ListId, u32> = HashMap::new();
    for page in pages {
        let generation = last.entry(&page.list).or_default();
        *generation = page.generation.max(*generation);
    }
    let mut counting: Vec<&Piece> = pages
        .iter()
        .filter(|p| last[&p.list] == p.generation && !dropped.contains(&p.list))
        .collect();
    counting.sort_by(|a, b| (&a.list, a.page).cmp(&(&b.list, b.page)));
    let mut by_identity: BTreeMap<String, (Place, OwnedRow)> = BTreeMap::new();
    for TestRow(table, data) in counting.iter().flat_map(|page| &page.rows) {
        let split = columns::split_expandable(data).expect("valid");
        let split = split.filter(|_| *table == Table::Grants);
        let bytes = split.as_ref().map_or(data, |split| &split.data);
        let mut row = columns::read(*table, bytes).expect("valid");
        row.expansion = split.as_ref().and_then(|split| split.expansion.as_deref());
        let (mut record, mut buffers) = (Vec::new(), v3::RecordBuffers::default());
        if identity == Identity::Tuple {
            // What the other format keeps of it.
            v3::write_record(*table, &row, &[], &mut record).expect("valid");
            row = v3::read_record(*table, &record, &mut buffers).expect("valid");
        }
        let mut id = String::new();
        external_id(*table, &row, &mut id);
        row.id = &id;
        let place = place(*table, &row);
        let same = match identity {
            Identity::ExternalId => format!("{table:?} {id:?}"),
            Identity::Tuple => format!("{table:?} {:?}", place.1),
        };
        by_identity.insert(same, (place, row.to_owned()));
    }
    let mut rows: Vec<_> = by_identity.into_values().collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.into_iter()
        .map(|(place, row)| (place.0, row))
        .collect()
}

fn check(identity: Identity) {
    for seed in 1..150 {
        let mut numbers = Numbers(seed * 7919);
        let pages = random_pages(&mut numbers);
        let dropped: Vec<ListId> = pages
            .iter()
            .map(|page| page.list.clone())
            .filter(|_| numbers.below(8) == 0)
            .collect();
        let expected = model(&pages, &dropped, identity);
        let mut shuffled = pages.clone();
        numbers.shuffle(&mut shuffled);
        let got = seal(&shuffled, &dropped, identity, 1 << 20);
        assert_eq!(got, expected, "seed {seed}");
    }
}

#[test]
fn what_is_sealed_by_id_is_what_the_rules_say_whatever_the_order_of_pages() {
    check(Identity::ExternalId);
}

#[test]
fn what_is_sealed_by_tuple_is_what_the_rules_say_whatever_the_order_of_pages() {
    check(Identity::Tuple);
}

#[test]
fn little_memory_and_many_runs_give_the_same_rows() {
    let mut numbers = Numbers(99);
    let mut pages = Vec::new();
    for list in 0..20u32 {
        let id = format!("g{:03}", (list * 7) % 20);
        for page in 0..4 {
            let rows = (0..200).map(|_| {
                let user = format!("u{:05}", numbers.below(30_000));
                let grant_id = format!("{id}:{user}");
                grant(
                    ("g", &id),
                    &format!("g:{id}:m"),
                    ("u", &user),
                    &grant_id,
                    &"x".repeat(300),
                )
            });
            pages.push(Piece {
                list: ListId::grants("g", &id),
                generation: 0,
                page,
                rows: rows.collect(),
            });
        }
    }
    // 16,000 rows of about 400 bytes: 150 runs of the smallest budget.
    let expected = model(&pages, &[], Identity::ExternalId);
    assert_eq!(seal(&pages, &[], Identity::ExternalId, 0), expected);
    numbers.shuffle(&mut pages);
    assert_eq!(seal(&pages, &[], Identity::ExternalId, 0), expected);
}
