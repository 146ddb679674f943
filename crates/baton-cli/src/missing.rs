//! Objects that rows refer to and that are not in the file: counted, and
//! listed on request. One warning at the end states the number of references
//! to missing objects.

use std::collections::HashMap;

use baton_term::{Block, Label};

/// Missing objects that are listed, in the order of their first reference.
const MAX_LISTED: usize = 10_000;

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    ResourceType,
    Resource,
    Entitlement,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::ResourceType => "resource type",
            Self::Resource => "resource",
            Self::Entitlement => "entitlement",
        }
    }
}

/// References to missing objects.
#[derive(Debug)]
pub(crate) struct Missing {
    verbose: bool,
    references: u64,
    /// Missing objects, each with the number of references; filled only if
    /// they are to be listed.
    listed: Vec<(String, u64)>,
    places: HashMap<(Kind, String, String), usize>,
    /// References to objects that are not listed.
    unlisted: u64,
}

impl Missing {
    /// None yet. With `verbose`, the report will list them.
    pub fn new(verbose: bool) -> Self {
        Self {
            verbose,
            references: 0,
            listed: Vec::new(),
            places: HashMap::new(),
            unlisted: 0,
        }
    }

    /// Counts a reference. A resource has a type; other objects have none.
    pub fn add(&mut self, kind: Kind, type_id: &str, id: &str) {
        self.references += 1;
        if !self.verbose {
            return;
        }
        let key = (kind, type_id.to_owned(), id.to_owned());
        if let Some(place) = self.places.get(&key) {
            if let Some((_, count)) = self.listed.get_mut(*place) {
                *count += 1;
            }
        } else if self.listed.len() < MAX_LISTED {
            let name = match kind {
                Kind::Resource => format!("resource `{type_id}:{id}`"),
                other => format!("{} `{id}`", other.word()),
            };
            self.places.insert(key, self.listed.len());
            self.listed.push((name, 1));
        } else {
            self.unlisted += 1;
        }
    }

    /// A warning, if anything is missing.
    pub fn report(&self) -> Block {
        let mut block = Block::new();
        let lead = match self.references {
            0 => return block,
            1 => "1 reference leads to an object that is not in the file".to_owned(),
            n => format!("{n} references lead to objects that are not in the file"),
        };
        block.warning(lead);
        if !self.verbose {
            block.labelled(Label::Hint, "list the missing objects with --verbose");
            return block;
        }
        for (name, count) in &self.listed {
            block.indented(2, format!("{name}: {}", references(*count)));
        }
        if self.unlisted > 0 {
            block.indented(2, format!("others: {}", references(self.unlisted)));
        }
        block
    }
}

fn references(count: u64) -> String {
    match count {
        1 => "1 reference".to_owned(),
        n => format!("{n} references"),
    }
}

#[cfg(test)]
mod tests {
    use baton_term::TextGate;

    use super::*;

    fn reported(missing: &Missing) -> String {
        missing.report().render(&TextGate::default(), false)
    }

    #[test]
    fn nothing_missing_is_not_mentioned() {
        assert_eq!(reported(&Missing::new(true)), "");
    }

    #[test]
    fn references_are_counted_and_listed_on_request() {
        for verbose in [false, true] {
            let mut missing = Missing::new(verbose);
            missing.add(Kind::Resource, "user", "u1");
            missing.add(Kind::Entitlement, "", "e");
            missing.add(Kind::Resource, "user", "u1");
            let text = reported(&missing);
            let first = "warning: 3 references lead to objects that are not in the file\n";
            let rest = if verbose {
                "  resource `user:u1`: 2 references\n  entitlement `e`: 1 reference\n"
            } else {
                "hint: list the missing objects with --verbose\n"
            };
            assert_eq!(text, format!("{first}{rest}"));
        }
    }

    #[test]
    fn the_list_has_an_end_and_the_count_has_none() {
        let mut missing = Missing::new(true);
        let count = MAX_LISTED + 5;
        for n in 0..count {
            missing.add(Kind::Entitlement, "", &n.to_string());
        }
        let text = reported(&missing);
        assert!(text.starts_with(&format!("warning: {count} references")));
        assert!(text.ends_with("  others: 5 references\n"));
        assert_eq!(text.lines().count(), MAX_LISTED + 2);
    }
}
