//! Known secrets in text, found by value.
//!
//! A secret is found as it is, percent-encoded, with JSON escapes, and in
//! base64 (both alphabets, with and without padding, at any offset, so also as
//! part of `user:secret`). Of a long secret parts are found, too, and of any
//! secret the beginning that is left where a text was cut inside of it, which
//! [`CUT`] marks. Encodings of single characters are undone before the search,
//! also several on top of each other (JSON inside a text of JSON), so it does
//! not matter which ones were encoded.

use std::collections::HashSet;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Secrets with fewer characters are not searched for: they would match by chance.
const SHORTEST_SECRET: usize = 4;
/// Parts are searched for of secrets that have at least so many characters.
const SHORTEST_DIVIDED: usize = 20;
/// Bytes of the shortest part that is found.
const PART: usize = 9;
/// Stands at the end of every text that is cut to a length.
const CUT: &[u8] = "…".as_bytes();
/// Encodings on top of each other that are undone.
const MAX_LAYERS: usize = 3;
/// Bits of the filter before the set of parts.
const FILTER_BITS: usize = 1 << 16;

/// Finds secrets, and parts of them.
pub(crate) struct Secrets {
    count: usize,
    whole: AhoCorasick,
    parts: Parts,
    /// All forms, for their beginnings.
    forms: Vec<Vec<u8>>,
}

impl Secrets {
    /// A finder for these secrets; none if there is nothing to be found.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut patterns = HashSet::new();
        let mut parts = Parts::default();
        let mut count = 0;
        for secret in secrets {
            let secret = secret.trim();
            let characters = secret.chars().count();
            if characters < SHORTEST_SECRET {
                continue;
            }
            count += 1;
            let divided = characters >= SHORTEST_DIVIDED;
            for form in forms(secret) {
                if divided {
                    parts.add(&form);
                }
                patterns.insert(form);
            }
        }
        if count == 0 {
            return None;
        }
        let whole = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns);
        Some(Self {
            count,
            // It fails only beyond 2^31 states: secrets of gigabytes. Parts are found then.
            whole: whole.ok()?,
            parts,
            forms: patterns.into_iter().collect(),
        })
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Where secrets are in the text: ranges between characters, in order,
    /// with something between them.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.search(text.as_bytes(), &mut |range| found.push(range));
        self.search_below(text.as_bytes(), MAX_LAYERS, &mut |range| found.push(range));
        merged(text, found)
    }

    /// Searches with one encoding undone, then with a further one, and so on.
    fn search_below(&self, bytes: &[u8], layers: usize, found: &mut dyn FnMut(Range<usize>)) {
        if layers == 0 {
            return;
        }
        for undo in [percent as Undo, backslash] {
            let Some(view) = View::of(bytes, undo) else {
                continue;
            };
            let mut found = |range| found(view.original(range));
            self.search(&view.bytes, &mut found);
            self.search_below(&view.bytes, layers - 1, &mut found);
        }
    }

    fn search(&self, bytes: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        for hit in self.whole.find_iter(bytes) {
            found(hit.range());
        }
        self.parts.search(bytes, found);
        let mut from = 0;
        while let Some(at) = place_of(CUT, bytes.get(from..).unwrap_or_default()) {
            let end = from + at;
            let before = bytes.get(..end).unwrap_or_default();
            for before in [before, without_torn_end(before)] {
                let len = self.forms.iter().map(|form| beginning(form, before)).max();
                if let Some(len) = len.filter(|len| *len > 0) {
                    found(before.len() - len..end);
                }
            }
            from = end + CUT.len();
        }
    }
}

fn place_of(needle: &[u8], bytes: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|part| part == needle)
}

/// The text without the encoded character at its end that the cut went through.
fn without_torn_end(text: &[u8]) -> &[u8] {
    const LONGEST: usize = "\\u{10ffff".len();
    let last = text.len().saturating_sub(LONGEST);
    let end = text.get(last..).unwrap_or_default();
    match end.iter().rposition(|byte| matches!(byte, b'%' | b'\\')) {
        Some(at) => text.get(..last + at).unwrap_or_default(),
        None => text,
    }
}

