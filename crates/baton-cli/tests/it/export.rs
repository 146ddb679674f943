//! `export csv` and `export xlsx`: what is in them, and what is left out.

use std::fs;
use std::path::Path;

use baton_cli::Process;
use baton_proto::c1::connector::v2;
use prost::Message as _;
use rusqlite::params;

use crate::program::{Outcome, fixture, packed, process, run_in, unpacked, words};
use crate::steps::{csv_rows, sheet_rows};

const FILES: [&str; 4] = [
    "v1-small.c1z",
    "v1-small-slim-grants.c1z",
    "v3-small.c1z",
    "v3-handmade-sst.c1z",
];

fn export(kind: &str, file: &str, out: &Path, more: &[&str]) -> Outcome {
    let out = out.display().to_string();
    words(&[&["export", kind, "-f", file, "--out", &out], more].concat())
}

fn csv(file: &str, more: &[&str]) -> (Vec<Vec<String>>, String) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.csv");
    let outcome = export("csv", file, &out, more);
    assert_eq!(
        (outcome.status, &*outcome.stdout),
        (0, ""),
        "{}",
        outcome.stderr
    );
    (csv_rows(&fs::read_to_string(&out).unwrap()), outcome.stderr)
}

/// A copy of a v1 file whose database was changed.
fn changed(folder: &Path, change: impl FnOnce(&rusqlite::Connection)) -> String {
    let database = unpacked(&fixture("v1-small.c1z"), folder);
    let conn = rusqlite::Connection::open(&database).unwrap();
    change(&conn);
    drop(conn);
    let path = packed(&database, &folder.join("changed.c1z"));
    fs::remove_file(database).unwrap();
    path
}

fn add_type(conn: &rusqlite::Connection, id: &str, traits: &[i32]) {
    let message = v2::ResourceType {
        id: id.to_owned(),
        display_name: id.to_owned(),
        traits: traits.to_vec(),
        ..v2::ResourceType::default()
    };
    conn.execute(
        "insert into v1_resource_types (external_id, data, sync_id, discovered_at)
         select ?1, ?2, sync_id, discovered_at from v1_resource_types limit 1",
        params![id, message.encode_to_vec()],
    )
    .unwrap();
    // The new one is the first that is read.
    conn.execute(
        "update v1_resource_types set id = -1 where external_id = ?1",
        [id],
    )
    .unwrap();
}

/// Gives every resource and entitlement another name.
fn rename(conn: &rusqlite::Connection, name: &str) {
    for table in ["v1_resources", "v1_entitlements"] {
        let rows: Vec<(i64, Vec<u8>)> = conn
            .prepare(&format!("select id, data from {table}"))
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        for (id, data) in rows {
            let data = if table == "v1_resources" {
                let mut resource = v2::Resource::decode(&data[..]).unwrap();
                name.clone_into(&mut resource.display_name);
                resource.encode_to_vec()
            } else {
                let mut entitlement = v2::Entitlement::decode(&data[..]).unwrap();
                name.clone_into(&mut entitlement.display_name);
                entitlement.encode_to_vec()
            };
            let sql = format!("update {table} set data = ?1 where id = ?2");
            conn.execute(&sql, params![data, id]).unwrap();
        }
    }
}

/// The Go tool's CSV ends there.
#[test]
fn a_type_of_users_without_resources_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = changed(folder.path(), |conn| add_type(conn, "bot", &[1]));
    let (rows, _) = csv(&file, &[]);
    assert_eq!(rows, csv(&fixture("v1-small.c1z"), &[]).0);
    assert_eq!(rows.len(), 17);
}

/// The Go tool lists its users twice.
#[test]
fn a_type_that_is_a_user_type_twice_has_its_users_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = changed(folder.path(), |conn| {
        let twice = v2::ResourceType {
            id: "user".to_owned(),
            traits: vec![1, 1],
            ..v2::ResourceType::default()
        };
        conn.execute(
            "update v1_resource_types set data = ?1 where external_id = 'user'",
            [twice.encode_to_vec()],
        )
        .unwrap();
    });
    let (rows, _) = csv(&file, &[]);
    let identities = rows.iter().filter(|row| row[0] == "Identity").count();
    assert_eq!(identities, 5);
}

#[test]
fn rows_are_in_stored_order_and_grants_to_others_are_counted() {
    for file in FILES {
        let (rows, said) = csv(&fixture(file), &[]);
        let kinds: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        let expected = [
            &["Type"][..],
            &["Identity"; 5],
            &["Entitlement"; 4],
            &["Grant"; 7],
        ]
        .concat();
        assert_eq!(kinds, expected, "{file}");
        assert_eq!(
            said,
            "note: 1 grant is left out to principals that are not users of the file: export every \
             grant with --layout tables\n"
        );
        assert_eq!(csv(&fixture(file), &[]).0, rows);
    }
}

