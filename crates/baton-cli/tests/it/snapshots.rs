//! Exit status, standard output and standard error of every command and of
//! every kind of error, as files in `tests/snapshots`. `UPDATE_FIXTURES=1`
//! rewrites them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Outcome, fixture, on_terminal, packed, unpacked, words};
use crate::steps::without_durations;

/// Command lines whose outcome a file holds. `OUT/` is a folder of the test, which has the files
/// of [`bad_files`]; other files are fixtures. A line that begins with `80 ` is run on a terminal
/// of so many columns.
const GROUPS: [(&str, &[&str]); 9] = [
    (
        "lists",
        &[
            "resource-types -f v1-small.c1z",
            "resource-types -f v3-small.c1z -o csv",
            "resources -f v1-small.c1z",
            "resources -f v3-small.c1z -t group -o json",
            "resources -f v1-small.c1z -e Custom",
            "resources -f v1-small.c1z -t user --where resource.profile.n>3 --sort -resource.id",
            "entitlements -f v1-small.c1z",
            "entitlements -f v3-small.c1z -t group -r g1 -o ndjson",
            "grants -f v1-small.c1z",
            "grants -f v3-small.c1z -t group -r g1 -o markdown",
            "grants -f v1-small.c1z --principal u1 --columns grant.id,principal.email -o csv",
            "grants -f v1-small.c1z -e group:g1:member --limit 1 -o yaml",
            "grants -f v1-small.c1z --explain --principal user1@example.com",
            "principals -f v1-small.c1z",
            "principals -f v3-small.c1z -e custom-ent-1 -o json",
            "principals compare -f v1-small.c1z -e group:g1:member --compare-entitlement group:g2:member",
            "principals compare -f v3-small.c1z -e group:g1:member --compare-entitlement group:g2:member -o csv",
            "syncs -f v1-multi-sync.c1z",
            "syncs -f v3-small.c1z -o json",
            "stats -f v1-small.c1z",
            "stats -f v3-small.c1z -o markdown",
            "80 grants -f v1-small.c1z",
            "80 syncs -f v1-multi-sync.c1z",
        ],
    ),
    (
        "objects",
        &[
            "access -f v1-small.c1z -t user -r u1",
            "access -f v3-small.c1z --principal user1@example.com -o ndjson",
            "show -f v1-small.c1z u1",
            "show -f v3-small.c1z g1 -o csv",
            "show -f v1-small.c1z group:g1:member -o markdown",
            "show -f v3-small.c1z Acme -o yaml",
            "show -f v1-small.c1z custom-ent-1 -o json",
            "80 show -f v1-small.c1z g1",
            "80 -f v1-multi-sync.c1z",
        ],
    ),
    (
        "diff",
        &[
            "diff -f v1-multi-sync.c1z",
            "diff -f v1-multi-sync.c1z -o summary",
            "diff v1-small.c1z v1-small.c1z -o summary --exit-code",
            "diff v1-small.c1z OUT/copy.c1z -o summary --exit-code",
            "diff v1-small.c1z OUT/changed.c1z -o ndjson --only grants --exit-code",
            "diff v1-small.c1z OUT/changed.c1z -o markdown",
            "diff v1-small.c1z OUT/changed.c1z -o summary -t group -r g1",
            "diff v1-small.c1z OUT/duplicates.c1z -o summary",
            "diff v1-small.c1z v3-small.c1z -o summary",
            "80 diff OUT/changed.c1z v1-small.c1z",
        ],
    ),
    (
        "files",
        &[
            "export c1z -f v1-multi-sync.c1z --out OUT/latest.c1z",
            "syncs -f OUT/latest.c1z -o csv",
            "export csv -f v1-small.c1z --out OUT/flat.csv",
            "export csv -f v1-small.c1z --layout tables --out OUT/tables.csv",
            "export xlsx -f v3-small.c1z --out OUT/flat.xlsx",
            "export xlsx -f v3-small.c1z --layout tables --out OUT/tables.xlsx",
            "to-pebble -f v1-small.c1z --out OUT/v3.c1z",
            "to-sqlite -f OUT/v3.c1z --out OUT/v1.c1z",
            "diff v1-small.c1z OUT/v1.c1z -o summary",
            "expand v1-rollback.c1z --out OUT/expanded.c1z",
            "rollback-expansion -f v1-rollback.c1z --dry-run",
            "rollback-expansion -f v1-rollback.c1z --out OUT/rolled.c1z",
            "sanitize -f v1-small.c1z --secret-file sanitize-secret.bin --anchor 2026-01-02T03:04:05Z --out OUT/clean.c1z",
            "recalculate-stats -f OUT/copy.c1z",
            "optimize -f OUT/copy.c1z",
            "dump-db -f v1-small.c1z --out OUT/dump.db",
        ],
    ),
    (
        "command-line-errors",
        &[
            "nope",
            "grnats",
            "grants --nope",
            "grants -x",
            "grants --limit",
            "grants --limit many",
            "grants --limit 0 -f v1-small.c1z",
            "grants -o cvs -f v1-small.c1z",
            "grants -r g1 -f v1-small.c1z",
            "grants -t group -r  -f v1-small.c1z",
            "grants -e  -f v1-small.c1z",
            "grants --principal  -f v1-small.c1z",
            "resources -e  -f v1-small.c1z",
            "resource-types -e x -f v1-small.c1z",
            "principals -t user -f v1-small.c1z",
            "principals compare -f v1-small.c1z",
            "access -f v1-small.c1z",
            "access --principal u1 -t user -r u1 -f v1-small.c1z",
            "show -f v1-small.c1z",
            "diff v1-small.c1z",
            "diff v1-small.c1z v3-small.c1z -r g1",
            "diff v1-small.c1z v3-small.c1z -o csv",
            "diff v1-small.c1z v3-small.c1z --only users",
            "diff v1-small.c1z v3-small.c1z --only resource-types",
            "diff v1-small.c1z v3-small.c1z --ignore displyName",
            "export",
            "export pdf",
            "export csv --layout nested -f v1-small.c1z",
            "export xlsx --out OUT/access.csv -f v1-small.c1z",
            "expand v1-small.c1z --max-grants many",
            "sanitize -f v1-small.c1z",
            "sanitize -f v1-small.c1z --out OUT/x.c1z --anchor yesterday",
            "sanitize -f v1-small.c1z --out OUT/x.c1z --out-engine rocks",
            "sanitize -f v1-small.c1z --out OUT/x.c1z --secret-file OUT/empty.c1z",
            "optimize -f -",
            "grants -f s3://bucket/sync.c1z",
            "grants -f ",
            "completion tcsh",
        ],
    ),
    (
        "question-errors",
        &[
            "grants -f v1-small.c1z --where principal.emial==''",
            "grants -f v1-small.c1z --where 1+",
            "grants -f v1-small.c1z --where 'text'",
            "grants -f v1-small.c1z --where grant.id.matches('(')",
            "grants -f v1-small.c1z --where NESTED",
            "grants -f v1-small.c1z --where LONG",
            "grants -f v1-small.c1z --where ENDLESS",
            "grants -f v1-small.c1z --columns grant.idd",
            "grants -f v1-small.c1z --columns resource.email.x",
            "grants -f v1-small.c1z --sort -grant.idd",
            "grants -f v1-small.c1z --search ",
            "resources -f v1-small.c1z --where resource.profile.n>3",
            "resources -f v1-small.c1z --columns grant.id",
        ],
    ),
    (
        "unknown-objects",
        &[
            "grants -f v1-small.c1z -t groop",
            "grants -f v1-small.c1z -t group -r g7",
            "grants -f v3-small.c1z -e group:g1:membr",
            "grants -f v1-small.c1z --principal nobody@example.com",
            "resources -f v1-small.c1z -e Custm",
            "access -f v1-small.c1z --principal User",
            "show -f v1-small.c1z nobody",
            "show -f v1-small.c1z member",
            "principals compare -f v1-small.c1z -e nope --compare-entitlement nope",
            "diff -f v1-multi-sync.c1z -t group -r nope -o summary",
            "resources -f v1-small.c1z --sync-id nope",
            "resources -f v3-small.c1z --sync-id nope",
            "resources -f v3-small.c1z --sync-id 3MVxu8TPzbrXYSgzAZZNFghIhQ9 --limit 1",
            "stats -f v3-small.c1z --sync-id 3MVxu8TPzbrXYSgzAZZNFghIhQ9 -o csv",
            "syncs -f v3-small.c1z --sync-id 3MVxu8TPzbrXYSgzAZZNFghIhQ9 -o csv",
            "diff v3-small.c1z v1-small.c1z --other-sync-id 3MVxu8TPzbrXYSgzAZZNFghIhQ9 --only resource-types -o summary",
            "syncs -f v1-small.c1z --sync-id nope",
            "diff v1-small.c1z v3-small.c1z --other-sync-id nope",
            "export csv -f v1-small.c1z --sync-id nope --out OUT/x.csv",
            "export c1z -f v1-small.c1z --sync-id nope --out OUT/x.c1z",
            "recalculate-stats -f OUT/copy.c1z --sync-id nope",
            "grants -f v1-missing-entitlement.c1z",
            "grants -f v1-missing-entitlement.c1z --verbose",
            "access -f v1-missing-entitlement.c1z -t user -r u1",
            "export csv -f v1-no-users.c1z --out OUT/no-users.csv",
        ],
    ),
    (
        "bad-files",
        &[
            "grants -f missing.c1z",
            "grants -f OUT/empty.c1z",
            "grants -f OUT/garbage.c1z",
            "grants -f OUT/cut-v1.c1z",
            "grants -f OUT/cut-v3.c1z",
            "grants -f OUT/newer.c1z",
            "grants -f OUT/newer-engine.c1z",
            "stats -f OUT/newer.c1z",
            "diff v1-small.c1z OUT/newer.c1z",
            "grants -f OUT",
            "resources -f OUT/duplicates.c1z -t group",
            "grants -f OUT/duplicates.c1z -t group -r g1",
            "show -f OUT/duplicates.c1z g1",
            "to-pebble -f OUT/duplicates.c1z --out OUT/duplicates-v3.c1z",
            "grants -f OUT/malformed.c1z",
            "grants -f OUT/malformed.c1z -o json",
            "diff v1-small.c1z v1-unfinished.c1z",
            "diff -f v1-unfinished.c1z",
            "diff -f v1-small.c1z",
            "syncs -f v1-unfinished.c1z -o csv",
        ],
    ),
    (
        "target-errors",
        &[
            "export c1z -f v1-small.c1z --out OUT/copy.c1z",
            "export c1z -f v1-small.c1z --out OUT/none/x.c1z",
            "export c1z -f OUT/copy.c1z --out OUT/copy.c1z",
            "export csv -f OUT/copy.c1z --out OUT/copy.c1z",
            "to-pebble -f v3-small.c1z --out OUT/x.c1z",
            "to-sqlite -f v1-small.c1z --out OUT/x.c1z",
            "rollback-expansion -f v3-small.c1z --out OUT/x.c1z",
            "rollback-expansion -f v1-rollback.c1z",
            "expand v1-rollback.c1z --max-grants 0 --out OUT/x.c1z",
            "dump-db -f v1-small.c1z --out OUT/copy.c1z",
            "optimize -f missing.c1z",
            "recalculate-stats -f missing.c1z",
            "sanitize -f missing.c1z --out OUT/x.c1z",
            "to-sqlite -f v3-small.c1z --out OUT/none/x.c1z",
        ],
    ),
];

