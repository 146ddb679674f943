//! The connector's settings, checked.

use std::collections::BTreeMap;

use baton_connector::Secret;
use url::Url;

use crate::RequestPlan;
use crate::roles::SITE;

/// Where Atlassian serves the admin APIs.
pub const ADMIN_BASE_URL: &str = "https://api.atlassian.com/admin";

/// The setting of the identity provider's base URL.
pub(crate) const SCIM_BASE_URL_NAME: &str = "scim-base-url";

/// Settings as they were given, and checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The organization API key.
    pub access_token: Secret,
    /// The one organization to sync.
    pub organization_id: String,
    /// Base URL of the admin APIs.
    pub base_url: Url,
    /// Token of the identity provider's directory, for creating accounts.
    pub scim_token: Secret,
    /// Base URL of that directory.
    pub scim_base_url: Option<Url>,
    /// Ask and write only what the Go connector asks and writes.
    pub go_compatible: bool,
    /// How the facts are asked for; `None` leaves it to the connector. No part
    /// of what decides the content.
    pub request_plan: Option<RequestPlan>,
    /// Grants will be asked for after the lists. Where they will not, the
    /// automatic plan has nothing to plan. No part of what decides the content.
    pub grants_follow: bool,
    /// The site on which roles that are held on sites are changed. No part of
    /// what decides the content.
    pub site: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The organization's id cannot be one.
    #[error("invalid organization-id `{given}`: it is the plain id, without `/` or blanks")]
    OrganizationId {
        /// What was given.
        given: String,
    },
    /// A URL that is none, or not one of a web server.
    #[error("invalid {setting}: expected an http or https URL with a host")]
    Url {
        /// The flag. Its value is not shown: it may hold credentials.
        setting: &'static str,
    },
    /// A URL with a part that a base URL does not have.
    #[error("invalid {setting}: expected a base URL, which has no {part}")]
    UrlPart {
        /// The flag. Its value is not shown: it may hold credentials.
        setting: &'static str,
        /// The part that is too much.
        part: &'static str,
    },
    /// The site's id cannot be one.
    #[error("invalid site `{given}`: it is an id that begins with `{SITE}`")]
    Site {
        /// What was given.
        given: String,
    },
    /// The automatic plan together with the Go connector's requests.
    #[error("--request-plan auto and --go-compatible contradict each other")]
    Contradiction,
}

impl Settings {
    /// Checks what was given.
    pub fn new(
        access_token: Secret,
        organization_id: &str,
        base_url: &str,
    ) -> Result<Self, SettingsError> {
        let id = organization_id.trim();
        if id.is_empty() || id.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()) {
            return Err(SettingsError::OrganizationId {
                given: id.to_owned(),
            });
        }
        let base = if base_url.is_empty() {
            ADMIN_BASE_URL
        } else {
            base_url
        };
        Ok(Self {
            access_token,
            organization_id: id.to_owned(),
            base_url: web_url("base-url", base)?,
            scim_token: Secret::default(),
            scim_base_url: None,
            go_compatible: false,
            request_plan: None,
            grants_follow: true,
            site: None,
        })
    }

    /// Adds the directory of the identity provider. Empty texts mean none.
    pub fn with_scim(mut self, token: Secret, base_url: &str) -> Result<Self, SettingsError> {
        self.scim_token = token;
        if !base_url.is_empty() {
            self.scim_base_url = Some(web_url(SCIM_BASE_URL_NAME, base_url)?);
        }
        Ok(self)
    }

    /// Names the site on which roles of sites are changed. An empty text means
    /// none.
    pub fn with_site(mut self, id: &str) -> Result<Self, SettingsError> {
        let id = id.trim();
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        self.site = match id.strip_prefix(SITE) {
            _ if id.is_empty() => None,
            Some(own) if !own.is_empty() && !own.contains(is_odd) => Some(id.to_owned()),
            _ => {
                let given = id.to_owned();
                return Err(SettingsError::Site { given });
            }
        };
        Ok(self)
    }

    /// The plan in force: the Go connector's requests are plain ones.
    pub fn effective_plan(&self) -> RequestPlan {
        if self.go_compatible {
            RequestPlan::Plain
        } else {
            self.request_plan.unwrap_or_default()
        }
    }

    /// Refuses settings that contradict each other.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.go_compatible && self.request_plan == Some(RequestPlan::Auto) {
            return Err(SettingsError::Contradiction);
        }
        Ok(())
    }

    /// What decides the content of a sync besides the data upstream.
    pub fn content_facts(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("base-url".to_owned(), self.base_url.to_string()),
            ("organization-id".to_owned(), self.organization_id.clone()),
            ("go-compatible".to_owned(), self.go_compatible.to_string()),
        ])
    }
}

