//! Base64 as the Go SDK reads it, with the place of a mistake.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// Padding is required; bits behind the last byte are ignored.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

const PADDING: u8 = b'=';
/// Characters that stand for three bytes.
const QUANTUM: usize = 4;

/// The decoded bytes, or the place of the first byte that cannot be there.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    ENGINE.decode(text).map_err(|_| mistake(text))
}

/// Where Go finds the mistake in a text that cannot be decoded.
fn mistake(text: &[u8]) -> usize {
    for (start, quantum) in text.chunks(QUANTUM).enumerate() {
        let start = start * QUANTUM;
        let good = quantum.iter().take_while(|byte| is_digit(**byte)).count();
        if good == QUANTUM {
            continue;
        }
        let Some(&stop) = quantum.get(good) else {
            // The text ends within the quantum.
            return start;
        };
        if stop != PADDING || good < 2 {
            return start + good;
        }
        if good == 2 {
            match quantum.get(3) {
                None => return text.len(),
                Some(&PADDING) => {}
                Some(_) => return start + good,
            }
        }
        // The padding is complete, so something follows it.
        return start + QUANTUM;
    }
    text.len()
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_mistake_is_where_go_finds_it() {
        for (text, place) in [
            ("abc!", 3),
            ("a", 0),
            ("abcda", 4),
            ("abcdabc", 4),
            ("!", 0),
            ("=", 0),
            ("a===", 1),
            ("ab=", 3),
            ("ab=c", 2),
            ("ab==ab", 4),
            ("abc=a", 4),
            ("abcd ", 4),
            ("abcdä", 4),
        ] {
            assert_eq!(decode(text.as_bytes()), Err(place), "{text}");
        }
    }

    #[test]
    fn what_go_accepts_is_decoded() {
        assert_eq!(decode(b""), Ok(vec![]));
        assert_eq!(decode(b"YWI="), Ok(b"ab".to_vec()));
        assert_eq!(decode(b"YWJ="), Ok(b"ab".to_vec()), "bits behind the end");
        assert_eq!(decode(b"YWJj"), Ok(b"abc".to_vec()));
    }
}
