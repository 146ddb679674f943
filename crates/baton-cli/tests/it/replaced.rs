//! Files that are replaced or changed while a command reads them.

use std::io::{self, Write};
use std::path::Path;

use baton_cli::run;

use crate::program::{fixture, process, words};

/// Does something before the first byte is written: the file is open, and not read to its end.
struct AtFirstByte<'f> {
    work: Option<Box<dyn FnOnce() + 'f>>,
    written: Vec<u8>,
}

impl Write for AtFirstByte<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(work) = self.work.take() {
            work();
        }
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Command lines on `FILE` that write before they have read everything.
const READING: [&[&str]; 9] = [
    &["grants", "-f", "FILE"],
    &["grants", "-f", "FILE", "-o", "ndjson"],
    &["grants", "-f", "FILE", "--sort", "-grant.id", "-o", "csv"],
    &["resources", "-f", "FILE", "-o", "json"],
    &["principals", "-f", "FILE", "-o", "yaml"],
    &["show", "-f", "FILE", "u1"],
    &["show", "-f", "FILE", "u1", "-o", "csv"],
    &["diff", "OTHER", "FILE", "-o", "json"],
    &["diff", "FILE", "OTHER", "-o", "summary"],
];

fn placed(line: &[&str], file: &Path, other: &str) -> Vec<String> {
    let place = |word: &&str| match *word {
        "FILE" => file.display().to_string(),
        "OTHER" => other.to_owned(),
        word => word.to_owned(),
    };
    line.iter().map(place).collect()
}

/// A run that is disturbed at its first byte.
fn disturbed(args: &[String], work: impl FnOnce()) -> (u8, Vec<u8>, String) {
    let mut out = AtFirstByte {
        work: Some(Box::new(work)),
        written: Vec::new(),
    };
    let mut err = Vec::new();
    let status = run(&process(args), &mut out, &mut err);
    assert!(out.work.is_none(), "{args:?}: nothing was written");
    (status, out.written, String::from_utf8(err).unwrap())
}

#[test]
fn a_file_that_is_replaced_is_read_as_it_was() {
    for (name, other) in [
        ("v1-small.c1z", "v1-small-slim-grants.c1z"),
        ("v3-small.c1z", "v1-small.c1z"),
        ("v3-small-tar.c1z", "v1-small.c1z"),
    ] {
        for line in READING {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("sync.c1z");
            let put = |from: &str| {
                let new = folder.path().join("new");
                std::fs::copy(fixture(from), &new).unwrap();
                std::fs::rename(new, &file).unwrap();
            };
            put(name);
            let args = placed(line, &file, &fixture(other));
            let undisturbed = words(&args.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(undisturbed.status, 0, "{line:?}: {}", undisturbed.stderr);
            let (status, written, said) = disturbed(&args, || put("v1-rollback.c1z"));
            assert_eq!((status, said), (0, undisturbed.stderr), "{line:?}");
            assert_eq!(
                String::from_utf8(written).unwrap(),
                undisturbed.stdout,
                "{line:?} {name}"
            );
        }
    }
}

/// Other tools may write into a file. What was opened may then be gone: an error, or the rows as
/// they were, and never rows of nowhere.
#[test]
fn a_file_whose_content_goes_away_is_read_as_it_was_or_is_an_error() {
    for name in ["v1-small.c1z", "v3-small.c1z"] {
        for line in READING {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("sync.c1z");
            let whole = std::fs::read(fixture(name)).unwrap();
            std::fs::write(&file, &whole).unwrap();
            let args = placed(line, &file, &fixture("v1-small-slim-grants.c1z"));
            let undisturbed = words(&args.iter().map(String::as_str).collect::<Vec<_>>());
            let (status, written, said) = disturbed(&args, || {
                std::fs::write(&file, vec![0; whole.len()]).unwrap();
            });
            if status == 0 {
                let written = String::from_utf8(written).unwrap();
                assert_eq!(written, undisturbed.stdout, "{line:?} {name}");
            } else {
                assert_eq!(status, 2, "{line:?} {name}: {said}");
                assert!(said.starts_with("error: "), "{said}");
            }
        }
    }
}