/// Bytes of the longest beginning of `form` at the end of `text`.
fn beginning(form: &[u8], text: &[u8]) -> usize {
    let most = form.len().min(text.len());
    let ends = |len: &usize| text.ends_with(form.get(..*len).unwrap_or_default());
    (1..=most).rev().find(ends).unwrap_or(0)
}

/// The texts that a secret appears as, apart from encodings of single characters.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    for (alphabet, offset) in [&STANDARD, &URL_SAFE]
        .into_iter()
        .flat_map(|alphabet| [0, 1, 2].map(|offset| (alphabet, offset)))
    {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(secret.as_bytes());
        let encoded = alphabet.encode(&bytes);
        // Characters that hold bits of the text before or after the secret are left out.
        let (first, end) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
        forms.extend(encoded.get(first..end).map(|core| core.as_bytes().to_vec()));
        // At its end a secret often is the end of all, with padding and without.
        let to_end = encoded.get(first..).unwrap_or_default();
        forms.push(to_end.trim_end_matches('=').as_bytes().to_vec());
        forms.push(to_end.as_bytes().to_vec());
    }
    forms.retain(|form| form.len() >= SHORTEST_SECRET);
    forms
}

/// All pieces of [`PART`] bytes of long secrets.
#[derive(Default)]
struct Parts {
    pieces: HashSet<[u8; PART]>,
    /// One bit per hash of a piece's beginning: most text ends here.
    filter: Vec<u64>,
}

impl Parts {
    fn add(&mut self, form: &[u8]) {
        self.filter.resize(FILTER_BITS / 64, 0);
        for piece in form.windows(PART) {
            if let Ok(piece) = <[u8; PART]>::try_from(piece) {
                let (word, bit) = slot(&piece);
                if let Some(word) = self.filter.get_mut(word) {
                    *word |= bit;
                }
                self.pieces.insert(piece);
            }
        }
    }

    fn search(&self, bytes: &[u8], found: &mut dyn FnMut(Range<usize>)) {
        if self.pieces.is_empty() {
            return;
        }
        for (at, piece) in bytes.windows(PART).enumerate() {
            let Ok(piece) = <&[u8; PART]>::try_from(piece) else {
                continue;
            };
            let (word, bit) = slot(piece);
            let is_likely = self.filter.get(word).is_some_and(|word| word & bit != 0);
            if is_likely && self.pieces.contains(piece) {
                found(at..at + PART);
            }
        }
    }
}

/// The place of a piece in the filter.
fn slot(piece: &[u8; PART]) -> (usize, u64) {
    let [first, second, third, fourth, .., last] = *piece;
    let hash = u32::from_le_bytes([first, second, third, fourth]) ^ (u32::from(last) << 11);
    let hash = hash.wrapping_mul(0x9e37_79b1) >> 16;
    let hash = usize::try_from(hash).unwrap_or_default() % FILTER_BITS;
    (hash / 64, 1 << (hash % 64))
}

/// The bytes that an encoding at the beginning stands for, at most four, and
/// how many bytes it takes.
type Undo = fn(&[u8]) -> Option<([u8; 4], usize, usize)>;

/// `%2F`.
fn percent(text: &[u8]) -> Option<([u8; 4], usize, usize)> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let byte = hex(&[*high, *low])?;
    Some(([u8::try_from(byte).ok()?, 0, 0, 0], 1, 3))
}

