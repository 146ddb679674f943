//! The ciphers of a JWE: six that encrypt the content, and three that wrap its
//! key (RFC 7518 §4.4, §5.2, §5.3).

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm};
use aes_kw::{KwAes128, KwAes192, KwAes256};
use cbc::cipher::KeyIvInit;
use cbc::cipher::block_padding::Pkcs7;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

/// Bytes of the tag of AES-GCM.
pub(crate) const GCM_TAG_BYTES: usize = 16;
/// Bytes of the nonce of AES-GCM.
pub(crate) const GCM_NONCE_BYTES: usize = 12;

/// What encrypts the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    A128Gcm,
    A192Gcm,
    A256Gcm,
    A128CbcHs256,
    A192CbcHs384,
    A256CbcHs512,
}

/// The parts of a JWE that a cipher needs beside the key.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The header as it was sent, which the tag also covers.
    pub header: &'a [u8],
    pub nonce: &'a [u8],
    pub data: &'a [u8],
    pub tag: &'a [u8],
}

type Plain = Option<Zeroizing<Vec<u8>>>;

impl Content {
    const ALL: [Self; 6] = [
        Self::A128Gcm,
        Self::A192Gcm,
        Self::A256Gcm,
        Self::A128CbcHs256,
        Self::A192CbcHs384,
        Self::A256CbcHs512,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A192Gcm => "A192GCM",
            Self::A256Gcm => "A256GCM",
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A192CbcHs384 => "A192CBC-HS384",
            Self::A256CbcHs512 => "A256CBC-HS512",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|content| content.name() == name)
    }

    pub(crate) const fn key_bytes(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A192Gcm => 24,
            Self::A256Gcm | Self::A128CbcHs256 => 32,
            Self::A192CbcHs384 => 48,
            Self::A256CbcHs512 => 64,
        }
    }

    /// Decrypts; `None` for another key, and for damaged data.
    pub(crate) fn decrypt(self, key: &[u8], parts: Parts<'_>) -> Plain {
        if key.len() != self.key_bytes() {
            return None;
        }
        match self {
            Self::A128Gcm => gcm(&Aes128Gcm::new_from_slice(key).ok()?, parts),
            Self::A192Gcm => gcm(&AesGcm::<Aes192, _>::new_from_slice(key).ok()?, parts),
            Self::A256Gcm => gcm(&Aes256Gcm::new_from_slice(key).ok()?, parts),
            Self::A128CbcHs256 => cbc_hmac::<Hmac<Sha256>, cbc::Decryptor<Aes128>>(key, parts),
            Self::A192CbcHs384 => cbc_hmac::<Hmac<Sha384>, cbc::Decryptor<Aes192>>(key, parts),
            Self::A256CbcHs512 => cbc_hmac::<Hmac<Sha512>, cbc::Decryptor<Aes256>>(key, parts),
        }
    }
}

type Nonce = aes_gcm::aead::consts::U12;

fn gcm<C>(cipher: &AesGcm<C, Nonce>, parts: Parts<'_>) -> Plain
where
    AesGcm<C, Nonce>: aes_gcm::aead::Aead + aes_gcm::aead::AeadCore<NonceSize = Nonce>,
{
    let nonce: [u8; GCM_NONCE_BYTES] = parts.nonce.try_into().ok()?;
    if parts.tag.len() != GCM_TAG_BYTES {
        return None;
    }
    let payload = Payload {
        msg: &[parts.data, parts.tag].concat(),
        aad: parts.header,
    };
    let plain = cipher.decrypt(&nonce.into(), payload).ok()?;
    Some(Zeroizing::new(plain))
}

/// The first half of the key is for the tag, the second for the content. The
/// tag is checked before anything is decrypted.
fn cbc_hmac<M: Mac + KeyInit, D: KeyIvInit + cbc::cipher::BlockModeDecrypt>(
    key: &[u8],
    parts: Parts<'_>,
) -> Plain {
    let (tag_key, content_key) = key.split_at(key.len() / 2);
    if parts.tag.len() != tag_key.len() {
        return None;
    }
    let mut mac = <M as KeyInit>::new_from_slice(tag_key).ok()?;
    let header_bits = u64::try_from(parts.header.len()).ok()? * 8;
    for part in [
        parts.header,
        parts.nonce,
        parts.data,
        &header_bits.to_be_bytes(),
    ] {
        mac.update(part);
    }
    mac.verify_truncated_left(parts.tag).ok()?;
    let cipher = D::new_from_slices(content_key, parts.nonce).ok()?;
    let mut buffer = Zeroizing::new(parts.data.to_vec());
    let plain_bytes = cipher.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len();
    buffer.truncate(plain_bytes);
    Some(buffer)
}

/// What wraps the key of the content, if the agreed key does not encrypt it
/// itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrap {
    Direct,
    A128,
    A192,
    A256,
}

