//! The steps between sorting and writing. Each is optional and knows nothing
//! of the others.

use super::check::RowCheck;
use super::expand::Expander;
use super::replace::GrantReplacer;

/// What [`seal`](super::seal()) does between sorting and writing, in the order
/// of the fields.
#[derive(Default)]
pub struct SealSteps<'a> {
    /// Replaces placeholders of external principals.
    pub replace: Option<&'a mut dyn GrantReplacer>,
    /// Checks the rows as a whole.
    pub check: Option<&'a mut dyn RowCheck>,
    /// Derives grants from grants.
    pub expand: Option<&'a mut dyn Expander>,
}

/// What a merge of files does between sorting and writing, in the order of the
/// fields.
#[derive(Default)]
pub struct MergeSteps<'a> {
    /// Checks the rows as a whole.
    pub check: Option<&'a mut dyn RowCheck>,
    /// Derives grants from grants.
    pub expand: Option<&'a mut dyn Expander>,
}

impl<'a> SealSteps<'a> {
    /// Only expands.
    pub fn expand(expander: &'a mut dyn Expander) -> Self {
        Self {
            expand: Some(expander),
            ..Self::default()
        }
    }
}

impl<'a> MergeSteps<'a> {
    /// Only expands.
    pub fn expand(expander: &'a mut dyn Expander) -> Self {
        Self {
            check: None,
            expand: Some(expander),
        }
    }
}

/// The names of the steps that are set.
fn names(steps: [(&'static str, bool); 3]) -> Vec<&'static str> {
    let set = steps.into_iter().filter(|(_, is_set)| *is_set);
    set.map(|(name, _)| name).collect()
}

impl std::fmt::Debug for SealSteps<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = [
            ("replace", self.replace.is_some()),
            ("check", self.check.is_some()),
            ("expand", self.expand.is_some()),
        ];
        f.debug_tuple("SealSteps").field(&names(steps)).finish()
    }
}

impl std::fmt::Debug for MergeSteps<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = [
            ("replace", false),
            ("check", self.check.is_some()),
            ("expand", self.expand.is_some()),
        ];
        f.debug_tuple("MergeSteps").field(&names(steps)).finish()
    }
}
