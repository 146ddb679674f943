//! Recipients of secrets, checked before there is a secret
//! (`service-mode.md` §5.1, §5.1a).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_proto::c1::connector::v2;
use sha2::{Digest as _, Sha256};
use v2::encryption_config::{AgeRecipientConfig, Config, JwkPublicKeyConfig};

use crate::error::{Error, Result};
use crate::jwk::{Curve, PublicKey, hex};
use crate::plaintext::Plaintext;
use crate::{jwe, ssh};

/// Providers of the JWK family; what they make has the first name.
const JWK: [&str; 2] = ["baton/jwk/v1", "baton/jwk/v1/private"];
const AGE: &str = "baton/age/v1";
/// What native recipients of `age` begin with.
const AGE_PREFIX: &str = "age1";
/// What recipients that also resist quantum computers begin with.
const HYBRID_PREFIX: &str = "age1pq1";

enum Way {
    Age(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
}

/// One recipient.
struct Recipient {
    way: Way,
    key_id: String,
}

impl Recipient {
    fn parse(config: &v2::EncryptionConfig) -> Result<Self> {
        let name = config.provider.trim().to_lowercase();
        let by_name = match name.as_str() {
            "" => None,
            AGE => Some(true),
            known if JWK.contains(&known) => Some(false),
            _ => return Err(Error::UnknownProvider { name }),
        };
        match (by_name, &config.config) {
            (None | Some(true), Some(Config::AgeRecipientConfig(age))) => Self::age(&age.recipient),
            (None | Some(false), Some(Config::JwkPublicKeyConfig(jwk))) => Self::jwk(&jwk.pub_key),
            (None, None) => Err(Error::UnknownProvider { name }),
            (Some(true), _) => Err(Error::AgeRecipient {
                reason: "it is missing",
            }),
            (Some(false), _) => Err(Error::NotJwk {
                reason: "the key is missing".to_owned(),
            }),
        }
    }

    fn age(text: &str) -> Result<Self> {
        let refused = |reason| Err(Error::AgeRecipient { reason });
        if text.is_empty() {
            return refused("it is empty");
        }
        if text.chars().any(char::is_whitespace) {
            return refused("it has blanks or line breaks; give one recipient per value");
        }
        if text.starts_with(HYBRID_PREFIX) {
            return refused(
                "hybrid age recipients (age1pq1...) are not supported; use an X25519 recipient",
            );
        }
        if !text.starts_with(AGE_PREFIX) {
            return refused("it does not begin with `age1`");
        }
        match text.parse() {
            Ok(recipient) => Ok(Self {
                way: Way::Age(recipient),
                key_id: hex(&Sha256::digest(text)),
            }),
            Err(_) => refused("it is not an age recipient"),
        }
    }

    fn jwk(json: &[u8]) -> Result<Self> {
        let key = PublicKey::parse(json)?;
        let key_id = key.id();
        let way = match &key {
            PublicKey::Ec { curve, x, y } => {
                if !jwe::is_on_curve(*curve, x, y) {
                    return Err(Error::Recipient {
                        reason: "the key is not a point of its curve",
                    });
                }
                Way::Ec {
                    curve: *curve,
                    x: x.clone(),
                    y: y.clone(),
                }
            }
            PublicKey::Ed25519(_) | PublicKey::Rsa { .. } => {
                let line = ssh::public_line(&key).unwrap_or_default();
                Way::Ssh(line.parse().map_err(|_| Error::Recipient {
                    reason: "the key cannot be used for encryption",
                })?)
            }
        };
        Ok(Self { way, key_id })
    }

