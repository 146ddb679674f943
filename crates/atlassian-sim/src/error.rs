//! What can go wrong on the caller's side of the simulator: a spec out of range, a change of something that is not there.

/// An error of the simulator's own interface (not of the simulated API).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value of the organization spec is out of its range.
    #[error("`{name}` is {value}, but must be between {least} and {most}")]
    OutOfRange {
        /// The field.
        name: &'static str,
        /// What it was.
        value: u64,
        /// Smallest allowed.
        least: u64,
        /// Largest allowed.
        most: u64,
    },
    /// No living user has the account id.
    #[error("no user with account id `{0}`")]
    UnknownUser(String),
    /// No living group has the id.
    #[error("no group with id `{0}`")]
    UnknownGroup(String),
    /// No directory has the id.
    #[error("no directory with id `{0}`")]
    UnknownDirectory(String),
    /// No resource has the ARI.
    #[error("no resource with id `{0}`")]
    UnknownResource(String),
    /// No living token has the id.
    #[error("no API token with id `{0}`")]
    UnknownToken(String),
    /// No endpoint has the name.
    #[error("no endpoint with name `{0}`")]
    UnknownEndpoint(String),
    /// Members must be in the group's directory.
    #[error("user `{account_id}` is not in the directory of group `{group_id}`")]
    NotInDirectory {
        /// The user.
        account_id: String,
        /// The group.
        group_id: String,
    },
    /// A fault rule that does not follow the grammar.
    #[error("fault `{rule}`: {reason}")]
    FaultSyntax {
        /// The rule as given.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A rate limit that is neither `off`, `default` nor a number per second or minute.
    #[error("rate limit `{0}` is not `off`, `default`, `<number>/s` or `<number>/m`")]
    RateLimitSyntax(String),
    /// A duration without a known unit.
    #[error("duration `{0}` is not a number with `ms`, `s` or `m`, for example `40ms`")]
    DurationSyntax(String),
    /// A budget that does not name an endpoint and a number.
    #[error("budget `{0}` is not an endpoint and a number, for example `GET v1/events=10`")]
    BudgetSyntax(String),
    /// A rate of events that is not a number per time.
    #[error(
        "event rate `{0}` is not a number per time, for example `30/min`, `5/s` or `10000/10m`"
    )]
    EventRateSyntax(String),
    /// The socket failed.
    #[error("cannot serve the simulator")]
    Serve(#[from] std::io::Error),
}
