//! How many requests may be on the wire at once.

/// The cap of concurrent requests. The default is [`InFlight::Auto`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InFlight {
    /// Led by the rate limiter, at most [`InFlight::AUTO_CAP`].
    #[default]
    Auto,
    /// At most so many; 0 counts as 1.
    AtMost(u32),
    /// One after the other.
    Sequential,
}

impl InFlight {
    /// The cap of [`InFlight::Auto`], whatever the number of CPUs.
    pub const AUTO_CAP: usize = 32;

    /// The cap as a number, at least 1.
    pub fn cap(self) -> usize {
        match self {
            Self::Auto => Self::AUTO_CAP,
            Self::AtMost(n) => usize::try_from(n).unwrap_or(usize::MAX).max(1),
            Self::Sequential => 1,
        }
    }
}