#[test]
fn a_grant_of_a_missing_entitlement_shows_what_it_records_itself() {
    let (rows, _) = csv(&fixture("v1-missing-entitlement.c1z"), &[]);
    let grants: Vec<&Vec<String>> = rows
        .iter()
        .filter(|row| row[0] == "Grant" && row[7] == "group:g1:member")
        .collect();
    assert_eq!(grants.len(), 3);
    for grant in grants {
        assert_eq!(
            grant[6..],
            ["", "group:g1:member", "group", "Group 1", "", ""]
        );
    }
}

#[test]
fn the_chosen_sync_is_exported() {
    let file = fixture("v1-multi-sync.c1z");
    let (newest, _) = csv(&file, &[]);
    assert_eq!(newest.len(), 1);
    let (second, _) = csv(&file, &["--sync-id", "3MVxu5SqJsghMXPen1aZOWJ9srT"]);
    assert_eq!(second.len(), 17);
}

/// One file or sheet per kind: the same cells in both formats of file and of
/// export.
#[test]
fn tables_hold_every_record_with_joined_names() {
    let mut all = Vec::new();
    for file in FILES {
        let folder = tempfile::tempdir().unwrap();
        let outcome = export(
            "csv",
            &fixture(file),
            &folder.path().join("out.csv"),
            &["--layout", "tables"],
        );
        assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
        assert_eq!(outcome.stdout.lines().count(), 4);
        let book = folder.path().join("out.xlsx");
        let outcome = export("xlsx", &fixture(file), &book, &["--layout", "tables"]);
        assert_eq!(
            (outcome.status, &*outcome.stdout, &*outcome.stderr),
            (
                0,
                "Resource types: 3\nResources: 9\nEntitlements: 4\nGrants: 8\n",
                ""
            )
        );
        let mut tables = Vec::new();
        for (name, sheet, rows) in [
            ("resource_types", "Resource types", 4),
            ("resources", "Resources", 10),
            ("entitlements", "Entitlements", 5),
            ("grants", "Grants", 9),
        ] {
            let path = folder.path().join(format!("out.{name}.csv"));
            let table = csv_rows(&fs::read_to_string(&path).unwrap());
            assert_eq!(table.len(), rows, "{file} {name}");
            assert_eq!(sheet_rows(&book, sheet), table, "{file} {name}");
            let (head, mut rest) = (table[0].clone(), table[1..].to_vec());
            rest.sort();
            tables.push((head, rest));
        }
        all.push(tables);
    }
    let derived = &all[0][3].1;
    assert!(
        derived
            .iter()
            .any(|row| row[12] == "false" && row[15] == "group:g1:member"),
        "{derived:?}"
    );
    for other in &all[1..] {
        assert_eq!(*other, all[0]);
    }
}

#[test]
fn a_folder_that_exists_gets_files_by_the_names_of_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = export(
        "csv",
        &fixture("v3-small.c1z"),
        folder.path(),
        &["--layout", "tables"],
    );
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "entitlements.csv",
        "grants.csv",
        "resource_types.csv",
        "resources.csv",
    ];
    assert_eq!(names, expected);
}

#[test]
fn names_that_begin_like_formulas_are_made_harmless_unless_raw() {
    for name in [
        "=HYPERLINK(\"http://x\")",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = changed(folder.path(), |conn| rename(conn, name));
        let shown =
            |rows: &[Vec<String>]| rows.iter().find(|r| r[0] == "Entitlement").unwrap()[6].clone();
        assert_eq!(shown(&csv(&file, &[]).0), format!("'{name}"));
        assert_eq!(shown(&csv(&file, &["--raw"]).0), name);
        let book = folder.path().join("out.xlsx");
        for more in [&[][..], &["--raw"]] {
            let outcome = export("xlsx", &file, &book, more);
            assert_eq!(outcome.status, 0, "{}", outcome.stderr);
            // Each is a text, or reading it fails.
            let read = shown(&sheet_rows(&book, "Sheet1"));
            assert_eq!(read, name, "{more:?}");
        }
    }
}

#[test]
fn a_text_that_is_too_long_for_a_cell_is_cut_and_reported_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(40_000);
    let file = changed(folder.path(), |conn| rename(conn, &long));
    let book = folder.path().join("out.xlsx");
    let outcome = export("xlsx", &file, &book, &["--layout", "tables"]);
    assert_eq!(outcome.status, 0);
    assert!(
        outcome.stderr.starts_with("warning: ")
            && outcome
                .stderr
                .ends_with(" texts were cut: a cell holds 32,767 characters\n"),
        "{}",
        outcome.stderr
    );
    let before = fs::read(&book).unwrap();
    let outcome = export("xlsx", &file, &book, &["--layout", "tables", "--strict"]);
    assert_eq!(outcome.status, 2);
    assert_eq!(
        outcome.stderr,
        "error: row 2, column 3: the text has more than the 32,767 characters of a cell\n\
         hint: cut such texts: run the command without --strict\n"
    );
    assert_eq!(fs::read(&book).unwrap(), before);
    let (rows, _) = csv(&file, &[]);
    assert!(rows.iter().any(|row| row[6] == long));
}

