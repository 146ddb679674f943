//! What the shell offers for a value: types, ids and names of the file that
//! the unfinished command line names. Silent on every failure, and bounded in
//! time: a shell waits for it at each press of a key.

mod script;
mod wanted;

use std::sync::mpsc;
use std::time::Duration;

use baton_c1z::View;
use baton_flags::{Command, Positionals};

use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;
use crate::open;
use wanted::Wanted;

/// The name of the command, which the completion scripts call.
const NAME: &str = "complete-value";
/// Longest time that a shell waits.
const MAX_WAIT: Duration = Duration::from_millis(200);

pub(super) struct CompleteValue(Vec<String>);

/// The command with the values that its scripts offer, if it prints completion scripts.
pub(super) fn offered_by(mut command: Command<Runs>) -> Command<Runs> {
    if command.name == "completion" {
        for shell in &mut command.commands {
            if let Some(Runs::BuiltIn(print)) = shell.run {
                shell.run = Some(Runs::Completion(print, script::with_values));
            }
        }
    }
    command
}

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

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let (Some(wanted), Ok(options)) = (
            Wanted::of(&self.0, cx.process.home.as_deref()),
            open::read_options(cx.process),
        ) else {
            return Ok(());
        };
        let now = cx.process.now;
        let work = move || wanted.offers(&options, View::Default { now });
        for offer in in_time(MAX_WAIT, move || work().unwrap_or_default()) {
            writeln!(cx.out, "{offer}")?;
        }
        Ok(())
    }
}

/// What the work finds in time; nothing if it takes longer or fails.
#[expect(
    clippy::disallowed_methods,
    reason = "the work is left behind when its time is over: the process ends"
)]
fn in_time(wait: Duration, work: impl FnOnce() -> Vec<String> + Send + 'static) -> Vec<String> {
    let (send, receive) = mpsc::channel();
    let started = std::thread::Builder::new().spawn(move || {
        // The receiver may have left.
        let _ = send.send(work());
    });
    match started {
        Ok(_) => receive.recv_timeout(wait).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_without_end_and_work_that_fails_find_nothing() {
        let (hold, held) = mpsc::channel::<()>();
        let endless = move || {
            let _ = held.recv();
            vec!["late".to_owned()]
        };
        assert!(in_time(Duration::from_millis(20), endless).is_empty());
        drop(hold);
        let long = Duration::from_mins(1);
        assert!(in_time(long, || panic!("on purpose")).is_empty());
        assert_eq!(in_time(long, || vec!["found".to_owned()]), ["found"]);
    }
}
