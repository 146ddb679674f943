//! `version`: what `--version` prints, and what the program was built from and for.
//!
//! `--version` stays one line, as in the Go tools: scripts take a word of it.

use super::{BuiltIn, Printed};
use crate::args::Line;
use crate::program::{Command, Program};

pub(super) fn command<R>(wrap: fn(BuiltIn<R>) -> R) -> Command<R> {
    Command::new("version", "print the version, the commit and the platform")
        .without_common()
        .runs(wrap(all))
}

fn all<R>(program: &Program<R>, _: &Line<'_, R>, _: usize) -> Printed {
    let commit = program.commit.filter(|commit| !commit.is_empty());
    format!(
        "{}commit: {}\nplatform: {}\n",
        line(program),
        commit.unwrap_or("unknown"),
        platform()
    )
    .into()
}

/// The line that `--version` prints.
pub(super) fn line<R>(program: &Program<R>) -> String {
    format!("{} version {}\n", program.name(), program.version)
}

/// Processor, system, C library and how that is linked.
fn platform() -> String {
    let library = if cfg!(target_env = "gnu") {
        "-gnu"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "msvc") {
        "-msvc"
    } else {
        ""
    };
    let linked = if cfg!(target_feature = "crt-static") {
        ", static"
    } else {
        ""
    };
    let (processor, system) = (std::env::consts::ARCH, std::env::consts::OS);
    format!("{processor}-{system}{library}{linked}")
}
