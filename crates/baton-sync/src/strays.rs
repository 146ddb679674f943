//! Rows of types that the connector does not have. They make a result
//! partial: something of the application is not in the file. What a type
//! filter leaves out on purpose is not here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::report::{UnknownKind, UnknownType};

/// Ids that are kept as examples of each kind and type: the smallest, so that
/// they do not depend on the order of pages.
const EXAMPLES: usize = 3;

/// Such rows by kind and type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Strays(BTreeMap<UnknownKind, BTreeMap<String, Stray>>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stray {
    rows: u64,
    ids: BTreeSet<String>,
}

impl Strays {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn note(&mut self, kind: UnknownKind, type_id: &str, id: &str) {
        let types = self.0.entry(kind).or_default();
        let stray = types.entry(type_id.to_owned()).or_default();
        stray.rows += 1;
        stray.add(id);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (kind, types) in &other.0 {
            let own = self.0.entry(*kind).or_default();
            for (type_id, more) in types {
                let stray = own.entry(type_id.clone()).or_default();
                stray.rows += more.rows;
                for id in &more.ids {
                    stray.add(id);
                }
            }
        }
    }

    pub(crate) fn report(&self) -> Vec<UnknownType> {
        let kinds = self.0.iter();
        kinds
            .flat_map(|(kind, types)| {
                types.iter().map(|(type_id, stray)| UnknownType {
                    kind: *kind,
                    resource_type: type_id.clone(),
                    rows: stray.rows,
                    examples: stray.ids.iter().cloned().collect(),
                })
            })
            .collect()
    }
}

impl Stray {
    fn add(&mut self, id: &str) {
        self.ids.insert(id.to_owned());
        if self.ids.len() > EXAMPLES {
            self.ids.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_do_not_depend_on_the_order_of_pages() {
        let page = |ids: &[&str]| {
            let mut strays = Strays::default();
            for id in ids {
                strays.note(UnknownKind::Grant, "robot", id);
            }
            strays
        };
        let pages = [page(&["e", "b"]), page(&["d", "a"]), page(&["c"])];
        let (mut one, mut two) = (Strays::default(), Strays::default());
        for page in &pages {
            one.merge(page);
        }
        for page in pages.iter().rev() {
            two.merge(page);
        }
        assert_eq!(one, two);
        let found = one.report();
        assert_eq!(
            (found[0].rows, found[0].examples.as_slice()),
            (5, ["a", "b", "c"].map(String::from).as_slice())
        );
    }
}
