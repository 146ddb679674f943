//! Numbers between JSON text and the wire, in Go's spelling.

use std::io::Write as _;

/// Longest text that is read as a number; the longest exact `double` has fewer
/// digits, and nothing sensible is longer.
const MAX_NUMBER_BYTES: usize = 1100;
/// More digits than any 64-bit integer has.
const MAX_INTEGER_DIGITS: usize = 20;

/// Appends an integer.
pub(super) fn put_integer(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}

/// Appends a `double`: shortest digits, exponent form as JavaScript, names in
/// quotes for what JSON lacks.
pub(super) fn put_double(out: &mut Vec<u8>, value: f64) {
    if !put_special(out, value) {
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            put_exponent(out, &format!("{value:e}"));
        } else {
            put_integer(out, value);
        }
    }
}

/// As [`put_double`], with the digits that a `float` needs.
pub(super) fn put_float(out: &mut Vec<u8>, value: f32) {
    if !put_special(out, f64::from(value)) {
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            put_exponent(out, &format!("{value:e}"));
        } else {
            put_integer(out, value);
        }
    }
}

fn put_special(out: &mut Vec<u8>, value: f64) -> bool {
    let name: &[u8] = if value.is_nan() {
        b"\"NaN\""
    } else if value == f64::INFINITY {
        b"\"Infinity\""
    } else if value == f64::NEG_INFINITY {
        b"\"-Infinity\""
    } else {
        return false;
    };
    out.extend_from_slice(name);
    true
}

/// Positive exponents carry a sign: `1e+21`.
fn put_exponent(out: &mut Vec<u8>, text: &str) {
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => {
            out.extend_from_slice(digits.as_bytes());
            out.extend_from_slice(b"e+");
            out.extend_from_slice(exponent.as_bytes());
        }
        _ => out.extend_from_slice(text.as_bytes()),
    }
}

/// Whether the text is a JSON number, whole.
pub(super) fn is_number(text: &str) -> bool {
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    let digits = |rest: &mut &str| {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (found, tail) = rest.split_at(end);
        *rest = tail;
        found.len()
    };
    let leading_zero = rest.starts_with('0');
    match digits(&mut rest) {
        0 => return false,
        1 => {}
        _ if leading_zero => return false,
        _ => {}
    }
    if let Some(tail) = rest.strip_prefix('.') {
        rest = tail;
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    if let Some(tail) = rest.strip_prefix(['e', 'E']) {
        rest = tail.strip_prefix(['+', '-']).unwrap_or(tail);
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty() && text.len() <= MAX_NUMBER_BYTES
}

/// The value of a JSON number that is whole, in whatever spelling (`1e3`, `5.0`).
pub(super) fn integer(text: &str) -> Option<i128> {
    if !is_number(text) {
        return None;
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    // Position of the decimal point in `digits`, after the exponent moved it.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
    let point = usize::try_from(point).ok()?;
    let leading = digits.len() - digits.trim_start_matches('0').len();
    if point < significant.len() || point > leading + MAX_INTEGER_DIGITS {
        return None;
    }
    let zeros = "0".repeat(point - significant.len());
    let value: i128 = [significant, &zeros].concat().parse().ok()?;
    Some(if negative { -value } else { value })
}

/// The value of a JSON number as `double`; too large is `None`.
pub(super) fn double(text: &str) -> Option<f64> {
    special(text).or_else(|| {
        let value: f64 = is_number(text).then(|| text.parse().ok())??;
        value.is_finite().then_some(value)
    })
}

/// The value of a JSON number as `float`; too large is `None`.
pub(super) fn float(text: &str) -> Option<f32> {
    match special(text) {
        Some(value) if value.is_nan() => Some(f32::NAN),
        Some(value) if value > 0.0 => Some(f32::INFINITY),
        Some(_) => Some(f32::NEG_INFINITY),
        None => {
            let value: f32 = is_number(text).then(|| text.parse().ok())??;
            value.is_finite().then_some(value)
        }
    }
}

fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in [
            "", "-", "01", "1.", ".5", "1e", "1e+", "+1", " 1", "1 ", "0x1", "1_0", "--1",
        ] {
            assert!(!is_number(text), "{text}");
            assert_eq!(integer(text), None);
            assert_eq!(double(text), None);
        }
        assert!(!is_number(&"1".repeat(MAX_NUMBER_BYTES + 1)));
    }

    #[test]
    fn whole_numbers_are_read_in_every_spelling() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("0.000e5", Some(0)),
            ("12", Some(12)),
            ("-12.00", Some(-12)),
            ("1.5e1", Some(15)),
            ("1200e-2", Some(12)),
            ("0.0012e4", Some(12)),
            ("1e19", Some(10_000_000_000_000_000_000)),
            ("18446744073709551615", Some(i128::from(u64::MAX))),
            ("1.5", None),
            ("1e-1", None),
            ("1e99999999999", None),
            ("1e2000000000", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
    }

    #[test]
    fn doubles_print_as_go_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let mut out = Vec::new();
            put_double(&mut out, value);
            assert_eq!(String::from_utf8(out).expect("ASCII"), text);
        }
        let mut out = Vec::new();
        put_float(&mut out, 0.1);
        put_float(&mut out, 1e21);
        assert_eq!(out, b"0.11e+21");
    }

    #[test]
    fn numbers_too_large_are_refused() {
        assert_eq!(double("1e400"), None);
        assert_eq!(float("1e40"), None);
        assert_eq!(float("-Infinity"), Some(f32::NEG_INFINITY));
        assert!(float("NaN").is_some_and(f32::is_nan));
    }
}
