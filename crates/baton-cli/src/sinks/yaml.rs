//! YAML: what JSON shows, in block style. Rows are converted one by one.
//!
//! The crate quotes whatever another reader could take for a number, a date or
//! a boolean, in YAML 1.1 as well, and escapes control characters.

use std::io::Write;

use serde_json::Value;

use super::RowSink;
use crate::error::CliError;
use crate::rows::RowSource;

/// A mapping that holds the list of rows.
pub(crate) struct YamlSink;

impl RowSink for YamlSink {
    fn write(&self, rows: &mut dyn RowSource, out: &mut dyn Write) -> Result<(), CliError> {
        let key = rows.key();
        let mut is_empty = true;
        rows.objects(&mut |json| {
            if is_empty {
                writeln!(out, "{key}:")?;
            }
            is_empty = false;
            let item = text(&[value(json)?])?;
            Ok(out.write_all(item.as_bytes())?)
        })?;
        if is_empty {
            out.write_all(b"{}\n")?;
        }
        Ok(())
    }
}

/// One JSON value as a YAML document.
pub(crate) fn document(json: &[u8]) -> Result<String, CliError> {
    text(&value(json)?)
}

fn value(json: &[u8]) -> Result<Value, CliError> {
    serde_json::from_slice(json).map_err(|source| CliError::Row {
        what: format!("cannot show a row as YAML: {source}"),
    })
}

fn text<T: serde::Serialize>(value: &T) -> Result<String, CliError> {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(&mut text, value, options).map_err(|source| {
        CliError::Row {
            what: format!("cannot show a row as YAML: {source}"),
        }
    })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_survives_and_no_text_becomes_something_else() {
        for text in [
            "no",
            "yes",
            "on",
            "~",
            "null",
            "1e3",
            "0x1f",
            "1:30",
            "2026-01-01",
            "=",
            "<<",
            "- a",
            "a: b",
            "a # b",
            "#",
            "@x",
            "*x",
            "&x",
            "!x",
            "%x",
            "",
            " a ",
            "a\nb",
            "\u{1b}[2J",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "'",
            "\"",
            "\\",
            "{}",
            "[]",
            "?",
            "|",
            ">",
        ] {
            let json = serde_json::json!({"a": [text, {text: text}], "b": {"c": [], "d": {}}});
            let yaml = document(json.to_string().as_bytes()).expect("a document");
            let read: Value = serde_saphyr::from_str(&yaml).expect(&yaml);
            assert_eq!(read, json, "{yaml}");
            assert!(!yaml.contains(['\u{1b}', '\u{85}', '\u{2028}']), "{yaml}");
        }
    }
}
