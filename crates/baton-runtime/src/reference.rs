//! The reference page of a program's flags, as Markdown.
//!
//! Hidden flags are listed too: a reference that leaves things out is no reference.

use std::fmt::Write as _;

use crate::field::Field;
use crate::flags::{self, DefaultLogFormat};

/// The page about the flags that every connector program has.
pub fn common_flags_markdown() -> String {
    let mut text = String::from(
        "# Flags of every connector program\n\n\
         Each flag can also be set in the environment or in the config file, under its name\n\
         without dashes. The command line wins over the environment, the environment over the\n\
         file; lists on the command line are added to the others. This page is generated from the\n\
         flag definitions.\n\n",
    );
    text.push_str(&flags_markdown(&flags::common(DefaultLogFormat::Json)));
    text.push_str(
        "\nThe default of `--log-format` is `console` when standard error is a terminal.\n",
    );
    text
}

/// A table of flags, sorted by name.
pub fn flags_markdown(fields: &[Field]) -> String {
    let mut sorted: Vec<&Field> = fields.iter().collect();
    sorted.sort_by_key(|field| field.name);
    let mut text = String::from(
        "| flag | type | default | environment | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for field in sorted {
        let short = field
            .short
            .map(|short| format!(", `-{short}`"))
            .unwrap_or_default();
        let default = field
            .shown_default()
            .map(|text| format!("`{text}`"))
            .unwrap_or_default();
        let mut variables = vec![format!("`{}`", field.env_name())];
        variables.extend(field.env_aliases.iter().map(|alias| format!("`{alias}`")));
        let mut marks = Vec::new();
        if field.is_required() {
            marks.push("required");
        }
        if field.secret {
            marks.push("secret: also takes `@path` and `-`");
        }
        if field.hidden {
            marks.push("not shown in the help");
        }
        let marks = if marks.is_empty() {
            String::new()
        } else {
            format!(" ({})", marks.join("; "))
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `--{}`{short} | {} | {default} | {} | {}{marks} |",
            field.name,
            field.type_word().unwrap_or("switch"),
            variables.join(", "),
            field.help.replace('|', "\\|"),
        );
    }
    text
}
