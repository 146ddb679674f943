//! Which texts are near to one that was typed.
//!
//! Two measures: how many edits (of neighbours that were swapped, one) lead
//! from one text to the other, and whether the typed text is a part of the
//! other. Letter case does not count. Edits are only counted up to a bound
//! that falls as near texts are found, so that most of a million texts cost a
//! few steps each.

/// Near texts that are kept.
const MAX_NEAREST: usize = 5;
/// Longer texts are not compared.
const MAX_COMPARED_CHARS: usize = 512;
/// A text that is more edits away is not near.
const MAX_EDITS: usize = 16;
/// A typed text has one edit for so many characters.
const CHARS_PER_EDIT: usize = 3;
/// Shorter texts are parts of too many others.
const MIN_PART_CHARS: usize = 3;

/// How near a text is; smaller is nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nearness {
    /// So many edits away.
    Edits(usize),
    /// The typed text is a part of it; it has so many more characters.
    Part(usize),
}

/// The nearest texts so far, each with what it stands for.
#[derive(Debug)]
pub(crate) struct Nearest<T> {
    wanted: Vec<char>,
    text: Vec<char>,
    rows: Rows,
    /// In order; of equally near ones the first seen comes first.
    found: Vec<(Nearness, T)>,
}

impl<T> Nearest<T> {
    pub fn new(wanted: &str) -> Self {
        let mut chars = Vec::new();
        if !fold(wanted, &mut chars) {
            chars.clear();
        }
        Self {
            wanted: chars,
            text: Vec::new(),
            rows: Rows::default(),
            found: Vec::new(),
        }
    }

    /// How near `text` is, unless others are nearer already.
    pub fn measure(&mut self, text: &str) -> Option<Nearness> {
        if self.wanted.is_empty() || text.is_empty() || !fold(text, &mut self.text) {
            return None;
        }
        let worst = match self.found.get(MAX_NEAREST - 1) {
            Some((nearness, _)) => *nearness,
            None => Nearness::Part(usize::MAX),
        };
        let most = (self.wanted.len() / CHARS_PER_EDIT).clamp(1, MAX_EDITS);
        let most = match worst {
            Nearness::Edits(0) => return None,
            Nearness::Edits(edits) => most.min(edits - 1),
            Nearness::Part(_) => most,
        };
        let nearness = match edits(&self.wanted, &self.text, most, &mut self.rows) {
            Some(edits) => Nearness::Edits(edits),
            None => Nearness::Part(self.part(worst)?),
        };
        (nearness < worst).then_some(nearness)
    }

    /// How many more characters the text has, if the wanted one is in it.
    fn part(&self, worst: Nearness) -> Option<usize> {
        let length = self.wanted.len();
        let is_wanted = |part: &[char]| part == self.wanted;
        let more = self.text.len().checked_sub(length)?;
        (length >= MIN_PART_CHARS
            && Nearness::Part(more) < worst
            && self.text.windows(length).any(is_wanted))
        .then_some(more)
    }

    /// Keeps what [`Nearest::measure`] found near.
    pub fn keep(&mut self, nearness: Nearness, item: T) {
        let at = self.found.partition_point(|(other, _)| *other <= nearness);
        self.found.insert(at, (nearness, item));
        self.found.truncate(MAX_NEAREST);
    }

    /// The nearest first.
    pub fn into_items(self) -> Vec<T> {
        self.found.into_iter().map(|(_, item)| item).collect()
    }
}

/// Puts the characters of a text, in lower case, into `chars`; false if there
/// are too many.
fn fold(text: &str, chars: &mut Vec<char>) -> bool {
    chars.clear();
    for c in text.chars() {
        if c.is_ascii() {
            chars.push(c.to_ascii_lowercase());
        } else {
            chars.extend(c.to_lowercase());
        }
        if chars.len() > MAX_COMPARED_CHARS {
            return false;
        }
    }
    true
}

/// Three rows of the table of distances, reused.
#[derive(Debug, Default)]
struct Rows {
    before: Vec<usize>,
    last: Vec<usize>,
    current: Vec<usize>,
}

