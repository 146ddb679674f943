//! Whole files of both formats, cut off at every byte and with flipped bits:
//! an error or the same data, never a panic, a hang or endless memory.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{C1zFile, Filter, Limits, ReadOptions, Result, Table, View, peek};

use crate::support::{Dice, Folder, V1, V3, earlier, fixture};

/// Files up to this size are flipped bit by bit.
const EVERY_BIT_BYTES: usize = 6 << 10;
/// Flips over all larger files together.
const SEEDED_FLIPS: usize = 20_000;

/// What no fixture comes near.
fn options() -> ReadOptions {
    let mut limits = Limits::default();
    limits.cap_decoded_bytes(64 << 20);
    ReadOptions {
        limits,
        ..ReadOptions::default()
    }
}

/// A digest of all rows, runs and assets, and another one of the counts that
/// are stored with the runs.
fn read_all(path: &Path) -> Result<(u64, u64)> {
    let file = C1zFile::open(path, &options())?;
    let (mut rows, mut counts) = (DefaultHasher::new(), DefaultHasher::new());
    for run in file.sync_runs()? {
        run.id.hash(&mut rows);
        run.sync_type.hash(&mut rows);
        format!("{:?}", run.stats).hash(&mut counts);
    }
    let view = file.view(View::AllRows)?;
    for table in Table::ALL {
        view.scan(table, &Filter::default(), &mut |row| {
            (row.id, row.resource_type_id, row.resource_id).hash(&mut rows);
            (row.principal_type_id, row.principal_id, row.data).hash(&mut rows);
            row.expansion.hash(&mut rows);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    Ok((rows.finish(), counts.finish()))
}

/// Name and content.
type Fixture = (String, Vec<u8>);

fn fixtures(of: &[&str]) -> Vec<Fixture> {
    let read = |name: &&str| {
        (
            (*name).to_owned(),
            fs::read(fixture(name)).expect("fixture"),
        )
    };
    of.iter().map(read).collect()
}

/// An error, or the same data. Gives whether it was an error.
fn is_noticed(path: &Path, whole: (u64, u64), what: &dyn Fn() -> String) -> bool {
    // What is found at the front is not compared: a front may be whole.
    let _ = peek(path, &options());
    match read_all(path) {
        Ok(read) => {
            assert_eq!(read, whole, "{}", what());
            false
        }
        Err(_) => true,
    }
}

/// A file in an earlier layout of keys.
fn earlier_fixture() -> Fixture {
    let name = "damage-plain.c1z";
    let bytes = earlier().remove(name).expect("a fixture");
    (name.to_owned(), bytes)
}

fn cut_everywhere(files: Vec<Fixture>) {
    let folder = Folder::new();
    for (name, whole) in files {
        let path = folder.file("cut.c1z", &whole);
        let digest = read_all(&path).expect("whole");
        for len in (1..whole.len()).rev() {
            let file = File::options().write(true).open(&path).expect("there");
            file.set_len(len as u64).expect("shorter");
            let noticed = is_noticed(&path, digest, &|| format!("{name} cut to {len} bytes"));
            // A plain tar ends with blocks of zeros that nobody needs.
            let spare = whole[len..].iter().all(|byte| *byte == 0);
            assert!(
                noticed || spare,
                "{name} cut to {len} bytes is read as whole"
            );
        }
    }
}

#[test]
fn a_v1_file_that_is_cut_off_at_any_byte_is_an_error() {
    cut_everywhere(fixtures(V1));
}

#[test]
fn a_v3_file_that_is_cut_off_at_any_byte_is_an_error() {
    cut_everywhere(fixtures(V3));
}

#[test]
fn a_file_in_an_earlier_layout_that_is_cut_off_at_any_byte_is_an_error() {
    cut_everywhere(vec![earlier_fixture()]);
}

/// Flips bits of one file one after the other, each alone.
struct Flipper {
    folder: Folder,
    name: String,
    bytes: Vec<u8>,
    digest: (u64, u64),
    noticed: usize,
}

impl Flipper {
    fn new((name, bytes): Fixture) -> Self {
        let folder = Folder::new();
        let digest = read_all(&folder.file("flipped.c1z", &bytes)).expect("whole");
        Self {
            folder,
            name,
            bytes,
            digest,
            noticed: 0,
        }
    }

    fn flip(&mut self, bit: usize) {
        self.bytes[bit / 8] ^= 1 << (bit % 8);
        let path = self.folder.file("flipped.c1z", &self.bytes);
        let what = || format!("bit {bit} of {}", self.name);
        self.noticed += usize::from(is_noticed(&path, self.digest, &what));
        self.bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

fn small_and_large() -> (Vec<Fixture>, Vec<Fixture>) {
    let mut all = fixtures(&[V1, V3].concat());
    all.push(earlier_fixture());
    all.into_iter()
        .partition(|(_, bytes)| bytes.len() <= EVERY_BIT_BYTES)
}

#[test]
fn any_flipped_bit_of_a_small_file_is_an_error_or_changes_nothing() {
    let (small, _) = small_and_large();
    assert!(small.len() >= 8);
    for file in small {
        let mut flipper = Flipper::new(file);
        let bits = flipper.bytes.len() * 8;
        for bit in 0..bits {
            flipper.flip(bit);
        }
        // Some bits of a compressed frame have no meaning; few do.
        assert!(flipper.noticed * 100 > bits * 95, "{}", flipper.name);
    }
}

#[test]
fn flipped_bits_of_larger_files_are_errors_or_change_nothing() {
    let (_, large) = small_and_large();
    assert!(large.len() >= 8);
    let flips = SEEDED_FLIPS.div_ceil(large.len());
    for (seed, file) in large.into_iter().enumerate() {
        let mut dice = Dice(seed as u64);
        let mut flipper = Flipper::new(file);
        let bits = flipper.bytes.len() * 8;
        for _ in 0..flips {
            flipper.flip(dice.roll(bits));
        }
        // A plain tar is padded with much that means nothing.
        assert!(flipper.noticed * 10 > flips, "{}", flipper.name);
    }
}
