//! Lists that are known one by one: resource types, resources, static
//! entitlements. Each is numbered when it is planned; one that starts over
//! gets another number, so that it is known which attempt a row comes from.

use std::collections::BTreeMap;

use baton_c1z::ListId;

#[derive(Debug)]
struct Slot {
    id: ListId,
    /// Its rows count.
    counts: bool,
    /// Nothing more is to be asked for.
    ended: bool,
    /// It has been handed out in this run.
    opened: bool,
}

/// All such lists of a sync.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    slots: Vec<Slot>,
    current: BTreeMap<ListId, u32>,
    /// Slots before this one have been handed out or need not be.
    cursor: usize,
}

impl Plan {
    /// Number of a list, which is planned if it was not.
    pub(crate) fn number(&mut self, id: &ListId) -> u32 {
        match self.current.get(id) {
            Some(number) => *number,
            None => self.add(id.clone(), false),
        }
    }

    fn add(&mut self, id: ListId, opened: bool) -> u32 {
        // Four billion lists would need hundreds of gigabytes before.
        let number = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.current.insert(id.clone(), number);
        self.slots.push(Slot {
            id,
            counts: true,
            ended: false,
            opened,
        });
        number
    }

    fn slot_mut(&mut self, id: &ListId) -> Option<&mut Slot> {
        let number = *self.current.get(id)?;
        self.slots.get_mut(number as usize)
    }

    /// The list starts over: what came before does not count.
    pub(crate) fn restart(&mut self, id: &ListId) {
        let mut opened = false;
        if let Some(slot) = self.slot_mut(id) {
            slot.counts = false;
            slot.ended = true;
            opened = slot.opened;
        }
        self.add(id.clone(), opened);
    }

    pub(crate) fn end(&mut self, id: &ListId) {
        self.number(id);
        if let Some(slot) = self.slot_mut(id) {
            slot.ended = true;
        }
    }

    /// Ends a list whose rows do not count.
    pub(crate) fn drop_list(&mut self, id: &ListId) {
        self.end(id);
        if let Some(slot) = self.slot_mut(id) {
            slot.counts = false;
        }
    }

    pub(crate) fn is_ended(&self, id: &ListId) -> bool {
        self.current
            .get(id)
            .and_then(|number| self.slots.get(*number as usize))
            .is_some_and(|slot| slot.ended)
    }

    /// Lists that are still to be read to their end.
    pub(crate) fn unended(&self) -> impl Iterator<Item = &ListId> {
        let slots = self.slots.iter().filter(|slot| !slot.ended);
        slots.map(|slot| &slot.id)
    }

    pub(crate) fn counts(&self, number: u32) -> bool {
        self.slots
            .get(number as usize)
            .is_some_and(|slot| slot.counts)
    }

    /// Hands out the next list that is still to be read.
    pub(crate) fn open_next(&mut self) -> Option<ListId> {
        while let Some(slot) = self.slots.get_mut(self.cursor) {
            self.cursor += 1;
            if !slot.ended && !slot.opened {
                slot.opened = true;
                return Some(slot.id.clone());
            }
        }
        None
    }

    /// Lists that count, with their numbers.
    pub(crate) fn counting(&self) -> impl Iterator<Item = (u32, &ListId)> {
        self.slots
            .iter()
            .zip(0u32..)
            .filter(|(slot, _)| slot.counts)
            .map(|(slot, number)| (number, &slot.id))
    }

    /// The place of each list in canonical order, by number.
    pub(crate) fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0u32..).take(self.slots.len()).collect();
        let id = |number: &u32| self.slots.get(*number as usize).map(|slot| &slot.id);
        order.sort_by(|a, b| id(a).cmp(&id(b)));
        let mut ranks = vec![0; order.len()];
        for (number, rank) in order.into_iter().zip(0u32..) {
            if let Some(place) = ranks.get_mut(number as usize) {
                *place = rank;
            }
        }
        ranks
    }

    /// Whether rows of some list do not count.
    pub(crate) fn has_losses(&self) -> bool {
        self.slots.iter().any(|slot| !slot.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(id: &str) -> ListId {
        ListId::resources(id, None)
    }

    #[test]
    fn a_list_is_handed_out_once_however_often_it_is_planned() {
        let mut plan = Plan::default();
        assert_eq!(plan.number(&list("b")), plan.number(&list("b")));
        assert_eq!(plan.open_next(), Some(list("b")));
        plan.number(&list("b"));
        plan.restart(&list("b"));
        assert_eq!(plan.open_next(), None);
        plan.number(&list("a"));
        assert_eq!(plan.open_next(), Some(list("a")));
    }

    #[test]
    fn a_restarted_list_of_an_earlier_run_is_handed_out() {
        let mut plan = Plan::default();
        plan.number(&list("a"));
        plan.restart(&list("a"));
        assert_eq!(plan.open_next(), Some(list("a")));
        assert_eq!(plan.open_next(), None);
        assert!(!plan.counts(0));
        assert!(plan.counts(1));
    }

    #[test]
    fn ranks_follow_the_canonical_order() {
        let mut plan = Plan::default();
        for id in ["c", "a", "b"] {
            plan.number(&list(id));
        }
        assert_eq!(plan.ranks(), [2, 0, 1]);
    }

    #[test]
    fn an_ended_list_is_not_handed_out() {
        let mut plan = Plan::default();
        plan.end(&list("a"));
        plan.drop_list(&list("b"));
        assert_eq!(plan.open_next(), None);
        assert!(plan.is_ended(&list("a")) && plan.is_ended(&list("b")));
        assert!(plan.counts(0) && !plan.counts(1));
        assert!(plan.has_losses());
    }
}
