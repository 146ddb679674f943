//! Secrets on their way out of a connector.

use baton_crypto::{Plaintext, Recipients};
use baton_proto::c1::connector::v2;
use baton_proto::figures::counted;
use v2::credential_options::Options;

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
/// and new secrets without a recipient. A password that `options` carry is not new.
pub(crate) fn seal(
    recipients: &Recipients,
    secrets: &[Plaintext],
    options: Option<&v2::CredentialOptions>,
) -> (Vec<v2::EncryptedData>, Vec<String>) {
    let sealed = recipients.seal(secrets);
    let mut lost: Vec<_> = sealed.failures.iter().map(ToString::to_string).collect();
    let options = options.and_then(|options| options.options.as_ref());
    let are_new = !matches!(options, Some(Options::EncryptedPassword(_)));
    if recipients.is_empty() && !secrets.is_empty() && are_new {
        let made = counted(secrets.len() as u64, "new secret", "new secrets");
        lost.push(format!(
            "{made} cannot be read: the request has no recipient"
        ));
    }
    (sealed.copies, lost)
}

#[cfg(test)]
mod tests {
    use v2::credential_options::{EncryptedPassword, RandomPassword};

    use super::*;

    #[test]
    fn a_secret_without_recipient_is_lost_if_it_is_new() {
        let none = Recipients::parse(&[]).expect("no recipient is refused");
        let secrets = [Plaintext::new("password", *b"s3cret")];
        let lost = |options: Option<Options>| {
            let options = options.map(|options| v2::CredentialOptions {
                options: Some(options),
                ..v2::CredentialOptions::default()
            });
            let (copies, lost) = seal(&none, &secrets, options.as_ref());
            assert!(copies.is_empty());
            lost
        };
        let text = "1 new secret cannot be read: the request has no recipient";
        assert_eq!(lost(None), [text]);
        let random = Options::RandomPassword(RandomPassword::default());
        assert_eq!(lost(Some(random)), [text]);
        let given = Options::EncryptedPassword(EncryptedPassword::default());
        assert!(lost(Some(given)).is_empty());
        assert!(seal(&none, &[], None).1.is_empty());
    }
}
