//! Credential options of a request as those that a connector sees
//! (`service-mode.md` §5.3).

use std::fmt;

use baton_proto::c1::connector::v2;
use v2::credential_options::Options as Requested;
use v2::local_credential_options::{
    NoPassword, Options as Local, PlaintextPassword, RandomPassword, Sso,
};
use zeroize::Zeroize as _;

use crate::client_secret::ClientSecret;
use crate::error::{Error, Result};
use crate::fault::OptionsFault;

/// Credential options with a password that may be readable. They do not print,
/// and the password is overwritten when they are dropped.
pub struct LocalOptions(v2::LocalCredentialOptions);

impl LocalOptions {
    /// The options of a request, with the password decrypted if there is one.
    /// Absent options stay absent.
    ///
    /// # Errors
    /// [`Error::Options`]: options without a kind, or a password that cannot be
    /// decrypted.
    pub fn of_request(
        requested: Option<&v2::CredentialOptions>,
        configs: &[v2::EncryptionConfig],
        secret: Option<&ClientSecret>,
    ) -> Result<Option<Self>> {
        let Some(requested) = requested else {
            return Ok(None);
        };
        let mut local = Self(v2::LocalCredentialOptions {
            force_change_at_next_login: requested.force_change_at_next_login,
            options: None,
        });
        local.0.options = match &requested.options {
            Some(Requested::RandomPassword(wanted)) => {
                Some(Local::RandomPassword(RandomPassword {
                    length: wanted.length,
                    constraints: wanted.constraints.clone(),
                }))
            }
            Some(Requested::NoPassword(_)) => Some(Local::NoPassword(NoPassword {})),
            Some(Requested::Sso(sso)) => Some(Local::Sso(Sso {
                sso_provider: sso.sso_provider.clone(),
            })),
            Some(Requested::EncryptedPassword(given)) if given.encrypted_passwords.is_empty() => {
                None
            }
            Some(Requested::EncryptedPassword(given)) => {
                if !configs.is_empty() {
                    return Err(Error::Options(OptionsFault::EncryptionConfigs));
                }
                let secret = secret.ok_or(Error::Options(OptionsFault::NoClientSecret))?;
                let password = decrypt(&given.encrypted_passwords, secret)?;
                Some(Local::PlaintextPassword(password))
            }
            None => return Err(Error::Options(OptionsFault::NoKind)),
        };
        Ok(Some(local))
    }

    /// The options themselves. Calls of this method are the places to review.
    pub fn expose(&self) -> &v2::LocalCredentialOptions {
        &self.0
    }
}

/// The first password that the client secret decrypts. Copies for other keys
/// are skipped; a damaged copy fails only if no other can be read.
fn decrypt(copies: &[v2::EncryptedData], secret: &ClientSecret) -> Result<PlaintextPassword> {
    let id = secret.recipient_id();
    let mut fault = OptionsFault::NoMatch { id: id.to_owned() };
    for copy in copies.iter().filter(|c| c.key_ids.iter().any(|k| k == id)) {
        let Ok(plain) = secret.decryption().decrypt(&copy.encrypted_bytes) else {
            fault = OptionsFault::Decrypt;
            continue;
        };
        match std::str::from_utf8(plain.expose()) {
            Ok(password) => {
                return Ok(PlaintextPassword {
                    plaintext_password: password.to_owned(),
                });
            }
            Err(_) => fault = OptionsFault::NotText,
        }
    }
    Err(Error::Options(fault))
}

impl Drop for LocalOptions {
    fn drop(&mut self) {
        if let Some(Local::PlaintextPassword(password)) = &mut self.0.options {
            password.plaintext_password.zeroize();
        }
    }
}

