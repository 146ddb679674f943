//! The names of resource traits, as settings spell them.

use baton_proto::c1::connector::v2::resource_type::Trait;

/// What the names of traits begin with in the protocol.
const TRAIT_PREFIX: &str = "TRAIT_";

/// The names of all traits, in lower case and without their prefix.
pub(crate) fn all() -> impl Iterator<Item = (String, Trait)> {
    let numbers = (1..).map_while(|number| Trait::try_from(number).ok());
    numbers.map(|of| {
        let name = of.as_str_name();
        let word = name.strip_prefix(TRAIT_PREFIX).unwrap_or(name);
        (word.to_lowercase(), of)
    })
}

/// The trait with this name, in any letter case, with or without its prefix.
pub(crate) fn named(word: &str) -> Option<Trait> {
    let upper = word.to_uppercase();
    let short = upper.strip_prefix(TRAIT_PREFIX).unwrap_or(&upper);
    let found = all().find(|(known, _)| known.to_uppercase() == short);
    found.map(|(_, of)| of)
}