#[test]
fn what_is_there_is_replaced_without_asking_and_only_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, name) in [("csv", "out.csv"), ("xlsx", "out.xlsx")] {
        let out = folder.path().join(name);
        fs::write(&out, "old").unwrap();
        let broken = folder.path().join("broken.c1z");
        let whole = fs::read(fixture("v3-small.c1z")).unwrap();
        fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
        let outcome = export(kind, &broken.display().to_string(), &out, &[]);
        assert_eq!(outcome.status, 2);
        assert_eq!(fs::read(&out).unwrap(), b"old");
        let outcome = export(kind, &fixture("v3-small.c1z"), &out, &[]);
        assert_eq!((outcome.status, &*outcome.stdout), (0, ""));
        assert_ne!(fs::read(&out).unwrap(), b"old");
    }
}

/// A sheet of few rows stands for one of 1,048,576.
#[test]
fn a_list_that_is_longer_than_a_sheet_is_refused_and_the_layout_that_works_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("out.xlsx");
    let out = book.display().to_string();
    for file in ["v1-small.c1z", "v3-small.c1z"].map(fixture) {
        let (rows, _) = csv(&file, &[]);
        let held = u32::try_from(rows.len()).unwrap();
        let write = |sheet_rows: u32, more: &[&str]| {
            let args = [&["export", "xlsx", "-f", &file, "--out", &out], more].concat();
            run_in(&Process {
                sheet_rows: Some(sheet_rows),
                ..process(&args)
            })
        };
        let whole = write(held, &[]);
        assert_eq!(whole.status, 0, "{}", whole.stderr);
        assert_eq!(sheet_rows(&book, "Sheet1"), rows);
        let before = fs::read(&book).unwrap();
        let refused = write(held - 1, &[]);
        let expected = format!(
            "error: the list is longer than a sheet, which holds {} rows\n\
             hint: use several sheets: pass tables with --layout\n",
            held - 1
        );
        assert_eq!(
            (refused.status, &*refused.stdout, &*refused.stderr),
            (2, "", &*expected)
        );
        assert!(fs::read(&book).unwrap() == before, "the old file stays");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // The advice holds: no sheet has more rows, and none is missing.
        let tables = write(4, &["--layout", "tables"]);
        assert_eq!(tables.status, 0, "{}", tables.stderr);
        let grants = (1..).map(|number| match number {
            1 => "Grants".to_owned(),
            number => format!("Grants ({number})"),
        });
        let mut listed = 0;
        for name in grants {
            let sheet = sheet_rows(&book, &name);
            assert!(sheet.len() <= 4, "{name}");
            listed += sheet.len() - 1;
            if sheet.len() < 4 {
                break;
            }
        }
        let all = words(&["grants", "-o", "ndjson", "-f", &file]).stdout;
        assert_eq!(listed, all.lines().count());
    }
}

#[test]
fn a_workbook_is_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let out = folder.path().join(name);
        let outcome = export(
            "xlsx",
            &fixture("v1-small.c1z"),
            &out,
            &["--layout", "tables"],
        );
        assert_eq!(outcome.status, 0);
        fs::read(out).unwrap()
    };
    assert!(write("a.xlsx") == write("b.xlsx"));
}

#[test]
fn what_cannot_be_exported_is_refused_with_advice() {
    let file = fixture("v1-small.c1z");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display().to_string();
    for (args, expected) in [
        (
            &["csv", "--layout", "wide", "-f", &file][..],
            "error: unknown layout `wide`\nhint: pass flat or tables with --layout\n".to_owned(),
        ),
        (
            &["csv", "--out", "", "-f", &file],
            "error: an output path is required\nhint: pass it with --out\n".to_owned(),
        ),
        (
            &["csv", "--out", "no/..", "-f", &file],
            "error: no/.. names no file\n".to_owned(),
        ),
        (
            &["xlsx", "--out", "access.csv", "-f", &file],
            "error: access.csv does not end in .xlsx, which Excel needs to open it\n\
             hint: pass a path that ends in .xlsx with --out\n"
                .to_owned(),
        ),
        (
            &["csv", "--out", &here, "-f", &file],
            format!("error: {here} is a folder"),
        ),
        (
            &["csv", "-f", "no/such.c1z"],
            "error: no/such.c1z does not exist or is empty\n".to_owned(),
        ),
    ] {
        let outcome = words(&[&["export"], args].concat());
        assert_eq!((outcome.status, &*outcome.stdout), (2, ""), "{args:?}");
        assert!(outcome.stderr.starts_with(&expected), "{}", outcome.stderr);
    }
}

#[test]
fn a_table_is_not_written_onto_the_file_that_it_is_read_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sync.grants.csv");
    fs::copy(fixture("v1-small.c1z"), &file).unwrap();
    let before = fs::read(&file).unwrap();
    let outcome = export(
        "csv",
        &file.display().to_string(),
        &folder.path().join("sync.csv"),
        &["--layout", "tables"],
    );
    assert_ne!(outcome.status, 0);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
