//! A panic ends as one error that says what was being done.

use std::io::{self, Write};

use baton_cli::run;

use crate::program::{fixture, process};

/// Output that panics.
struct Bomb;

impl Write for Bomb {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("boom\nin two lines");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_is_one_error_that_names_the_command_and_the_file() {
    let file = fixture("v1-small.c1z");
    for (words, doing) in [
        (
            &["grants", "-o", "json"][..],
            format!("running `baton grants` on {file}"),
        ),
        (&["syncs"], format!("running `baton syncs` on {file}")),
        (&["--help"], "reading the command line".to_owned()),
    ] {
        let words = [words, &["-f", &file]].concat();
        let mut err = Vec::new();
        let status = run(&process(&words), &mut Bomb, &mut err);
        assert_eq!(status, 13);
        assert_eq!(
            String::from_utf8(err).unwrap(),
            format!("error: internal error while {doing}: boom in two lines\n")
        );
    }
}
