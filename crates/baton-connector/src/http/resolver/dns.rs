//! Look-ups by the hosts file and by name servers, in this order, as the C library
//! makes them without modules.
//!
//! The files are read for each look-up: they may change while a service runs, and a
//! look-up is made for a connection, not for a request. Answers are not kept, because
//! the name servers of most machines do that.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RecordType};
use resolv_conf::Config;
use tokio::time::timeout;

use super::answer::Answer;
use super::{LookupError, hosts, literal, order};

/// A look-up ends within this, so that the report of a name service that does not work
/// is made before the connection as a whole times out
/// ([`CONNECT_TIMEOUT`](crate::http::CONNECT_TIMEOUT)).
const LIMIT: Duration = Duration::from_secs(6);
/// How long the addresses of one kind wait for those of the other kind. Some firewalls
/// drop questions for IPv6 addresses.
const OTHER_KIND_WAIT: Duration = Duration::from_secs(1);

const PORT: u16 = 53;
/// The limits of the C library.
const MAX_SERVERS: usize = 3;
const MAX_SEARCHED: usize = 6;
const MAX_DOTS: u32 = 15;
const MAX_ATTEMPTS: u32 = 5;
const MAX_BYTES: u64 = 1 << 20;

/// The files that say how names are looked up.
#[derive(Debug, Clone)]
pub(super) struct NameService {
    pub(super) hosts: PathBuf,
    pub(super) resolv_conf: PathBuf,
    /// Where name servers listen.
    pub(super) port: u16,
    pub(super) limit: Duration,
}

pub(super) async fn of_system(host: &str, port: u16) -> Result<Vec<SocketAddr>, LookupError> {
    let service = NameService {
        hosts: "/etc/hosts".into(),
        resolv_conf: "/etc/resolv.conf".into(),
        port: PORT,
        limit: LIMIT,
    };
    service.look_up(host, port).await
}

impl NameService {
    pub(super) async fn look_up(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, LookupError> {
        if let Some(address) = literal::address(host, port) {
            return Ok(vec![address]);
        }
        let found = match self.in_hosts_file(host).await {
            Err(reason) => return Err(LookupError::new(false, host, reason)),
            Ok(found) if !found.is_empty() => found,
            Ok(_) if is_localhost(host) => {
                vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]
            }
            Ok(_) => self.by_name_servers(host).await?,
        };
        let mut found: Vec<_> = found
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect();
        order::sort(&mut found);
        Ok(found)
    }

    async fn in_hosts_file(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let (file, host) = (self.hosts.clone(), host.to_owned());
        read(&self.hosts, move || hosts::addresses_in(&file, &host)).await
    }

    async fn by_name_servers(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let error = |unknown, reason: &str| LookupError::new(unknown, host, reason);
        let file = self.resolv_conf.clone();
        let content = read(&self.resolv_conf, move || read_bounded(&file)).await;
        let content = content.map_err(|reason| error(false, &reason))?;
        let (config, _) = Config::parse_with_errors(&content);
        let servers = Servers::of(&config, self).map_err(|reason| error(false, &reason))?;
        let Some(names) = names(host, &config) else {
            return Err(error(true, "not a valid host name"));
        };
        match timeout(self.limit, servers.first_of(&names)).await {
            Ok(Answer::Found(found)) => Ok(found),
            Ok(Answer::NoAddress) => Err(error(true, "the name has no address")),
            Ok(Answer::NoName) => Err(error(true, "the name does not exist")),
            Ok(Answer::Failed(reason)) => Err(error(false, &reason)),
            Err(_) => Err(error(false, &servers.late(self.limit))),
        }
    }
}

/// Reads a file where waiting is allowed.
async fn read<T: Send + 'static>(
    path: &Path,
    read: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let result = tokio::task::spawn_blocking(read).await;
    let result = result.unwrap_or_else(|error| Err(error.into()));
    result.map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

/// This machine, whatever name servers would answer (RFC 6761).
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let top = host.rsplit('.').next().unwrap_or_default();
    top.eq_ignore_ascii_case("localhost")
}

