//! A question to the person at the terminal.

use std::io::Read;
use std::sync::PoisonError;

use baton_term::Block;

use super::subject::Subject;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::flags;

/// Longest answer that is read.
const MAX_ANSWER: usize = 64;

/// Asks whether to continue. Without a person, with `--yes`, and in a dry run
/// nothing is asked.
///
/// # Errors
/// [`Error::Declined`] unless the answer is yes.
pub(super) async fn ask(context: &CommandContext, subject: &Subject) -> Result<()> {
    let config = context.config();
    if !context.asks || config.get(&flags::YES) || config.get(&flags::DRY_RUN) {
        return Ok(());
    }
    let question = format!("{}? Type yes to continue", subject.infinitive());
    let mut capital = question.chars();
    let first = capital.next().map(|first| first.to_ascii_uppercase());
    let question: String = first.into_iter().chain(capital).collect();
    context.stderr.print(Block::new().line(question));
    let stdin = std::sync::Arc::clone(&context.stdin);
    let reading = tokio::task::spawn_blocking(move || {
        let mut stdin = stdin.lock().unwrap_or_else(PoisonError::into_inner);
        line(&mut **stdin)
    });
    let answer = tokio::select! {
        answer = reading => answer.ok().and_then(Result::ok).unwrap_or_default(),
        () = context.cancel().cancelled() => String::new(),
    };
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::Declined),
    }
}

fn line(stdin: &mut dyn Read) -> std::io::Result<String> {
    let mut answer = Vec::new();
    let mut byte = [0];
    while answer.len() < MAX_ANSWER && stdin.read(&mut byte)? == 1 && byte != *b"\n" {
        answer.extend_from_slice(&byte);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
