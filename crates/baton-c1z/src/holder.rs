//! Who holds the lock of a working folder.

use std::time::SystemTime;

/// The process that holds a working folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// When it took the folder.
    pub since: SystemTime,
}

/// The holder of a lock, for people.
pub(crate) fn text(holder: Option<Holder>) -> String {
    let Some(holder) = holder else {
        return "another process".to_owned();
    };
    match jiff::Timestamp::try_from(holder.since) {
        Ok(since) => format!("process {} (started {since})", holder.pid),
        Err(_) => format!("process {}", holder.pid),
    }
}
