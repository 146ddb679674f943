//! Running the program in process, with surroundings made up by the test.

use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use baton_cli::{Surroundings, run};

/// What came of a command line.
pub struct Outcome {
    pub status: u8,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `baton <args>`.
pub fn baton(args: &[String]) -> Outcome {
    let mut command_line: Vec<OsString> = vec!["baton".into()];
    command_line.extend(args.iter().map(Into::into));
    let surroundings = Surroundings {
        args: command_line,
        temp_dir: None,
        max_decoded_mb: None,
        max_window_mb: None,
        colour: false,
        // A day after the fixtures were made, whatever the clock says.
        now: SystemTime::UNIX_EPOCH + Duration::from_hours(498_760),
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = run(&surroundings, &mut out, &mut err);
    Outcome {
        status,
        stdout: String::from_utf8(out).unwrap(),
        stderr: String::from_utf8(err).unwrap(),
    }
}

/// Runs a command line given as separate words.
pub fn words(args: &[&str]) -> Outcome {
    baton(&args.iter().map(ToString::to_string).collect::<Vec<_>>())
}
