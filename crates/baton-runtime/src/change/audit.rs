//! The audit log of changes: one JSON object per line, appended and synced.
//!
//! A change has two lines with the same id: `intent` before its first write, and
//! `outcome` after its last. An intent without an outcome belongs to a process
//! that is at work, or to one that was killed. A process holds a shared lock on
//! the file while its change is under way, so a file that can be locked alone has
//! no living intents.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use baton_term::TextGate;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::operator::Operator;
use super::subject::SubjectParts;
use crate::error::{Error, Result};

/// Longer lines are not ours, and are skipped.
const MAX_LINE: u64 = 1 << 20;
/// The fact of a connector that names its organization. Other facts may change
/// with the content of the application.
const ORGANIZATION: &str = "organization-id";
/// Intents without an outcome that are kept in memory.
const MAX_OPEN: usize = 10_000;

/// What a change is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Party {
    /// Resource type; for an entitlement that of its resource.
    #[serde(rename = "type")]
    pub type_id: String,
    pub id: String,
    pub name: String,
}

impl fmt::Display for Party {
    /// Name and id, or the id alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() || self.name == self.id {
            write!(f, "`{}`", self.id)
        } else {
            write!(f, "`{}` (`{}`)", self.name, self.id)
        }
    }
}

/// One write, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WriteLine {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    pub target: String,
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub body: serde_json::Value,
}

/// What all lines of a run have.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub program: String,
    pub version: String,
    pub operator: Operator,
    /// What decides which application is changed, as its organization.
    pub connector: BTreeMap<String, String>,
    /// The sync file that ids are looked up in, as an absolute path.
    pub file: String,
    /// Hides secrets.
    pub gate: TextGate,
}

/// The line before the first write.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct IntentLine<'a> {
    #[serde(flatten)]
    pub subject: SubjectParts<'a>,
    pub writes: &'a [WriteLine],
    pub dry_run: bool,
}

/// The line after the last write.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct OutcomeLine<'a> {
    pub outcome: &'a str,
    pub code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub error: &'a str,
    pub request_ids: &'a [String],
    pub added: &'a [String],
    pub removed: &'a [String],
    pub dry_run: bool,
}

#[derive(Serialize)]
struct Line<'a, T> {
    time: String,
    event: &'a str,
    id: &'a str,
    program: &'a str,
    version: &'a str,
    #[serde(flatten)]
    operator: &'a Operator,
    connector: &'a BTreeMap<String, String>,
    file: &'a str,
    #[serde(flatten)]
    rest: T,
}

/// What is read of a line.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Known {
    time: String,
    event: String,
    id: String,
    host: String,
    pid: u32,
    program: String,
    connector: BTreeMap<String, String>,
    file: String,
    operation: String,
    entitlement: Party,
    principal: Party,
    resource: Party,
    action: Party,
    dry_run: bool,
}

/// A change of an earlier process that has no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfinished {
    pub id: String,
    pub time: String,
    pub operation: String,
    pub entitlement: Party,
    pub principal: Party,
    pub resource: Party,
    pub action: Party,
    host: String,
    pid: u32,
}

impl Unfinished {
    /// What was begun, behind "to".
    pub(crate) fn begun(&self) -> String {
        let (entitlement, principal) = (&self.entitlement.id, &self.principal.id);
        let resource = &self.resource.id;
        match self.operation.as_str() {
            "grant" => format!("grant `{entitlement}` to `{principal}`"),
            "revoke" => format!("revoke `{entitlement}` from `{principal}`"),
            "create_account" => format!("create account `{resource}`"),
            "delete" => format!("delete {} `{resource}`", self.resource.type_id),
            "action" => format!("run action `{}`", self.action.id),
            "rotate_credential" => format!("replace the credentials of `{resource}`"),
            other => format!("do `{other}` with `{resource}`"),
        }
    }
}

/// An open audit log. The lock ends with it.
#[derive(Debug)]
pub(crate) struct AuditLog {
    file: File,
    path: PathBuf,
    facts: Facts,
}

impl AuditLog {
    /// Opens the log, or begins it; gives the changes of earlier processes about
    /// the same application and file that have no outcome. Each gets the outcome
    /// `unknown`, so it is given once.
    ///
    /// # Errors
    ///
    /// The log cannot be read or written.
    pub(crate) fn open(
        path: &Path,
        facts: Facts,
        now: Timestamp,
    ) -> Result<(Self, Vec<Unfinished>)> {
        let is_new = !path.exists();
        let file = baton_c1z::open_records(path).map_err(|source| Error::AuditFile { source })?;
        let mut log = Self {
            file,
            path: path.to_owned(),
            facts,
        };
        let unfinished = log.prepare(is_new).map_err(|source| log.error(source))?;
        for change in &unfinished {
            let outcome = OutcomeLine {
                outcome: "unknown",
                code: baton_connector::Code::Unknown.name(),
                error: "the process ended before it recorded an outcome",
                ..OutcomeLine::default()
            };
            log.append("outcome", &change.id, &outcome, now)?;
        }
        Ok((log, unfinished))
    }

