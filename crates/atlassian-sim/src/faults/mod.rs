//! Scripted misbehaviour: which requests go wrong, and how. Deterministic: chances come from a seed and the call's number.

pub(crate) mod apply;
pub(crate) mod grammar;
mod pages;
mod shapes;

use std::time::Duration;

pub use shapes::WrongShape;

use crate::random::{below, draw};

/// Which of the requests that match a fault's endpoint are hit; counted from 1, per fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Every one.
    All,
    /// Only this one.
    Nth(u64),
    /// From the first to the second number, both included.
    Between(u64, u64),
    /// This one and all later ones.
    From(u64),
    /// Every n-th.
    Every(u64),
    /// Each with this chance in a thousand.
    PerMille(u32),
}

/// Which pages of a list are hit. An answer that is not a page of a list counts as its only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pages {
    /// All.
    #[default]
    Any,
    /// Those that are asked for without a cursor.
    First,
    /// Those that are asked for with one.
    Later,
    /// Those that would name no next page.
    Last,
}

/// Where a request stands in its list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ListPosition {
    /// It has a cursor.
    pub later: bool,
    /// Its answer would name no next page.
    pub last: bool,
}

impl Pages {
    fn hold(self, place: ListPosition) -> bool {
        match self {
            Self::Any => true,
            Self::First => !place.later,
            Self::Later => place.later,
            Self::Last => place.last,
        }
    }
}

/// Content of `Retry-After` in an injected 429.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// No such header.
    Absent,
    /// A number of seconds; may be negative or huge.
    Seconds(i64),
    /// An HTTP date this many seconds from now.
    HttpDate(i64),
    /// Any text.
    Text(String),
}

/// How long an unanswered request stays open; longer than any client waits.
pub const HANG_LIMIT: Duration = Duration::from_mins(10);

/// How a request goes wrong. A request that is answered with an error or a web page is not carried out, except where the
/// action's description states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// 429 without quota headers.
    TooManyRequests(RetryAfter),
    /// An error of the API with this status.
    Status(u16),
    /// An error of the API with this status and code; with an empty code the gateway's, which has none.
    Refuse(u16, &'static str),
    /// A web page with this status, as a proxy answers.
    HtmlPage(u16),
    /// The connection is reset before an answer. The request is not carried out.
    ConnectionReset,
    /// The request is carried out, then the connection is reset before an answer.
    LoseAnswer,
    /// The request is carried out and never answered: after [`HANG_LIMIT`] the connection is reset.
    Hang,
    /// The request is carried out and answered with an error of the API with this status.
    MaskAnswer(u16),
    /// The answer ends after this many bytes (`None`: in the middle) though more were announced.
    Truncate(Option<usize>),
    /// A complete answer that is not JSON.
    InvalidJson,
    /// A success in another shape than the documented one.
    Shape(WrongShape),
    /// `next` of a page is the cursor that the page was asked with.
    RepeatCursor,
    /// A page names no next page, whether there is one or not.
    CutCursor,
    /// Every item of a page comes twice.
    RepeatItems,
    /// The page states this number of items as the list's total.
    Total(u64),
    /// The next cursor leads to the same page again: on some pages that makes items come twice, on all of them the list
    /// never ends.
    SamePage,
    /// A page has no items, and its next cursor leads to the page that it should have been.
    EmptyPage,
    /// The request is answered as if it had no filters.
    IgnoreFilters,
    /// A request with a cursor is answered with the error for an invalid cursor.
    ExpireCursor,
    /// The body arrives in pieces of this many bytes with this pause between.
    SlowDrip {
        /// Bytes per piece, at least 1.
        bytes: usize,
        /// Pause before each further piece.
        pause: Duration,
    },
    /// A page size above this one is refused with 400.
    RefusePageSize(u32),
    /// The answer comes this much later.
    Delay(Duration),
}

/// A rule: requests of `endpoint` that `calls` picks suffer `action`.
///
/// ```
/// use atlassian_sim::{Action, Calls, Fault, RetryAfter};
/// let written: Fault = "GET v2/groups#2=429:retry-after=5".parse()?;
/// let built = Fault::new("GET v2/groups", Calls::Nth(2), Action::TooManyRequests(RetryAfter::Seconds(5)));
/// assert_eq!(written, built);
/// # Ok::<(), atlassian_sim::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// An endpoint's name with or without the method (`GET v2/users`, `v2/users`), `GET *`, or `*` for all requests.
    pub endpoint: String,
    /// Which pages.
    pub pages: Pages,
    /// Which of the requests for such pages.
    pub calls: Calls,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// A rule from its parts.
    pub fn new(endpoint: impl Into<String>, calls: Calls, action: Action) -> Self {
        Self {
            endpoint: endpoint.into(),
            pages: Pages::Any,
            calls,
            action,
        }
    }

    /// The same rule for these pages only.
    #[must_use]
    pub fn on(self, pages: Pages) -> Self {
        Self { pages, ..self }
    }

    fn concerns(&self, method: &str, endpoint: Option<&str>) -> bool {
        let (wanted_method, wanted) = match self.endpoint.split_once(' ') {
            Some((method, rest)) => (Some(method), rest),
            None => (None, self.endpoint.as_str()),
        };
        let path = endpoint
            .and_then(|name| name.split_once(' '))
            .map(|(_, path)| path);
        wanted_method.is_none_or(|m| m == method) && (wanted == "*" || path == Some(wanted))
    }
}

