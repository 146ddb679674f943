//! The line that a child reads from its standard input.

use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use baton_proto::c1::connector_wrapper::v1::ServerConfig;
use baton_proto::c1::ratelimit::v1::RateLimiterConfig;
use prost::Message as _;
use zeroize::Zeroizing;

use super::credential::Credential;
use super::error::ChildError;
use super::go_base64;

/// Longest first line, in bytes. Go's limit is 64 KiB.
const MAX_LINE_BYTES: usize = 1 << 20;
const CHUNK_BYTES: usize = 4096;

/// What a parent gives its child in the first line.
#[derive(Debug, Clone)]
pub struct FirstLine {
    /// The child's certificate.
    pub credential: Credential,
    /// The rate limiter that the child offers; `None` for one that limits nothing.
    pub limiter: Option<RateLimiterConfig>,
    /// The port of the listening socket.
    pub port: u16,
    /// The port of the parent's session store, if it has one.
    pub session_port: Option<u16>,
}

impl FirstLine {
    /// The content of the line; decoded base64.
    ///
    /// # Errors
    ///
    /// It is empty or not the configuration of a server.
    pub fn decode(bytes: &[u8]) -> Result<Self, ChildError> {
        if bytes.is_empty() {
            return Err(ChildError::EmptyInput);
        }
        let config = ServerConfig::decode(bytes).map_err(|source| ChildError::Decode { source })?;
        let session_port = port(config.session_store_listen_port)?;
        Ok(Self {
            credential: Credential::from_message(config.credential.unwrap_or_default())?,
            limiter: config.rate_limiter_config,
            port: port(config.listen_port)?,
            session_port: (session_port != 0).then_some(session_port),
        })
    }

    /// The line, with its end.
    pub(crate) fn encode(&self) -> Zeroizing<String> {
        let mut config = ServerConfig {
            credential: Some(self.credential.message()),
            rate_limiter_config: self.limiter.clone(),
            listen_port: u32::from(self.port),
            session_store_listen_port: self.session_port.map_or(0, u32::from),
        };
        let bytes = Zeroizing::new(config.encode_to_vec());
        if let Some(credential) = config.credential.take() {
            drop(Zeroizing::new(credential.key));
        }
        Zeroizing::new(STANDARD.encode(&*bytes) + "\n")
    }
}

fn port(number: u32) -> Result<u16, ChildError> {
    u16::try_from(number).map_err(|_| ChildError::Port { port: number })
}