impl fmt::Debug for LocalOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalOptions([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use baton_proto::Code;
    use v2::credential_options as requested;

    use super::*;
    use crate::{Plaintext, Recipients, config_of_text};

    /// RFC 8037, appendix A.
    const PRIVATE: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn secret(jwk: &str) -> ClientSecret {
        let payload = URL_SAFE_NO_PAD.encode(jwk);
        ClientSecret::parse(&format!("secret-token:conductorone.com:v1:{payload}")).unwrap()
    }

    fn sealed(password: &[u8]) -> v2::EncryptedData {
        let config = config_of_text(PRIVATE).unwrap();
        let recipients = Recipients::parse(&[config]).unwrap();
        let mut sealed = recipients.seal(&[Plaintext::new("password", password)]);
        sealed.copies.remove(0)
    }

    fn options(kind: Option<Requested>) -> v2::CredentialOptions {
        v2::CredentialOptions {
            force_change_at_next_login: true,
            options: kind,
        }
    }

    fn encrypted(copies: Vec<v2::EncryptedData>) -> v2::CredentialOptions {
        options(Some(Requested::EncryptedPassword(
            requested::EncryptedPassword {
                encrypted_passwords: copies,
            },
        )))
    }

    /// The kind that the connector sees, or the error.
    fn converted(
        requested: &v2::CredentialOptions,
        configs: &[v2::EncryptionConfig],
        secret: Option<&ClientSecret>,
    ) -> std::result::Result<Option<Local>, Error> {
        let local = LocalOptions::of_request(Some(requested), configs, secret)?.unwrap();
        assert!(local.expose().force_change_at_next_login);
        assert_eq!(format!("{local:?}"), "LocalOptions([redacted])");
        Ok(local.expose().options.clone())
    }

    #[test]
    fn kinds_without_an_encrypted_password_map_to_themselves() {
        assert!(LocalOptions::of_request(None, &[], None).unwrap().is_none());
        let constraints = vec![v2::PasswordConstraint {
            char_set: "ab".to_owned(),
            min_count: 2,
        }];
        for (kind, expected) in [
            (
                Requested::RandomPassword(requested::RandomPassword {
                    length: 20,
                    constraints: constraints.clone(),
                }),
                Local::RandomPassword(RandomPassword {
                    length: 20,
                    constraints,
                }),
            ),
            (
                Requested::NoPassword(requested::NoPassword {}),
                Local::NoPassword(NoPassword {}),
            ),
            (
                Requested::Sso(requested::Sso {
                    sso_provider: "okta".to_owned(),
                }),
                Local::Sso(Sso {
                    sso_provider: "okta".to_owned(),
                }),
            ),
        ] {
            let config = config_of_text(PRIVATE).unwrap();
            let local = converted(&options(Some(kind)), &[config], None).unwrap();
            assert_eq!(local, Some(expected));
        }
        let config = config_of_text(PRIVATE).unwrap();
        assert_eq!(converted(&encrypted(Vec::new()), &[config], None), Ok(None));
    }

    #[test]
    fn the_first_copy_for_the_client_secret_is_decrypted() {
        let key = secret(PRIVATE);
        let other = v2::EncryptedData {
            key_ids: vec!["other".to_owned()],
            ..v2::EncryptedData::default()
        };
        let damaged = v2::EncryptedData {
            encrypted_bytes: b"AAAA".to_vec(),
            ..sealed(b"")
        };
        let copies = vec![other, damaged, sealed(b"first"), sealed(b"second")];
        let local = converted(&encrypted(copies), &[], Some(&key)).unwrap();
        let expected = PlaintextPassword {
            plaintext_password: "first".to_owned(),
        };
        assert_eq!(local, Some(Local::PlaintextPassword(expected)));
    }

    #[test]
    fn the_kid_of_the_client_secret_names_its_copies_if_it_has_one() {
        let named = secret(&PRIVATE.replacen('{', r#"{"kid":"k1","#, 1));
        let by_thumbprint = encrypted(vec![sealed(b"p")]);
        assert!(converted(&by_thumbprint, &[], Some(&named)).is_err());
        let by_kid = v2::EncryptedData {
            key_ids: vec!["x".to_owned(), "k1".to_owned()],
            ..sealed(b"p")
        };
        assert!(converted(&encrypted(vec![by_kid]), &[], Some(&named)).is_ok());
    }

    #[test]
    fn refusals_have_the_texts_and_codes_of_the_sdk() {
        const PREFIX: &str = "error: converting credential options failed: ";
        let key = secret(PRIVATE);
        let config = config_of_text(PRIVATE).unwrap();
        let id = key.recipient_id();
        let without_ids = v2::EncryptedData {
            key_ids: Vec::new(),
            ..sealed(b"p")
        };
        let damaged = v2::EncryptedData {
            encrypted_bytes: b"AAAA".to_vec(),
            ..sealed(b"p")
        };
        let good = encrypted(vec![sealed(b"p")]);
        for (requested, configs, secret, code, expected) in [
            (
                options(None),
                vec![],
                Some(&key),
                Code::InvalidArgument,
                "rpc error: code = InvalidArgument desc = invalid credential options".to_owned(),
            ),
            (
                good.clone(),
                vec![config],
                None,
                Code::InvalidArgument,
                "rpc error: code = InvalidArgument desc = encryption configs should never be \
                 supplied for encrypted passwords"
                    .to_owned(),
            ),
            (
                good,
                vec![],
                None,
                Code::InvalidArgument,
                "rpc error: code = InvalidArgument desc = client-secret is required".to_owned(),
            ),
            (
                encrypted(vec![without_ids]),
                vec![],
                Some(&key),
                Code::InvalidArgument,
                format!(
                    "rpc error: code = InvalidArgument desc = no encrypted password matched \
                     client secret key id \"{id}\""
                ),
            ),
            (
                encrypted(vec![damaged]),
                vec![],
                Some(&key),
                Code::Internal,
                "rpc error: code = Internal desc = cannot decrypt the password: the data is \
                 damaged, or it is for another key"
                    .to_owned(),
            ),
            (
                encrypted(vec![sealed(b"\xff")]),
                vec![],
                Some(&key),
                Code::Internal,
                "rpc error: code = Internal desc = the decrypted password is not valid UTF-8"
                    .to_owned(),
            ),
        ] {
            let error = converted(&requested, &configs, secret).unwrap_err();
            assert_eq!(error.to_string(), format!("{PREFIX}{expected}"));
            assert_eq!(error.code(), code);
        }
    }
}
