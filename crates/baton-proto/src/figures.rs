//! Numbers with nouns, for messages of all crates.

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The noun with its number, in the singular for one; a verb behind it goes
/// along.
///
/// ```
/// use baton_proto::figures::counted;
/// assert_eq!(counted(1, "list was skipped", "lists were skipped"), "1 list was skipped");
/// assert_eq!(counted(1_200, "grant", "grants"), "1,200 grants");
/// assert_eq!(counted(0, "grant", "grants"), "0 grants");
/// ```
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}
