//! What a client did wrong.

use std::fmt;

use crate::Call;

/// One thing that a client did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The call; `None` for what never came.
    pub call: Option<(Call, u64)>,
    /// What is wrong, as a sentence without a full stop.
    pub text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call {
            Some((call, nth)) => write!(f, "{call} {nth}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}
