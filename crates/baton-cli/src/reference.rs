//! The reference page of `baton`, as Markdown.

use baton_flags::reference::{command_sections, flag_table};
use baton_query::{Field, Table};

use crate::commands::program;

/// What stands above the tables.
const BEGINNING: &str = "\
# Commands of `baton`

This page is generated from the definitions of the commands.

No variable and no config file sets a flag. Three variables matter: `BATON_TMPDIR` names the folder
for temporary files, `BATON_DECODER_MAX_DECODED_SIZE_MB` and `BATON_DECODER_MAX_MEMORY_MB` bound
what a file may unpack to. `NO_COLOR` turns colours off,
`CLICOLOR_FORCE` turns them on in a pipe; `PAGER` names the program that shows long output on a
terminal (empty or `cat`: none).

## Flags of every command

";

/// What stands above the table of fields.
const FIELDS: &str = "
## Fields

`--where`, `--sort` and `--columns` name fields of the record that a row shows. `--where` is an
expression in CEL, such as `principal.status == 'disabled' && !grant.immutable`. A key of a map
follows its name: `resource.profile.department`. A row without such a key is counted on standard
error and not shown; `has(resource.profile.department)` asks for it. Texts are sorted by their
characters' numbers, capitals first.

| field | kind | lists | meaning |
| --- | --- | --- | --- |
";

/// What stands below them.
const ENDING: &str = "
## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 to 16 | failed: the number of the cause's gRPC code; 2 for everything that has none, flags included |
| 1 | `diff --exit-code`: there are changes |
| 5 | there is no such sync, object or folder |
| 8 | more grants would be derived than are allowed, or the disk is full |
| 9 | the sync is not finished, or several objects have the id |
| 13 | an error of the program |
| 130, 143 | ended by SIGINT or SIGTERM while making a file |
";

/// The page about all commands and their flags.
pub fn reference_markdown() -> String {
    let program = program();
    let common = flag_table(&program.common, program.reads_settings);
    let (commands, fields) = (command_sections(&program), fields());
    format!("{BEGINNING}{common}{commands}{FIELDS}{fields}{ENDING}")
}

/// A row per field.
fn fields() -> String {
    let row = |field: Field| {
        let lists = Table::ALL.into_iter().filter(|table| field.is_in(*table));
        let lists: Vec<&str> = lists.map(Table::name).collect();
        let (kind, lists) = (field.kind().name(), lists.join(", "));
        format!("| `{field}` | {kind} | {lists} | {} |\n", field.about())
    };
    Field::all().map(row).collect()
}
