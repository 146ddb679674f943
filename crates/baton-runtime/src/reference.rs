//! The reference page of the flags that every connector program has, as Markdown.

use baton_flags::AnyField;
use baton_flags::reference::flag_table;

use crate::flags;
use crate::log::Format;

/// What stands above the table.
const SOURCES: &str = "\
# Flags of every connector program

This page is generated from the flag definitions.

A value comes from the first of these that has one: the command line, the variable in the table,
the config file, the default. Lists are the exception: what the command line says is added to what
the variable or the file says. An empty variable counts as absent. A value that cannot be read is
an error, wherever it comes from.

The config file is YAML: flag names without the leading dashes, each with its value. It is the file
that `BATON_CONFIG_PATH` names (ending in `.yaml` or `.yml`), else `.baton.yaml`, or `.baton` with
another common extension or none, in the current folder.

A flag for a secret also takes `@path`, to read it from a file, and `-`, to read it from standard
input; so it does not show in the list of processes.

";

/// What stands below it.
const ENDING: &str = "
The default of `--log-format` is `console` when standard error is a terminal.

## Variables without a flag

| variable | default | meaning |
| --- | --- | --- |
| `BATON_CONFIG_PATH` |  | the config file |
| `BATON_TMPDIR` |  | existing folder for working files, below `--c1z-temp-dir` in rank |
| `BATON_KEEP_SYNC_COUNT` | `2` | finished full syncs that a file keeps |
| `BATON_SKIP_CLEANUP` | `false` | keep every earlier sync of the file |
| `BATON_EXPERIMENTAL_PEBBLE_COMPACTOR` |  | how v3 files are compacted: `fold` (the base stays, and wins ties), `overlay` or `kway`; by default `fold` if the other files have at most a tenth of the base's size |
| `BATON_DECODER_MAX_DECODED_SIZE_MB` | `10240` | bound on the decompressed size of an existing file |
| `BATON_DECODER_MAX_MEMORY_MB` | `128` | bound on the decompression window of an existing file |
| `BATON_DISABLE_FCS_FAIL_FAST` | `false` | do not judge a file by its declared size alone |
| `NO_COLOR` |  | no colours, if it is not empty |

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done; for a sync: complete, or partial under `--allow-partial` |
| 1 to 16 | failed: the number of the cause's gRPC code; 2 for mistakes in flags and settings |
| 5 | for a sync: none of the resources that `--sync-resources` names exists |
| 9 | for `selftest`: a check failed |
| 12 | for a sync: the connector cannot read a resource that `--sync-resources` names, since it cannot read single resources of that type |
| 20 | the sync is partial: objects that the key may not read are missing, or rows of types that the connector does not have |
| 130, 143 | ended by SIGINT or SIGTERM; the next run resumes |
";

/// The page about the flags that every connector program has.
pub fn common_flags_markdown() -> String {
    let table = flags_markdown(&flags::common(Format::Json));
    format!("{SOURCES}{table}{ENDING}")
}

/// A table of flags, sorted by name.
pub fn flags_markdown(fields: &[AnyField]) -> String {
    flag_table(fields, true)
}