    fn prepare(&mut self, is_new: bool) -> io::Result<Vec<Unfinished>> {
        if is_new && let Some(folder) = self.path.parent() {
            let folder = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            };
            File::open(folder)?.sync_all()?;
        }
        let alone = match self.file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let mut unfinished = self.unfinished()?;
        if alone {
            self.file.unlock()?;
        } else {
            let here = &self.facts.operator.host;
            unfinished.retain(|change| change.host == *here && !is_alive(change.pid));
        }
        self.file.lock_shared()?;
        Ok(unfinished)
    }

    /// Intents about the same application and file without an outcome.
    fn unfinished(&self) -> io::Result<Vec<Unfinished>> {
        let mut reader = BufReader::new(&self.file);
        reader.seek(SeekFrom::Start(0))?;
        let mut open: HashMap<String, (u64, Unfinished)> = HashMap::new();
        let mut line = Vec::new();
        for number in 0_u64.. {
            line.clear();
            let read = reader
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            let Ok(known) = serde_json::from_slice::<Known>(&line) else {
                continue;
            };
            if known.event == "outcome" {
                open.remove(&known.id);
            } else if known.event == "intent"
                && !known.dry_run
                && known.file == self.facts.file
                && known.program == self.facts.program
                && known.connector.get(ORGANIZATION) == self.facts.connector.get(ORGANIZATION)
                && open.len() < MAX_OPEN
            {
                let change = Unfinished {
                    id: known.id.clone(),
                    time: known.time,
                    operation: known.operation,
                    entitlement: known.entitlement,
                    principal: known.principal,
                    resource: known.resource,
                    action: known.action,
                    host: known.host,
                    pid: known.pid,
                };
                open.insert(known.id, (number, change));
            }
        }
        let mut open: Vec<_> = open.into_values().collect();
        open.sort_by_key(|(number, _)| *number);
        Ok(open.into_iter().map(|(_, change)| change).collect())
    }

    /// Records what is about to be sent.
    pub(crate) fn intent(
        &mut self,
        id: &str,
        intent: &IntentLine<'_>,
        now: Timestamp,
    ) -> Result<()> {
        self.append("intent", id, intent, now)
    }

    /// Records what became of it.
    pub(crate) fn outcome(
        &mut self,
        id: &str,
        outcome: &OutcomeLine<'_>,
        now: Timestamp,
    ) -> Result<()> {
        self.append("outcome", id, outcome, now)
    }

    fn append(
        &mut self,
        event: &str,
        id: &str,
        rest: &impl Serialize,
        now: Timestamp,
    ) -> Result<()> {
        let line = Line {
            time: format!("{now:.3}"),
            event,
            id,
            program: &self.facts.program,
            version: &self.facts.version,
            operator: &self.facts.operator,
            connector: &self.facts.connector,
            file: &self.facts.file,
            rest,
        };
        let gate = self.facts.gate.clone();
        let written = serde_json::to_string(&line)
            .map_err(io::Error::from)
            .and_then(|line| self.write(gate.pass_json(&line).as_bytes().to_vec()));
        written.map_err(|source| self.error(source))
    }

    /// One write call per line, so that lines of several processes do not mix.
    fn write(&mut self, mut line: Vec<u8>) -> io::Result<()> {
        line.push(b'\n');
        if !self.ends_with_newline()? {
            // A line that was torn by a loss of power stays one line.
            line.insert(0, b'\n');
        }
        let written = self.file.write(&line)?;
        if written != line.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.sync_all()
    }

    fn ends_with_newline(&mut self) -> io::Result<bool> {
        if self.file.metadata()?.len() == 0 {
            return Ok(true);
        }
        let mut last = [0];
        self.file.seek(SeekFrom::End(-1))?;
        self.file.read_exact(&mut last)?;
        Ok(last == *b"\n")
    }

    fn error(&self, source: io::Error) -> Error {
        Error::AuditLog {
            path: self.path.clone(),
            source,
        }
    }
}

/// Whether a process of this host is alive, as far as can be known: one that has
/// the number now.
#[cfg(unix)]
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| {
        !matches!(
            rustix::process::test_kill_process(pid),
            Err(rustix::io::Errno::SRCH)
        )
    })
}

