use super::*;
use crate::table::columns::build;
use crate::table::rows::tests as rows;

type Point = (&'static [u8], u64, &'static [u8]);

/// The same, owned.
type Owned = (Vec<u8>, u64, Vec<u8>);

const POINTS: [Point; 7] = [
    (b"a", 9 << 8 | 1, b"A9"),
    (b"a", 7 << 8 | 0x12, b"A7"),
    (b"a", 3 << 8, b""),
    (b"ab", 1, b"AB"),
    (b"b", 1, b""),
    (b"bcd", 5 << 8 | 1, b"BCD"),
    (b"bcd", 4 << 8 | 1, b"old"),
];

fn by_row(points: &[Point], interval: usize) -> Bytes {
    let keys: Vec<_> = points
        .iter()
        .map(|(key, trailer, _)| [key, &trailer.to_le_bytes()[..]].concat())
        .collect();
    let entries: Vec<_> = keys
        .iter()
        .map(|k| &k[..])
        .zip(points.iter().map(|p| p.2))
        .collect();
    rows::block(&entries, interval)
}

fn by_column(points: &[Point], shift: u8) -> Bytes {
    // As a database writes them: nothing for a repeated key in a bundle.
    let mut suffixes: Vec<&[u8]> = Vec::new();
    for (n, point) in points.iter().enumerate() {
        let repeated = n % (1 << shift) != 0 && points[n - 1].0 == point.0;
        suffixes.push(if repeated { b"" } else { point.0 });
    }
    let values: Vec<_> = points.iter().map(|p| p.2).collect();
    let trailers: Vec<_> = points.iter().map(|p| p.1).collect();
    let none = vec![false; points.len()];
    build::Block::new(points.len(), &[3, 0, 0, 0])
        .prefixed(shift, b"", &suffixes)
        .empty_slices()
        .numbers(&trailers)
        .bits(&none)
        .slices(&values)
        .bits(&none)
        .bits(&none)
        .finish()
}

const ROWS: PointFormat = PointFormat {
    columnar: false,
    value_prefix: false,
    obsolete_bit: false,
};
const COLUMNS: PointFormat = PointFormat {
    columnar: true,
    ..ROWS
};

fn forms(points: &[Point]) -> Vec<(Bytes, PointFormat)> {
    vec![
        (by_row(points, 1), ROWS),
        (by_row(points, 3), ROWS),
        (by_row(points, 100), ROWS),
        (by_column(points, 0), COLUMNS),
        (by_column(points, 1), COLUMNS),
        (by_column(points, 4), COLUMNS),
    ]
}

/// Goes through a block, at most so many entries.
fn walk(block: Bytes, format: PointFormat, most: usize) -> Result<Vec<Owned>, Fault> {
    let mut cursor = PointCursor::new(block, format)?;
    let mut all = Vec::new();
    while cursor.advance()? {
        let value = cursor.stored_value().0.to_vec();
        assert_eq!(cursor.shared_value(), value);
        all.push((cursor.key().to_vec(), cursor.trailer(), value));
        assert!(all.len() <= most, "a block without end");
    }
    Ok(all)
}

#[test]
fn keys_out_of_order_are_damage() {
    let mut swapped = POINTS;
    swapped.swap(3, 4);
    let mut twice = POINTS;
    twice[1] = twice[0];
    let mut older_first = POINTS;
    older_first.swap(5, 6);
    for points in [swapped, twice, older_first] {
        for (block, format) in forms(&points) {
            assert_eq!(walk(block, format, 10), Err(unordered()));
        }
    }
}

#[test]
fn rows_that_take_no_room_end_with_the_second() {
    let columns = |rows: usize| {
        let mut block = build::Block::new(1, &[0; 4])
            .prefixed(4, b"", &[b""])
            .empty_slices()
            .constant(1)
            .bits(&[false])
            .empty_slices()
            .bits(&[false])
            .bits(&[false])
            .finish()
            .to_vec();
        // A column of keys without any byte of them.
        block[7..11].copy_from_slice(&u32::try_from(rows).unwrap().to_le_bytes());
        block
    };
    for rows in [2, 16, u32::MAX as usize] {
        // Offsets of so many rows do not fit, unless they take no room.
        let result = walk(columns(rows).into(), COLUMNS, 10);
        assert!(result.is_err());
    }
    assert_eq!(walk(columns(1).into(), COLUMNS, 10).unwrap().len(), 1);
}

