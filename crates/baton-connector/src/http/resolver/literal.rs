//! Addresses in the place of host names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use rustix::net::{AddressFamily, SocketType, netdevice, socket};

/// The address that `host` is, if it is one. An IPv6 address may name its interface
/// after `%`, by name or by number.
pub(super) fn address(host: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, port));
    }
    let (ip, interface) = host.split_once('%')?;
    let ip: Ipv6Addr = ip.parse().ok()?;
    let scope = interface.parse().ok().or_else(|| index_of(interface))?;
    Some(SocketAddrV6::new(ip, port, 0, scope).into())
}

fn index_of(interface: &str) -> Option<u32> {
    let any = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
    netdevice::name_to_index(any, interface).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_not_looked_up() {
        let text = |host| address(host, 80).map(|found| found.to_string());
        assert_eq!(text("10.0.0.1").as_deref(), Some("10.0.0.1:80"));
        assert_eq!(text("::1").as_deref(), Some("[::1]:80"));
        assert_eq!(text("fe80::1%7").as_deref(), Some("[fe80::1%7]:80"));
        let loopback = index_of("lo").expect("a loopback interface");
        let expected = format!("[fe80::1%{loopback}]:80");
        assert_eq!(text("fe80::1%lo"), Some(expected));
        for name in ["fe80::1%no-such-interface", "10.0.0.1%1", "api.test", ""] {
            assert_eq!(text(name), None, "{name}");
        }
    }
}
