//! Whole files of both formats, cut off and with flipped bits: an error or the
//! same data, never a panic, a hang or endless memory.
//!
//! What decides how the rest is read lies at both ends: magic, manifest and
//! headers of frames, then index and checksums. There each byte and each bit
//! has its turn. Of what lies between, which is compressed rows, a seeded
//! sample has; the decoders' own tests and the fuzz targets go further.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::path::Path;

use baton_c1z::{C1zFile, Filter, Limits, ReadOptions, Result, Table, View, peek};

use crate::support::{Dice, Folder, V1, V3, earlier, fixture};

/// Bytes at each end of a file where it is cut off one by one.
const CUT_EDGE_BYTES: usize = 640;
/// Places between the ends where each file is cut off.
const SEEDED_CUTS: usize = 500;
/// Bytes at each end of a file whose bits are flipped one by one.
const FLIPPED_EDGE_BYTES: usize = 64;
/// Bits between the ends that are flipped in each file.
const SEEDED_FLIPS: usize = 800;

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
    for run in file.sync_runs().to_vec() {
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

/// Positions below `len`: all of the first and the last `edge` ones, and a
/// seeded sample of those between, in descending order.
fn positions(len: usize, edge: usize, sample: usize, seed: u64) -> Vec<usize> {
    let edge = edge.min(len.div_ceil(2));
    let between = len - 2 * edge.min(len / 2);
    let mut dice = Dice(seed);
    let mut chosen: BTreeSet<usize> = (0..edge).chain(len - edge..len).collect();
    if between <= sample {
        chosen.extend(0..len);
    } else {
        chosen.extend((0..sample).map(|_| edge + dice.roll(between)));
    }
    chosen.into_iter().rev().collect()
}

#[test]
fn positions_are_both_ends_and_a_sample_of_the_rest() {
    assert_eq!(positions(7, 4, 0, 1), [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(positions(8, 2, 4, 1).len(), 8);
    let some = positions(1_000, 10, 50, 1);
    assert!((60..=70).contains(&some.len()));
    assert!((0..10).chain(990..1_000).all(|at| some.contains(&at)));
    assert_ne!(some, positions(1_000, 10, 50, 2));
}

fn cut_off(files: Vec<Fixture>) {
    let folder = Folder::new();
    for (seed, (name, whole)) in (0..).zip(files) {
        let path = folder.file("cut.c1z", &whole);
        let digest = read_all(&path).expect("whole");
        for len in positions(whole.len(), CUT_EDGE_BYTES, SEEDED_CUTS, seed) {
            let file = File::options().write(true).open(&path).expect("there");
            file.set_len(len as u64).expect("shorter");
            if len == 0 {
                // An empty file is an empty store.
                continue;
            }
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
fn a_v1_file_that_is_cut_off_is_an_error() {
    cut_off(fixtures(V1));
}

#[test]
fn a_v3_file_that_is_cut_off_is_an_error() {
    cut_off(fixtures(V3));
}

#[test]
fn a_file_in_an_earlier_layout_that_is_cut_off_is_an_error() {
    cut_off(vec![earlier_fixture()]);
}

/// Flips bits of one file one after the other, each alone. Gives how many were
/// flipped, and how many of those were errors.
fn flip_bits(seed: u64, (name, mut bytes): Fixture) -> (usize, usize) {
    let folder = Folder::new();
    let digest = read_all(&folder.file("flipped.c1z", &bytes)).expect("whole");
    let bits = positions(bytes.len() * 8, FLIPPED_EDGE_BYTES * 8, SEEDED_FLIPS, seed);
    let mut noticed = 0;
    for bit in &bits {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let path = folder.file("flipped.c1z", &bytes);
        let what = || format!("bit {bit} of {name}");
        noticed += usize::from(is_noticed(&path, digest, &what));
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    (bits.len(), noticed)
}

#[test]
fn any_flipped_bit_of_a_v1_file_is_an_error_or_changes_nothing() {
    for (seed, file) in (0..).zip(fixtures(V1)) {
        let name = file.0.clone();
        let (flipped, noticed) = flip_bits(seed, file);
        // Some bits of a compressed frame have no meaning; few do.
        assert!(
            noticed * 100 > flipped * 95,
            "{name}: {noticed} of {flipped}"
        );
    }
}

#[test]
fn any_flipped_bit_of_a_v3_file_is_an_error_or_changes_nothing() {
    let files = [fixtures(V3), vec![earlier_fixture()]].concat();
    for (seed, file) in (0..).zip(files) {
        let name = file.0.clone();
        let (flipped, noticed) = flip_bits(seed, file);
        // A plain tar is padded with much that means nothing.
        assert!(noticed * 10 > flipped, "{name}: {noticed} of {flipped}");
    }
}
