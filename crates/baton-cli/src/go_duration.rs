//! Durations as Go prints them: `0s`, `12ms`, `1.5s`, `1m2.034s`, `1h0m0s`.

/// The text of so many milliseconds.
pub(crate) fn text(milliseconds: u128) -> String {
    let (seconds, ms) = (milliseconds / 1000, milliseconds % 1000);
    if seconds == 0 && ms > 0 {
        return format!("{ms}ms");
    }
    let fraction = match ms {
        0 => String::new(),
        ms => format!(".{ms:03}").trim_end_matches('0').to_owned(),
    };
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = seconds % 60;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, m) => format!("{m}m{seconds}{fraction}s"),
        (h, m) => format!("{h}h{m}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (milliseconds, expected) in [
            (0, "0s"),
            (1, "1ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (62_034, "1m2.034s"),
            (89_500, "1m29.5s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(text(milliseconds), expected);
        }
    }
}