/// `\"`, `\n`, `\u002f`, `\u{2f}`.
fn backslash(text: &[u8]) -> Option<([u8; 4], usize, usize)> {
    let [b'\\', kind, rest @ ..] = text else {
        return None;
    };
    let plain = |byte| Some(([byte, 0, 0, 0], 1, 2));
    match kind {
        b'"' | b'\\' | b'/' | b'\'' => plain(*kind),
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        b'u' => {
            let (digits, len) = match rest {
                [b'{', digits @ ..] => {
                    let end = digits.iter().take(7).position(|byte| *byte == b'}')?;
                    (digits.get(..end)?, 2 + end + 2)
                }
                digits => (digits.get(..4)?, 6),
            };
            let mut bytes = [0; 4];
            let used = char::from_u32(hex(digits)?)?.encode_utf8(&mut bytes).len();
            Some((bytes, used, len))
        }
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    let mut value = 0;
    for digit in digits {
        value = value * 16 + char::from(*digit).to_digit(16)?;
    }
    (!digits.is_empty()).then_some(value)
}

/// A text with encodings undone, and where each byte comes from.
struct View {
    bytes: Vec<u8>,
    /// For each byte, and for the end, the place in the text.
    places: Vec<usize>,
}

impl View {
    /// None if nothing in the text is encoded.
    fn of(text: &[u8], undo: Undo) -> Option<Self> {
        let first = (0..text.len()).find(|at| text.get(*at..).and_then(undo).is_some())?;
        let mut bytes = text.get(..first)?.to_vec();
        let mut places: Vec<usize> = (0..first).collect();
        let mut at = first;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some((undone, count, len)) = undo(rest) {
                bytes.extend(undone.iter().take(count));
                places.extend(std::iter::repeat_n(at, count));
                at += len;
            } else {
                bytes.extend(rest.first());
                places.push(at);
                at += 1;
            }
        }
        places.push(text.len());
        Some(Self { bytes, places })
    }

    fn original(&self, range: Range<usize>) -> Range<usize> {
        let place = |at: usize| self.places.get(at).copied().unwrap_or_default();
        place(range.start)..place(range.end)
    }
}

