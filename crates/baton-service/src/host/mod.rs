//! What the service learns about this machine and this program (`service-mode.md`
//! §1.4, §2.2).

mod facts;
mod os_release;
mod virtualization;

use baton_proto::c1::connectorapi::baton::v1::baton_service_hello_request::{BuildInfo, OsInfo};

pub use facts::HostFacts;

/// The host id of a machine without a name.
const UNNAMED: &str = "baton-sdk";
/// What is not known.
const UNKNOWN: &str = "unknown";
/// Longest text that the service accepts, in characters.
const MAX_CHARS: usize = 256;

/// The host id that each request names: the one that was configured, or the name of the
/// machine. One that was configured as empty counts as the id of a machine without a
/// name.
pub fn host_id(configured: Option<&str>, facts: &HostFacts) -> String {
    let id = configured.or(facts.host_name.as_deref());
    cut(id.filter(|id| !id.is_empty()).unwrap_or(UNNAMED))
}

/// The program `package` in its `version`, and the compiler that made it.
pub fn build_info(package: &str, version: &str) -> BuildInfo {
    let number = version.trim_start_matches('v');
    let number = if number.is_empty() { "0.0.0" } else { number };
    BuildInfo {
        lang_version: concat!("rust", env!("COMPILER_VERSION")).to_owned(),
        package: cut(if package.is_empty() { UNKNOWN } else { package }),
        package_version: cut(&format!("v{number}")),
    }
}

/// The machine. No field is empty: the service requires each.
pub fn os_info(facts: &HostFacts) -> OsInfo {
    let release = os_release::read(facts.os_release.as_deref().unwrap_or_default());
    let text = |text: Option<&str>, default: &str| {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        cut(text.unwrap_or(default))
    };
    let os = text(Some(&facts.os), UNKNOWN);
    let platform = text(release.id.as_deref(), &os);
    let kernel_version = text(facts.kernel_version.as_deref(), UNKNOWN);
    OsInfo {
        hostname: text(facts.host_name.as_deref(), UNKNOWN),
        platform_version: text(release.version_id.as_deref(), &kernel_version),
        platform_family: text(release.family.as_deref(), &platform),
        kernel_arch: text(Some(&facts.arch), UNKNOWN),
        virtualization_system: virtualization::of(facts).to_owned(),
        os,
        platform,
        kernel_version,
    }
}

/// The first characters of a text, as many as the service accepts.
fn cut(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> HostFacts {
        HostFacts {
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            ..HostFacts::default()
        }
    }

    #[test]
    fn the_host_id_is_configured_or_the_name_of_the_machine() {
        let named = HostFacts {
            host_name: Some("vm".to_owned()),
            ..facts()
        };
        let empty = HostFacts {
            host_name: Some(String::new()),
            ..facts()
        };
        assert_eq!(host_id(Some("golden-host"), &named), "golden-host");
        assert_eq!(host_id(None, &named), "vm");
        assert_eq!(host_id(Some(""), &named), "baton-sdk");
        assert_eq!(host_id(None, &empty), "baton-sdk");
        assert_eq!(host_id(None, &facts()), "baton-sdk");
        assert_eq!(host_id(Some(&"ä".repeat(300)), &named), "ä".repeat(256));
    }

    #[test]
    fn the_build_names_the_compiler_and_has_a_version_with_a_v() {
        let build = build_info("baton-atlassian", "0.1.0");
        let compiler = build.lang_version.strip_prefix("rust").unwrap();
        assert_eq!(compiler.split('.').count(), 3, "{compiler}");
        assert_eq!(build.package, "baton-atlassian");
        assert_eq!(build.package_version, "v0.1.0");
        assert_eq!(build_info("x", "v1.2.3").package_version, "v1.2.3");
        let unknown = build_info("", "");
        assert_eq!(unknown.package_version, "v0.0.0");
        assert_eq!(unknown.package, "unknown");
    }

    #[test]
    fn a_known_machine_is_described() {
        let facts = HostFacts {
            host_name: Some("vm".to_owned()),
            kernel_version: Some("6.18.44".to_owned()),
            os_release: Some(
                "ID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n".to_owned(),
            ),
            is_docker: true,
            ..facts()
        };
        let expected = OsInfo {
            hostname: "vm".to_owned(),
            os: "linux".to_owned(),
            platform: "rocky".to_owned(),
            platform_version: "9.4".to_owned(),
            platform_family: "rhel".to_owned(),
            kernel_version: "6.18.44".to_owned(),
            kernel_arch: "x86_64".to_owned(),
            virtualization_system: "docker".to_owned(),
        };
        assert_eq!(os_info(&facts), expected);
    }

    #[test]
    fn what_is_not_known_has_a_default() {
        let info = os_info(&facts());
        let expected = OsInfo {
            hostname: "unknown".to_owned(),
            os: "linux".to_owned(),
            platform: "linux".to_owned(),
            platform_version: "unknown".to_owned(),
            platform_family: "linux".to_owned(),
            kernel_version: "unknown".to_owned(),
            kernel_arch: "x86_64".to_owned(),
            virtualization_system: "none".to_owned(),
        };
        assert_eq!(info, expected);
        let blank = HostFacts {
            host_name: Some("  ".to_owned()),
            kernel_version: Some(String::new()),
            os_release: Some("ID=\nVERSION_ID=''\n".to_owned()),
            ..facts()
        };
        assert_eq!(os_info(&blank), expected);
        let arch = HostFacts {
            kernel_version: Some("6.1".to_owned()),
            os_release: Some("ID=arch".to_owned()),
            ..facts()
        };
        assert_eq!(os_info(&arch).platform_version, "6.1");
        assert_eq!(os_info(&arch).platform_family, "arch");
    }

    #[test]
    fn this_machine_has_no_empty_field() {
        let info = os_info(&HostFacts::read(std::path::Path::new("/")));
        for field in [
            info.hostname,
            info.os,
            info.platform,
            info.platform_version,
            info.platform_family,
            info.kernel_version,
            info.kernel_arch,
            info.virtualization_system,
        ] {
            assert!(!field.is_empty());
        }
    }
}
