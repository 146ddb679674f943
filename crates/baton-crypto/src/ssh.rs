//! Keys in the forms of OpenSSH, which the `age` crate reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::jwk::{PrivateKey, PublicKey};

/// Appends a text with its length.
fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Keys are far shorter than 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a number, with a zero in front where its first bit is set.
fn mpint(out: &mut Vec<u8>, number: &[u8]) {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    let mut bytes = Zeroizing::new(Vec::with_capacity(number.len() + 1));
    if number.first().is_some_and(|first| first & 0x80 != 0) {
        bytes.push(0);
    }
    bytes.extend_from_slice(number);
    string(out, &bytes);
}

fn ed25519_blob(public: &[u8; 32]) -> Vec<u8> {
    let mut blob = Vec::new();
    string(&mut blob, b"ssh-ed25519");
    string(&mut blob, public);
    blob
}

fn rsa_blob(n: &[u8], e: &[u8]) -> Vec<u8> {
    let mut blob = Vec::new();
    string(&mut blob, b"ssh-rsa");
    mpint(&mut blob, e);
    mpint(&mut blob, n);
    blob
}

/// The line of a public key; `None` for keys of curves, which are not used
/// this way.
pub(crate) fn public_line(key: &PublicKey) -> Option<String> {
    let (kind, blob) = match key {
        PublicKey::Ed25519(public) => ("ssh-ed25519", ed25519_blob(public)),
        PublicKey::Rsa { n, e } => ("ssh-rsa", rsa_blob(n, e)),
        PublicKey::Ec { .. } => return None,
    };
    Some(format!("{kind} {}", STANDARD.encode(blob)))
}

/// The file of a private key without a passphrase; `None` for keys of curves.
pub(crate) fn private_file(key: &PrivateKey) -> Option<Zeroizing<String>> {
    let mut secret = Zeroizing::new(Vec::with_capacity(8192));
    // Two equal numbers, by which a reader sees that decryption worked.
    secret.extend_from_slice(&[0; 8]);
    let blob = match key {
        PrivateKey::Ed25519 { seed, public } => {
            string(&mut secret, b"ssh-ed25519");
            string(&mut secret, public);
            let mut pair = Zeroizing::new(Vec::with_capacity(64));
            pair.extend_from_slice(seed.as_slice());
            pair.extend_from_slice(public);
            string(&mut secret, &pair);
            ed25519_blob(public)
        }
        PrivateKey::Rsa(rsa) => {
            string(&mut secret, b"ssh-rsa");
            for number in [&rsa.n, &rsa.e, &*rsa.d, &*rsa.qi, &*rsa.p, &*rsa.q] {
                mpint(&mut secret, number);
            }
            rsa_blob(&rsa.n, &rsa.e)
        }
        PrivateKey::Ec { .. } => return None,
    };
    string(&mut secret, b"");
    for pad in 1..=8_u8 {
        if secret.len() % 8 == 0 {
            break;
        }
        secret.push(pad);
    }
    let mut file = Zeroizing::new(Vec::with_capacity(secret.len() + 1024));
    file.extend_from_slice(b"openssh-key-v1\0");
    string(&mut file, b"none");
    string(&mut file, b"none");
    string(&mut file, b"");
    file.extend_from_slice(&1_u32.to_be_bytes());
    string(&mut file, &blob);
    string(&mut file, &secret);
    let encoded = Zeroizing::new(STANDARD.encode(file.as_slice()));
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() + 256));
    text.push_str("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for at in (0..encoded.len()).step_by(70) {
        let end = encoded.len().min(at + 70);
        text.push_str(&encoded[at..end]);
        text.push('\n');
    }
    text.push_str("-----END OPENSSH PRIVATE KEY-----\n");
    Some(text)
}
