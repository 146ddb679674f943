//! The runs themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use fuzz_targets::{Mutator, TARGETS, Target};

use crate::memory::most_held;

/// Mutations per target and round, divided by what one costs.
const MUTATIONS: u64 = 4_000;
/// Truncations of a corpus file, divided likewise.
const TRUNCATIONS: usize = 400;
/// Inputs have at most this many bytes, and make a decoder hold at most that
/// many at once.
const MAX_INPUT_BYTES: usize = 64 << 10;
const MAX_HELD_BYTES: usize = 64 << 20;
/// Inputs that take longer are counted.
const SLOW: Duration = Duration::from_secs(2);

/// The corpus of a target: names and contents, in the order of names.
fn corpus(target: &Target) -> (Vec<String>, Vec<Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target.name);
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("no corpus in {}: {e}", folder.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let contents = names
        .iter()
        .map(|name| fs::read(folder.join(name)).unwrap());
    let contents = contents.collect();
    (names, contents)
}

/// Runs one target; counts what takes long.
struct Run {
    target: &'static Target,
    slow: Vec<String>,
    failed: Vec<String>,
}

impl Run {
    fn input(&mut self, name: &dyn Fn() -> String, data: &[u8]) {
        let data = data.get(..MAX_INPUT_BYTES).unwrap_or(data);
        let start = Instant::now();
        let mut held = 0;
        let result = catch_unwind(AssertUnwindSafe(|| {
            held = most_held(|| (self.target.run)(data));
        }));
        if result.is_err() {
            self.failed.push(name());
        } else if held > MAX_HELD_BYTES {
            self.failed.push(format!("{}: {held} bytes held", name()));
        }
        if start.elapsed() > SLOW {
            self.slow.push(format!("{}: {:?}", name(), start.elapsed()));
        }
    }
}

fn rounds() -> u64 {
    match env::var("FUZZ_ROUNDS") {
        Ok(rounds) => rounds.parse().unwrap(),
        Err(_) => 1,
    }
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let mut run = Run {
        target,
        slow: Vec::new(),
        failed: Vec::new(),
    };
    let (names, contents) = corpus(target);
    assert!(!names.is_empty(), "the corpus of {name} is empty");
    let cost = usize::try_from(target.cost).unwrap();
    run.input(&|| "no bytes".into(), &[]);
    for (file, content) in names.iter().zip(&contents) {
        run.input(&|| file.clone(), content);
        let step = (content.len() * cost * names.len() / TRUNCATIONS).max(1);
        for len in (0..content.len()).step_by(step) {
            run.input(&|| format!("{file} cut to {len} bytes"), &content[..len]);
        }
    }
    let mutator = Mutator::new(&contents);
    for seed in 0..MUTATIONS / u64::from(target.cost) * rounds() {
        run.input(&|| format!("seed {seed}"), &mutator.input(seed));
    }
    assert!(
        run.failed.is_empty(),
        "target {name}: {} inputs failed: {:#?}",
        run.failed.len(),
        &run.failed[..run.failed.len().min(20)]
    );
    assert!(
        run.slow.len() < 3,
        "target {name}: inputs that take long: {:#?}",
        run.slow
    );
}

/// One test per target, so that they run side by side.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            let run = [$(stringify!($name)),*];
            let all: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(all, run);
        }
    };
}

targets! {
    log manifest edit batch footer block row_block columnar_block table directory
    envelope_v1 envelope_v3 index database_v1 record page_log cursor stats
    jwk jwe age_file client_secret credential_options condition compare
    request
}

#[test]
fn every_target_has_a_binary_and_a_line_in_the_readme() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let readme = fs::read_to_string(fuzz.join("README.md")).unwrap();
    for Target { name, .. } in TARGETS {
        let binary = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(binary.contains(&format!("fuzz_targets::run(\"{name}\"")));
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name}");
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
}