/// The ranges in order, joined where they touch, ends moved out to characters.
fn merged(text: &str, mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        let (start, end) = (
            text.floor_char_boundary(range.start),
            text.ceil_char_boundary(range.end),
        );
        match merged.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ => merged.push(start..end),
        }
    }
    merged
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::format_collect)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    const LONG: &str = "ATATT3xFf\"G/F0:k+y?Z\\é=9~qW>7";

    fn percent_encoded(text: &str, all: bool, upper: bool) -> String {
        text.bytes()
            .map(|byte| match byte {
                b if b.is_ascii_alphanumeric() && !all => char::from(b).to_string(),
                b if upper => format!("%{b:02X}"),
                b => format!("%{b:02x}"),
            })
            .collect()
    }

    fn unicode_escaped(text: &str) -> String {
        text.chars()
            .map(|c| format!("\\u{:04x}", u32::from(c)))
            .collect()
    }

    /// A secret in every form that it may be echoed in.
    fn echoes(secret: &str) -> Vec<String> {
        let json = format!("{secret:?}");
        let mut echoes = vec![
            secret.to_owned(),
            percent_encoded(secret, false, true),
            percent_encoded(secret, false, false),
            percent_encoded(secret, true, true),
            json.trim_matches('"').to_owned(),
            secret
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('/', "\\/"),
            unicode_escaped(secret),
        ];
        for before in ["", "u:", "user@example.com:", "abc", "é:"] {
            let pair = format!("{before}{secret}");
            echoes.extend([
                STANDARD.encode(&pair),
                STANDARD_NO_PAD.encode(&pair),
                URL_SAFE.encode(&pair),
                URL_SAFE_NO_PAD.encode(&pair),
                STANDARD.encode(format!("{pair} and more")),
                percent_encoded(&STANDARD.encode(&pair), false, true),
            ]);
        }
        echoes
    }

    fn redacted(secrets: &Secrets, text: &str) -> String {
        let mut shown = text.to_owned();
        for range in secrets.find(text).into_iter().rev() {
            shown.replace_range(range, "*");
        }
        shown
    }

    #[test]
    fn a_whole_secret_is_found_in_every_form() {
        for secret in ["t0k!", "pa/ss+", "hunter2", "p\"w\\d", "geheim-ü", LONG] {
            let secrets = Secrets::new([secret.to_owned()]).unwrap();
            for echo in echoes(secret) {
                let text = format!("the key <{echo}> was refused");
                let shown = redacted(&secrets, &text);
                assert!(shown.starts_with("the key <"), "{shown}");
                assert!(shown.ends_with("> was refused"), "{shown}");
                let left = shown.len() - "the key <".len() - "> was refused".len();
                // What base64 has of the text before and behind the secret, and a bit of it.
                let allowed = echo.len().saturating_sub(secret.len()).min(40);
                assert!(
                    shown.contains('*') && left <= allowed.max(1),
                    "{echo}: {shown}"
                );
            }
        }
    }

    #[test]
    fn nine_characters_of_a_long_secret_are_found_and_of_a_short_one_are_not() {
        let secrets = Secrets::new([LONG.to_owned()]).unwrap();
        let characters: Vec<char> = LONG.chars().collect();
        for part in characters.windows(PART) {
            let part: String = part.iter().collect();
            for echo in [
                part.clone(),
                percent_encoded(&part, false, true),
                unicode_escaped(&part),
            ] {
                let shown = redacted(&secrets, &format!("|{echo}|"));
                assert_eq!(shown, "|*|", "{echo}");
            }
        }
        for before in ["", "u:", "abc"] {
            let encoded = STANDARD.encode(format!("{before}{LONG}"));
            for part in encoded.as_bytes()[4..encoded.len() - 4].windows(PART) {
                let part = std::str::from_utf8(part).unwrap();
                assert_eq!(redacted(&secrets, part), "*", "{part}");
            }
        }
        let short = Secrets::new(["nineteen-characters".to_owned()]).unwrap();
        assert_eq!(redacted(&short, "nineteen-character"), "nineteen-character");
        assert_eq!(redacted(&short, "<nineteen-characters>"), "<*>");
    }

    #[test]
    fn a_text_that_was_cut_anywhere_shows_less_than_nine_characters() {
        let secret = "S3cr3t-0123456789-abcdefghijklmnop";
        let secrets = Secrets::new([secret.to_owned()]).unwrap();
        for cut in 0..secret.len() {
            for text in [&secret[..cut], &secret[cut..]] {
                let shown = redacted(&secrets, text);
                assert!(shown.len() < PART, "{shown}");
            }
        }
    }

    #[test]
    fn a_marked_cut_shows_nothing_of_a_secret_of_any_length_in_any_form() {
        for secret in ["t0k!", "pa/ss+", "p\"w\\d", "nineteen-characters", LONG] {
            let secrets = Secrets::new([secret.to_owned()]).unwrap();
            let mut whole = vec![STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
            whole.extend(echoes(secret).into_iter().take(7));
            for echo in whole {
                for (cut, _) in echo.char_indices().skip(1) {
                    let shown = redacted(&secrets, &format!("the key <{}…", &echo[..cut]));
                    let left = shown.trim_start_matches("the key <").trim_end_matches('…');
                    // Half of the first encoded character reveals nothing.
                    let torn = cut < 6 && left.starts_with(['%', '\\']);
                    assert!(torn || left == "*", "{secret} {cut}: {shown}");
                }
            }
        }
        let secrets = Secrets::new(["hunter2".to_owned()]).unwrap();
        assert_eq!(redacted(&secrets, "a hunte… and hun…"), "a *… and *…");
        assert_eq!(redacted(&secrets, "a hunte and x…"), "a hunte and x…");
    }

    #[test]
    fn a_secret_is_found_below_several_encodings() {
        let json = |text: &str| {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
            escaped.replace('/', "\\/")
        };
        let escapes: [&dyn Fn(&str) -> String; 3] =
            [&|text| percent_encoded(text, true, true), &json, &|text| {
                unicode_escaped(text)
            }];
        for secret in ["pa/ss+", "p\"w\\d", "geheim-ü", LONG] {
            let secrets = Secrets::new([secret.to_owned()]).unwrap();
            for first in escapes {
                for second in escapes {
                    for third in escapes {
                        let twice = second(&first(secret));
                        for echo in [third(&twice), twice] {
                            let shown = redacted(&secrets, &format!("<{echo}>"));
                            assert_eq!(shown, "<*>", "{echo}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn other_text_stays_and_short_secrets_are_ignored() {
        assert!(Secrets::new(["abc".to_owned(), String::new(), "   x ".to_owned()]).is_none());
        let secrets = Secrets::new([LONG.to_owned(), "t0k!".to_owned()]).unwrap();
        assert_eq!(secrets.count(), 2);
        for text in [
            "",
            "GET /admin/v2/orgs/o-1/users answered 403 (request id 4c1f%20)",
            "ATATT3x",
            r#"{"path":"C:\\temp\u00e9","n":"100%"}"#,
            "100% of \\u and \\u{zz} and %zz stay",
        ] {
            assert!(secrets.find(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn secrets_beside_each_other_are_all_found() {
        let secrets = Secrets::new(["alpha-1".to_owned(), "beta-22".to_owned()]).unwrap();
        assert_eq!(redacted(&secrets, "alpha-1beta-22, beta-22"), "*, *");
    }
}
