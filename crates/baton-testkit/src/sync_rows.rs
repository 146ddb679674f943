//! The rows of a sync, to be compared with those of another one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
use baton_connector::{Clock as _, Connector, SplitMix, SystemClock};
use baton_sync::{Report, Silent, SyncHost, SyncRequest};
use tokio_util::sync::CancellationToken;

/// The rows of a file: each by its table and its id, with its bytes.
pub type Rows = BTreeMap<(Table, String), Vec<u8>>;

/// Syncs a connector into a file of format v1, which is removed again; gives the
/// report and all rows of the file.
///
/// # Errors
/// What ends a sync of the connector.
#[allow(clippy::expect_used, reason = "a panic is how a test fails")]
pub async fn sync_rows(connector: Arc<dyn Connector>) -> baton_sync::Result<(Report, Rows)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = SyncHost {
        clock: Arc::new(SystemClock),
        random: Arc::new(SplitMix::seeded(3)),
        cancel: CancellationToken::new(),
        observer: Arc::new(Silent),
    };
    let request = SyncRequest::new(folder.path().join("sync.c1z"));
    let report = baton_sync::run(connector, request, host).await?;
    let file = C1zFile::open(&report.path, &ReadOptions::default()).expect("a sync file");
    let now = SystemClock.now();
    let view = file.view(View::Default { now }).expect("a sync");
    let mut rows = Rows::new();
    for table in Table::ALL {
        view.scan(table, &Filter::default(), &mut |row| {
            let bytes = [row.data, row.expansion.unwrap_or_default()].concat();
            rows.insert((table, row.id.to_owned()), bytes);
            Ok(ControlFlow::Continue(()))
        })
        .expect("readable rows");
    }
    Ok((report, rows))
}
