//! Completion scripts, generated from the same definitions as the parser.

use clap_complete::aot;

use crate::args::clap_command;
use crate::program::{Program, Shell};

/// The script for one shell.
pub(crate) fn script(program: &Program, shell: Shell, descriptions: bool) -> Vec<u8> {
    let mut command = clap_command(program, descriptions);
    let generator = match shell {
        Shell::Bash => aot::Shell::Bash,
        Shell::Fish => aot::Shell::Fish,
        Shell::Powershell => aot::Shell::PowerShell,
        Shell::Zsh => aot::Shell::Zsh,
    };
    let mut script = Vec::new();
    aot::generate(generator, &mut command, program.name, &mut script);
    script
}