/// The full names that `host` may stand for, the first to ask for first; `None` if it
/// cannot be a name.
fn names(host: &str, config: &Config) -> Option<Vec<Name>> {
    if matches!(host, "" | ".") {
        return None;
    }
    if host.ends_with('.') {
        return Some(vec![Name::from_str_relaxed(host).ok()?]);
    }
    let whole = Name::from_str_relaxed(format!("{host}.")).ok()?;
    let searched = config
        .get_last_search_or_domain()
        .map(|domain| domain.trim_end_matches('.'))
        // `--` is how systemd writes an empty list.
        .filter(|domain| !matches!(*domain, "" | "--"))
        .take(MAX_SEARCHED)
        .filter_map(|domain| Name::from_str_relaxed(format!("{host}.{domain}.")).ok());
    let mut names: Vec<_> = searched.collect();
    let dots = host.bytes().filter(|byte| *byte == b'.').count();
    let whole_first = u32::try_from(dots).is_ok_and(|dots| dots >= config.ndots.min(MAX_DOTS));
    let place = if whole_first { 0 } else { names.len() };
    names.insert(place, whole);
    Some(names)
}

/// The name servers, asked one after another.
struct Servers {
    clients: Vec<(IpAddr, TokioResolver)>,
    attempts: u32,
    kinds: &'static [RecordType],
}

impl Servers {
    fn of(config: &Config, service: &NameService) -> Result<Self, String> {
        let listed = config.nameservers.iter().take(MAX_SERVERS);
        let listed: Vec<IpAddr> = listed.map(Into::into).collect();
        if listed.is_empty() {
            return Err(format!(
                "no name server in {}",
                service.resolv_conf.display()
            ));
        }
        let count = u32::try_from(listed.len()).unwrap_or(u32::MAX);
        // Time for a second attempt, or for the last server.
        let share = service.limit / count.max(2);
        let patience = Duration::from_secs(config.timeout.max(1).into()).min(share);
        let clients = listed
            .into_iter()
            .map(|ip| Ok((ip, client(ip, config, service.port, patience)?)))
            .collect::<Result<Vec<_>, NetError>>()
            .map_err(|error| format!("cannot ask the name servers: {error}"))?;
        Ok(Self {
            clients,
            attempts: config.attempts.clamp(1, MAX_ATTEMPTS),
            kinds: if config.no_aaaa {
                &[RecordType::A]
            } else {
                &[RecordType::A, RecordType::AAAA]
            },
        })
    }

    async fn first_of(&self, names: &[Name]) -> Answer {
        let mut answer = Answer::NoName;
        for name in names {
            let next = self.addresses(name).await;
            if matches!(next, Answer::Found(_)) {
                return next;
            }
            answer = answer.or(next);
        }
        answer
    }

    /// The addresses of all kinds, asked for at the same time.
    async fn addresses(&self, name: &Name) -> Answer {
        let [first, second] = self.kinds else {
            return self.ask(name, RecordType::A).await;
        };
        let (first, second) = (self.ask(name, *first), self.ask(name, *second));
        tokio::pin!(first, second);
        let (answer, other) = match select(first, second).await {
            Either::Left(done) | Either::Right(done) => done,
        };
        let other = match answer {
            Answer::NoName => Answer::NoName,
            Answer::Found(_) => timeout(OTHER_KIND_WAIT, other)
                .await
                .unwrap_or(Answer::NoAddress),
            Answer::NoAddress | Answer::Failed(_) => other.await,
        };
        answer.of_both_kinds(other)
    }

    /// The first answer of a server that knows.
    async fn ask(&self, name: &Name, kind: RecordType) -> Answer {
        let mut answer = Answer::Failed(String::new());
        for _ in 0..self.attempts {
            for (ip, client) in &self.clients {
                answer = Answer::of(*ip, client.lookup(name.clone(), kind).await);
                if !matches!(answer, Answer::Failed(_)) {
                    return answer;
                }
            }
        }
        answer
    }

    fn late(&self, limit: Duration) -> String {
        let servers: Vec<_> = self.clients.iter().map(|(ip, _)| ip.to_string()).collect();
        format!(
            "no answer from {} {} within {} s",
            if servers.len() == 1 {
                "name server"
            } else {
                "name servers"
            },
            servers.join(", "),
            limit.as_secs(),
        )
    }
}

/// A client of one name server. It asks once: this module chooses the next server.
fn client(
    ip: IpAddr,
    config: &Config,
    port: u16,
    patience: Duration,
) -> Result<TokioResolver, NetError> {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    if config.use_vc {
        connections.remove(0);
    }
    for connection in &mut connections {
        connection.port = port;
    }
    let server = NameServerConfig::new(ip, true, connections);
    let mut builder = TokioResolver::builder_with_config(
        ResolverConfig::from_name_servers(vec![server]),
        TokioRuntimeProvider::default(),
    );
    let options = builder.options_mut();
    options.timeout = patience;
    options.attempts = 0;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.edns0 = config.edns0;
    builder.build()
}
