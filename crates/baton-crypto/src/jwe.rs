//! Secrets for keys of NIST curves: compact JWE with `ECDH-ES` (RFC 7516,
//! RFC 7518). One form is written; all forms of the table of §5.1 are read.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::content::{Content, GCM_NONCE_BYTES, GCM_TAG_BYTES, Parts, Wrap};
use crate::error::{Error, Result};
use crate::jwk::Curve;

/// Draws a key of one curve, and agrees with keys of it.
macro_rules! of_curve {
    ($curve:expr, $module:ident => $body:expr) => {
        match $curve {
            Curve::P256 => {
                use p256 as $module;
                $body
            }
            Curve::P384 => {
                use p384 as $module;
                $body
            }
            Curve::P521 => {
                use p521 as $module;
                $body
            }
        }
    };
}

#[derive(Serialize, Deserialize)]
struct Epk {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    enc: String,
    epk: Epk,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    apu: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    apv: String,
    /// Extensions that a reader must know, and a compression; none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zip: Option<serde_json::Value>,
}

/// An uncompressed point.
fn point(x: &[u8], y: &[u8]) -> Vec<u8> {
    let mut point = vec![4];
    point.extend_from_slice(x);
    point.extend_from_slice(y);
    point
}

/// Whether the coordinates are those of a point on the curve.
pub(crate) fn is_on_curve(curve: Curve, x: &[u8], y: &[u8]) -> bool {
    let point = point(x, y);
    of_curve!(curve, ec => ec::PublicKey::from_sec1_bytes(&point).is_ok())
}

/// The agreed secret of a private number and a public point.
fn agree(curve: Curve, d: &[u8], x: &[u8], y: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let point = point(x, y);
    of_curve!(curve, ec => {
        let secret = ec::SecretKey::from_slice(d).ok()?;
        let public = ec::PublicKey::from_sec1_bytes(&point).ok()?;
        let shared = ec::ecdh::diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
        Some(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
    })
}

/// A new private number and its public point, uncompressed.
fn draw(curve: Curve) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let mut d = Zeroizing::new(vec![0; curve.size()]);
    loop {
        getrandom::fill(&mut d).map_err(|_| Error::NoRandomness)?;
        if curve == Curve::P521
            && let Some(first) = d.first_mut()
        {
            // 521 bits in 66 bytes.
            *first &= 1;
        }
        // Numbers beyond the order of the curve are refused, so all that are
        // left are equally likely.
        let found = of_curve!(curve, ec => ec::SecretKey::from_slice(&d).ok().map(|secret| {
            ec::Sec1Point::from(secret.public_key()).as_bytes().to_vec()
        }));
        if let Some(point) = found {
            return Ok((d, point));
        }
    }
}

/// The key of the content: Concat KDF with SHA-256 (RFC 7518 §4.6.2).
fn derive(
    shared: &[u8],
    algorithm: &str,
    apu: &[u8],
    apv: &[u8],
    bytes: usize,
) -> Zeroizing<Vec<u8>> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut key = Zeroizing::new(Vec::with_capacity(64));
    for round in 1_u32.. {
        if key.len() >= bytes {
            break;
        }
        let mut hash = Sha256::new();
        hash.update(round.to_be_bytes());
        hash.update(shared);
        for part in [algorithm.as_bytes(), apu, apv] {
            hash.update(length(part));
            hash.update(part);
        }
        let bits = u32::try_from(bytes * 8).unwrap_or(u32::MAX);
        hash.update(bits.to_be_bytes());
        key.extend_from_slice(&hash.finalize());
    }
    key.truncate(bytes);
    key
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Encrypts to the point of a curve.
pub(crate) fn encrypt(curve: Curve, x: &[u8], y: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    let content = Content::A256Gcm;
    let (d, point) = draw(curve)?;
    let size = curve.size();
    let failed = || Error::Encrypt {
        recipient: format!("a key of curve {}", curve.name()),
    };
    let coordinates = point.get(1..).filter(|c| c.len() == 2 * size);
    let (own_x, own_y) = coordinates.ok_or_else(failed)?.split_at(size);
    let shared = agree(curve, &d, x, y).ok_or_else(failed)?;
    let key = derive(&shared, content.name(), &[], &[], content.key_bytes());
    let header = Header {
        alg: "ECDH-ES".to_owned(),
        enc: content.name().to_owned(),
        epk: Epk {
            kty: "EC".to_owned(),
            crv: curve.name().to_owned(),
            x: text(own_x),
            y: text(own_y),
        },
        apu: String::new(),
        apv: String::new(),
        crit: None,
        zip: None,
    };
    let header = serde_json::to_vec(&header).map_err(|_| failed())?;
    let header = text(&header);
    let mut nonce = [0; GCM_NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| Error::NoRandomness)?;
    let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| failed())?;
    let payload = Payload {
        msg: plain,
        aad: header.as_bytes(),
    };
    let sealed = cipher
        .encrypt(&nonce.into(), payload)
        .map_err(|_| failed())?;
    let (data, tag) = sealed.split_at(sealed.len() - GCM_TAG_BYTES);
    Ok(format!("{header}..{}.{}.{}", text(&nonce), text(data), text(tag)).into_bytes())
}

