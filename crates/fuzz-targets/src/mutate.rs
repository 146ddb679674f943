//! Mutations of corpus files, the same for the same seed on every machine.

/// A small generator of pseudo-random numbers (xorshift64*).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of numbers for `seed`.
    pub fn new(seed: u64) -> Self {
        // Seeds that are close must not give sequences that are; 0 has none.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        // The remainder of a 32-bit number fits whatever a usize is.
        let number = usize::try_from(self.number() >> 33).unwrap_or_default();
        number.checked_rem(end).unwrap_or_default()
    }
}

/// Makes inputs out of corpus files.
#[derive(Debug)]
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
}

/// Values that lengths and counts are set to.
const EDGES: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
/// Longest run of bytes that is changed, repeated or removed.
const MAX_RUN: usize = 16;

impl<'a> Mutator<'a> {
    /// Mutates the files of `corpus`.
    pub fn new(corpus: &'a [Vec<u8>]) -> Self {
        Self { corpus }
    }

    /// The input with the number `seed`.
    pub fn input(&self, seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        let mut data = self.pick(&mut random).to_vec();
        for _ in 0..=random.below(4) {
            self.mutate(&mut data, &mut random);
        }
        data
    }

    fn pick(&self, random: &mut Random) -> &'a [u8] {
        let n = random.below(self.corpus.len());
        self.corpus.get(n).map(Vec::as_slice).unwrap_or_default()
    }

    fn mutate(&self, data: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(data.len());
        let run = 1 + random.below(MAX_RUN);
        let end = (at + run).min(data.len());
        match random.below(8) {
            0 | 1 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            2 => {
                let edge = EDGES.get(random.below(EDGES.len())).copied();
                if let (Some(byte), Some(edge)) = (data.get_mut(at), edge) {
                    *byte = edge;
                }
            }
            3 => {
                // A length of 16, 32 or 64 bits.
                let fill = if random.below(2) == 0 { 0 } else { 0xff };
                let width = 2 << random.below(3);
                let bytes = data.iter_mut().skip(at).take(width);
                bytes.for_each(|byte| *byte = fill);
            }
            4 => {
                let bytes = data.iter_mut().skip(at).take(run);
                bytes.for_each(|byte| *byte = random.number().to_le_bytes()[0]);
            }
            5 => drop(data.drain(at..end)),
            6 => {
                let copy: Vec<u8> = data.drain(at..end).collect();
                let twice: Vec<u8> = copy.iter().chain(&copy).copied().collect();
                data.splice(at..at, twice);
            }
            _ => self.splice(data, at, random),
        }
    }

    /// The start of one file, then the end of another.
    fn splice(&self, data: &mut Vec<u8>, at: usize, random: &mut Random) {
        let other = self.pick(random);
        let from = random.below(other.len());
        data.truncate(at);
        data.extend(other.iter().skip(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_corpus_gives_inputs_too() {
        let mutator = Mutator::new(&[]);
        assert!((0..1000).all(|seed| mutator.input(seed).is_empty()));
        let corpus = [Vec::new()];
        let mutator = Mutator::new(&corpus);
        assert!((0..1000).all(|seed| mutator.input(seed).is_empty()));
    }

    #[test]
    fn a_seed_always_gives_the_same_input_and_others_give_others() {
        let corpus = [vec![b'a'; 100], vec![b'b'; 100]];
        let mutator = Mutator::new(&corpus);
        let inputs: std::collections::BTreeSet<_> =
            (0..1000).map(|seed| mutator.input(seed)).collect();
        assert!(inputs.len() > 900);
        assert_eq!(mutator.input(7), mutator.input(7));
    }
}
