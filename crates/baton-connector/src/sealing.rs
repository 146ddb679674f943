//! Secrets on their way out of a connector.

use baton_crypto::{Plaintext, Recipients};
use baton_proto::c1::connector::v2;
use baton_proto::figures::counted;

/// The answer to a request that may have made secrets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answered<T> {
    /// The answer, with the secrets encrypted to the recipients. Its result is
    /// absent in a dry run.
    pub response: T,
    /// What the user must know, as sentences. A recipient whose encryption fails
    /// is named here: it does not lose the copies of the others, nor the answer.
    pub warnings: Vec<String>,
}

/// Encrypts each secret to each recipient, and lists what is lost: copies that failed,
/// and secrets without a recipient.
pub(crate) fn seal(
    recipients: &Recipients,
    secrets: &[Plaintext],
) -> (Vec<v2::EncryptedData>, Vec<String>) {
    let sealed = recipients.seal(secrets);
    let mut lost: Vec<_> = sealed.failures.iter().map(ToString::to_string).collect();
    if recipients.is_empty() && !secrets.is_empty() {
        let made = counted(secrets.len() as u64, "new secret", "new secrets");
        lost.push(format!(
            "{made} cannot be read: the request has no recipient"
        ));
    }
    (sealed.copies, lost)
}
