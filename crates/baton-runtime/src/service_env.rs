//! Settings of service mode that have no flag: environment variables that the Go
//! programs read too (`service-mode.md` §1.4).

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use baton_flags::Environment;
use baton_flags::sources::variable;
use baton_flags::value::parse_bool;
use baton_ops::ManagerSettings;

use crate::error::Result;
use crate::flags::API_HOST;

const HOST_ID: &str = "BATON_HOST_ID";
const GET_TASKS: &str = "BATON_GET_TASKS";
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG_USEC: &str = "WATCHDOG_USEC";
const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// Settings of service mode in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceEnv {
    /// The host that replaces the one of the client id; it may be empty, which is an
    /// error in service mode.
    pub api_host: Option<String>,
    /// How this machine names itself.
    pub host_id: Option<String>,
    /// Ask for several tasks at a time.
    pub batch: bool,
    /// The folder for temporary files of the system.
    pub temp_dir: PathBuf,
    /// What the service manager that started this program asks of it.
    pub manager: ManagerSettings,
}

impl ServiceEnv {
    /// Reads the settings, and removes those of the service manager: they are for this
    /// process alone, and not for programs that it starts.
    pub(crate) fn take(env: &mut Environment) -> Result<Self> {
        let socket = env.remove(OsStr::new(NOTIFY_SOCKET));
        let usec = env.remove(OsStr::new(WATCHDOG_USEC));
        let pid = env.remove(OsStr::new(WATCHDOG_PID));
        let text = |value: &Option<OsString>| value.as_ref()?.to_str().map(ToOwned::to_owned);
        let manager = ManagerSettings::read(
            socket.as_deref(),
            text(&usec).as_deref(),
            text(&pid).as_deref(),
            std::process::id(),
        );
        Ok(Self {
            manager,
            ..Self::read(env)?
        })
    }

    fn read(env: &Environment) -> Result<Self> {
        // Here an empty value counts.
        let text = |name: &str| {
            let is_empty = env
                .get(OsStr::new(name))
                .is_some_and(|text| text.is_empty());
            let text = variable(env, name)?.map(ToOwned::to_owned);
            Ok::<_, crate::Error>(text.or_else(|| is_empty.then(String::new)))
        };
        Ok(Self {
            api_host: text(API_HOST)?,
            host_id: text(HOST_ID)?,
            // As in Go, what is not a truth value is false.
            batch: variable(env, GET_TASKS)?.is_some_and(|text| parse_bool(text).unwrap_or(false)),
            temp_dir: temp_dir(env),
            manager: ManagerSettings::default(),
        })
    }
}

/// As the standard library finds it, in this environment.
fn temp_dir(env: &Environment) -> PathBuf {
    let names: &[&str] = if cfg!(windows) {
        &["TMP", "TEMP", "USERPROFILE"]
    } else {
        &["TMPDIR"]
    };
    let given = names
        .iter()
        .filter_map(|name| env.get(&OsString::from(name)))
        .find(|value| !value.is_empty());
    given.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> ServiceEnv {
        let pairs = variables.iter();
        let env = pairs
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect();
        ServiceEnv::read(&env).unwrap()
    }

    #[test]
    fn batches_are_asked_for_by_a_truth_value() {
        for (text, batch) in [
            ("1", true),
            ("TRUE", true),
            ("t", true),
            ("0", false),
            ("yes", false),
            ("", false),
        ] {
            assert_eq!(read(&[(GET_TASKS, text)]).batch, batch, "{text}");
        }
        assert!(!read(&[]).batch);
    }

    #[test]
    fn an_empty_host_is_kept_apart_from_none() {
        assert_eq!(read(&[]).api_host, None);
        assert_eq!(read(&[(API_HOST, "")]).api_host, Some(String::new()));
        assert_eq!(read(&[(HOST_ID, "")]).host_id, Some(String::new()));
        assert_eq!(read(&[(HOST_ID, "a")]).host_id.as_deref(), Some("a"));
    }

    #[test]
    fn programs_that_this_one_starts_have_no_part_in_the_service_manager() {
        let pid = std::process::id().to_string();
        let pairs = [
            ("NOTIFY_SOCKET", "/run/notify"),
            ("WATCHDOG_USEC", "2000000"),
            ("WATCHDOG_PID", &pid),
            ("HOME", "/root"),
        ];
        let pairs = pairs.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let mut env: Environment = pairs.into_iter().collect();
        let manager = ServiceEnv::take(&mut env).unwrap().manager;
        assert_eq!(manager.socket.as_deref(), Some(OsStr::new("/run/notify")));
        assert_eq!(manager.watchdog, Some(std::time::Duration::from_secs(2)));
        assert_eq!(env.keys().collect::<Vec<_>>(), ["HOME"]);
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_for_temporary_files_is_that_of_the_system() {
        assert_eq!(read(&[]).temp_dir, PathBuf::from("/tmp"));
        assert_eq!(read(&[("TMPDIR", "")]).temp_dir, PathBuf::from("/tmp"));
        assert_eq!(read(&[("TMPDIR", "/x")]).temp_dir, PathBuf::from("/x"));
    }
}