/// Reads the first line and decodes its base64. What follows the line is dropped.
/// Without a line the result is empty.
///
/// # Errors
///
/// The input cannot be read, the line is longer than 1 MiB, or it is not base64.
pub fn read_first_line(input: &mut dyn Read) -> Result<Zeroizing<Vec<u8>>, ChildError> {
    let mut line = Zeroizing::new(Vec::new());
    let mut chunk = Zeroizing::new([0; CHUNK_BYTES]);
    loop {
        let got = match input.read(&mut *chunk) {
            Ok(0) => break,
            Ok(got) => &chunk[..got],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(ChildError::Stdin { source }),
        };
        let end = got.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&got[..end.unwrap_or(got.len())]);
        if line.len() > MAX_LINE_BYTES {
            let source = io::Error::other("the first line is longer than 1 MiB");
            return Err(ChildError::Stdin { source });
        }
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    go_base64::decode(&line)
        .map(Zeroizing::new)
        .map_err(|at| ChildError::Base64 { at })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::child::Credentials;

    fn line() -> FirstLine {
        FirstLine {
            credential: Credentials::issue(SystemTime::now()).unwrap().child,
            limiter: None,
            port: 40_001,
            session_port: Some(40_002),
        }
    }

    fn read(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChildError> {
        read_first_line(&mut &*text)
    }

    #[test]
    fn a_line_is_read_back_and_what_follows_is_dropped() {
        let sent = line();
        let mut text = sent.encode().as_bytes().to_vec();
        assert_eq!(
            text.iter().position(|byte| *byte == b'\n'),
            Some(text.len() - 1)
        );
        text.extend_from_slice(b"more\n");
        let got = FirstLine::decode(&read(&text).unwrap()).unwrap();
        assert_eq!(got.credential.message(), sent.credential.message());
        assert_eq!((got.port, got.session_port), (40_001, Some(40_002)));
        assert!(got.limiter.is_none());
    }

    #[test]
    fn a_line_in_small_pieces_and_with_a_carriage_return_is_read() {
        struct Slow(Vec<u8>);
        impl Read for Slow {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let Some(byte) = (!self.0.is_empty()).then(|| self.0.remove(0)) else {
                    return Ok(0);
                };
                into[0] = byte;
                Ok(1)
            }
        }
        let mut slow = Slow(b"YWJj\r\n".to_vec());
        assert_eq!(read_first_line(&mut slow).unwrap().as_slice(), b"abc");
    }

    #[test]
    fn an_empty_line_and_no_line_are_empty_input() {
        for text in ["", "\n", "\r\n"] {
            let bytes = read(text.as_bytes()).unwrap();
            let error = FirstLine::decode(&bytes).unwrap_err();
            assert_eq!(error.to_string(), "unexpected empty input");
        }
    }

    #[test]
    fn other_text_is_refused_in_gos_words() {
        let error = read(b"abc!\n").unwrap_err();
        assert_eq!(error.to_string(), "illegal base64 data at input byte 3");
    }

    struct Endless(usize);
    impl Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            into.fill(b'A');
            self.0 += into.len();
            Ok(into.len())
        }
    }

    #[test]
    fn a_line_of_a_mebibyte_is_read_and_a_longer_one_is_not() {
        let mut text = vec![b'A'; MAX_LINE_BYTES];
        text.push(b'\n');
        assert_eq!(read(&text).unwrap().len(), MAX_LINE_BYTES / 4 * 3);
        let mut endless = Endless(0);
        let error = read_first_line(&mut endless).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("failed to read stdin: "), "{text}");
        assert!(endless.0 <= MAX_LINE_BYTES + CHUNK_BYTES);
    }

    #[test]
    fn an_input_that_fails_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let error = read_first_line(&mut Broken).unwrap_err();
        assert_eq!(error.to_string(), "failed to read stdin: broken");
    }

    #[test]
    fn a_message_that_is_cut_anywhere_is_refused() {
        let whole = STANDARD.decode(line().encode().trim_end()).unwrap();
        FirstLine::decode(&whole).unwrap();
        // Each port takes 4 bytes; a cut before one leaves a whole, shorter message.
        let borders = [whole.len() - 8, whole.len() - 4];
        for end in 0..whole.len() {
            let result = FirstLine::decode(&whole[..end]);
            assert_eq!(result.is_ok(), borders.contains(&end), "{end}");
        }
    }

    #[test]
    fn a_missing_or_odd_credential_is_refused() {
        let good = line();
        let refused = |change: &dyn Fn(&mut ServerConfig)| {
            let mut config = ServerConfig {
                credential: Some(good.credential.message()),
                listen_port: 1,
                ..ServerConfig::default()
            };
            change(&mut config);
            let bytes = config.encode_to_vec();
            FirstLine::decode(&bytes).unwrap_err().to_string()
        };
        let text = refused(&|config| config.credential = None);
        assert!(text.contains("the key has 0 bytes"), "{text}");
        let text = refused(&|config| config.credential.as_mut().unwrap().cert.clear());
        assert!(text.contains("the certificate is missing"), "{text}");
        let text = refused(&|config| config.credential.as_mut().unwrap().ca_cert.clear());
        assert!(text.contains("of the authority is missing"), "{text}");
        let text = refused(&|config| config.listen_port = 70_000);
        assert!(text.contains("port 70000"), "{text}");
    }

    #[test]
    fn no_secret_is_shown() {
        let line = line();
        let key = format!("{:?}", &line.credential.message().key[..4]);
        let shown = format!("{line:?}");
        assert!(!shown.contains(key.trim_matches(['[', ']'])), "{shown}");
    }
}
