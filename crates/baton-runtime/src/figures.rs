//! Numbers and durations as people read them.

use std::time::Duration;

pub(crate) use baton_proto::figures::{count, counted};

/// Text with spaces behind it up to a width in characters. (A width in a
/// format string is a `u16`, and a larger one panics.)
pub(crate) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", blanks(text, width))
}

/// Text with spaces before it up to a width in characters.
pub(crate) fn padded_left(text: &str, width: usize) -> String {
    format!("{}{text}", blanks(text, width))
}

fn blanks(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.chars().count()))
}

/// A change with its sign: `+12`, `-3`; nothing for 0.
pub(crate) fn change(by: i64) -> String {
    match by {
        0 => String::new(),
        1.. => format!("+{}", count(by.unsigned_abs())),
        _ => format!("-{}", count(by.unsigned_abs())),
    }
}

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let shown: Vec<String> = [0, 7, 999, 1000, 12_345, 1_234_567].map(count).to_vec();
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn changes_carry_their_sign() {
        assert_eq!([0, 5, -1200].map(change), ["", "+5", "-1,200"]);
        assert_eq!(change(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn widths_beyond_that_of_a_format_string_are_fine() {
        let width = usize::from(u16::MAX) + 5;
        assert_eq!(padded("é", width).chars().count(), width);
        assert_eq!(padded_left("é", width).chars().count(), width);
        assert_eq!(padded_left("long", 2), "long");
    }

    #[test]
    fn durations_use_two_units_at_most() {
        let shown = [0, 400, 9_960, 59_999, 185_000, 7_860_000]
            .map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(
            shown,
            [
                "0.0 s",
                "0.4 s",
                "10.0 s",
                "59 s",
                "3 min 5 s",
                "2 h 11 min"
            ]
        );
    }
}
