//! Notices over real sockets.

use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use baton_ops::{ManagerSettings, ServiceManager};

fn manager(socket: impl Into<OsString>) -> ServiceManager {
    ServiceManager::new(&ManagerSettings {
        socket: Some(socket.into()),
        watchdog: None,
    })
}

fn receive(socket: &UnixDatagram) -> String {
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut notice = [0; 1024];
    let length = socket.recv(&mut notice).unwrap();
    String::from_utf8(notice[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn notices_have_the_form_that_systemd_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let manager = manager(&path);
    manager.ready("calling the service").await;
    assert_eq!(receive(&socket), "READY=1\nSTATUS=calling the service\n");
    manager.status("2 tasks are running").await;
    assert_eq!(receive(&socket), "STATUS=2 tasks are running\n");
    manager.alive().await;
    assert_eq!(receive(&socket), "WATCHDOG=1\n");
    manager.stopping("stopping").await;
    assert_eq!(receive(&socket), "STOPPING=1\nSTATUS=stopping\n");
    manager.reloading().await;
    let notice = receive(&socket);
    let usec = notice.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(usec.trim_end().parse::<u64>().unwrap() > 0, "{notice}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_abstract_socket_is_reached() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;

    let name = format!("baton-ops-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    manager(format!("@{name}")).alive().await;
    assert_eq!(receive(&socket), "WATCHDOG=1\n");
}

#[tokio::test]
async fn a_socket_that_is_gone_or_none_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let gone = dir.path().join("gone");
    drop(UnixDatagram::bind(&gone).unwrap());
    for path in [
        Path::new("/nowhere/notify"),
        &file,
        &gone,
        Path::new(&"x".repeat(500)),
    ] {
        let manager = manager(path);
        manager.ready("x").await;
        manager.alive().await;
    }
    ServiceManager::default().ready("x").await;
}

#[tokio::test]
async fn a_manager_that_does_not_read_delays_a_notice_by_a_second_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let _socket = UnixDatagram::bind(&path).unwrap();
    let manager = manager(&path);
    let began = std::time::Instant::now();
    // More than the queue of a socket holds.
    let many = async {
        for _ in 0..20_000 {
            let before = std::time::Instant::now();
            manager.alive().await;
            if before.elapsed() >= Duration::from_millis(900) {
                return;
            }
        }
        panic!("the queue did not fill");
    };
    tokio::time::timeout(Duration::from_secs(20), many)
        .await
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(20));
}
