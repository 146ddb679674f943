//! Targets for the decoders of Pebble directories.

use std::ops::Bound;
use std::sync::Arc;

use baton_pebble::log::Records;
use baton_pebble::manifest::{Version, VersionEdit};
use baton_pebble::table::{
    Checksum, Footer, IndexCursor, Layout, MAX_FOOTER_BYTES, PointCursor, PointFormat,
    column_spans, decode_block, pairs, row_spans,
};
use baton_pebble::write::{self, TableMeta};
use baton_pebble::{Db, MemorySource, TRAILER_BYTES, batch};
use bytes::Bytes;

use crate::{MAX_STEPS, archive, repair};

/// Keys that are looked up again.
const MAX_GETS: usize = 64;

/// Input: the number of the log (0: it is a manifest), then its bytes.
pub fn log(data: &[u8]) {
    let Some((number, data)) = data.split_first() else {
        return;
    };
    let mut repaired = data.to_vec();
    repair::chunks(&mut repaired);
    for data in [data.to_vec(), repaired] {
        let data = Bytes::from(data);
        let records = match number {
            0 => Records::of_manifest(data.clone()),
            number => Records::of_log(data.clone(), u64::from(*number)),
        };
        each_record(records, data.len(), &mut |_| true);
    }
}

/// Gives the records to `visit` while it wants more.
fn each_record(mut records: Records, size: usize, visit: &mut dyn FnMut(&Bytes) -> bool) {
    let mut bytes = 0;
    let mut count = 0;
    while let Ok(Some(record)) = records.next() {
        count += 1;
        bytes += record.len();
        assert!(bytes + count <= size, "more records than fit");
        assert!(records.tail().is_none(), "a record behind the end");
        if !visit(&record) {
            return;
        }
    }
    if records.tail().is_some() {
        assert_eq!(
            records.next().ok(),
            Some(None),
            "a log continues after its tail"
        );
    }
}

/// Input: a manifest.
pub fn manifest(data: &[u8]) {
    let mut repaired = data.to_vec();
    repair::chunks(&mut repaired);
    for data in [data.to_vec(), repaired] {
        let mut version = Version::default();
        let data = Bytes::from(data);
        each_record(
            Records::of_manifest(data.clone()),
            data.len(),
            &mut |edit| apply(&mut version, edit),
        );
    }
}

/// Input: one edit of a manifest, without frame.
pub fn edit(data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    let mut version = Version::default();
    if apply(&mut version, &data) {
        // A second time, tables are there already.
        apply(&mut version, &data);
    }
}

fn apply(version: &mut Version, edit: &Bytes) -> bool {
    let Ok(edit_read) = VersionEdit::parse(edit) else {
        return false;
    };
    assert!(edit_read.added.len() <= edit.len(), "tables of no bytes");
    if version.apply(edit_read).is_err() {
        return false;
    }
    for ((level, number), table) in &version.tables {
        assert_eq!((*level, *number), (table.level, table.number));
        assert!(*level < 7 && table.smallest.user <= table.largest.user);
    }
    true
}

/// Input: the payload of one record of a log.
pub fn batch(data: &[u8]) {
    let record = Bytes::copy_from_slice(data);
    let mut bytes = 0;
    let mut last = None;
    let result = batch::entries(&record, |entry| {
        bytes += 1 + entry.key.len() + entry.value.len();
        assert!(last.is_none_or(|last| last < entry.sequence));
        last = Some(entry.sequence);
        Ok(())
    });
    assert!(bytes <= data.len(), "more entries than fit ({result:?})");
}

/// Input: the end of a table.
pub fn footer(data: &[u8]) {
    let mut repaired = data.to_vec();
    repair::footer(&mut repaired);
    for data in [data, &repaired[..]] {
        let tail = data.len().saturating_sub(MAX_FOOTER_BYTES);
        let tail = data.get(tail..).unwrap_or_default();
        for size in [data.len() as u64, 1 << 40, u64::MAX] {
            if let Ok(footer) = Footer::parse(tail, size) {
                assert!((1..=7).contains(&footer.version));
                for handle in [footer.metaindex, footer.index] {
                    let end = handle.offset.checked_add(handle.len);
                    assert!(end.is_some_and(|end| end < size));
                }
            }
        }
    }
}

/// Input: the kind of checksum, then the data of a block, which is decoded
/// with each compression.
pub fn block(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let checksum = if kind % 2 == 0 {
        Checksum::Crc32c
    } else {
        Checksum::XxHash64
    };
    for compression in [0, 1, 7, 8, 2, *kind] {
        let mut stored = data.to_vec();
        stored.push(compression);
        let sum = repair::block_sum(checksum, &stored);
        stored.extend(sum);
        let decoded = decode_block(&Bytes::from(stored), checksum);
        if compression == 0 {
            assert_eq!(decoded.as_deref(), Ok(data));
        }
        if let Ok(decoded) = decoded {
            let most = (1 << 20).max(1025 * (data.len() + 1));
            assert!(decoded.len() <= most, "a block grows too much");
        }
    }
    // With whatever is at its end for a checksum.
    let _ = decode_block(&Bytes::copy_from_slice(data), checksum);
}

/// Input: a decompressed block in the row format, read as all that it may be.
pub fn row_block(data: &[u8]) {
    let block = Bytes::copy_from_slice(data);
    for version in 1..=4 {
        points(&block, PointFormat::of_version(version));
    }
    index(&block, false);
    bounded_pairs(&block, Layout::Rows);
    let _ = row_spans(&block);
}