    fn encrypt(&self, secret: &Plaintext) -> Result<v2::EncryptedData> {
        let failed = |_| Error::Encrypt {
            recipient: format!("key `{}`", self.key_id),
        };
        let plain = secret.expose();
        let (bytes, provider) = match &self.way {
            Way::Age(recipient) => (age::encrypt(recipient, plain).map_err(failed)?, AGE),
            Way::Ssh(recipient) => {
                let file = age::encrypt(recipient, plain).map_err(failed)?;
                (STANDARD.encode(file).into_bytes(), JWK[0])
            }
            Way::Ec { curve, x, y } => {
                let jwe = jwe::encrypt(*curve, x, y, plain)?;
                (STANDARD.encode(jwe).into_bytes(), JWK[0])
            }
        };
        let mut data = secret.sealed(bytes);
        provider.clone_into(&mut data.provider);
        if provider != AGE {
            // Deprecated on the wire, and still what older services read.
            #[allow(deprecated)]
            self.key_id.clone_into(&mut data.key_id);
        }
        data.key_ids = vec![self.key_id.clone()];
        Ok(data)
    }
}

/// Recipients that were checked. With none, secrets cannot be kept.
pub struct Recipients(Vec<Recipient>);

/// What came of an encryption: a failure of one recipient costs no other its
/// copy.
#[derive(Debug, Default)]
pub struct Sealed {
    /// For each secret one copy per recipient, in order.
    pub copies: Vec<v2::EncryptedData>,
    /// What failed, if anything.
    pub failures: Vec<Error>,
}

impl Recipients {
    /// Checks recipients.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn parse(configs: &[v2::EncryptionConfig]) -> Result<Self> {
        configs
            .iter()
            .map(Recipient::parse)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Encrypts each secret to each recipient.
    pub fn seal(&self, secrets: &[Plaintext]) -> Sealed {
        let mut sealed = Sealed::default();
        for secret in secrets {
            for recipient in &self.0 {
                match recipient.encrypt(secret) {
                    Ok(copy) => sealed.copies.push(copy),
                    Err(error) => sealed.failures.push(error),
                }
            }
        }
        sealed
    }
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self.0.iter().map(|recipient| &recipient.key_id);
        f.debug_tuple("Recipients")
            .field(&ids.collect::<Vec<_>>())
            .finish()
    }
}

/// A recipient in one of the forms that people write: `age1...`,
/// `ssh-ed25519 AAAA...` (with or without a comment), or a JWK. Of a private
/// JWK only the public part is kept.
///
/// # Errors
/// What is wrong with it.
pub fn config_of_text(text: &str) -> Result<v2::EncryptionConfig> {
    let text = text.trim();
    let jwk = |key: &PublicKey| {
        Config::JwkPublicKeyConfig(JwkPublicKeyConfig {
            pub_key: key.to_json().into_bytes(),
        })
    };
    let config = if text.starts_with('{') {
        jwk(&PublicKey::parse(text.as_bytes())?)
    } else if text.starts_with("ssh-") {
        jwk(&key_of_ssh(text)?)
    } else {
        Config::AgeRecipientConfig(AgeRecipientConfig {
            recipient: text.to_owned(),
        })
    };
    let config = v2::EncryptionConfig {
        config: Some(config),
        ..v2::EncryptionConfig::default()
    };
    Recipient::parse(&config)?;
    Ok(config)
}

/// The key in a line of OpenSSH: kind, key, and maybe a comment.
fn key_of_ssh(line: &str) -> Result<PublicKey> {
    const KIND: &str = "ssh-ed25519";
    const HEAD: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";
    let refused = |reason| Error::Recipient { reason };
    if line.contains(['\n', '\r']) {
        return Err(refused("it has line breaks; give one recipient per value"));
    }
    let mut words = line.split_whitespace();
    if words.next() != Some(KIND) {
        return Err(refused("of SSH keys only ssh-ed25519 is supported"));
    }
    let blob = STANDARD.decode(words.next().unwrap_or_default()).ok();
    let public = blob.as_deref().and_then(|blob| blob.strip_prefix(HEAD));
    let public = public.and_then(|public| public.try_into().ok());
    let public = public.ok_or_else(|| refused("it is not an ssh-ed25519 public key"))?;
    Ok(PublicKey::Ed25519(public))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_that_fails_costs_no_other_its_copy() {
        let age = || {
            Recipient::age("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")
                .unwrap()
        };
        // Checked recipients do not fail, so this one is made unchecked.
        let failing = Recipient {
            way: Way::Ec {
                curve: Curve::P256,
                x: vec![1; 32],
                y: vec![1; 32],
            },
            key_id: "off".to_owned(),
        };
        let recipients = Recipients(vec![age(), failing, age()]);
        let secrets = [Plaintext::new("a", *b"1"), Plaintext::new("b", *b"2")];
        let sealed = recipients.seal(&secrets);
        let names: Vec<_> = sealed
            .copies
            .iter()
            .map(|copy| copy.name.as_str())
            .collect();
        assert_eq!(names, ["a", "a", "b", "b"]);
        assert_eq!(sealed.failures.len(), 2);
        let text = sealed.failures[0].to_string();
        assert_eq!(text, "cannot encrypt to a key of curve P-256");
    }
}
