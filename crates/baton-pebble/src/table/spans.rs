//! Range tombstones: spans of keys, and up to which sequence number their
//! entries are gone. Spec §5.7 (keyspan blocks), §5.8.
//!
//! What is stored may be cut in fragments with several sequence numbers each;
//! a reader of the newest state needs, for each place, the greatest. So spans
//! are brought into one form: in order, without overlaps, one number each.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::columns::{Columns, Numbers, Slices, Type, damaged};
use super::rows::RowCursor;
use crate::error::Fault;
use crate::key::{self, Kind};

/// Entries of keys from `start` up to but without `end`, older than
/// `sequence`, are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// First user key.
    pub start: Bytes,
    /// First user key behind.
    pub end: Bytes,
    /// Sequence number of the tombstone.
    pub sequence: u64,
}

/// Most bytes of keys that the tombstones of one table may have.
pub const MAX_SPAN_BYTES: usize = 64 << 20;
/// The block's own header: the number of boundary keys.
const CUSTOM_HEADER: usize = 4;

fn check_kind(trailer: u64) -> Result<(), Fault> {
    match Kind::in_trailer(trailer)? {
        Kind::RangeDelete => Ok(()),
        _ => Err(Fault::damaged("an entry among the tombstones is none")),
    }
}

/// The tombstones of a row block.
///
/// # Errors
/// A malformed block, or one of more than [`MAX_SPAN_BYTES`].
pub fn row_spans(block: &Bytes) -> Result<Vec<Span>, Fault> {
    let mut cursor = RowCursor::new(block.clone())?;
    let mut spans = Vec::new();
    let mut bytes = 0;
    while cursor.advance()? {
        let (start, trailer) = key::split(cursor.key())
            .ok_or(Fault::damaged("the key of a tombstone is too short"))?;
        check_kind(trailer)?;
        // Keys share bytes in the block, but not here.
        bytes += start.len() + cursor.value().len() + size_of::<Span>();
        if bytes > MAX_SPAN_BYTES {
            return Err(Fault::Limit {
                what: "the tombstones of a table in bytes",
                limit: MAX_SPAN_BYTES as u64,
            });
        }
        spans.push(Span {
            start: Bytes::copy_from_slice(start),
            end: Bytes::copy_from_slice(cursor.value()),
            sequence: key::sequence(trailer),
        });
    }
    Ok(spans)
}

/// The tombstones of a columnar block.
///
/// # Errors
/// A malformed block.
pub fn column_spans(block: &Bytes) -> Result<Vec<Span>, Fault> {
    let boundaries = block
        .first_chunk::<CUSTOM_HEADER>()
        .map(|count| u32::from_le_bytes(*count) as usize)
        .ok_or_else(damaged)?;
    let types = [
        Type::Slices,
        Type::Numbers,
        Type::Numbers,
        Type::Slices,
        Type::Slices,
    ];
    let columns = Columns::parse(block, CUSTOM_HEADER, types)?;
    let rows = columns.rows as usize;
    let keys = columns.column(0, |at| Slices::parse(block, at, boundaries))?;
    let firsts = columns.column(1, |at| Numbers::parse(block, at, boundaries))?;
    let trailers = columns.column(2, |at| Numbers::parse(block, at, rows))?;
    columns.column(3, |at| Slices::parse(block, at, rows))?;
    columns.column(4, |at| Slices::parse(block, at, rows))?;

    let mut spans = Vec::new();
    for n in 1..boundaries {
        let start = keys.get(block, n - 1).ok_or_else(damaged)?;
        let end = keys.get(block, n).ok_or_else(damaged)?;
        if start >= end {
            return Err(Fault::damaged("the bounds of tombstones are not in order"));
        }
        let from = firsts.offset(block, n - 1).ok_or_else(damaged)?;
        let to = firsts.offset(block, n).ok_or_else(damaged)?;
        if from > to || to > rows {
            return Err(Fault::damaged("a tombstone lies outside of its block"));
        }
        if from == to {
            continue;
        }
        spans.push(Span {
            start: block.slice_ref(start),
            end: block.slice_ref(end),
            sequence: newest(&trailers, block, from, to)?,
        });
    }
    Ok(spans)
}

/// The greatest sequence number of the tombstones in rows `from..to`, which
/// come newest first. Rows may take no room: only the order bounds them.
fn newest(trailers: &Numbers, block: &[u8], from: usize, to: usize) -> Result<u64, Fault> {
    let mut before = None;
    let mut newest = 0;
    for row in from..to {
        let trailer = trailers.get(block, row).ok_or_else(damaged)?;
        check_kind(trailer)?;
        if before.is_some_and(|before| trailer >= before) {
            return Err(Fault::damaged("tombstones of a span are not in order"));
        }
        before = Some(trailer);
        newest = newest.max(key::sequence(trailer));
    }
    Ok(newest)
}

/// The same tombstones in order and without overlaps.
pub(crate) fn fragment(mut spans: Vec<Span>) -> Vec<Span> {
    spans.retain(|span| span.start < span.end);
    spans.sort_by(|a, b| a.start.cmp(&b.start));
    if spans.windows(2).all(|pair| match pair {
        [a, b] => a.end <= b.start,
        _ => true,
    }) {
        return spans;
    }
    // From here to there (sorted) so many spans of a number are open.
    let mut events: Vec<(Bytes, bool, u64)> = Vec::with_capacity(2 * spans.len());
    for span in spans {
        events.push((span.start, true, span.sequence));
        events.push((span.end, false, span.sequence));
    }
    events.sort_by(|a, b| a.0.cmp(&b.0));
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    let mut fragments: Vec<Span> = Vec::new();
    let mut place: Option<Bytes> = None;
    for (at, opens, sequence) in events {
        if let (Some(start), Some((newest, _))) = (place.take(), open.last_key_value())
            && start < at
        {
            fragments.push(Span {
                start,
                end: at.clone(),
                sequence: *newest,
            });
        }
        if opens {
            *open.entry(sequence).or_default() += 1;
        } else if let Some(count) = open.get_mut(&sequence) {
            *count -= 1;
            if *count == 0 {
                open.remove(&sequence);
            }
        }
        place = Some(at);
    }
    fragments
}