#[cfg(not(unix))]
fn is_alive(_pid: u32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::subject::Subject;

    fn facts(file: &str) -> Facts {
        Facts {
            program: "baton-toy".to_owned(),
            version: "1.0.0".to_owned(),
            operator: Operator {
                uid: Some(7),
                user: Some("ada".to_owned()),
                host: "here".to_owned(),
                pid: std::process::id(),
            },
            connector: BTreeMap::from([("organization".to_owned(), "o-1".to_owned())]),
            file: file.to_owned(),
            gate: TextGate::new(["s3cr3t-token".to_owned()]),
        }
    }

    fn party(id: &str) -> Party {
        Party {
            type_id: "user".to_owned(),
            id: id.to_owned(),
            name: "A \u{1b}[31m \"name\"\n".to_owned(),
        }
    }

    fn open(path: &Path, file: &str) -> (AuditLog, Vec<Unfinished>) {
        AuditLog::open(path, facts(file), Timestamp::UNIX_EPOCH).unwrap()
    }

    fn begin(log: &mut AuditLog, id: &str, dry_run: bool) {
        let subject = Subject::Grant {
            entitlement: party("e-1"),
            principal: party("u-1"),
        };
        let intent = IntentLine {
            subject: subject.parts(),
            writes: &[],
            dry_run,
        };
        log.intent(id, &intent, Timestamp::UNIX_EPOCH).unwrap();
    }

    fn end(log: &mut AuditLog, id: &str) {
        let outcome = OutcomeLine {
            outcome: "done",
            ..OutcomeLine::default()
        };
        log.outcome(id, &outcome, Timestamp::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn an_intent_without_an_outcome_is_given_once_and_only_for_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let (mut log, found) = open(&path, "/a.c1z");
        assert!(found.is_empty());
        begin(&mut log, "1", false);
        end(&mut log, "1");
        begin(&mut log, "2", false);
        begin(&mut log, "3", true);
        drop(log);
        assert!(open(&path, "/other.c1z").1.is_empty());
        let mut elsewhere = facts("/a.c1z");
        elsewhere
            .connector
            .insert(ORGANIZATION.to_owned(), "o-2".to_owned());
        let other = AuditLog::open(&path, elsewhere, Timestamp::UNIX_EPOCH);
        assert!(other.unwrap().1.is_empty());
        let (_, found) = open(&path, "/a.c1z");
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].id.as_str(), found[0].operation.as_str()),
            ("2", "grant")
        );
        assert!(open(&path, "/a.c1z").1.is_empty(), "it is given once");
    }

    #[test]
    fn an_intent_of_a_living_process_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let (mut alive, _) = open(&path, "/a.c1z");
        begin(&mut alive, "1", false);
        assert!(open(&path, "/a.c1z").1.is_empty());
        drop(alive);
        assert_eq!(open(&path, "/a.c1z").1.len(), 1);
    }

    #[test]
    fn torn_foreign_and_long_lines_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let (mut log, _) = open(&path, "/a.c1z");
        begin(&mut log, "1", false);
        drop(log);
        let mut text = std::fs::read(&path).unwrap();
        let whole = text.len();
        text.extend_from_slice(b"not json\n[1]\n");
        text.extend_from_slice(&vec![b'x'; 3 << 20]);
        text.extend_from_slice(b"\n{\"event\":\"outcome\",\"id\":");
        std::fs::write(&path, &text).unwrap();
        let (mut log, found) = open(&path, "/a.c1z");
        assert_eq!(found.len(), 1);
        begin(&mut log, "2", false);
        drop(log);
        let text = std::fs::read(&path).unwrap();
        assert!(text[..whole].ends_with(b"\n"));
        let last = text.split(|byte| *byte == b'\n').rev().nth(1).unwrap();
        let last: serde_json::Value = serde_json::from_slice(last).unwrap();
        assert_eq!(
            (&last["event"], &last["id"]),
            (&"intent".into(), &"2".into())
        );
        assert_eq!(last["time"], "1970-01-01T00:00:00.000Z");
        assert_eq!((&last["uid"], &last["user"]), (&7.into(), &"ada".into()));
    }

    #[test]
    fn secrets_do_not_reach_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let (mut log, _) = open(&path, "/a.c1z");
        let outcome = OutcomeLine {
            outcome: "failed",
            error: "the server answered: no access for s3cr3t-token",
            ..OutcomeLine::default()
        };
        log.outcome("1", &outcome, Timestamp::UNIX_EPOCH).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("no access for") && !text.contains("s3cr3t"),
            "{text}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_log_that_cannot_take_a_line_is_an_error_that_names_it() {
        let full = Path::new("/dev/full");
        let error = AuditLog::open(full, facts("/a.c1z"), Timestamp::UNIX_EPOCH).unwrap_err();
        let text = format!("{:?}", error.block());
        assert!(
            text.contains("/dev/full") && text.contains("--audit-log"),
            "{text}"
        );
    }
}
