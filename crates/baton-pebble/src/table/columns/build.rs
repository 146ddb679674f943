//! Writes columnar blocks, for tests of their readers.

use super::{Type, aligned};

/// Appends a column.
type Write = Box<dyn Fn(&mut Vec<u8>)>;

/// A block under construction.
pub(crate) struct Block {
    rows: u32,
    custom: Vec<u8>,
    columns: Vec<(Type, Write)>,
}

impl Block {
    pub(crate) fn new(rows: usize, custom: &[u8]) -> Self {
        Self {
            rows: rows.try_into().unwrap(),
            custom: custom.to_vec(),
            columns: Vec::new(),
        }
    }

    fn column(mut self, kind: Type, write: impl Fn(&mut Vec<u8>) + 'static) -> Self {
        self.columns.push((kind, Box::new(write)));
        self
    }

    pub(crate) fn numbers(self, values: &[u64]) -> Self {
        let values = values.to_vec();
        self.column(Type::Numbers, move |out| put_numbers(out, &values, 8))
    }

    /// The same number in every row, which takes no room.
    pub(crate) fn constant(self, value: u64) -> Self {
        self.column(Type::Numbers, move |out| {
            out.push(0x80);
            out.extend(value.to_le_bytes());
        })
    }

    pub(crate) fn slices(self, values: &[&[u8]]) -> Self {
        let values: Vec<_> = values.iter().map(|value| value.to_vec()).collect();
        self.column(Type::Slices, move |out| {
            if !values.is_empty() {
                let parts: Vec<&[u8]> = values.iter().map(|v| &v[..]).collect();
                put_slices(out, 0, &parts);
            }
        })
    }

    /// Empty strings in every row, which take no room.
    pub(crate) fn empty_slices(self) -> Self {
        let bytes = usize::from(self.rows > 0);
        self.column(Type::Slices, move |out| out.resize(out.len() + bytes, 0))
    }

    pub(crate) fn bits(self, values: &[bool]) -> Self {
        let values = values.to_vec();
        self.column(Type::Bits, move |out| {
            if !values.contains(&true) {
                out.push(1);
                return;
            }
            out.push(0);
            out.resize(aligned(out.len(), 8), 0);
            let mut words = vec![0u64; values.len().div_ceil(64)];
            for n in (0..values.len()).filter(|n| values[*n]) {
                words[n / 64] |= 1 << (n % 64);
            }
            out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            out.resize(out.len() + 8 * words.len().div_ceil(64), 0);
        })
    }

    /// Sorted keys in bundles of `1 << shift` without prefixes of bundles.
    pub(crate) fn prefixed(self, shift: u8, prefix: &[u8], suffixes: &[&[u8]]) -> Self {
        let prefix = prefix.to_vec();
        let suffixes: Vec<_> = suffixes.iter().map(|value| value.to_vec()).collect();
        self.column(Type::Prefixed, move |out| {
            out.push(shift);
            let mut parts: Vec<&[u8]> = vec![&prefix];
            for bundle in suffixes.chunks(1 << shift) {
                parts.push(&[]);
                parts.extend(bundle.iter().map(|suffix| &suffix[..]));
            }
            let first = parts.remove(0);
            put_slices_after(out, first, &parts);
        })
    }

    pub(crate) fn finish(self) -> bytes::Bytes {
        let mut out = self.custom;
        out.push(1);
        out.extend(u16::try_from(self.columns.len()).unwrap().to_le_bytes());
        out.extend(self.rows.to_le_bytes());
        let headers = out.len();
        out.resize(headers + 5 * self.columns.len(), 0);
        for (n, (kind, write)) in self.columns.iter().enumerate() {
            let at = headers + 5 * n;
            out[at] = *kind as u8;
            let start = u32::try_from(out.len()).unwrap();
            out[at + 1..at + 5].copy_from_slice(&start.to_le_bytes());
            write(&mut out);
        }
        out.push(0);
        out.into()
    }
}

fn put_numbers(out: &mut Vec<u8>, values: &[u64], width: usize) {
    if values.is_empty() {
        return;
    }
    out.push(width.try_into().unwrap());
    out.resize(aligned(out.len(), width), 0);
    for value in values {
        out.extend(&value.to_le_bytes()[..width]);
    }
}

fn put_slices(out: &mut Vec<u8>, start: usize, values: &[&[u8]]) {
    let mut offsets = vec![start as u64];
    for value in values {
        offsets.push(offsets[offsets.len() - 1] + value.len() as u64);
    }
    put_numbers(out, &offsets, 4);
    out.extend(values.concat());
}

fn put_slices_after(out: &mut Vec<u8>, first: &[u8], values: &[&[u8]]) {
    let mut offsets = vec![first.len() as u64];
    for value in values {
        offsets.push(offsets[offsets.len() - 1] + value.len() as u64);
    }
    put_numbers(out, &offsets, 4);
    out.extend(first);
    out.extend(values.concat());
}
