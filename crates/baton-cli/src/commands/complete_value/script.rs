//! The scripts of `completion` with values of the sync file: each asks the
//! program for them first, and else offers what the table of commands knows.

use std::fmt::Write as _;

use super::wanted::VALUES;

const BASH: &str = include_str!("values.bash");
const ELVISH: &str = include_str!("values.elv");
const FISH: &str = include_str!("values.fish");
const POWERSHELL: &str = include_str!("values.ps1");
const ZSH: &str = include_str!("values.zsh");

/// What the function of the script for zsh is followed by: it is called, or registered.
const ZSH_USE: &str = "if [ \"$funcstack[1]\" = \"_baton\" ]; then\n";
/// How the body of the script for PowerShell begins.
const POWERSHELL_PARAMETERS: &str = "    param($wordToComplete, $commandAst, $cursorPosition)\n";

/// The script of the table of commands for a shell, with values.
pub(super) fn with_values(shell: &str, script: &str) -> String {
    match shell {
        "bash" => [script, BASH].concat(),
        "elvish" => [script, ELVISH].concat(),
        "fish" => [script, FISH, &fish_flags()].concat(),
        "powershell" => {
            let begun = [POWERSHELL_PARAMETERS, POWERSHELL].concat();
            script.replacen(POWERSHELL_PARAMETERS, &begun, 1)
        }
        "zsh" => script.replacen(ZSH_USE, &[ZSH, ZSH_USE].concat(), 1),
        _ => script.to_owned(),
    }
}

/// The shell fish looks for values at the flag that they belong to.
fn fish_flags() -> String {
    let mut lines = String::new();
    for (field, _) in &VALUES {
        let short = field.short.map(|short| format!(" -s {short}"));
        // Writing to memory does not fail.
        let _ = writeln!(
            lines,
            "complete -c baton -n __fish_baton_has_values{} -l {} -x -a '$__fish_baton_values'",
            short.unwrap_or_default(),
            field.name
        );
    }
    lines
}
