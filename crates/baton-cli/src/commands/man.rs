//! `man`: the manual page of the program, or a folder of one page per command.

use std::path::{Path, PathBuf};

use baton_c1z::replace_file;
use baton_flags::builtin::{ManualPage, manual_pages};
use baton_flags::{Command, Field};

use super::{Cmd, Cx, Given, Runs};
use crate::error::CliError;

const OUT: Field<Option<PathBuf>> = Field::path(
    "out",
    "write one page per command into this folder, such as share/man/man1",
)
.value_name("folder");

pub(super) struct Man {
    folder: Option<PathBuf>,
}

impl Cmd for Man {
    fn define() -> Command<Runs> {
        Command::new("man", "print the manual page, for `man -l -`")
            .hidden()
            .field(OUT)
            .without_common()
    }

    fn has_own_formats() -> bool {
        true
    }

    fn parse(given: &Given) -> Result<Self, CliError> {
        let folder = given.config.get(&OUT).map(ToOwned::to_owned);
        if folder.is_none() && given.config.was_set(&OUT) {
            return Err(CliError::usage("--out names no folder"));
        }
        Ok(Self { folder })
    }

    fn only_shows(&self) -> bool {
        self.folder.is_none()
    }

    fn run(self, cx: &mut Cx<'_, '_>) -> Result<(), CliError> {
        let pages = manual_pages(&super::program());
        match &self.folder {
            Some(folder) => pages.iter().try_for_each(|page| write(folder, page)),
            // The first one is the program's.
            None => match pages.first() {
                Some(page) => Ok(cx.out.write_all(page.text.as_bytes())?),
                None => Ok(()),
            },
        }
    }
}

fn write(folder: &Path, page: &ManualPage) -> Result<(), CliError> {
    replace_file(&folder.join(&page.file_name), |file| {
        Ok::<(), CliError>(file.write_all(page.text.as_bytes())?)
    })?;
    Ok(())
}
