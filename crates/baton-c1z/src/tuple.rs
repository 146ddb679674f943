//! Key tuples: parts of text as bytes whose order is the order of the tuples.
//!
//! A tuple is its parts, escaped, joined by single `00` bytes. An escaped part
//! holds no `00`, so comparing bytes compares part by part (c1z specification
//! §2.3). Shared by the keys that rows are sorted by and those of format v3.

use std::borrow::Cow;

/// What stands between two parts.
pub(crate) const SEPARATOR: u8 = 0;
/// Flag of an entitlement whose id begins with its resource: the tail is the
/// rest of the id.
pub(crate) const FLAG_REST: &[u8] = b"1";
/// Flag of any other entitlement: the tail is its whole id.
pub(crate) const FLAG_WHOLE: &[u8] = b"0";

/// Appends a separator and an escaped part.
pub(crate) fn push(out: &mut Vec<u8>, part: impl AsRef<[u8]>) {
    out.push(SEPARATOR);
    escape(out, part.as_ref());
}

/// The escaped form of a part.
pub(crate) fn escaped(part: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(part.len());
    escape(&mut out, part.as_bytes());
    out
}

/// Appends the escaped form of a part.
fn escape(out: &mut Vec<u8>, part: &[u8]) {
    let mut rest = part;
    while let Some(at) = rest.iter().position(|b| *b <= 1) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        // `00` becomes `01 01`, `01` becomes `01 02`.
        out.extend_from_slice(&[1, special[0] + 1]);
        rest = &special[1..];
    }
    out.extend_from_slice(rest);
}

/// Appends the four parts of an entitlement: type and id of its resource,
/// flag, tail.
pub(crate) fn push_entitlement<P: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    (type_id, id): (P, P),
    entitlement: P,
) {
    let (type_id, id) = (type_id.as_ref(), id.as_ref());
    push(out, type_id);
    push(out, id);
    let whole = entitlement.as_ref();
    let tail = whole
        .strip_prefix(type_id)
        .and_then(|rest| rest.strip_prefix(b":"))
        .and_then(|rest| rest.strip_prefix(id))
        .and_then(|rest| rest.strip_prefix(b":"));
    let (flag, rest) = tail.map_or((FLAG_WHOLE, whole), |tail| (FLAG_REST, tail));
    out.push(SEPARATOR);
    out.extend_from_slice(flag);
    push(out, rest);
}

/// The escaped parts of a tuple that begins without a separator.
pub(crate) fn parts(tuple: &[u8]) -> impl Iterator<Item = &[u8]> {
    tuple.split(|b| *b == SEPARATOR)
}

/// Splits a tuple behind its first `n` parts; `None` if it has no more than
/// these.
pub(crate) fn split_behind(tuple: &[u8], n: usize) -> Option<(&[u8], &[u8])> {
    let mut ends = tuple
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == SEPARATOR)
        .map(|(at, _)| at);
    let end = ends.nth(n.checked_sub(1)?)?;
    Some((tuple.get(..end)?, tuple.get(end + 1..)?))
}

/// The text of an escaped part. `None` if it is not escaped as it should be,
/// or no UTF-8.
pub(crate) fn unescape(part: &[u8]) -> Option<Cow<'_, str>> {
    if !part.contains(&1) {
        return std::str::from_utf8(part).ok().map(Cow::Borrowed);
    }
    let mut out = Vec::with_capacity(part.len());
    let mut bytes = part.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            1 => match bytes.next()? {
                1 => 0,
                2 => 1,
                _ => return None,
            },
            plain => *plain,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// The id of an entitlement from the four parts of its tuple.
pub(crate) fn entitlement_id(parts: [&[u8]; 4]) -> Option<String> {
    let [type_id, id, flag, tail] = parts;
    let tail = unescape(tail)?;
    match flag {
        FLAG_REST => Some([&unescape(type_id)?, ":", &unescape(id)?, ":", &tail].concat()),
        FLAG_WHOLE => Some(tail.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The four parts of an entitlement's tuple.
    fn entitlement(resource: (&str, &str), id: &str) -> Vec<u8> {
        let mut key = Vec::new();
        push_entitlement(&mut key, resource, id);
        key.split_off(1)
    }

    #[test]
    fn parts_that_no_writer_escapes_so_are_refused() {
        for part in [
            &b"\x01"[..],
            b"a\x01",
            b"\x01\x03",
            b"\x01\0",
            b"\xff",
            b"\x01\x01\xff",
        ] {
            assert_eq!(unescape(part), None, "{part:?}");
        }
        assert_eq!(entitlement_id([b"t", b"r", b"2", b"x"]), None);
        assert_eq!(split_behind(b"a\0b", 2), None);
        assert_eq!(split_behind(b"a\0b", 0), None);
    }

    #[test]
    fn every_part_comes_back_from_its_escaped_form() {
        for part in [
            "",
            "a",
            ":",
            "\0",
            "\x01",
            "\0\x01\x02\x01\0",
            "ü\0\u{1f9f8}",
        ] {
            let mut key = Vec::new();
            push(&mut key, part);
            assert!(!key[1..].contains(&SEPARATOR));
            assert_eq!(unescape(&key[1..]).as_deref(), Some(part));
        }
    }

    #[test]
    fn an_entitlement_comes_back_from_resource_flag_and_tail() {
        for (resource, id) in [
            (("t", "r"), "t:r:m"),
            (("t", "r"), "t:r:"),
            (("t", "r"), "t:r"),
            (("t", "r"), "x"),
            (("t", "r"), ""),
            (("", ""), "::m"),
            (("t:r", "m"), "t:r:m:x"),
            (("t", "\0\x01"), "t:\0\x01:\x01"),
        ] {
            let tuple = entitlement(resource, id);
            let all: Vec<&[u8]> = parts(&tuple).collect();
            let four: [&[u8]; 4] = all.try_into().expect("four parts");
            assert_eq!(entitlement_id(four).as_deref(), Some(id));
        }
    }

    #[test]
    fn a_tuple_is_split_behind_a_number_of_parts() {
        assert_eq!(split_behind(b"a\0b\0c", 1), Some((&b"a"[..], &b"b\0c"[..])));
        assert_eq!(split_behind(b"a\0b\0", 2), Some((&b"a\0b"[..], &b""[..])));
    }
}
