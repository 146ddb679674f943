//! API tokens and the audit log.

use crate::config::OrganizationSpec;
use crate::model::audit::DATA_DATE_MILLIS;
use crate::model::{Event, Organization, PROCESSING_MILLIS, Token};
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
    let count = u64::from(spec.event_count());
    for number in 0..count {
        let word = draw(spec.seed, 0xe7e, number);
        let (action, actor, subject) = super::event(org, word);
        // Evenly spread over the time that the log is kept, in order.
        let age_millis = (count - number) * (DAYS * 86_400_000 / count.max(1)) - below(word, 1000);
        let at_millis = DATA_DATE_MILLIS - i64::try_from(age_millis).unwrap_or(0);
        org.events.push(Event {
            at_millis,
            processing_millis: PROCESSING_MILLIS,
            action,
            actor,
            subject,
        });
    }
}
