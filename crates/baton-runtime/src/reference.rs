//! The reference page of the flags that every connector program has, as Markdown.

use baton_flags::AnyField;
use baton_flags::reference::flag_table;

use crate::flags;

/// The text above the table.
const SOURCES: &str = "\
# Flags of every connector program

This page is generated from the flag definitions.

A value comes from the first of these that has one: the command line, the variable in the table,
the config file, the default. Lists are the exception: values of the command line are added to
those of the variable or the file. An empty variable counts as absent. A value that cannot be read
is an error, whatever its source.

The config file is YAML: flag names without the leading dashes, each with its value. It is the file
that `BATON_CONFIG_PATH` names (ending in `.yaml` or `.yml`), else `.baton.yaml`, or `.baton` with
another common extension or none, in the current folder.

A flag for a secret also takes `@path`, to read it from a file, and `-`, to read it from standard
input; so it does not show in the list of processes.

";

/// The text below the table.
const ENDING: &str = "
The default of `--log-format` is `console` when standard error is a terminal.

## Variables without a flag

| variable | default | meaning |
| --- | --- | --- |
| `BATON_CONFIG_PATH` |  | the config file |
| `BATON_TMPDIR` |  | existing folder for working files; `--c1z-temp-dir` overrides it |
| `BATON_KEEP_SYNC_COUNT` | `2` | finished full syncs that a file keeps |
| `BATON_SKIP_CLEANUP` | `false` | keep every earlier sync of the file |
| `BATON_EXPERIMENTAL_PEBBLE_COMPACTOR` |  | how v3 files are compacted: `fold` (extend the base, which wins ties), `overlay` or `kway`; the default is `fold` if the other files have at most a tenth of the base's size |
| `BATON_DECODER_MAX_DECODED_SIZE_MB` | `10240` | bound on the decompressed size of an existing file |
| `BATON_DECODER_MAX_MEMORY_MB` | `128` | bound on the decompression window of an existing file |
| `BATON_DISABLE_FCS_FAIL_FAST` | `false` | do not refuse a file for its declared size alone |
| `NO_COLOR` |  | no colours, if it is not empty |

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done; for a sync: complete, or partial under `--allow-partial` |
| 1 to 16 | failed: the number of the cause's gRPC code; 2 for mistakes in flags and settings |
| 5 | for a sync: none of the resources that `--sync-resources` names exists |
| 9 | for `selftest`: a check failed |
| 12 | for a sync: `--sync-resources` names a resource of a type that the connector cannot read by id |
| 20 | the sync is partial: some objects cannot be read with the given credentials, or some rows have types that the connector does not have |
| 130, 143 | ended by SIGINT or SIGTERM; the next run resumes |
";

/// The page about the flags that every connector program has.
pub fn common_flags_markdown() -> String {
    let table = flags_markdown(&flags::common(flags::LogFormat::Json));
    format!("{SOURCES}{table}{ENDING}")
}

/// A table of flags, sorted by name.
pub fn flags_markdown(fields: &[AnyField]) -> String {
    flag_table(fields, true)
}
