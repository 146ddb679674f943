//! Writes tables of version 7 as Pebble does: columns, 16 rows to a bundle,
//! Snappy blocks of 32 KiB.

use baton_pebble::crc;

const BLOCK_BYTES: usize = 32 << 10;
const BUNDLE: usize = 16;
const TRAILER: u64 = 1;

pub struct Row {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// The whole file.
pub fn table(rows: &[Row]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut index: Vec<(Vec<u8>, u64, u64)> = Vec::new();
    let mut start = 0;
    let mut bytes = 0;
    for n in 0..=rows.len() {
        let full = n == rows.len() || bytes + rows[n].key.len() + rows[n].value.len() > BLOCK_BYTES;
        if full && n > start {
            let (offset, len) = store(&mut file, &data_block(&rows[start..n]), true);
            index.push((rows[n - 1].key.clone(), offset, len));
            (start, bytes) = (n, 0);
        }
        if n < rows.len() {
            bytes += rows[n].key.len() + rows[n].value.len();
        }
    }
    let index = store(&mut file, &index_block(&index), false);
    let properties = pairs(&[
        (
            b"pebble.colblk.schema",
            b"DefaultKeySchema(leveldb.BytewiseComparator,16)",
        ),
        (b"rocksdb.block.based.table.index.type", &[0; 4]),
        (b"rocksdb.comparator", b"leveldb.BytewiseComparator"),
    ]);
    let properties = store(&mut file, &properties, false);
    let mut handle = Vec::new();
    varint(&mut handle, properties.0);
    varint(&mut handle, properties.1);
    let meta = store(
        &mut file,
        &pairs(&[(b"rocksdb.properties", &handle)]),
        false,
    );
    let mut footer = vec![1];
    for number in [meta.0, meta.1, index.0, index.1] {
        varint(&mut footer, number);
    }
    footer.resize(41, 0);
    footer.extend(128u32.to_le_bytes());
    let mut end = 7u32.to_le_bytes().to_vec();
    end.extend([0xf0, 0x9f, 0xaa, 0xb3, 0xf0, 0x9f, 0xaa, 0xb3]);
    footer.extend(crc::masked_of_two(&footer, &end).to_le_bytes());
    footer.extend(end);
    file.extend(footer);
    file
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn store(file: &mut Vec<u8>, plain: &[u8], compress: bool) -> (u64, u64) {
    let offset = file.len();
    if compress {
        file.extend(snap::raw::Encoder::new().compress_vec(plain).unwrap());
    } else {
        file.extend(plain);
    }
    let len = file.len() - offset;
    file.push(u8::from(compress));
    let sum = crc::masked(&file[offset..]);
    file.extend(sum.to_le_bytes());
    (offset as u64, len as u64)
}

/// Starts a block: header and room for the columns' own.
fn begin(custom: &[u8], rows: usize, types: &[u8]) -> Vec<u8> {
    let mut out = custom.to_vec();
    out.push(1);
    out.extend(u16::try_from(types.len()).unwrap().to_le_bytes());
    out.extend(u32::try_from(rows).unwrap().to_le_bytes());
    for kind in types {
        out.extend([*kind, 0, 0, 0, 0]);
    }
    out
}

/// Notes where column `n` begins.
fn column(out: &mut [u8], custom: usize, n: usize) {
    let at = custom + 7 + 5 * n + 1;
    let start = u32::try_from(out.len()).unwrap();
    out[at..at + 4].copy_from_slice(&start.to_le_bytes());
}

fn numbers(out: &mut Vec<u8>, width: usize, values: impl Iterator<Item = u64>) {
    out.push(width.try_into().unwrap());
    out.resize(out.len().next_multiple_of(width), 0);
    for value in values {
        out.extend(&value.to_le_bytes()[..width]);
    }
}

fn slices<'a>(out: &mut Vec<u8>, parts: impl Iterator<Item = &'a [u8]> + Clone) {
    let mut end = 0;
    let ends = parts.clone().map(|part| {
        end += part.len() as u64;
        end
    });
    numbers(out, 4, std::iter::once(0).chain(ends));
    parts.for_each(|part| out.extend(part));
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn data_block(rows: &[Row]) -> Vec<u8> {
    let mut out = begin(&[200, 0, 0, 0], rows.len(), &[4, 3, 2, 1, 3, 1, 1]);
    column(&mut out, 4, 0);
    out.push(4);
    let last = rows.len() - 1;
    let block_prefix = common(&rows[0].key, &rows[last].key);
    let mut parts: Vec<&[u8]> = vec![&rows[0].key[..block_prefix]];
    for bundle in rows.chunks(BUNDLE) {
        let prefix = common(&bundle[0].key, &bundle[bundle.len() - 1].key);
        parts.push(&bundle[0].key[block_prefix..prefix]);
        parts.extend(bundle.iter().map(|row| &row.key[prefix..]));
    }
    let mut end = 0;
    let ends: Vec<u64> = parts
        .iter()
        .map(|part| {
            end += part.len() as u64;
            end
        })
        .collect();
    numbers(&mut out, 2, ends.into_iter());
    out.extend(parts.concat());
    column(&mut out, 4, 1);
    out.push(0);
    column(&mut out, 4, 2);
    out.push(0x80);
    out.extend(TRAILER.to_le_bytes());
    column(&mut out, 4, 3);
    out.push(1);
    column(&mut out, 4, 4);
    slices(&mut out, rows.iter().map(|row| &row.value[..]));
    for n in [5, 6] {
        column(&mut out, 4, n);
        out.push(1);
    }
    out.push(0);
    out
}

fn index_block(entries: &[(Vec<u8>, u64, u64)]) -> Vec<u8> {
    let mut out = begin(&[], entries.len(), &[3, 2, 2, 3]);
    column(&mut out, 0, 0);
    slices(&mut out, entries.iter().map(|entry| &entry.0[..]));
    column(&mut out, 0, 1);
    numbers(&mut out, 8, entries.iter().map(|entry| entry.1));
    column(&mut out, 0, 2);
    numbers(&mut out, 4, entries.iter().map(|entry| entry.2));
    column(&mut out, 0, 3);
    out.push(0);
    out.push(0);
    out
}

fn pairs(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = begin(&[], pairs.len(), &[3, 3]);
    column(&mut out, 0, 0);
    slices(&mut out, pairs.iter().map(|pair| pair.0));
    column(&mut out, 0, 1);
    slices(&mut out, pairs.iter().map(|pair| pair.1));
    out.push(0);
    out
}
