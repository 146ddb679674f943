//! Which address of a host is tried first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Any port: nothing is sent.
const PORT: u16 = 443;

/// Sorts by the rules of RFC 6724 that decide between IPv4 and IPv6: addresses that
/// this machine has no route to come last, then those that it would reach from an
/// address of another kind; then IPv6 comes before IPv4. Otherwise the order stays.
pub(super) fn sort(addresses: &mut [SocketAddr]) {
    sort_by_source(addresses, source_for);
}

fn sort_by_source(addresses: &mut [SocketAddr], source: impl Fn(SocketAddr) -> Option<IpAddr>) {
    addresses.sort_by_cached_key(|address| {
        let source = source(*address);
        let unreachable = source.is_none();
        let mixed =
            source.is_some_and(|source| is_private_v6(source) != is_private_v6(address.ip()));
        (unreachable, mixed, address.is_ipv4())
    });
}

/// Unique local or link-local: such a source reaches no address of the internet.
fn is_private_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local())
}

/// The address of this machine from which packets to `target` leave. Connecting a
/// datagram socket only chooses the route.
fn source_for(mut target: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    target.set_port(PORT);
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(addresses: &[&str], sources: &[(&str, &str)]) -> Vec<String> {
        let parse = |ip: &&str| SocketAddr::new(ip.parse().unwrap(), 0);
        let mut addresses: Vec<_> = addresses.iter().map(parse).collect();
        sort_by_source(&mut addresses, |address| {
            let source = sources
                .iter()
                .find(|(to, _)| *to == address.ip().to_string());
            source.map(|(_, from)| from.parse().unwrap())
        });
        addresses.iter().map(|a| a.ip().to_string()).collect()
    }

    #[test]
    fn ipv6_comes_first_where_it_works() {
        let both = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
        let v4 = [("192.0.2.1", "10.0.0.9"), ("192.0.2.2", "10.0.0.9")];
        let with = |v6| [v4.as_slice(), &[("2001:db8::1", v6)]].concat();
        let v6_first = ["2001:db8::1", "192.0.2.1", "192.0.2.2"];
        assert_eq!(sorted(&both, &with("2001:db8::9")), v6_first);
        assert_eq!(sorted(&both, &with("fd00::9")), both);
        assert_eq!(sorted(&both, &v4), both);
        let one = sorted(&both, &[("192.0.2.2", "10.0.0.9")]);
        assert_eq!(one, ["192.0.2.2", "2001:db8::1", "192.0.2.1"]);
    }

    #[test]
    fn a_source_is_chosen_without_a_connection() {
        let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
        assert_eq!(source_for(SocketAddr::new(loopback, 0)), Some(loopback));
    }
}