/// Edits that lead from one text to the other: insertions, deletions,
/// replacements and swaps of neighbours, no character twice. `None` if there
/// are more than `most`.
fn edits(a: &[char], b: &[char], most: usize, rows: &mut Rows) -> Option<usize> {
    let (a, b) = without_common_ends(a, b);
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if b.len() - a.len() > most {
        return None;
    }
    if a.is_empty() {
        return Some(b.len());
    }
    let beyond = most + 1;
    for row in [&mut rows.before, &mut rows.last, &mut rows.current] {
        row.clear();
        row.resize(b.len() + 1, beyond);
    }
    for (at, cell) in rows.last.iter_mut().enumerate().take(most + 1) {
        *cell = at;
    }
    let mut least_before = 0;
    for (i, from) in a.iter().enumerate() {
        // Only cells so near to the diagonal can be within the bound.
        let (first, end) = (i.saturating_sub(most), b.len().min(i + most + 1));
        rows.current[first] = if first == 0 {
            (i + 1).min(beyond)
        } else {
            beyond
        };
        let mut least = rows.current[first];
        for j in first..end {
            let to = b[j];
            let replaced = rows.last[j] + usize::from(*from != to);
            let mut cell = replaced.min(rows.last[j + 1] + 1).min(rows.current[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == to {
                cell = cell.min(rows.before[j - 1] + 1);
            }
            rows.current[j + 1] = cell.min(beyond);
            least = least.min(cell);
        }
        if let Some(cell) = rows.current.get_mut(end + 1) {
            *cell = beyond;
        }
        // A swap continues from the row before the last.
        if least > most && least_before >= most {
            return None;
        }
        least_before = least;
        std::mem::swap(&mut rows.before, &mut rows.last);
        std::mem::swap(&mut rows.last, &mut rows.current);
    }
    rows.last
        .get(b.len())
        .copied()
        .filter(|edits| *edits <= most)
}

/// Both texts without what they begin and end with alike.
fn without_common_ends<'t>(mut a: &'t [char], mut b: &'t [char]) -> (&'t [char], &'t [char]) {
    while let (Some((x, rest_of_a)), Some((y, rest_of_b))) = (a.split_first(), b.split_first())
        && x == y
    {
        (a, b) = (rest_of_a, rest_of_b);
    }
    while let (Some((x, rest_of_a)), Some((y, rest_of_b))) = (a.split_last(), b.split_last())
        && x == y
    {
        (a, b) = (rest_of_a, rest_of_b);
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(wanted: &str, texts: &[&str]) -> Vec<String> {
        let mut nearest = Nearest::new(wanted);
        for text in texts {
            if let Some(nearness) = nearest.measure(text) {
                nearest.keep(nearness, (*text).to_owned());
            }
        }
        nearest.into_items()
    }

    #[test]
    fn an_empty_or_endless_text_is_near_to_nothing() {
        let long = "x".repeat(MAX_COMPARED_CHARS + 1);
        assert!(near("", &["", "a"]).is_empty());
        assert!(near(&long, &[&long]).is_empty());
        assert!(near("xxx", &[&long]).is_empty());
    }

    #[test]
    fn few_edits_come_first_then_texts_with_it_as_a_part() {
        let texts = [
            "jira-users-old",
            "jira-user",
            "Jira-Users",
            "confluence",
            "jira-usres",
        ];
        assert_eq!(
            near("jira-users", &texts),
            ["Jira-Users", "jira-user", "jira-usres", "jira-users-old"]
        );
    }

    #[test]
    fn five_are_kept_and_of_equally_near_ones_the_first() {
        let texts = ["aaa1", "aaa2", "aaa3", "aaa4", "aaa5", "aaa6", "aaa"];
        assert_eq!(near("aaa", &texts), ["aaa", "aaa1", "aaa2", "aaa3", "aaa4"]);
    }

    proptest! {
        #[test]
        fn edits_are_counted_as_by_the_plain_algorithm(
            a in "[abc]{0,12}", b in "[abc]{0,12}", most in 0_usize..14,
        ) {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = strsim::osa_distance(&a, &b);
            let found = edits(&chars(&a), &chars(&b), most, &mut Rows::default());
            prop_assert_eq!(found, (expected <= most).then_some(expected));
        }

        #[test]
        fn what_is_kept_is_the_nearest_of_all(
            wanted in "[ab]{3,8}", texts in prop::collection::vec("[ab]{1,9}", 0..30),
        ) {
            let refs: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut all: Vec<(Nearness, String)> = refs
                .iter()
                .filter_map(|text| {
                    let nearness = Nearest::<()>::new(&wanted).measure(text)?;
                    Some((nearness, (*text).to_owned()))
                })
                .collect();
            all.sort_by_key(|(nearness, _)| *nearness);
            all.truncate(MAX_NEAREST);
            let all: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
            prop_assert_eq!(near(&wanted, &refs), all);
        }
    }
}