/// Set on a response whose connection is to break. A transport that calls the router in process turns it into its own
/// error; over a socket the server breaks the connection. The body of such a response fails when it is read, so a
/// transport that ignores the mark notices all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportFault {
    /// No answer: the connection was reset, before or after the request was carried out.
    ConnectionReset,
    /// The answer breaks off inside the body.
    Truncated,
}

/// The rules with their counters.
#[derive(Debug)]
pub(crate) struct FaultPlan {
    rules: Vec<(Fault, u64)>,
    seed: u64,
}

impl FaultPlan {
    pub(crate) fn new(rules: Vec<Fault>, seed: u64) -> Self {
        Self {
            rules: rules.into_iter().map(|r| (r, 0)).collect(),
            seed,
        }
    }

    /// Whether any rule looks at such requests, and whether one needs to know if the page is the last.
    pub(crate) fn looks_at(&self, method: &str, endpoint: Option<&str>) -> (bool, bool) {
        let rules = self.rules.iter().map(|(rule, _)| rule);
        let mut concerned = rules
            .filter(|rule| rule.concerns(method, endpoint))
            .peekable();
        let any = concerned.peek().is_some();
        (any, concerned.any(|rule| rule.pages == Pages::Last))
    }

    /// How many requests each rule has counted.
    pub(crate) fn seen(&self) -> Vec<u64> {
        self.rules.iter().map(|(_, seen)| *seen).collect()
    }

    /// The first action for this request; counters of all rules that concern it advance.
    pub(crate) fn next(
        &mut self,
        method: &str,
        endpoint: Option<&str>,
        page: ListPosition,
    ) -> Option<Action> {
        let seed = self.seed;
        let mut found = None;
        for (place, (rule, seen)) in (0_u64..).zip(&mut self.rules) {
            if !rule.concerns(method, endpoint) || !rule.pages.hold(page) {
                continue;
            }
            *seen += 1;
            let hit = match rule.calls {
                Calls::All => true,
                Calls::Nth(n) => *seen == n,
                Calls::Between(first, last) => (first..=last).contains(seen),
                Calls::From(n) => *seen >= n,
                Calls::Every(n) => n > 0 && seen.is_multiple_of(n),
                Calls::PerMille(chance) => {
                    below(draw(seed, 0xfa17 + place, *seen), 1000) < u64::from(chance)
                }
            };
            if hit && found.is_none() {
                found = Some(rule.action.clone());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(calls: Calls) -> Vec<u64> {
        let mut plan = FaultPlan::new(vec![Fault::new("v2/users", calls, Action::Status(500))], 1);
        (1..=10)
            .filter(|_| {
                plan.next("GET", Some("GET v2/users"), ListPosition::default())
                    .is_some()
            })
            .collect()
    }

    #[test]
    fn calls_are_counted_per_rule() {
        assert_eq!(hits(Calls::All).len(), 10);
        assert_eq!(hits(Calls::Nth(3)), [3]);
        assert_eq!(hits(Calls::Between(2, 4)), [2, 3, 4]);
        assert_eq!(hits(Calls::From(9)), [9, 10]);
        assert_eq!(hits(Calls::Every(4)), [4, 8]);
        assert_eq!(hits(Calls::PerMille(0)), [0; 0]);
        assert_eq!(hits(Calls::PerMille(1000)).len(), 10);
        assert_eq!(
            hits(Calls::PerMille(400)),
            hits(Calls::PerMille(400)),
            "a chance is the same in every run"
        );
    }

    #[test]
    fn rules_match_method_and_endpoint() {
        let rule = |endpoint: &str| Fault::new(endpoint, Calls::All, Action::Status(500));
        assert!(rule("*").concerns("GET", None));
        assert!(rule("GET *").concerns("GET", Some("GET v2/users")));
        assert!(!rule("POST *").concerns("GET", Some("GET v2/users")));
        assert!(rule("v2/users").concerns("GET", Some("GET v2/users")));
        assert!(!rule("v2/users").concerns("GET", Some("GET v2/users/{id}")));
        assert!(!rule("v2/users").concerns("GET", None));
    }

    #[test]
    fn pages_are_told_apart_and_counted_apart() {
        let rule = |pages| Fault::new("*", Calls::Nth(2), Action::Status(500)).on(pages);
        let all = [Pages::Any, Pages::First, Pages::Later, Pages::Last];
        let mut plan = FaultPlan::new(all.into_iter().map(rule).collect(), 1);
        for (later, last) in [(false, false), (true, false), (true, true), (false, true)] {
            plan.next("GET", None, ListPosition { later, last });
        }
        assert_eq!(plan.seen(), [4, 2, 2, 2]);
    }

    #[test]
    fn the_first_matching_rule_acts_and_all_count() {
        let rules = vec![
            Fault::new("*", Calls::Nth(1), Action::Status(500)),
            Fault::new("*", Calls::From(2), Action::Status(502)),
        ];
        let mut plan = FaultPlan::new(rules, 1);
        assert_eq!(
            plan.next("GET", None, ListPosition::default()),
            Some(Action::Status(500))
        );
        assert_eq!(
            plan.next("GET", None, ListPosition::default()),
            Some(Action::Status(502))
        );
    }
}
