//! Rows that one list brought more than once. The last one holds; how many
//! there were is reported, with a few ids.

use std::collections::{BTreeMap, BTreeSet};

use baton_c1z::{ListId, Op};
use baton_connector::{ExpectedDuplicates as Reasons, LocalHooks};

use crate::list;
use crate::report::Repeated;

/// Ids that are kept as examples: the smallest, so that they do not depend on
/// the order of pages.
const EXAMPLES: usize = 3;

/// Of one list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Repeats {
    rows: u64,
    ids: BTreeSet<String>,
}

impl Repeats {
    pub(crate) fn add(&mut self, id: String) {
        self.rows += 1;
        self.insert(id);
    }

    fn insert(&mut self, id: String) {
        self.ids.insert(id);
        if self.ids.len() > EXAMPLES {
            self.ids.pop_last();
        }
    }
}

/// Those of all lists by what was listed, with the connector's reasons.
pub(crate) fn report(
    lists: &BTreeMap<ListId, Repeats>,
    connector: Option<&dyn LocalHooks>,
) -> Vec<Repeated> {
    let mut kinds: BTreeMap<(Op, &str), Repeats> = BTreeMap::new();
    for (list, repeats) in lists {
        let kind = kinds
            .entry((list.op(), list::counted_type(list)))
            .or_default();
        kind.rows += repeats.rows;
        repeats.ids.iter().for_each(|id| kind.insert(id.clone()));
    }
    kinds
        .into_iter()
        .map(|((op, type_id), repeats)| {
            let known =
                connector.map_or_else(Reasons::default, |local| local.expected_duplicates(type_id));
            let reason = match op {
                Op::Resources => known.resources,
                Op::Grants => known.grants,
                _ => None,
            };
            Repeated {
                what: list::noun(op).to_owned(),
                resource_type: type_id.to_owned(),
                rows: repeats.rows,
                examples: repeats.ids.into_iter().collect(),
                reason: reason.map(str::to_owned),
            }
        })
        .collect()
}
