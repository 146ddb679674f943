//! Numbers for ids, given as they are met.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::index::{ResourceType, narrow};
use crate::propagate::MAX_NUMBER;

/// Strings to numbers, from 0.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Box<str>, u32>,
}

impl Names {
    pub(crate) fn get(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The names, by number.
    pub(crate) fn in_order(&self) -> Vec<&str> {
        let mut names = vec![""; self.numbers.len()];
        for (name, &number) in &self.numbers {
            names[number as usize] = name;
        }
        names
    }

    /// The number of a name, a new one if need be.
    pub(crate) fn intern(&mut self, what: &'static str, name: &str) -> Result<u32> {
        if let Some(&known) = self.numbers.get(name) {
            return Ok(known);
        }
        let number = next_number(what, self.numbers.len())?;
        self.numbers.insert(name.into(), number);
        Ok(number)
    }
}

fn next_number(what: &'static str, count: usize) -> Result<u32> {
    match u32::try_from(count) {
        Ok(number) if number <= MAX_NUMBER => Ok(number),
        _ => Err(Error::TooMany {
            what,
            limit: u64::from(MAX_NUMBER),
        }),
    }
}

/// Principals: (resource type, resource) pairs to numbers. First in order of
/// appearance; [`Principals::into_canonical`] gives the final ones.
#[derive(Debug, Default)]
pub(crate) struct Principals {
    types: Names,
    /// By type: ids to numbers.
    by_type: Vec<HashMap<Box<str>, u32>>,
    count: usize,
}

impl Principals {
    pub(crate) fn intern_type(&mut self, name: &str) -> Result<ResourceType> {
        let number = self.types.intern("resource types", name)?;
        if number as usize == self.by_type.len() {
            self.by_type.push(HashMap::new());
        }
        Ok(ResourceType(number))
    }

    pub(crate) fn intern(&mut self, type_id: &str, id: &str) -> Result<u32> {
        let kind = self.intern_type(type_id)?;
        let of_type = &mut self.by_type[kind.0 as usize];
        if let Some(&known) = of_type.get(id) {
            return Ok(known);
        }
        let number = next_number("principals", self.count)?;
        of_type.insert(id.into(), number);
        self.count += 1;
        Ok(number)
    }

    pub(crate) fn get(&self, type_id: &str, id: &str) -> Option<u32> {
        let kind = self.types.get(type_id)?;
        self.by_type[kind as usize].get(id).copied()
    }

    /// Renumbers the principals by type and id. Gives the directory, and
    /// for every old number the new one.
    pub(crate) fn into_canonical(self) -> (Directory, Vec<u32>) {
        let mut types: Vec<(Box<str>, u32)> = self.types.numbers.into_iter().collect();
        types.sort_unstable();
        let mut by_type = self.by_type;
        let mut new_numbers = vec![0_u32; self.count];
        let mut directory = Directory {
            type_names: vec![Box::default(); types.len()],
            types_in_order: Vec::with_capacity(types.len()),
            ids: Vec::with_capacity(self.count),
            kinds: Vec::with_capacity(self.count),
        };
        for (name, number) in types {
            let of_type = std::mem::take(&mut by_type[number as usize]);
            let mut ids: Vec<(Box<str>, u32)> = of_type.into_iter().collect();
            ids.sort_unstable();
            let start = directory.ids.len();
            for (id, old) in ids {
                new_numbers[old as usize] = narrow(directory.ids.len());
                directory.ids.push(id);
                directory.kinds.push(ResourceType(number));
            }
            let range = narrow(start)..narrow(directory.ids.len());
            directory.types_in_order.push((ResourceType(number), range));
            directory.type_names[number as usize] = name;
        }
        (directory, new_numbers)
    }
}

/// All principals in canonical order: what a number stands for.
#[derive(Debug)]
pub(crate) struct Directory {
    type_names: Vec<Box<str>>,
    types_in_order: Vec<(ResourceType, std::ops::Range<u32>)>,
    ids: Vec<Box<str>>,
    kinds: Vec<ResourceType>,
}

impl Directory {
    /// The resource type of every principal.
    pub(crate) fn kinds(&self) -> &[ResourceType] {
        &self.kinds
    }

    /// Type and id of a principal.
    pub(crate) fn name(&self, principal: u32) -> (&str, &str) {
        let at = principal as usize;
        (&self.type_names[self.kinds[at].0 as usize], &self.ids[at])
    }

    /// The number of a principal.
    pub(crate) fn find(&self, type_id: &str, id: &str) -> Option<u32> {
        let at = self
            .types_in_order
            .binary_search_by(|(kind, _)| (*self.type_names[kind.0 as usize]).cmp(type_id))
            .ok()?;
        let range = &self.types_in_order[at].1;
        let ids = &self.ids[range.start as usize..range.end as usize];
        let offset = ids.binary_search_by(|known| (**known).cmp(id)).ok()?;
        Some(range.start + narrow(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_numbered_by_type_then_id() {
        let mut principals = Principals::default();
        principals.intern_type("unused").expect("few");
        let met = [("user", "b"), ("app", "z"), ("user", "a"), ("user", "b")];
        let old: Vec<_> = met
            .iter()
            .map(|(t, i)| principals.intern(t, i).expect("few"))
            .collect();
        assert_eq!(old, [0, 1, 2, 0]);
        let (directory, new) = principals.into_canonical();
        assert_eq!(new, [2, 0, 1]);
        for (type_id, id) in met {
            let number = directory.find(type_id, id).expect("known");
            assert_eq!(directory.name(number), (type_id, id));
        }
        assert_eq!(directory.find("app", "a"), None);
        assert_eq!(directory.find("group", "a"), None);
        assert_eq!(directory.kinds().len(), 3);
    }
}