/// Decrypts what was encrypted to the key with the private number `d`.
pub(crate) fn decrypt(curve: Curve, d: &[u8], jwe: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    open(curve, d, jwe).ok_or(Error::Decrypt)
}

fn open(curve: Curve, d: &[u8], jwe: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let parts: Vec<&str> = std::str::from_utf8(jwe).ok()?.split('.').collect();
    let [header_text, wrapped, nonce, data, tag] = parts[..] else {
        return None;
    };
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let header: Header = serde_json::from_slice(&bytes(header_text)?).ok()?;
    if header.crit.is_some() || header.zip.is_some() {
        return None;
    }
    if header.epk.crv != curve.name() || header.epk.kty != "EC" {
        return None;
    }
    let content = Content::of_name(&header.enc)?;
    let wrap = Wrap::of_algorithm(&header.alg)?;
    let shared = agree(curve, d, &bytes(&header.epk.x)?, &bytes(&header.epk.y)?)?;
    let (apu, apv) = (bytes(&header.apu)?, bytes(&header.apv)?);
    let algorithm = match wrap {
        Wrap::Direct => content.name(),
        _ => header.alg.as_str(),
    };
    let agreed = derive(&shared, algorithm, &apu, &apv, wrap.key_bytes(content));
    let key = wrap.unwrap(agreed, &bytes(wrapped)?)?;
    let parts = Parts {
        header: header_text.as_bytes(),
        nonce: &bytes(nonce)?,
        data: &bytes(data)?,
        tag: &bytes(tag)?,
    };
    content.decrypt(&key, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_derived_as_in_appendix_c_of_rfc_7518() {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let d = bytes("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
        let x = bytes("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ");
        let y = bytes("e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck");
        let shared = agree(Curve::P256, &d, &x, &y).unwrap();
        assert_eq!(
            shared[..],
            [
                158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49,
                110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196
            ]
        );
        let key = derive(&shared, "A128GCM", b"Alice", b"Bob", 16);
        assert_eq!(text(&key), "VqqN6vgjbSBcIijNcacQGg");
    }

    #[test]
    fn what_is_encrypted_is_read_by_its_key_only() {
        for curve in Curve::ALL {
            let (d, point) = draw(curve).unwrap();
            let (x, y) = point[1..].split_at(curve.size());
            assert!(is_on_curve(curve, x, y));
            let jwe = encrypt(curve, x, y, b"s3cr3t").unwrap();
            assert_eq!(**decrypt(curve, &d, &jwe).unwrap(), *b"s3cr3t");
            let (other, _) = draw(curve).unwrap();
            assert!(decrypt(curve, &other, &jwe).is_err());
            // Every changed character is noticed, or stands for the same bits.
            for at in 0..jwe.len() {
                let mut changed = jwe.clone();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                if let Ok(plain) = decrypt(curve, &d, &changed) {
                    assert_eq!(**plain, *b"s3cr3t", "{at}");
                }
            }
            for junk in [&b""[..], b"....", b"a.b.c.d.e", b"\xff", b"eyJ9...."] {
                assert!(decrypt(curve, &d, junk).is_err());
            }
        }
        assert!(!is_on_curve(Curve::P256, &[1; 32], &[1; 32]));
    }
}
