//! `optimize`: a v1 file without the space that removed rows left.

use baton_c1z::{Optimized, Use};
use baton_flags::Command;

use super::output_file::options;
use super::{Cmd, Cx, Given, Runs};
use super::{OUTPUT_FORMAT, VERBOSE};
use crate::error::CliError;
use crate::open;

/// What is printed, in the Go tool's words and without a line break.
const DONE: &str = "Optimized C1Z successfully.";
const NOT_APPLICABLE: &str = "Optimize is not applicable for pebble-backed C1Z; no changes made.";

pub(super) struct Optimize;

impl Cmd for Optimize {
    fn define() -> Command<Runs> {
        Command::new(
            "optimize",
            "rewrite a v1 (SQLite) file in place, without unused space",
        )
        .hidden()
        .without(OUTPUT_FORMAT)
        .without(VERBOSE)
        .example("make a file smaller", "optimize -f sync.c1z")
    }

    fn parse(_: &Given) -> Result<Self, CliError> {
        Ok(Self)
    }

    fn only_shows(&self) -> bool {
        false
    }

    fn uses_file(&self) -> Use {
        Use::Replace
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let text = match baton_c1z::optimize(cx.file, &options(cx.process)?)? {
            Optimized::Rewritten => DONE,
            Optimized::NotApplicable => NOT_APPLICABLE,
        };
        if let Err(missing) = open::must_hold_something(cx.file) {
            cx.err.warning(missing.to_string());
        }
        Ok(cx.out.write_all(text.as_bytes())?)
    }
}