impl Wrap {
    pub(crate) fn of_algorithm(name: &str) -> Option<Self> {
        match name {
            "ECDH-ES" => Some(Self::Direct),
            "ECDH-ES+A128KW" => Some(Self::A128),
            "ECDH-ES+A192KW" => Some(Self::A192),
            "ECDH-ES+A256KW" => Some(Self::A256),
            _ => None,
        }
    }

    /// Bytes of the key that is agreed on.
    pub(crate) const fn key_bytes(self, content: Content) -> usize {
        match self {
            Self::Direct => content.key_bytes(),
            Self::A128 => 16,
            Self::A192 => 24,
            Self::A256 => 32,
        }
    }

    /// The key of the content, from the agreed key and the wrapped one.
    pub(crate) fn unwrap(self, agreed: Zeroizing<Vec<u8>>, wrapped: &[u8]) -> Plain {
        let mut key = Zeroizing::new(vec![0; wrapped.len().saturating_sub(8)]);
        match self {
            Self::Direct => return wrapped.is_empty().then_some(agreed),
            Self::A128 => {
                let cipher = KwAes128::new_from_slice(&agreed).ok()?;
                cipher.unwrap_key(wrapped, &mut key).ok()?;
            }
            Self::A192 => {
                let cipher = KwAes192::new_from_slice(&agreed).ok()?;
                cipher.unwrap_key(wrapped, &mut key).ok()?;
            }
            Self::A256 => {
                let cipher = KwAes256::new_from_slice(&agreed).ok()?;
                cipher.unwrap_key(wrapped, &mut key).ok()?;
            }
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let pairs = digits
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap());
        pairs
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }

    #[test]
    fn keys_are_unwrapped_as_in_rfc_3394() {
        // Section 4.1 and 4.6.
        let key = "00112233445566778899AABBCCDDEEFF";
        for (wrap, agreed, wrapped, expected) in [
            (
                Wrap::A128,
                "000102030405060708090A0B0C0D0E0F",
                "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5",
                key.to_owned(),
            ),
            (
                Wrap::A256,
                "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
                "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
                format!("{key}000102030405060708090A0B0C0D0E0F"),
            ),
        ] {
            let agreed = Zeroizing::new(bytes(agreed));
            let wrapped = bytes(wrapped);
            let got = wrap.unwrap(agreed.clone(), &wrapped).unwrap();
            assert_eq!(*got, bytes(&expected));
            for length in 0..wrapped.len() {
                assert!(wrap.unwrap(agreed.clone(), &wrapped[..length]).is_none());
            }
        }
    }

    /// RFC 7518, appendix B.1.
    #[test]
    fn content_is_decrypted_as_in_rfc_7518() {
        let key = bytes("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        let plain = "A cipher system must not be required to be secret, and it must be able to \
                     fall into the hands of the enemy without inconvenience";
        let header = b"The second principle of Auguste Kerckhoffs";
        let nonce = bytes("1af38c2dc2b96ffdd86694092341bc04");
        let data = bytes(
            "c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9
             a94ac9b47ad2655c5f10f9aef71427e2fc6f9b3f399a221489f16362c7032336
             09d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b
             384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade5
             4b8851ffb598f7f80074b9473c82e2db",
        );
        let tag = bytes("652c3fa36b0a7c5b3219fab3a30bc1c4");
        let parts = Parts {
            header,
            nonce: &nonce,
            data: &data,
            tag: &tag,
        };
        let got = Content::A128CbcHs256.decrypt(&key, parts).unwrap();
        assert_eq!(*got, plain.as_bytes());
        let shorter = Parts {
            tag: &tag[..15],
            ..parts
        };
        assert!(Content::A128CbcHs256.decrypt(&key, shorter).is_none());
        assert!(Content::A128CbcHs256.decrypt(&key[1..], parts).is_none());
    }
}
