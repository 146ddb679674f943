//! Opening a log: resume it, set it aside, or begin a new one.
//!
//! The log ends with the last record before the first that is not whole and
//! intact; the rest is cut off and reported. Work that another run began
//! with other settings is renamed, never mixed in and never silently lost.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::codec::{self, HEADER_FRAME_BYTES, HeaderFrame, Malformed};
use super::rows::note_milestone;
use super::{
    Fingerprint, ListId, ListState, LogEvent, PageLog, decode, note_dropped, note_generation,
};
use crate::error::{Error, Result};
use crate::files::{DataFile, Open};
use crate::stop;
use crate::workdir::{MAX_WORK_AGE, WorkDir};

/// How a log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resumed {
    /// There was no earlier work.
    New,
    /// There was earlier work, and it is not used: a new log was begun.
    SetAside(SetAside),
    /// The earlier log is continued; [`PageLog::replay`] reads what is in it.
    Continued {
        /// Number of intact records.
        records: u64,
        /// What had to be cut off.
        damage: Option<Damage>,
    },
}

/// Why earlier work is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetAside {
    /// The caller asked for a fresh start.
    Fresh,
    /// It was begun longer than [`MAX_WORK_AGE`] ago.
    TooOld {
        /// When it was begun.
        begun: SystemTime,
    },
    /// It belongs to a sync with another content.
    OtherContent {
        /// Keys of the fingerprint that differ.
        differing: Vec<String>,
    },
    /// It was written by a version with another layout.
    OtherLayout,
    /// Its header cannot be read.
    Unreadable,
}

/// The part of a log that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// Offset of the first record that is not whole and intact.
    pub offset: u64,
    /// Bytes from there to the end.
    pub lost_bytes: u64,
}

enum Header {
    /// Nothing was ever written.
    Empty,
    Usable {
        created: SystemTime,
        start: u64,
    },
    Unusable(SetAside),
}

impl PageLog {
    /// Opens the log in `dir`, or begins one. `now` decides whether an
    /// earlier log is too old; with `fresh` it is set aside in any case.
    ///
    /// # Errors
    /// [`Error::Io`] if files cannot be read or written. Damage is no error:
    /// see [`Resumed::Continued`].
    pub fn open(
        dir: &WorkDir,
        fingerprint: &Fingerprint,
        now: SystemTime,
        fresh: bool,
    ) -> Result<(Self, Resumed)> {
        dir.clear_scratch()?;
        let path = dir.log_path();
        let file = match dir.files().open(&path, Open::Modify) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok((Self::begin(dir, fingerprint, now)?, Resumed::New));
            }
            Err(e) => return Err(Error::io("open", &path, e)),
        };
        let len = file.len().map_err(|e| Error::io("open", &path, e))?;
        let header = read_header(file.as_ref(), len, fingerprint, now)
            .map_err(|e| Error::io("read", &path, e))?;
        let why = match header {
            Header::Empty => return Ok((Self::begin(dir, fingerprint, now)?, Resumed::New)),
            Header::Usable { .. } if fresh => SetAside::Fresh,
            Header::Unusable(why) => why,
            Header::Usable { created, start } => {
                let mut log = Self::with(dir, file, created, start);
                log.end = len;
                let resumed = log.recover()?;
                return Ok((log, resumed));
            }
        };
        drop(file);
        let aside = dir.set_aside_path();
        dir.files()
            .rename(&path, &aside)
            .map_err(|e| Error::io("rename", &path, e))?;
        let log = Self::begin(dir, fingerprint, now)?;
        Ok((log, Resumed::SetAside(why)))
    }

    fn with(dir: &WorkDir, file: Box<dyn DataFile>, created: SystemTime, start: u64) -> Self {
        Self {
            dir: dir.clone(),
            path: dir.log_path(),
            file,
            start,
            end: start,
            created,
            milestones: Vec::new(),
            special: HashMap::new(),
            record: Vec::new(),
        }
    }

    fn begin(dir: &WorkDir, fingerprint: &Fingerprint, now: SystemTime) -> Result<Self> {
        let path = dir.log_path();
        let secs = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let header = codec::header(secs, &fingerprint.0);
        if header.len() - HEADER_FRAME_BYTES > codec::MAX_HEADER_BYTES {
            return Err(Error::Limit {
                what: "fingerprint",
                limit: codec::MAX_HEADER_BYTES as u64,
            });
        }
        let file = dir
            .files()
            .open(&path, Open::Create)
            .map_err(|e| Error::io("create", &path, e))?;
        file.write_all_at(&header, 0)
            .and_then(|()| file.sync())
            .map_err(|e| Error::io("write", &path, e))?;
        let created = UNIX_EPOCH + Duration::from_secs(secs);
        Ok(Self::with(dir, file, created, header.len() as u64))
    }

    /// Finds the end of the intact records, cuts off the rest, and learns
    /// which lists are special.
    fn recover(&mut self) -> Result<Resumed> {
        let mut count = 0;
        let mut good = self.start;
        let mut special = HashMap::new();
        let mut milestones = Vec::new();
        let mut list = ListId::default();
        let mut records = self.records();
        loop {
            stop::check()?;
            let record = match records.next() {
                Ok(Some(record)) => record,
                Ok(None) | Err(Error::LogDamaged { .. }) => break,
                Err(e) => return Err(e),
            };
            let Ok(event) = decode(&record, &mut list) else {
                break;
            };
            note(&mut special, &event);
            good = record.end();
            note_milestone(&mut milestones, self.start, good);
            count += 1;
        }
        self.special = special;
        self.milestones = milestones;
        let damage = (good < self.end).then(|| Damage {
            offset: good,
            lost_bytes: self.end - good,
        });
        if damage.is_some() {
            self.file
                .set_len(good)
                .and_then(|()| self.file.sync())
                .map_err(|e| Error::io("truncate", &self.path, e))?;
        }
        self.end = good;
        Ok(Resumed::Continued {
            records: count,
            damage,
        })
    }
}