/// Files that are hard to read, and two that are not.
fn bad_files(folder: &Path) {
    let at = |name: &str| folder.join(name);
    let (v1, v3) = (fixture("v1-small.c1z"), fixture("v3-small.c1z"));
    let [v1_bytes, v3_bytes] = [&v1, &v3].map(|path| fs::read(path).unwrap());
    fs::copy(&v1, at("copy.c1z")).unwrap();
    fs::write(at("empty.c1z"), "").unwrap();
    fs::write(at("garbage.c1z"), "not a sync file at all").unwrap();
    fs::write(at("cut-v1.c1z"), &v1_bytes[..v1_bytes.len() / 2]).unwrap();
    fs::write(at("cut-v3.c1z"), &v3_bytes[..v3_bytes.len() / 2]).unwrap();
    fs::write(at("newer.c1z"), [b"C1Z4\0", &v3_bytes[5..]].concat()).unwrap();
    // The name of the engine is text in the head of the file.
    let engine = v3_bytes
        .windows(6)
        .position(|word| word == b"pebble")
        .unwrap();
    let mut newer = v3_bytes.clone();
    newer[engine..engine + 6].copy_from_slice(b"petrol");
    fs::write(at("newer-engine.c1z"), newer).unwrap();
    for (name, sql) in [
        (
            "changed.c1z",
            "delete from v1_grants where id in (select id from v1_grants order by id limit 2);
             update v1_resources set data = data || x'1a034e6577' where external_id = 'group:g1'",
        ),
        (
            "duplicates.c1z",
            "drop index if exists idx_resources_external_sync_v1;
             drop index if exists idx_grants_external_sync_v1;
             DUPLICATE v1_resources; DUPLICATE v1_grants",
        ),
        (
            "malformed.c1z",
            "update v1_grants set data = x'0affff' where id = (select max(id) from v1_grants)",
        ),
    ] {
        let database = unpacked(&v1, folder);
        let conn = rusqlite::Connection::open(&database).unwrap();
        for statement in sql.split(';') {
            match statement.trim().strip_prefix("DUPLICATE ") {
                Some(table) => duplicate(&conn, table),
                None => conn.execute_batch(statement).unwrap(),
            }
        }
        conn.close().unwrap();
        packed(&database, &at(name));
        fs::remove_file(database).unwrap();
    }
}

