//! Who runs this process, for records of changes.

use serde::Serialize;

/// Longest `/etc/passwd` that is read.
#[cfg(unix)]
const MAX_PASSWD: u64 = 4 << 20;

/// The user, host and process of a run, without a look-up over the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Operator {
    /// Number of the operating system's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its name in `/etc/passwd`, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of the host.
    pub host: String,
    /// Number of the process.
    pub pid: u32,
}

impl Operator {
    /// Of this process.
    pub(crate) fn of_process() -> Self {
        Self {
            pid: std::process::id(),
            ..Self::of_system()
        }
    }

    #[cfg(unix)]
    fn of_system() -> Self {
        let uid = rustix::process::getuid().as_raw();
        let passwd = std::fs::File::open("/etc/passwd").ok();
        let passwd = passwd.and_then(|file| {
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_PASSWD), &mut text)
                .ok()
                .map(|_| text)
        });
        let host = rustix::system::uname();
        Self {
            uid: Some(uid),
            user: passwd.and_then(|text| name_of(uid, &text)),
            host: host.nodename().to_string_lossy().into_owned(),
            pid: 0,
        }
    }

    #[cfg(not(unix))]
    fn of_system() -> Self {
        Self::default()
    }
}

/// The name in the first line of a `passwd` file that has this number.
#[cfg(unix)]
fn name_of(uid: u32, passwd: &[u8]) -> Option<String> {
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        let number: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
        (number == uid && !name.is_empty()).then(|| String::from_utf8_lossy(name).into_owned())
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_line_with_the_number() {
        let passwd = b"root:x:0:0::/root:/bin/sh\n# 1000\nada:x:1000:100::/:/bin/sh\n:x:7:7::/:\n";
        assert_eq!(name_of(0, passwd).as_deref(), Some("root"));
        assert_eq!(name_of(1000, passwd).as_deref(), Some("ada"));
        assert_eq!(name_of(7, passwd), None);
        assert_eq!(name_of(100, passwd), None, "that is a group");
        assert_eq!(name_of(0, b""), None);
    }

    #[test]
    fn this_process_has_a_user_and_a_host() {
        let operator = Operator::of_process();
        assert_eq!(operator.pid, std::process::id());
        assert!(operator.uid.is_some() && !operator.host.is_empty());
    }
}