/// Learns from an event whether its list is a special one.
fn note(special: &mut HashMap<ListId, ListState>, event: &LogEvent<'_>) {
    match event {
        LogEvent::Page(page) if page.header.generation > 0 => {
            note_generation(special, page.header.list, page.header.generation);
        }
        LogEvent::Restarted { list, generation } => note_generation(special, list, *generation),
        LogEvent::Dropped { list, why, .. } => note_dropped(special, list, *why),
        LogEvent::Page(_) | LogEvent::Marked { .. } => {}
    }
}

fn read_header(
    file: &dyn DataFile,
    len: u64,
    expected: &Fingerprint,
    now: SystemTime,
) -> io::Result<Header> {
    if len == 0 {
        return Ok(Header::Empty);
    }
    let unreadable = Ok(Header::Unusable(SetAside::Unreadable));
    if len < HEADER_FRAME_BYTES as u64 {
        return unreadable;
    }
    let mut frame = [0; HEADER_FRAME_BYTES];
    file.read_exact_at(&mut frame, 0)?;
    let (payload_bytes, crc) = match codec::header_frame(&frame) {
        Ok(HeaderFrame::Ours { payload_bytes, crc }) => (payload_bytes, crc),
        Ok(HeaderFrame::OtherLayout) => return Ok(Header::Unusable(SetAside::OtherLayout)),
        Err(Malformed) => return unreadable,
    };
    let start = (HEADER_FRAME_BYTES + payload_bytes) as u64;
    if len < start {
        return unreadable;
    }
    let mut payload = vec![0; payload_bytes];
    file.read_exact_at(&mut payload, HEADER_FRAME_BYTES as u64)?;
    let Ok((secs, found)) = codec::header_payload(&payload, crc) else {
        return unreadable;
    };
    let Some(created) = UNIX_EPOCH.checked_add(Duration::from_secs(secs)) else {
        return unreadable;
    };
    if found != expected.0 {
        let keys = found.keys().chain(expected.0.keys());
        let mut differing: Vec<String> = keys
            .filter(|key| found.get(*key) != expected.0.get(*key))
            .cloned()
            .collect();
        differing.sort_unstable();
        differing.dedup();
        return Ok(Header::Unusable(SetAside::OtherContent { differing }));
    }
    // A clock that went backwards makes nothing old.
    let age = now.duration_since(created).unwrap_or_default();
    if age > MAX_WORK_AGE {
        return Ok(Header::Unusable(SetAside::TooOld { begun: created }));
    }
    Ok(Header::Usable { created, start })
}