#[test]
fn a_row_key_without_trailer_is_damage() {
    let block = rows::block(&[(b"1234567", b"")], 1);
    assert!(matches!(
        walk(block.clone(), ROWS, 1),
        Err(Fault::Damaged(_))
    ));
    let mut cursor = PointCursor::new(block, ROWS).unwrap();
    assert!(cursor.seek(b"x").is_err());
}

#[test]
fn flipped_bits_and_cuts_give_faults_or_other_entries_but_no_panic() {
    for (block, format) in forms(&POINTS) {
        for bit in 0..block.len() * 8 {
            let mut flipped = block.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = Bytes::from(flipped);
            let _ = walk(flipped.clone(), format, 10_000);
            if let Ok(mut cursor) = PointCursor::new(flipped, format) {
                let _ = cursor.seek(b"b");
            }
        }
        for len in 0..block.len() {
            let _ = walk(block.slice(..len), format, 10_000);
        }
    }
}

#[test]
fn a_key_with_a_suffix_is_refused() {
    let block = build::Block::new(1, &[0; 4])
        .prefixed(4, b"", &[b"k"])
        .slices(&[b"@1"])
        .numbers(&[1])
        .bits(&[false])
        .slices(&[b"v"])
        .bits(&[false])
        .bits(&[false])
        .finish();
    assert!(matches!(
        walk(block, COLUMNS, 1),
        Err(Fault::Unsupported(_))
    ));
}

#[test]
fn values_in_blob_files_are_refused_and_unknown_places_are_damage() {
    let format = PointFormat {
        value_prefix: true,
        ..ROWS
    };
    let with = |prefix: &'static [u8]| by_row(&[(b"k", 1, prefix)], 1);
    assert!(matches!(
        walk(with(b"\x40"), format, 1),
        Err(Fault::Unsupported(_))
    ));
    assert!(matches!(
        walk(with(b"\xc0"), format, 1),
        Err(Fault::Damaged(_))
    ));
    assert!(matches!(walk(with(b""), format, 1), Err(Fault::Damaged(_))));
}

#[test]
fn only_plain_sets_have_a_value_prefix() {
    let format = PointFormat {
        value_prefix: true,
        obsolete_bit: true,
        ..ROWS
    };
    let points: [Point; 4] = [
        (b"a", 9 << 8 | 0x41, b"\x20in place"),
        (b"a", 8 << 8 | 0x12, b"\x80as it is"),
        (b"b", 9 << 8 | 1, b"\x80\x01\x02\x03"),
        (b"c", 1, b"\x07"),
    ];
    let mut cursor = PointCursor::new(by_row(&points, 1), format).unwrap();
    let mut all = Vec::new();
    while cursor.advance().unwrap() {
        let (value, external) = cursor.stored_value();
        all.push((value.to_vec(), external, cursor.trailer() & 0xff));
    }
    let expected = [
        (b"in place".to_vec(), false, 1),
        (b"\x80as it is".to_vec(), false, 18),
        (b"\x80\x01\x02\x03".to_vec(), true, 1),
        (vec![], false, 1),
    ];
    assert_eq!(all, expected);
}

#[test]
fn all_entries_come_in_order_and_repeated_keys_are_told() {
    let expected: Vec<_> = POINTS
        .iter()
        .map(|(k, t, v)| (k.to_vec(), *t, v.to_vec()))
        .collect();
    for (block, format) in forms(&POINTS) {
        assert_eq!(walk(block.clone(), format, 7).unwrap(), expected);
        let mut cursor = PointCursor::new(block, format).unwrap();
        let mut repeats = Vec::new();
        while cursor.advance().unwrap() {
            repeats.push(cursor.repeats());
        }
        assert_eq!(repeats, [false, true, true, false, false, false, true]);
    }
}

#[test]
fn seeking_finds_the_newest_entry_of_the_first_key_not_less() {
    for (block, format) in forms(&POINTS) {
        let mut cursor = PointCursor::new(block, format).unwrap();
        for target in [
            &b""[..],
            b"a",
            b"aa",
            b"ab",
            b"abc",
            b"b",
            b"bc",
            b"bcd",
            b"bce",
            b"z",
        ] {
            let found = cursor.seek(target).unwrap();
            let expected = POINTS.iter().find(|point| point.0 >= target);
            assert_eq!(found, expected.is_some());
            if let Some((key, trailer, _)) = expected {
                assert_eq!((cursor.key(), cursor.trailer()), (*key, *trailer));
            }
        }
    }
}