/// Stores each row of a table twice, as tools that check no ids do.
fn duplicate(conn: &rusqlite::Connection, table: &str) {
    let unique: Vec<String> = conn
        .prepare("select name from sqlite_master where type = 'index' and tbl_name = ?1 and sql like '%unique%'")
        .unwrap()
        .query_map([table], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for index in unique {
        conn.execute_batch(&format!("drop index {index}")).unwrap();
    }
    conn.execute_batch(&format!(
        "create temp table twice as select * from {table};
         update twice set id = null;
         insert into {table} select * from twice;
         drop table twice"
    ))
    .unwrap();
}

/// The words of a line, with the paths of their files.
fn placed(line: &str, out: &Path) -> Vec<String> {
    let place = |word: &str| match word {
        "NESTED" => format!("{}true{}", "(".repeat(200), ")".repeat(200)),
        "LONG" => format!("grant.id == '{}'", "x".repeat(1 << 20)),
        "ENDLESS" => {
            let digits = "[0,1,2,3,4,5,6,7,8,9]";
            let mut text = "true".to_owned();
            for name in ["a", "b", "c", "d", "e", "f"] {
                text = format!("{digits}.all({name}, {text})");
            }
            text
        }
        "OUT" => out.display().to_string(),
        word => match word.strip_prefix("OUT/") {
            Some(name) => out.join(name).display().to_string(),
            None if Path::new(&fixture(word)).is_file() => fixture(word),
            None => word.to_owned(),
        },
    };
    line.split(' ').map(place).collect()
}

/// What a line gave, without what differs from machine to machine.
fn shown(line: &str, outcome: &Outcome, out: &Path) -> String {
    let fixtures = PathBuf::from(fixture("x")).parent().unwrap().join("");
    let plain = |text: &str| {
        let text = text.replace(&out.display().to_string(), "OUT");
        without_durations(&text.replace(&fixtures.display().to_string(), ""))
    };
    let mut shown = format!("$ baton {line}\nexit status {}\n", outcome.status);
    for (name, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        if !text.is_empty() {
            let text = plain(text);
            let end = if text.ends_with('\n') {
                ""
            } else {
                "\n(no line end)\n"
            };
            let _ = write!(shown, "--- {name}\n{text}{end}");
        }
    }
    shown
}

#[test]
fn every_command_and_error_has_the_recorded_outcome() {
    let updates = std::env::var_os("UPDATE_FIXTURES").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let mut differing = Vec::new();
    for (name, lines) in GROUPS {
        let out = tempfile::tempdir().unwrap();
        bad_files(out.path());
        let mut text = String::new();
        for line in lines {
            let outcome = match line.strip_prefix("80 ") {
                Some(rest) => {
                    let args = placed(rest, out.path());
                    let args: Vec<&str> = args.iter().map(String::as_str).collect();
                    on_terminal(80, &args)
                }
                None => {
                    let args = placed(line, out.path());
                    let args: Vec<&str> = args.iter().map(String::as_str).collect();
                    words(&args)
                }
            };
            text.push_str(&shown(line, &outcome, out.path()));
            text.push('\n');
        }
        let path = folder.join(name).with_extension("txt");
        if updates {
            fs::write(&path, &text).unwrap();
        }
        let recorded = fs::read_to_string(&path).unwrap_or_default();
        if recorded.replace("\r\n", "\n") != text {
            let first = recorded.lines().zip(text.lines()).find(|(a, b)| a != b);
            differing.push(format!("{name}: {first:?}"));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}

/// The reference page has all commands, so none is forgotten here.
#[test]
fn every_command_that_works_on_a_file_is_recorded() {
    let lines: Vec<&str> = GROUPS
        .iter()
        .flat_map(|(_, lines)| *lines)
        .copied()
        .collect();
    let mut commands = 0;
    let page = baton_cli::reference_markdown();
    for heading in page
        .lines()
        .filter_map(|line| line.strip_prefix("## `baton "))
    {
        let command = heading.trim_end_matches('`');
        let own = ["completion", "help", "man", "version", "complete-value"];
        if own.iter().any(|word| command.starts_with(word)) {
            continue;
        }
        commands += 1;
        let is_it = |line: &&str| {
            let line = line.strip_prefix("80 ").unwrap_or(line);
            line == command || line.starts_with(&format!("{command} "))
        };
        assert!(lines.iter().any(is_it), "{command}");
    }
    assert!(commands > 20, "{commands}");
}
