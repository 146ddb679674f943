//! `grpc-timeout`: how long the caller waits.

use std::time::Duration;

/// Longest number of a timeout, in digits.
const MAX_DIGITS: usize = 8;

/// Reads the header's value.
///
/// # Errors
/// The text of the Go library for what is wrong with it.
pub(crate) fn parse(value: &str) -> Result<Duration, String> {
    let characters = value.len();
    if characters < 2 {
        return Err(format!("transport: timeout string is too short: {value:?}"));
    }
    if characters > MAX_DIGITS + 1 {
        return Err(format!("transport: timeout string is too long: {value:?}"));
    }
    let unit_is_ascii = value.is_char_boundary(characters - 1);
    let (number, unit) = value.split_at(if unit_is_ascii { characters - 1 } else { 0 });
    let nanos: u64 = match unit {
        "H" => 3_600_000_000_000,
        "M" => 60_000_000_000,
        "S" => 1_000_000_000,
        "m" => 1_000_000,
        "u" => 1_000,
        "n" => 1,
        _ => {
            return Err(format!(
                "transport: timeout unit is not recognized: {value:?}"
            ));
        }
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "strconv.ParseUint: parsing {number:?}: invalid syntax"
        ));
    }
    // Eight digits of hours fit into 64 bits of nanoseconds only up to 292 years.
    let number: u64 = number.parse().unwrap_or(u64::MAX);
    Ok(Duration::from_nanos(number.saturating_mul(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_number_and_a_unit() {
        let nanos = |value| parse(value).map(|timeout| timeout.as_nanos());
        assert_eq!(nanos("1n"), Ok(1));
        assert_eq!(nanos("0m"), Ok(0));
        assert_eq!(nanos("200m"), Ok(200_000_000));
        assert_eq!(nanos("99999999H"), Ok(u64::MAX.into()));
        for wrong in ["", "1", "xx", "1x", "123456789S", "-1S", "1é", "é", "+1S"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            parse("xx").unwrap_err(),
            "transport: timeout unit is not recognized: \"xx\""
        );
    }
}
