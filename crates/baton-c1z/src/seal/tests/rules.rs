//! The rules of sealing, one by one.

use super::*;
use crate::log::DropReason;

fn notes(rows: &[(Table, OwnedRow)]) -> Vec<String> {
    let name = |row: &OwnedRow| {
        let grant: v2::Grant = prost::Message::decode(row.data.as_slice()).expect("a grant");
        grant.entitlement.unwrap_or_default().display_name
    };
    rows.iter().map(|(_, row)| name(row)).collect()
}

#[test]
fn a_repeated_grant_is_taken_from_the_last_list_the_last_page_and_the_last_row() {
    let mut bench = bench();
    let same = |note: &str| grant(("g", "1"), "g:1:m", ("u", "1"), "id", note);
    let (first, second) = (ListId::grants("g", "1"), ListId::grants("g", "2"));
    bench.page(&second, 0, 0, &[same("second 0")]);
    bench.page(&second, 0, 2, &[same("second 2a"), same("second 2b")]);
    bench.page(&second, 0, 1, &[same("second 1")]);
    bench.page(&first, 0, 9, &[same("first 9")]);
    assert_eq!(notes(&bench.rows()), ["second 2b"]);
}

#[test]
fn a_listed_row_wins_over_an_added_one_wherever_it_stands() {
    let on = ("w", "1");
    let (early, late) = (ListId::resources("w", None), ListId::grants("u", "1"));
    for (listed, added) in [(&early, &late), (&late, &early), (&late, &late)] {
        for identity in [Identity::ExternalId, Identity::Tuple] {
            for added_page in [0, 2] {
                let mut bench = bench();
                let rows = [
                    resource(on, "listed"),
                    entitlement(on, "w:1:r", "listed"),
                    // The id of an added row under another key.
                    entitlement(on, "w:1:x", "listed"),
                ];
                bench.page(listed, 0, 1, &rows);
                let header = PageHeader {
                    list: added,
                    generation: 0,
                    page: added_page,
                    request_token: "",
                    next_token: "",
                };
                let rows = [
                    resource(on, "added"),
                    resource(("w", "2"), "added"),
                    entitlement(on, "w:1:r", "added"),
                    entitlement(("w", "2"), "w:2:r", "added"),
                    entitlement(("w", "2"), "w:1:x", "added"),
                ];
                let rows = rows.each_ref().map(|row| match row.0 {
                    Table::Resources => PageRow::resource(&row.1).added(),
                    _ => PageRow::entitlement(&row.1).added(),
                });
                bench.log.append_page(&header, &rows).expect("appended");
                let (sealed, rows) = bench
                    .seal(identity, SealSteps::default(), 0)
                    .expect("sealed");
                let told: Vec<_> = rows
                    .iter()
                    .map(|(_, row)| {
                        let word = ["listed", "added"].into_iter().find(|word| {
                            row.data.windows(word.len()).any(|w| w == word.as_bytes())
                        });
                        format!("{}{} {}", row.resource_id, row.id, word.unwrap_or_default())
                    })
                    .collect();
                // Where ids do not identify, the one under another key stays.
                let expected: &[&str] = match identity {
                    Identity::ExternalId => &[
                        "1w:1 listed",
                        "2w:2 added",
                        "1w:1:r listed",
                        "1w:1:x listed",
                        "2w:2:r added",
                    ],
                    Identity::Tuple => &[
                        "1w:1 listed",
                        "2w:2 added",
                        "1w:1:r listed",
                        "1w:1:x listed",
                        "2w:1:x added",
                        "2w:2:r added",
                    ],
                };
                assert_eq!(told, expected, "{identity:?}");
                assert_eq!(sealed.duplicates, 0);
            }
        }
    }
}

#[test]
fn one_grant_id_with_two_principals_is_one_row() {
    let mut bench = bench();
    let list = ListId::grants("g", "1");
    let of = |user: &str, note: &str| grant(("g", "1"), "g:1:m", ("u", user), "id", note);
    bench.page(&list, 0, 1, &[of("1", "later")]);
    bench.page(&list, 0, 0, &[of("2", "earlier"), of("3", "earlier")]);
    let (sealed, rows) = bench
        .seal(Identity::ExternalId, SealSteps::default(), 0)
        .expect("sealed");
    assert_eq!(notes(&rows), ["later"]);
    assert_eq!(sealed.duplicates, 2);
}