/// Input: a decompressed columnar block, read as all that it may be.
pub fn columnar_block(data: &[u8]) {
    let block = Bytes::copy_from_slice(data);
    for version in 5..=7 {
        points(&block, PointFormat::of_version(version));
    }
    index(&block, true);
    bounded_pairs(&block, Layout::Columns);
    if let Ok(spans) = column_spans(&block) {
        for span in &spans {
            assert!(span.start < span.end, "an empty tombstone");
        }
        for pair in spans.windows(2) {
            if let [a, b] = pair {
                assert!(a.end <= b.start, "tombstones overlap");
            }
        }
    }
}

/// Goes through a data block, and seeks what was found.
fn points(block: &Bytes, format: PointFormat) {
    let Ok(mut cursor) = PointCursor::new(block.clone(), format) else {
        return;
    };
    let mut last: Option<(Vec<u8>, u64)> = None;
    let mut targets = vec![Vec::new(), vec![0xff; TRAILER_BYTES]];
    let mut steps = 0;
    while let Ok(true) = cursor.advance() {
        steps += 1;
        assert!(steps <= 8 * (block.len() + 1), "more rows than fit");
        let (key, trailer) = (cursor.key(), cursor.trailer());
        if let Some((before, its_trailer)) = &last {
            assert!(
                before[..] < *key || (before[..] == *key && *its_trailer > trailer),
                "rows are not in order"
            );
            assert_eq!(cursor.repeats(), before[..] == *key);
        }
        assert!(cursor.stored_value().0.len() <= block.len());
        if targets.len() < MAX_GETS {
            targets.push(key.to_vec());
        }
        last = Some((key.to_vec(), trailer));
    }
    for target in targets {
        if let Ok(true) = cursor.seek(&target) {
            assert!(*cursor.key() >= target[..], "a seek ends too early");
            let _ = cursor.advance();
        }
    }
}

fn index(block: &Bytes, columnar: bool) {
    let Ok(mut cursor) = IndexCursor::new(block.clone(), columnar) else {
        return;
    };
    let mut targets = vec![Vec::new(), vec![0xff; TRAILER_BYTES]];
    let mut steps = 0;
    // Entries of equal columns take no room: the reader checks that blocks
    // come in the order of the file.
    while let Ok(true) = cursor.advance()
        && steps < MAX_STEPS
    {
        steps += 1;
        let _ = cursor.handle();
        if let Ok(separator) = cursor.separator()
            && targets.len() < MAX_GETS
        {
            targets.push(separator.to_vec());
        }
    }
    for target in targets {
        if let Ok(true) = cursor.seek(&target)
            && let Ok(separator) = cursor.separator()
        {
            assert!(*separator >= target[..], "a seek ends too early");
        }
    }
}

fn bounded_pairs(block: &Bytes, layout: Layout) {
    let mut steps = 0;
    let _ = pairs(block, layout, |name, value| {
        steps += 1;
        assert!(steps <= MAX_STEPS, "the number of pairs has no limit");
        assert!(value.len() <= block.len() && name.len() <= block.len());
        Ok(())
    });
}

/// Input: a table. It is read as it is, and with repaired checksums.
pub fn table(data: &[u8]) {
    let mut repaired = data.to_vec();
    repair::table(&mut repaired);
    for data in [data.to_vec(), repaired] {
        let meta = TableMeta {
            number: 4,
            size: data.len() as u64,
            smallest: vec![1, 0, 0, 0, 0, 0, 0, 0],
            largest: vec![0xff; 256 + TRAILER_BYTES],
        };
        let mut source = MemorySource::new();
        source.insert(write::FORMAT_MARKER, Bytes::new());
        source.insert(write::MANIFEST_MARKER, Bytes::new());
        let manifest = write::manifest(&[meta], None, 9, 100);
        source.insert(write::MANIFEST_NAME, manifest);
        source.insert(write::table_name(4), data);
        walk(source);
    }
}

/// Input: an archive ([`archive`]) of a whole directory. It is read as it is,
/// and with repaired checksums.
pub fn directory(data: &[u8]) {
    let files = archive::unpack(data);
    let mut as_is = MemorySource::new();
    let mut repaired = MemorySource::new();
    for (name, mut content) in files {
        as_is.insert(name.clone(), content.clone());
        if name.strip_suffix(".sst").is_some() {
            repair::table(&mut content);
        } else {
            repair::chunks(&mut content);
        }
        repaired.insert(name, content);
    }
    walk(as_is);
    walk(repaired);
}

/// Reads a directory from end to end, and again by key.
fn walk(source: MemorySource) {
    let Ok(db) = Db::open(Arc::new(source)) else {
        return;
    };
    for table in db.tables() {
        assert!(table.smallest <= table.largest);
    }
    let mut keys: Vec<Vec<u8>> = Vec::new();
    let Ok(mut iter) = db.range(Bound::Unbounded, Bound::Unbounded) else {
        return;
    };
    let mut last: Option<Vec<u8>> = None;
    let mut steps = 0;
    while let Ok(Some((key, value))) = iter.next()
        && steps < MAX_STEPS
    {
        steps += 1;
        let _ = value.len();
        assert!(
            last.as_deref().is_none_or(|last| last < key),
            "keys do not ascend"
        );
        if keys.len() < MAX_GETS {
            keys.push(key.to_vec());
        }
        last = Some(key.to_vec());
    }
    keys.extend([Vec::new(), vec![0xff; 8]]);
    for key in &keys {
        let _ = db.get(key);
        if iter.seek(key).is_ok()
            && let Ok(Some((found, _))) = iter.next()
        {
            assert!(*found >= key[..], "a seek ends too early");
        }
    }
    if let [low, .., high] = &keys[..] {
        let bounds = (Bound::Excluded(&low[..]), Bound::Included(&high[..]));
        if let Ok(mut iter) = db.range(bounds.0, bounds.1)
            && let Ok(Some((key, _))) = iter.next()
        {
            assert!(*key > low[..] && *key <= high[..], "out of range");
        }
    }
}
