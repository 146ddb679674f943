//! API tokens and the audit log.

use crate::clock::DATA_DATE_SECONDS;
use crate::config::OrganizationSpec;
use crate::model::{Event, Organization, PROCESSING_MILLIS, Subject, Token};
use crate::random::{below, draw};

pub(super) fn add_tokens(org: &mut Organization, spec: &OrganizationSpec) {
    for number in 0..spec.token_count() {
        let word = draw(spec.seed, 0x70c, u64::from(number));
        // Tokens belong to managed accounts: walk on from the drawn user to the next one.
        let start = below(word, u64::from(spec.users));
        let owner = (0..u64::from(spec.users))
            .filter_map(|step| u32::try_from((start + step) % u64::from(spec.users)).ok())
            .find(|n| org.users[*n as usize].managed);
        let Some(owner) = owner else { return };
        org.tokens.push(Token { owner, gone: false });
        org.tokens_of.entry(owner).or_default().push(number);
    }
}

pub(super) fn add_events(org: &mut Organization, spec: &OrganizationSpec) {
    const DAYS: u64 = 170;
    const ACTIONS: [&str; 5] = [
        "user_added_to_group",
        "user_removed_from_group",
        "group_created",
        "user_token_create",
        "user_added_to_org",
    ];
    let count = u64::from(spec.event_count());
    for number in 0..count {
        let word = draw(spec.seed, 0xe7e, number);
        let user = |w: u64| u32::try_from(below(w, u64::from(spec.users))).unwrap_or(0);
        let group = spec.groups.checked_sub(1).map(|_| {
            u32::try_from(below(word.rotate_left(16), u64::from(spec.groups))).unwrap_or(0)
        });
        let action = ACTIONS[usize::try_from(word % 5).unwrap_or(0)];
        let subject = match (action, group) {
            ("user_added_to_group" | "user_removed_from_group", Some(group)) => {
                Subject::Membership {
                    user: user(word.rotate_left(7)),
                    group,
                }
            }
            ("group_created", Some(group)) => Subject::Group(group),
            ("user_token_create", _) if !org.tokens.is_empty() => Subject::Token(
                u32::try_from(below(word.rotate_left(9), org.tokens.len() as u64)).unwrap_or(0),
            ),
            _ => Subject::User(user(word.rotate_left(7))),
        };
        let action = match subject {
            Subject::User(_) => "user_added_to_org",
            _ => action,
        };
        // Evenly spread over the time that the log is kept, in order.
        let age_millis = (count - number) * (DAYS * 86_400_000 / count.max(1)) - below(word, 1000);
        let at_millis = DATA_DATE_SECONDS * 1000 - i64::try_from(age_millis).unwrap_or(0);
        org.events.push(Event {
            at_millis,
            processing_millis: PROCESSING_MILLIS,
            action,
            actor: user(word),
            subject,
        });
    }
}
