//! What the shell offers for a value: types, ids and names of the file that
//! the unfinished command line names. Silent on every failure, and bounded in
//! time: a shell waits for it at each press of a key.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use baton_c1z::{C1zFile, Filter, ReadOptions, Snapshot, Table as Rows, View};
use baton_flags::{Command, Positionals};
use baton_query::Field;
use baton_term::is_forbidden;

use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::lookups::name_of;
use crate::open;
use crate::output::Output;

/// The name of the command, which the completion script calls.
pub(crate) const NAME: &str = "complete-value";
/// Longest time that a shell waits.
const MAX_WAIT: Duration = Duration::from_millis(200);
/// Most values that are offered.
const MAX_OFFERED: usize = 200;

pub(super) struct CompleteValue(Vec<String>);

impl Cmd for CompleteValue {
    fn define() -> Command<Runs> {
        Command::new(NAME, "print what the shell offers for the last word")
            .hidden()
            .positionals(Positionals::Named {
                shown: "-- WORDS",
                help: "the words of the unfinished command line, without the program",
            })
            .without_common()
    }

    fn used_words() -> usize {
        usize::MAX
    }

    fn has_own_formats() -> bool {
        true
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let words = given.words.iter();
        Ok(Self(
            words
                .map(|word| word.to_string_lossy().into_owned())
                .collect(),
        ))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the work is left behind when its time is over: the process ends"
    )]
    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let (Some(wanted), Ok(options)) = (Wanted::of(&self.0), open::read_options(cx.process))
        else {
            return Ok(());
        };
        let now = cx.process.now;
        let (send, receive) = mpsc::channel();
        let work = move || {
            let offers = wanted.offers(&options, View::Default { now });
            // The receiver may have left.
            let _ = send.send(offers.unwrap_or_default());
        };
        let started = std::thread::Builder::new().spawn(work);
        let offers = match started {
            Ok(_) => receive.recv_timeout(MAX_WAIT).unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        for offer in offers {
            writeln!(cx.out, "{offer}")?;
        }
        Ok(())
    }
}

/// What is being typed.
struct Wanted {
    begin: String,
    file: PathBuf,
    type_id: Option<String>,
    value: Value,
}

enum Value {
    Types,
    Entitlements,
    /// Of the type that the line names.
    Resources,
    Principals,
    /// A resource or an entitlement.
    Anything,
    Syncs,
    Fields,
    Formats,
}

impl Wanted {
    /// The last word, by the flag before it.
    fn of(words: &[String]) -> Option<Self> {
        let behind = |flags: [&str; 2]| {
            let at = words.iter().rposition(|word| flags.contains(&&**word))?;
            words.get(at + 1).cloned()
        };
        let (last, before) = words.split_last()?;
        let flag = before.last().map_or("", String::as_str);
        let value = match flag {
            "-t" | "--resource-type" => Value::Types,
            "-e" | "--entitlement" | "--compare-entitlement" => Value::Entitlements,
            "-r" | "--resource" => Value::Resources,
            "--principal" => Value::Principals,
            "--sync-id" | "--other-sync-id" => Value::Syncs,
            "--columns" | "--sort" => Value::Fields,
            "-o" | "--output-format" => Value::Formats,
            "show" => Value::Anything,
            _ => return None,
        };
        Some(Self {
            begin: last.clone(),
            file: behind(["-f", "--file"])
                .unwrap_or_else(|| "sync.c1z".to_owned())
                .into(),
            type_id: behind(["-t", "--resource-type"]),
            value,
        })
    }

    fn offers(&self, options: &ReadOptions, view: View<'_>) -> Result<Vec<String>, CliError> {
        let mut offers = Vec::new();
        match self.value {
            Value::Fields => {
                // Of a list of fields, the last one is being typed.
                let (done, begin) = match self.begin.rsplit_once(',') {
                    Some((done, begin)) => (format!("{done},"), begin),
                    None => (String::new(), self.begin.as_str()),
                };
                let fields = Field::all().filter(|field| field.name().starts_with(begin));
                offers.extend(fields.map(|field| format!("{done}{field}")));
                return Ok(offers);
            }
            Value::Formats => {
                let words = Output::ALL.map(Output::word).into_iter();
                offers.extend(
                    words
                        .filter(|word| word.starts_with(&self.begin))
                        .map(str::to_owned),
                );
                return Ok(offers);
            }
            _ => {}
        }
        let file = C1zFile::open(&self.file, options)?;
        if matches!(self.value, Value::Syncs) {
            let ids = file.sync_runs().iter().map(|run| run.id.clone());
            offers.extend(ids.filter(|id| id.starts_with(&self.begin)));
            return Ok(offers);
        }
        let snapshot = file.view(view)?;
        let tables: &[Rows] = match self.value {
            Value::Types => &[Rows::ResourceTypes],
            Value::Entitlements => &[Rows::Entitlements],
            Value::Anything => &[Rows::Resources, Rows::Entitlements],
            _ => &[Rows::Resources],
        };
        for table in tables {
            self.of_rows(&snapshot, *table, &mut offers)?;
        }
        Ok(offers)
    }

    /// Ids and names that begin like the word.
    fn of_rows(
        &self,
        snapshot: &Snapshot<'_>,
        table: Rows,
        offers: &mut Vec<String>,
    ) -> Result<(), CliError> {
        let is_typed = matches!(self.value, Value::Resources);
        let filter = Filter {
            resource_type_id: self.type_id.as_deref().filter(|_| is_typed),
            ..Filter::default()
        };
        snapshot.scan(table, &filter, &mut |row| {
            let id = if is_typed { row.resource_id } else { row.id };
            let name = match self.value {
                // A type has no other name.
                Value::Types => "",
                // What cannot be read has none.
                _ => name_of(table, row).unwrap_or_default(),
            };
            for text in [id, name] {
                let is_offered = !text.is_empty()
                    && text.starts_with(&self.begin)
                    && !text.contains(is_forbidden);
                if is_offered && offers.len() < MAX_OFFERED && !offers.iter().any(|o| o == text) {
                    offers.push(text.to_owned());
                }
            }
            Ok(if offers.len() < MAX_OFFERED {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
        Ok(())
    }
}