/// The parts of ordered spans that lie in `from..to`, with the sequence
/// number `synthetic` if there is one.
pub(crate) fn clip(spans: &[Span], from: &Bytes, to: &Bytes, synthetic: Option<u64>) -> Vec<Span> {
    let first = spans.partition_point(|span| span.end <= *from);
    spans
        .iter()
        .skip(first)
        .take_while(|span| span.start < *to)
        .map(|span| Span {
            start: Ord::max(&span.start, from).clone(),
            end: Ord::min(&span.end, to).clone(),
            sequence: synthetic.unwrap_or(span.sequence),
        })
        .filter(|span| span.start < span.end)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::columns::build;
    use super::super::rows::tests as rows;
    use super::*;

    fn span(start: &'static str, end: &'static str, sequence: u64) -> Span {
        Span {
            start: start.into(),
            end: end.into(),
            sequence,
        }
    }

    const TOMBSTONE: u64 = 15;

    fn columnar(keys: &[&[u8]], firsts: &[u64], trailers: &[u64]) -> Bytes {
        let count = u32::try_from(keys.len()).unwrap().to_le_bytes();
        build::Block::new(trailers.len(), &count)
            .slices(keys)
            .numbers(firsts)
            .numbers(trailers)
            .empty_slices()
            .empty_slices()
            .finish()
    }

    #[test]
    fn malformed_tombstones_are_damage() {
        let nine = 9 << 8 | TOMBSTONE;
        for block in [
            columnar(&[b"b", b"a"], &[0, 1], &[nine]),
            columnar(&[b"a", b"b"], &[1, 0], &[nine]),
            columnar(&[b"a", b"b"], &[0, 2], &[nine]),
            columnar(&[b"a", b"b"], &[0, 1], &[9 << 8 | 1]),
            columnar(&[b"a", b"b"], &[0, 2], &[nine, nine]),
        ] {
            assert!(matches!(column_spans(&block), Err(Fault::Damaged(_))));
        }
        assert!(column_spans(&Bytes::new()).is_err());
        let short = rows::block(&[(b"a", b"b")], 1);
        assert!(row_spans(&short).is_err());
        let range_key = columnar(&[b"a", b"b"], &[0, 1], &[9 << 8 | 0x15]);
        assert!(matches!(
            column_spans(&range_key),
            Err(Fault::Unsupported(_))
        ));
    }

    #[test]
    fn keys_that_share_all_their_bytes_do_not_fill_memory() {
        // One key of 1 MiB and its trailer; then the same key with others.
        let mut block = vec![0, 0x88, 0x80, 0x40, 1];
        block.resize(block.len() + (1 << 20), 7);
        block.extend((200 << 8 | TOMBSTONE).to_le_bytes());
        block.push(b'z');
        for n in 0..100 {
            block.extend([0x80, 0x80, 0x40, 8, 1]);
            block.extend((n << 8 | TOMBSTONE).to_le_bytes());
            block.push(b'z');
        }
        block.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        let block = Bytes::from(block);
        assert!(matches!(row_spans(&block), Err(Fault::Limit { .. })));
    }

    #[test]
    fn both_layouts_give_the_tombstones() {
        let seq = |n: u64| n << 8 | TOMBSTONE;
        let block = columnar(
            &[b"a", b"c", b"d", b"f"],
            &[0, 2, 2, 3],
            &[seq(9), seq(4), seq(5)],
        );
        let expected = [span("a", "c", 9), span("d", "f", 5)];
        assert_eq!(column_spans(&block).unwrap(), expected);
        assert_eq!(column_spans(&columnar(&[], &[], &[])).unwrap(), []);

        let key = |user: &[u8], n| [user, &seq(n).to_le_bytes()].concat();
        let keys = [key(b"a", 9), key(b"a", 4), key(b"d", 5)];
        let block = rows::block(&[(&keys[0], b"c"), (&keys[1], b"c"), (&keys[2], b"f")], 1);
        let got = fragment(row_spans(&block).unwrap());
        assert_eq!(got, expected);
    }

    #[test]
    fn overlaps_become_fragments_with_the_newest_number() {
        let spans = vec![
            span("a", "m", 5),
            span("c", "e", 9),
            span("d", "z", 3),
            span("k", "k", 50),
            span("x", "b", 60),
        ];
        let expected = [
            span("a", "c", 5),
            span("c", "d", 9),
            span("d", "e", 9),
            span("e", "m", 5),
            span("m", "z", 3),
        ];
        assert_eq!(fragment(spans), expected);
    }

    #[test]
    fn spans_are_clipped_to_the_window() {
        let spans = [span("a", "c", 5), span("e", "g", 6), span("x", "z", 7)];
        let clipped = |from: &'static str, to: &'static str, synthetic| {
            clip(&spans, &from.into(), &to.into(), synthetic)
        };
        assert_eq!(
            clipped("b", "f", None),
            [span("b", "c", 5), span("e", "f", 6)]
        );
        assert_eq!(clipped("c", "e", None), []);
        assert_eq!(clipped("y", "zz", Some(1)), [span("y", "z", 1)]);
    }
}