#[test]
fn resources_whose_joined_ids_are_equal_are_an_error() {
    let mut bench = bench();
    let list = ListId::resources("a", None);
    let twins = [resource(("a:b", "c"), "1"), resource(("a", "b:c"), "2")];
    bench.page(&list, 0, 0, &twins);
    let sealed = bench.seal(Identity::ExternalId, SealSteps::default(), 1 << 20);
    let error = sealed.map(|_| ()).expect_err("two rows of one id");
    assert!(
        matches!(&error, crate::Error::DuplicateId { id, .. } if id == "a:b:c"),
        "{error}"
    );
}

#[test]
fn only_the_last_generation_of_a_list_counts() {
    let mut bench = bench();
    let list = ListId::grants("g", "1");
    let of = |user: &str| grant(("g", "1"), "g:1:m", ("u", user), user, user);
    bench.page(&list, 0, 0, &[of("1"), of("2")]);
    bench.log.restart_list(&list, 1).expect("restarted");
    bench.page(&list, 1, 0, &[of("2")]);
    assert_eq!(notes(&bench.rows()), ["2"]);
}

#[test]
fn a_dropped_list_has_no_rows_unless_it_is_restarted() {
    let mut bench = bench();
    let list = ListId::grants("g", "1");
    let of = |user: &str| grant(("g", "1"), "g:1:m", ("u", user), user, user);
    bench.page(&list, 0, 0, &[of("1")]);
    bench
        .log
        .drop_list(&list, DropReason::Vanished, "gone")
        .expect("dropped");
    bench.page(&list, 0, 1, &[of("2")]);
    assert_eq!(notes(&bench.rows()), Vec::<String>::new());
    bench.log.restart_list(&list, 1).expect("restarted");
    bench.page(&list, 1, 0, &[of("3")]);
    assert_eq!(notes(&bench.rows()), ["3"]);
}

#[test]
fn rows_without_ids_are_kept_with_empty_ones() {
    let mut bench = bench();
    let list = ListId::grants("g", "1");
    let message = v2::Grant {
        id: "bare".into(),
        ..Default::default()
    };
    let rows = [
        TestRow(Table::Grants, encode::to_vec(&message)),
        TestRow(Table::Entitlements, Vec::new()),
        TestRow(Table::Resources, Vec::new()),
        TestRow(Table::ResourceTypes, Vec::new()),
    ];
    bench.page(&list, 0, 0, &rows);
    let ids: Vec<_> = bench
        .rows()
        .into_iter()
        .map(|(t, row)| (t, row.id))
        .collect();
    let expected = [
        (Table::ResourceTypes, ""),
        (Table::Resources, ":"),
        (Table::Entitlements, ""),
        (Table::Grants, "bare"),
    ];
    assert_eq!(ids, expected.map(|(table, id)| (table, id.to_owned())));
}

#[test]
fn many_grants_with_one_id_are_resolved_in_blocks() {
    let mut bench = bench();
    for page in 0..10u32 {
        let rows: Vec<_> = (0..1000u32)
            .map(|n| {
                let user = format!("u{}", (n * 31 + page) % 9000);
                grant(
                    ("g", "1"),
                    "g:1:m",
                    ("u", &user),
                    "",
                    &format!("{page}.{n}"),
                )
            })
            .collect();
        bench.page(&ListId::grants("g", "1"), 0, page, &rows);
    }
    assert_eq!(notes(&bench.rows()), ["9.999"]);
}

#[test]
fn bytes_that_are_no_message_are_named_with_table_and_place() {
    let mut bench = bench();
    let bad = TestRow(Table::Grants, vec![0xff; 3]);
    bench.page(&ListId::grants("g", "1"), 0, 0, &[bad]);
    let error = bench
        .seal(Identity::ExternalId, SealSteps::default(), 0)
        .expect_err("malformed");
    let text = error.to_string();
    assert!(text.contains("a row of grants in the page log"), "{text}");
}
