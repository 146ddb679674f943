//! Rows that the Go tools stored, and what they printed for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Files of stored rows, one per synced file.
pub const ROW_FILES: [(&str, &str); 4] = [
    ("v1-small", include_str!("../fixtures/v1-small.rows.tsv")),
    (
        "v1-small-slim-grants",
        include_str!("../fixtures/v1-small-slim-grants.rows.tsv"),
    ),
    (
        "v1-multi-sync",
        include_str!("../fixtures/v1-multi-sync.rows.tsv"),
    ),
    (
        "atlassian-org-sync",
        include_str!("../fixtures/atlassian-org-sync.rows.tsv"),
    ),
];

/// One stored row: the message's short name and its bytes.
pub struct Row {
    pub kind: &'static str,
    pub data: Vec<u8>,
}

impl Row {
    pub fn full_name(&self) -> String {
        format!("c1.connector.v2.{}", self.kind)
    }
}

/// Lines of `kind TAB value`.
pub fn pairs(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.lines()
        .map(|line| line.split_once('\t').expect("kind and value"))
}

/// The rows of one file.
pub fn rows(text: &'static str) -> Vec<Row> {
    pairs(text)
        .map(|(kind, value)| Row {
            kind,
            data: STANDARD.decode(value).expect("base64"),
        })
        .collect()
}
