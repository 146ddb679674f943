//! Small logs, and their events as values that can be compared.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_c1z::{
    DropReason, Fingerprint, ListId, LogEvent, PageHeader, PageLog, PageRow, Resumed, RowRef,
    WorkDir,
};

/// An event of a log, owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// List, generation, page, tokens, rows.
    Page(ListId, u32, u32, [String; 2], Vec<(RowRef, Vec<u8>)>),
    Restarted(ListId, u32),
    Dropped(ListId, DropReason, String),
    Mark(String, Vec<u8>),
}

/// 2026-01-01T00:00:00Z.
pub fn now() -> SystemTime {
    // Seconds are the unit in which everybody knows this number.
    #[allow(clippy::duration_suboptimal_units)]
    let since = Duration::from_secs(1_767_225_600);
    UNIX_EPOCH + since
}

pub fn fingerprint() -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    fingerprint.0.insert("connector".into(), "test".into());
    fingerprint.0.insert("organization".into(), "o1".into());
    fingerprint
}

pub fn locate(target: &Path) -> WorkDir {
    WorkDir::locate(target, None, now()).unwrap()
}

pub fn open(dir: &WorkDir) -> (PageLog, Resumed) {
    PageLog::open(dir, &fingerprint(), now(), false).unwrap()
}

/// Appends a page of grants, whose bytes need not be grants.
pub fn append_grants(
    log: &mut PageLog,
    list: &ListId,
    generation: u32,
    page: u32,
    rows: &[&str],
) -> Vec<RowRef> {
    let rows: Vec<_> = rows.iter().map(|r| PageRow::grant(r.as_bytes())).collect();
    let header = PageHeader {
        list,
        generation,
        page,
        request_token: "from",
        next_token: "to",
    };
    log.append_page(&header, &rows).unwrap()
}

pub fn events(log: &PageLog) -> Vec<Seen> {
    let mut all = Vec::new();
    log.replay(&mut |event| {
        all.push(match event {
            LogEvent::Page(page) => Seen::Page(
                page.header.list.clone(),
                page.header.generation,
                page.header.page,
                [
                    page.header.request_token.into(),
                    page.header.next_token.into(),
                ],
                page.rows.map(|(at, row)| (at, row.data.to_vec())).collect(),
            ),
            LogEvent::Restarted { list, generation } => Seen::Restarted(list.clone(), generation),
            LogEvent::Dropped { list, why, detail } => {
                Seen::Dropped(list.clone(), why, detail.into())
            }
            LogEvent::Marked { kind, payload } => Seen::Mark(kind.into(), payload.into()),
            other => panic!("unknown event {other:?}"),
        });
        Ok(())
    })
    .unwrap();
    all
}
