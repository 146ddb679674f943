//! Syncs from the first megabyte: when that is enough, and when it is not.

use std::fs;

use baton_c1z::{Error, ReadOptions, peek};
use rusqlite::Connection;

use crate::support::{Folder, open};

const RUNS: &str = "create table v1_sync_runs (
        id integer primary key, sync_id text not null, started_at datetime not null,
        ended_at datetime, sync_token text not null, sync_type text not null default 'full',
        parent_sync_id text not null default '', linked_sync_id text not null default '',
        supports_diff integer not null default 0, grants_backfilled integer not null default 0,
        stats text, ingest_invariant_generation text not null default '',
        ingest_invariant_coverage text not null default '',
        ingest_invariant_mode text not null default '');";

/// One finished run with stored counts and a token of this many characters.
fn insert_run(conn: &Connection, token_len: usize) {
    conn.execute(
        "insert into v1_sync_runs (sync_id, started_at, ended_at, sync_token, grants_backfilled, stats)
         values ('s1', '2026-01-01 00:00:00', '2026-01-01 00:01:00', ?, 1,
                 '{\"resource_types\":1,\"grants\":7}')",
        ["t".repeat(token_len)],
    )
    .expect("inserted");
}

/// Three megabytes that no compressor shortens much.
fn insert_bulk(conn: &Connection) {
    conn.execute_batch(
        "create table bulk (data blob);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
         insert into bulk select randomblob(3000) from n;",
    )
    .expect("inserted");
}

#[test]
fn the_rest_of_the_stream_is_not_even_looked_at() {
    let folder = Folder::new();
    let path = folder.c1z_with(None, |conn| {
        conn.execute_batch(RUNS).expect("created");
        insert_run(conn, 10);
        insert_bulk(conn);
    });
    let mut bytes = fs::read(&path).expect("read");
    let len = bytes.len();
    assert!(len > 2 << 20);
    bytes.truncate(len / 2);
    fs::write(&path, bytes).expect("written");
    let peeked = peek(&path, &ReadOptions::default()).expect("the beginning suffices");
    let run = peeked.latest_finished(None).expect("finished");
    assert_eq!(run.stats.as_ref().map(|s| s.grants), Some(7));
    assert!(matches!(open(&path), Err(Error::Compressed { .. })));
}

#[test]
fn runs_that_lie_behind_the_rows_are_found_all_the_same() {
    let folder = Folder::new();
    let path = folder.c1z_with(None, |conn| {
        insert_bulk(conn);
        conn.execute_batch(RUNS).expect("created");
        insert_run(conn, 10);
    });
    let peeked = peek(&path, &ReadOptions::default()).expect("peek");
    assert_eq!(
        peeked.runs,
        open(&path).expect("opens").sync_runs().to_vec()
    );
    assert_eq!(peeked.runs[0].sync_token, "tttttttttt");
}

#[test]
fn text_that_reaches_behind_the_prefix_is_not_taken_for_zeros() {
    let folder = Folder::new();
    for token_len in [100_000, 3 << 20] {
        let path = folder.c1z_with(None, |conn| {
            conn.execute_batch(RUNS).expect("created");
            insert_bulk(conn);
            insert_run(conn, token_len);
        });
        let peeked = peek(&path, &ReadOptions::default()).expect("peek");
        assert_eq!(peeked.runs.len(), 1);
        assert_eq!(peeked.runs[0].sync_token, "t".repeat(token_len));
        assert!(peeked.runs[0].stats.is_some());
    }
}

#[test]
fn a_stream_that_does_not_state_its_size_is_opened_whole() {
    let folder = Folder::new();
    let path = folder.c1z_with(Some("v1-multi-sync.c1z"), |_| ());
    let mut bytes = b"C1ZF\0".to_vec();
    zstd::stream::copy_encode(&crate::support::database(&path)[..], &mut bytes, 1)
        .expect("in memory");
    let undeclared = folder.file("undeclared.c1z", &bytes);
    assert_eq!(
        peek(&undeclared, &ReadOptions::default()).expect("peek"),
        peek(&path, &ReadOptions::default()).expect("peek")
    );
}
