//! Which proxy a server is reached through.

use std::net::IpAddr;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;

use crate::Secret;
use crate::error::{Error, Result};

/// Which proxies to use.
#[derive(Debug, Clone, Default)]
pub enum Proxies {
    /// What the environment variables `HTTPS_PROXY`, `HTTP_PROXY`,
    /// `ALL_PROXY`, `NO_PROXY` and the system's settings say.
    #[default]
    System,
    /// No proxy.
    None,
    /// This proxy (a URL, possibly with user and password) for everything but
    /// the hosts in the comma-separated list.
    All {
        /// The proxy's URL.
        url: Secret,
        /// Hosts to reach directly, in the form of `NO_PROXY`.
        except: String,
    },
}

/// The proxy's URL cannot be read. The reason is not passed on: it could quote the
/// password.
pub(super) fn unreadable() -> Error {
    Error::Setting {
        setting: "the proxy",
        reason: "its URL cannot be read".to_owned(),
    }
}

/// Decides which proxy a TLS server is reached through, by the rules of HTTP requests.
#[derive(Debug)]
pub struct ProxyRules(Matcher);

/// A proxy and how it is asked.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Its scheme, host and port, without user and password.
    pub uri: Uri,
    /// The value of `Proxy-Authorization`, marked as sensitive.
    pub authorization: Option<HeaderValue>,
}

impl Proxies {
    /// The rules. This is where the variables of [`Proxies::System`] are read.
    ///
    /// # Errors
    /// A URL that is not one of a proxy.
    pub fn rules(&self) -> Result<ProxyRules> {
        let matcher = match self {
            Self::System => Matcher::from_system(),
            Self::None => Matcher::builder().build(),
            Self::All { url, except } => {
                let all = || Matcher::builder().all(url.expose());
                // The builder ignores what it cannot read.
                let sample = Uri::from_static("https://example.test/");
                all().build().intercept(&sample).ok_or_else(unreadable)?;
                all().no(except.as_str()).build()
            }
        };
        Ok(ProxyRules(matcher))
    }
}

impl ProxyRules {
    /// The proxy for the TLS server at `host` and `port`; `None` if it is reached
    /// directly, as this machine always is.
    pub fn proxy_of(&self, host: &str, port: u16) -> Option<Proxy> {
        let address = host.parse::<IpAddr>();
        let is_here = address
            .as_ref()
            .map(|address| address.to_canonical().is_loopback());
        if is_here.unwrap_or_else(|_| host.eq_ignore_ascii_case("localhost")) {
            return None;
        }
        let authority = match address {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            _ => format!("{host}:{port}"),
        };
        let uri = Uri::builder().scheme("https").authority(authority);
        let uri = uri.path_and_query("/").build().ok()?;
        let proxy = self.0.intercept(&uri)?;
        Some(Proxy {
            uri: proxy.uri().clone(),
            authorization: proxy.basic_auth().cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(url: &str, except: &str) -> Result<ProxyRules> {
        let url = Secret::new(url);
        let except = except.to_owned();
        Proxies::All { url, except }.rules()
    }

    #[test]
    fn a_proxy_is_used_for_all_but_the_exceptions_and_this_machine() {
        let rules = all(
            "http://kim:p%40ss@proxy.test:3128",
            "direct.test,10.0.0.0/8",
        )
        .expect("a URL");
        let proxy = rules.proxy_of("c1.example", 443).expect("a proxy");
        assert_eq!(proxy.uri.to_string(), "http://proxy.test:3128/");
        let authorization = proxy.authorization.clone().expect("a user");
        assert_eq!(authorization, "Basic a2ltOnBAc3M=");
        assert!(!format!("{rules:?} {proxy:?}").contains("a2lt"));
        assert!(rules.proxy_of("2001:db8::1", 443).is_some());
        for direct in [
            "direct.test",
            "a.direct.test",
            "10.1.2.3",
            "localhost",
            "LOCALHOST",
            "127.0.0.2",
            "::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(rules.proxy_of(direct, 443).is_none(), "{direct}");
        }
    }

    #[test]
    fn without_proxies_all_is_direct_and_a_wrong_url_is_refused_without_its_text() {
        let none = Proxies::None.rules().expect("no URL");
        assert!(none.proxy_of("c1.example", 443).is_none());
        for wrong in [
            "",
            "http://",
            "http://s3cr3t:x y@proxy",
            "ftp://s3cr3t@proxy",
        ] {
            let error = all(wrong, "").expect_err("no URL");
            assert_eq!(
                error.to_string(),
                "cannot use the proxy: its URL cannot be read"
            );
        }
    }
}