/// A base URL, without slashes at its end.
fn web_url(setting: &'static str, text: &str) -> Result<Url, SettingsError> {
    let mut url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or(SettingsError::Url { setting })?;
    let part = match (url.query(), url.fragment()) {
        (Some(_), _) => Some("query"),
        (None, Some(_)) => Some("fragment"),
        (None, None) => None,
    };
    if let Some(part) = part {
        return Err(SettingsError::UrlPart { setting, part });
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(id: &str, base: &str) -> Result<Settings, SettingsError> {
        Settings::new(Secret::new("s3cr3t"), id, base)
    }

    #[test]
    fn a_pasted_address_is_no_organization_id() {
        assert!(settings("https://admin.atlassian.com/o/abc/", "").is_err());
        assert!(settings("  ", "").is_err());
        assert_eq!(settings(" abc ", "").unwrap().organization_id, "abc");
    }

    #[test]
    fn the_plan_is_no_fact_of_the_content_and_go_files_have_the_plain_one() {
        let mut settings = settings("o", "").unwrap();
        assert_eq!(settings.effective_plan(), RequestPlan::Auto);
        let before = settings.content_facts();
        settings.request_plan = Some(RequestPlan::Plain);
        assert_eq!(settings.effective_plan(), RequestPlan::Plain);
        assert_eq!(settings.content_facts(), before);
        settings.go_compatible = true;
        assert_eq!(settings.check(), Ok(()));
        settings.request_plan = None;
        assert_eq!(settings.effective_plan(), RequestPlan::Plain);
        assert_eq!(settings.check(), Ok(()));
        settings.request_plan = Some(RequestPlan::Auto);
        assert_eq!(settings.check(), Err(SettingsError::Contradiction));
    }

    #[test]
    fn a_site_is_named_by_its_whole_id() {
        let site = "ari:cloud:platform::site/9c1e";
        let with = |id| settings("o", "").unwrap().with_site(id);
        assert_eq!(with(site).unwrap().site.as_deref(), Some(site));
        assert_eq!(with("").unwrap().site, None);
        for bad in [
            "acme",
            "https://acme.atlassian.net",
            "ari:cloud:platform::site/",
            "ari:cloud:platform::org/o",
            "ari:cloud:platform::site/a b",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_base_url_must_be_one_of_a_web_server() {
        for bad in ["nope", "ftp://x", "file:///etc/passwd", "http://"] {
            assert!(settings("o", bad).is_err(), "{bad}");
        }
        assert_eq!(settings("o", "").unwrap().base_url.as_str(), ADMIN_BASE_URL);
    }

    #[test]
    fn slashes_at_the_end_of_a_base_url_do_not_count_and_other_parts_are_refused() {
        for base in [
            "https://a.test/admin",
            "https://a.test/admin/",
            "https://a.test/admin//",
        ] {
            assert_eq!(
                settings("o", base).unwrap().base_url.as_str(),
                "https://a.test/admin"
            );
        }
        let root = settings("o", "https://a.test//").unwrap();
        assert_eq!(root.base_url.as_str(), "https://a.test/");
        for (base, part) in [
            ("https://a.test/admin?x=s3cr3t", "query"),
            ("https://a.test/admin?", "query"),
            ("https://a.test/admin#s3cr3t", "fragment"),
        ] {
            let error = settings("o", base).unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn settings_do_not_show_their_secrets() {
        let shown = format!(
            "{:?}",
            settings("o", "")
                .unwrap()
                .with_scim(Secret::new("hush"), "")
                .unwrap()
        );
        assert!(!shown.contains("s3cr3t") && !shown.contains("hush"));
    }
}
