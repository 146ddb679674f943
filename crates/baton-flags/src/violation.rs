//! Broken rules over several fields, with the texts of the Go SDK.

/// A broken relationship.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Some flags of an all-or-none group are set, some are not.
    #[error(
        "if any flags in the group [{}] are set they must all be set; missing [{}]",
        .group.join(" "),
        .missing.join(" ")
    )]
    NotAllSet {
        /// The group, as declared.
        group: Vec<&'static str>,
        /// What is not set, sorted.
        missing: Vec<&'static str>,
    },
    /// None of a group is set.
    #[error("at least one of the flags in the group [{}] is required", .group.join(" "))]
    NoneSet {
        /// The group, as declared.
        group: Vec<&'static str>,
    },
    /// More than one flag of an exclusive group is set.
    #[error(
        "if any flags in the group [{}] are set none of the others can be; [{}] were all set",
        .group.join(" "),
        .set.join(" ")
    )]
    ManySet {
        /// The group, as declared.
        group: Vec<&'static str>,
        /// What is set, sorted.
        set: Vec<&'static str>,
    },
    /// More than one value of an exclusive group is present.
    #[error("fields marked as mutually exclusive were set: {}", listed(.set))]
    ManyPresent {
        /// The present fields.
        set: Vec<&'static str>,
    },
    /// Some values of an all-or-none group are absent.
    #[error("fields marked as needed together are missing: {}", listed(.missing))]
    NotAllPresent {
        /// The absent fields.
        missing: Vec<&'static str>,
    },
    /// All values of a group are absent.
    #[error("at least one field was expected, any of: {}", listed(.group))]
    NonePresent {
        /// The group.
        group: Vec<&'static str>,
    },
    /// A dependent value is present without what it needs.
    #[error("set fields {} are dependent on {} being set", listed(.set), listed(.on))]
    Dependent {
        /// The dependent fields that are present.
        set: Vec<&'static str>,
        /// The absent fields that they need.
        on: Vec<&'static str>,
    },
}

/// `('a')`, `('a' and 'b')`, `('a', 'b', and 'c')`.
fn listed(names: &[&'static str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let text = match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [head @ .., last] => format!("{}, and {last}", head.join(", ")),
    };
    format!("({text})")
}
