//! Notices to the service manager, as systemd defines them in `sd_notify(3)`.
//!
//! The crates for this read the environment of the process by themselves; here the socket
//! is a value.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bytes of a status line.
const LONGEST_STATUS: usize = 200;

/// What the service manager asks of the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagerSettings {
    /// The socket for notices: a path, or `@` and the name of an abstract socket.
    pub socket: Option<OsString>,
    /// The manager ends the program if it hears nothing for so long.
    pub watchdog: Option<Duration>,
}

impl ManagerSettings {
    /// The settings from the values of `NOTIFY_SOCKET`, `WATCHDOG_USEC` and
    /// `WATCHDOG_PID`; `pid` is that of this process. A watchdog for another process, and
    /// values that cannot be read, count as absent.
    pub fn read(
        socket: Option<&OsStr>,
        watchdog_usec: Option<&str>,
        watchdog_pid: Option<&str>,
        pid: u32,
    ) -> Self {
        let is_own = watchdog_pid.is_none_or(|text| text.parse() == Ok(pid));
        let usec = watchdog_usec.and_then(|text| text.parse().ok());
        let usec = usec.filter(|usec| is_own && *usec > 0);
        let socket = socket.filter(|socket| !socket.is_empty());
        Self {
            socket: socket.map(OsStr::to_owned),
            watchdog: usec.map(Duration::from_micros),
        }
    }
}

/// The service manager that started this program, if there is one. Notices that cannot be
/// sent cause one warning. Clones are the same manager.
#[derive(Debug, Clone, Default)]
pub struct ServiceManager(Option<Arc<Manager>>);

#[derive(Debug)]
struct Manager {
    socket: OsString,
    watchdog: Option<Duration>,
    has_warned: AtomicBool,
}

impl ServiceManager {
    /// The manager at this socket; none without a socket.
    pub fn new(settings: &ManagerSettings) -> Self {
        Self(settings.socket.as_ref().map(|socket| {
            Arc::new(Manager {
                socket: socket.clone(),
                watchdog: settings.watchdog,
                has_warned: AtomicBool::new(false),
            })
        }))
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// How often [`ServiceManager::alive`] is to be sent; `None` if it is not asked for.
    pub fn alive_period(&self) -> Option<Duration> {
        Some(self.0.as_ref()?.watchdog? / 2)
    }

    /// The program has started, or has read its settings again.
    pub async fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}\n", line(status)))
            .await;
    }

    /// What the program does now, for people.
    pub async fn status(&self, status: &str) {
        self.send(&format!("STATUS={}\n", line(status))).await;
    }

    /// The program reads its settings again; [`ServiceManager::ready`] ends that.
    pub async fn reloading(&self) {
        let notice = match monotonic_usec() {
            Some(usec) => format!("RELOADING=1\nMONOTONIC_USEC={usec}\n"),
            None => "RELOADING=1\n".to_owned(),
        };
        self.send(&notice).await;
    }

    /// The program has begun to end.
    pub async fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={}\n", line(status)))
            .await;
    }

    /// The program does its work.
    pub async fn alive(&self) {
        self.send("WATCHDOG=1\n").await;
    }

    async fn send(&self, notice: &str) {
        let Some(manager) = &self.0 else {
            return;
        };
        if let Err(error) = send(&manager.socket, notice).await
            && !manager.has_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                socket = %manager.socket.display(),
                %error,
                "cannot send notices to the service manager"
            );
        }
    }
}

/// One line of bounded length.
fn line(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_STATUS);
    text[..end].replace(['\n', '\r'], " ")
}

/// The clock that systemd compares, in microseconds.
#[cfg(unix)]
fn monotonic_usec() -> Option<i64> {
    use rustix::time::{ClockId, clock_gettime};

    let now = clock_gettime(ClockId::Monotonic);
    let seconds = now.tv_sec.checked_mul(1_000_000)?;
    seconds.checked_add(now.tv_nsec / 1_000)
}

#[cfg(not(unix))]
fn monotonic_usec() -> Option<i64> {
    None
}

#[cfg(unix)]
async fn send(socket: &OsStr, notice: &str) -> std::io::Result<()> {
    use std::io::{Error, ErrorKind};
    use std::os::unix::net::UnixDatagram;

    /// A manager that does not read its socket for so long gets no notice.
    const LIMIT: Duration = Duration::from_secs(1);

    let own = UnixDatagram::unbound()?;
    own.set_nonblocking(true)?;
    connect(&own, socket)?;
    let own = tokio::net::UnixDatagram::from_std(own)?;
    let sent = tokio::time::timeout(LIMIT, own.send(notice.as_bytes())).await;
    let sent = sent.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
    if sent == notice.len() {
        Ok(())
    } else {
        Err(Error::from(ErrorKind::WriteZero))
    }
}

#[cfg(unix)]
fn connect(own: &std::os::unix::net::UnixDatagram, socket: &OsStr) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::net::SocketAddr;

        if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
            return own.connect_addr(&SocketAddr::from_abstract_name(name)?);
        }
    }
    own.connect(socket)
}

#[cfg(not(unix))]
async fn send(_: &OsStr, _: &str) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(socket: &str, usec: Option<&str>, pid: Option<&str>) -> ManagerSettings {
        ManagerSettings::read(Some(OsStr::new(socket)), usec, pid, 7)
    }

    #[test]
    fn a_watchdog_counts_if_it_is_for_this_process() {
        let minute = Some(Duration::from_mins(1));
        for (usec, pid, watchdog) in [
            (Some("60000000"), None, minute),
            (Some("60000000"), Some("7"), minute),
            (Some("60000000"), Some("8"), None),
            (Some("60000000"), Some("x"), None),
            (Some("0"), None, None),
            (Some("-1"), None, None),
            (Some("60s"), None, None),
            (None, Some("7"), None),
        ] {
            assert_eq!(read("/s", usec, pid).watchdog, watchdog, "{usec:?} {pid:?}");
        }
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time_and_only_with_a_socket() {
        let settings = read("/s", Some("60000000"), None);
        let manager = ServiceManager::new(&settings);
        assert_eq!(manager.alive_period(), Some(Duration::from_secs(30)));
        let manager = ServiceManager::new(&read("", Some("60000000"), None));
        assert!(!manager.is_there());
        assert_eq!(manager.alive_period(), None);
    }

    #[test]
    fn a_status_is_one_short_line() {
        assert_eq!(line("a\nREADY=1\rb"), "a READY=1 b");
        assert_eq!(line(&"ä".repeat(500)).len(), LONGEST_STATUS);
    }

    #[cfg(unix)]
    #[test]
    fn the_monotonic_clock_moves_on() {
        let first = monotonic_usec().unwrap();
        assert!(first > 0);
        assert!(monotonic_usec().unwrap() >= first);
    }
}
