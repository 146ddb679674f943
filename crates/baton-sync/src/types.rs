//! The resource types of a running sync: which there are, what their
//! resources must carry, and which listings they opt out of.

use baton_proto::any;
use baton_proto::c1::connector::v2::{self, resource_type::Trait};

/// Listings that a type or a resource opts out of (annotations.md, "Sync control").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Skips {
    both: bool,
    entitlements: bool,
    grants: bool,
}

impl Skips {
    pub(crate) fn of(annotations: &[prost_types::Any]) -> Self {
        Self {
            both: any::contains::<v2::SkipEntitlementsAndGrants>(annotations),
            entitlements: any::contains::<v2::SkipEntitlements>(annotations),
            grants: any::contains::<v2::SkipGrants>(annotations),
        }
    }

    /// Whether a resource with these marks, of a type with marks `of_type`,
    /// is asked for its entitlements.
    pub(crate) fn wants_entitlements(self, of_type: Self) -> bool {
        !(self.both || of_type.both || self.entitlements || of_type.entitlements)
    }

    /// The same for grants. A `SkipGrants` on the type has no effect in the
    /// format's contract (sync-runtime.md §10, trap 1).
    pub(crate) fn wants_grants(self, of_type: Self) -> bool {
        !(self.grants || self.both || of_type.both)
    }

    /// Whether a resource with these marks, of a type with marks `of_type`,
    /// has neither entitlements nor grants to be listed.
    pub(crate) fn skips_both(self, of_type: Self) -> bool {
        self.both || of_type.both
    }

    pub(crate) fn to_bits(self) -> u8 {
        u8::from(self.both) | u8::from(self.entitlements) << 1 | u8::from(self.grants) << 2
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self {
            both: bits & 1 != 0,
            entitlements: bits & 2 != 0,
            grants: bits & 4 != 0,
        }
    }
}

/// What the engine knows of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TypeFacts {
    pub(crate) traits: Vec<i32>,
    pub(crate) skips: Skips,
    /// Entitlements are listed for the whole type.
    pub(crate) scoped_entitlements: bool,
    /// Grants are listed for the whole type.
    pub(crate) scoped_grants: bool,
}

impl TypeFacts {
    pub(crate) fn of(kind: &v2::ResourceType) -> Self {
        Self {
            traits: kind.traits.clone(),
            skips: Skips::of(&kind.annotations),
            scoped_entitlements: any::contains::<v2::TypeScopedEntitlements>(&kind.annotations),
            scoped_grants: any::contains::<v2::TypeScopedGrants>(&kind.annotations),
        }
    }

    pub(crate) fn has(&self, wanted: Trait) -> bool {
        self.traits.contains(&(wanted as i32))
    }

    /// The name of a trait message that the type promises and `annotations`
    /// lack. Only five traits are held to it (sync-runtime.md §3.1).
    pub(crate) fn missing_trait(&self, annotations: &[prost_types::Any]) -> Option<&'static str> {
        let lacks = |wanted, there: bool| self.has(wanted) && !there;
        if lacks(Trait::App, any::contains::<v2::AppTrait>(annotations)) {
            return Some("AppTrait");
        }
        if lacks(Trait::Group, any::contains::<v2::GroupTrait>(annotations)) {
            return Some("GroupTrait");
        }
        if lacks(Trait::User, any::contains::<v2::UserTrait>(annotations)) {
            return Some("UserTrait");
        }
        if lacks(Trait::Role, any::contains::<v2::RoleTrait>(annotations)) {
            return Some("RoleTrait");
        }
        lacks(Trait::Secret, any::contains::<v2::SecretTrait>(annotations)).then_some("SecretTrait")
    }
}

/// The types that are part of a sync, sorted by id. A type's number is its
/// place in that order, fixed once all types are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TypeTable {
    types: Vec<(String, TypeFacts)>,
}

impl TypeTable {
    /// Adds a type; a later one of the same id replaces it.
    pub(crate) fn insert(&mut self, id: String, facts: TypeFacts) {
        match self.place(&id) {
            Ok(at) => self.types[at].1 = facts,
            Err(at) => self.types.insert(at, (id, facts)),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.types.clear();
    }

    fn place(&self, id: &str) -> Result<usize, usize> {
        self.types.binary_search_by(|(own, _)| own.as_str().cmp(id))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&TypeFacts> {
        let at = self.place(id).ok()?;
        self.types.get(at).map(|(_, facts)| facts)
    }

    pub(crate) fn number(&self, id: &str) -> Option<u32> {
        self.place(id).ok().and_then(|at| u32::try_from(at).ok())
    }

    /// Id and facts of the type with this number.
    pub(crate) fn numbered(&self, number: u32) -> Option<(&str, &TypeFacts)> {
        let (id, facts) = self.types.get(number as usize)?;
        Some((id, facts))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &TypeFacts)> {
        self.types.iter().map(|(id, facts)| (id.as_str(), facts))
    }

    /// Whether records about resources of type `id` belong to the sync: it
    /// is stored, or no type is named (sync-runtime.md §3.2).
    pub(crate) fn knows(&self, id: &str) -> bool {
        id.is_empty() || self.place(id).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skips(bits: u8) -> Skips {
        Skips::from_bits(bits)
    }

    #[test]
    fn skip_grants_on_a_type_skips_nothing() {
        assert!(skips(0).wants_grants(skips(4)));
        assert!(!skips(4).wants_grants(skips(0)));
        assert!(skips(4).wants_entitlements(skips(4)));
    }

    #[test]
    fn other_skips_count_on_the_type_and_on_the_resource() {
        for (resource, of_type) in [(1, 0), (0, 1)] {
            assert!(!skips(resource).wants_grants(skips(of_type)));
            assert!(!skips(resource).wants_entitlements(skips(of_type)));
        }
        for (resource, of_type) in [(2, 0), (0, 2)] {
            assert!(skips(resource).wants_grants(skips(of_type)));
            assert!(!skips(resource).wants_entitlements(skips(of_type)));
        }
    }

    #[test]
    fn skip_marks_survive_packing() {
        for bits in 0..8 {
            assert_eq!(skips(bits).to_bits(), bits);
        }
    }

    #[test]
    fn a_trait_without_its_message_is_found_for_five_traits_only() {
        for (kind, missing) in [
            (Trait::User, Some("UserTrait")),
            (Trait::Group, Some("GroupTrait")),
            (Trait::Role, Some("RoleTrait")),
            (Trait::App, Some("AppTrait")),
            (Trait::Secret, Some("SecretTrait")),
            (Trait::Vendor, None),
        ] {
            let facts = TypeFacts {
                traits: vec![kind as i32],
                ..TypeFacts::default()
            };
            assert_eq!(facts.missing_trait(&[]), missing);
        }
        let user = TypeFacts {
            traits: vec![Trait::User as i32],
            ..TypeFacts::default()
        };
        let there = [any::pack(&v2::UserTrait::default())];
        assert_eq!(user.missing_trait(&there), None);
    }
}
