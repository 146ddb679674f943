//! Look-ups with a name server of this machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::LookupError;
use super::dns::NameService;

/// How a name server answers a question.
#[derive(Clone)]
enum Reply {
    Records(Vec<RData>),
    Code(ResponseCode),
    /// Only over TCP.
    Long(Vec<RData>),
    Silence,
}

type Zone = BTreeMap<(&'static str, RecordType), Reply>;

fn v4(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(127, 1, 0, last)))
}

fn v6() -> RData {
    RData::AAAA(AAAA("2001:db8::1".parse().unwrap()))
}

fn records(records: &[RData]) -> Reply {
    Reply::Records(records.to_vec())
}

/// A name server, and the questions that it was asked.
struct Server {
    zone: Zone,
    asked: Mutex<Vec<String>>,
}

impl Server {
    /// Listens on `ip`, over UDP and TCP. A name that the zone does not have does not
    /// exist.
    async fn start(ip: &str, port: u16, zone: Zone) -> (Arc<Self>, u16) {
        let ip: IpAddr = ip.parse().unwrap();
        let udp = UdpSocket::bind((ip, port)).await.unwrap();
        let port = udp.local_addr().unwrap().port();
        let tcp = TcpListener::bind((ip, port)).await.unwrap();
        let server = Arc::new(Self {
            zone,
            asked: Mutex::default(),
        });
        let (by_udp, by_tcp) = (Arc::clone(&server), Arc::clone(&server));
        tokio::spawn(async move {
            let mut packet = [0; 4096];
            loop {
                let (length, from) = udp.recv_from(&mut packet).await.unwrap();
                if let Some(answer) = by_udp.answer(&packet[..length], false) {
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let length = stream.read_u16().await.unwrap();
                let mut packet = vec![0; length.into()];
                stream.read_exact(&mut packet).await.unwrap();
                let answer = by_tcp.answer(&packet, true).unwrap();
                let length = u16::try_from(answer.len()).unwrap();
                stream.write_u16(length).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        (server, port)
    }

    fn answer(&self, packet: &[u8], by_tcp: bool) -> Option<Vec<u8>> {
        let question = Message::from_vec(packet).unwrap();
        let query = question.queries[0].clone();
        let name = query.name().to_ascii();
        self.asked.lock().unwrap().push(name.clone());
        let known = |(known, _): &&(&'static str, RecordType)| *known == name;
        let reply = self.zone.get(&(
            self.zone.keys().find(known).map_or("", |(name, _)| name),
            query.query_type(),
        ));
        let reply = match reply {
            Some(reply) => reply.clone(),
            None if self.zone.keys().any(|key| known(&key)) => records(&[]),
            None => Reply::Code(ResponseCode::NXDomain),
        };
        let mut answer = Message::response(question.id, question.op_code);
        answer.add_query(query.clone());
        match reply {
            Reply::Silence => return None,
            Reply::Code(code) => answer.metadata.response_code = code,
            Reply::Long(_) if !by_tcp => answer.metadata.truncation = true,
            Reply::Records(found) | Reply::Long(found) => {
                let mut owner = query.name().clone();
                for data in found {
                    let record = Record::from_rdata(owner.clone(), 60, data);
                    if let RData::CNAME(CNAME(target)) = &record.data {
                        owner = target.clone();
                    }
                    answer.add_answer(record);
                }
            }
        }
        Some(answer.to_vec().unwrap())
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.dedup();
        asked
    }
}

/// The files of a name service.
struct Files(tempfile::TempDir, u16);

impl Files {
    fn new(port: u16, hosts: &str, resolv_conf: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hosts"), hosts).unwrap();
        std::fs::write(folder.path().join("resolv.conf"), resolv_conf).unwrap();
        Self(folder, port)
    }

    fn service(&self) -> NameService {
        NameService {
            hosts: self.0.path().join("hosts"),
            resolv_conf: self.0.path().join("resolv.conf"),
            port: self.1,
            limit: Duration::from_secs(2),
        }
    }

    async fn found(&self, host: &str) -> Result<Vec<String>, LookupError> {
        let found = self.service().look_up(host, 8443).await?;
        Ok(found.iter().map(SocketAddr::to_string).collect())
    }

    /// Whether the name is unknown, and the text of the error.
    async fn failed(&self, host: &str) -> (bool, String) {
        let error = self.found(host).await.unwrap_err();
        (error.unknown, error.to_string())
    }
}

const LOCAL: &str = "nameserver 127.0.0.1\n";

#[tokio::test]
async fn a_name_server_is_asked_for_both_kinds_of_address() {
    let cname = RData::CNAME(CNAME(Name::from_ascii("edge.test.").unwrap()));
    let zone = Zone::from([
        (("api.test.", RecordType::A), records(&[v4(1), v4(2)])),
        (("api.test.", RecordType::AAAA), records(&[v6()])),
        (("alias.test.", RecordType::A), records(&[cname, v4(3)])),
        (("long.test.", RecordType::A), Reply::Long(vec![v4(4)])),
    ]);
    let (_server, port) = Server::start("127.0.0.1", 0, zone).await;
    let files = Files::new(port, "", LOCAL);
    let mut both = files.found("api.test").await.unwrap();
    both.sort();
    let expected = ["127.1.0.1:8443", "127.1.0.2:8443", "[2001:db8::1]:8443"];
    assert_eq!(both, expected);
    assert_eq!(files.found("alias.test").await.unwrap(), ["127.1.0.3:8443"]);
    assert_eq!(files.found("long.test").await.unwrap(), ["127.1.0.4:8443"]);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_from_servers_that_do_not_work() {
    let zone = Zone::from([
        (("mail.test.", RecordType::MX), records(&[])),
        (
            ("broken.test.", RecordType::A),
            Reply::Code(ResponseCode::ServFail),
        ),
        (
            ("broken.test.", RecordType::AAAA),
            Reply::Code(ResponseCode::ServFail),
        ),
        (("half.test.", RecordType::A), records(&[v4(1)])),
        (
            ("half.test.", RecordType::AAAA),
            Reply::Code(ResponseCode::ServFail),
        ),
        (("silent.test.", RecordType::A), Reply::Silence),
        (("silent.test.", RecordType::AAAA), Reply::Silence),
    ]);
    let (_server, port) = Server::start("127.0.0.1", 0, zone).await;
    let files = Files::new(port, "", LOCAL);
    let failed = files.failed("none.test").await;
    assert_eq!(
        failed,
        (true, "`none.test`: the name does not exist".to_owned())
    );
    let failed = files.failed("mail.test").await;
    assert_eq!(
        failed,
        (true, "`mail.test`: the name has no address".to_owned())
    );
    let (unknown, text) = files.failed("broken.test").await;
    assert!(!unknown);
    assert_eq!(
        text,
        "`broken.test`: name server 127.0.0.1 returned `Server Failure`"
    );
    assert_eq!(files.found("half.test").await.unwrap(), ["127.1.0.1:8443"]);

    let begin = Instant::now();
    let (unknown, text) = files.failed("silent.test").await;
    assert!(!unknown);
    assert!(
        text.starts_with("`silent.test`: no answer from name server 127.0.0.1"),
        "{text}"
    );
    assert!(begin.elapsed() < Duration::from_secs(4));

    for invalid in ["", ".", "a..test", &"a".repeat(64)] {
        let (unknown, text) = files.failed(invalid).await;
        assert!(unknown, "{text}");
        assert!(text.ends_with("not a valid host name"), "{text}");
    }
}

#[tokio::test]
async fn addresses_of_one_kind_do_not_wait_long_for_the_other() {
    let zone = Zone::from([
        (("api.test.", RecordType::A), records(&[v4(1)])),
        (("api.test.", RecordType::AAAA), Reply::Silence),
    ]);
    let (_server, port) = Server::start("127.0.0.1", 0, zone).await;
    let files = Files::new(port, "", LOCAL);
    assert_eq!(files.found("api.test").await.unwrap(), ["127.1.0.1:8443"]);
}

#[tokio::test]
async fn the_next_server_answers_for_one_that_does_not() {
    let silent = Zone::from([
        (("api.test.", RecordType::A), Reply::Silence),
        (("api.test.", RecordType::AAAA), Reply::Silence),
    ]);
    let zone = || Zone::from([(("api.test.", RecordType::A), records(&[v4(1)]))]);
    let refused = || {
        Zone::from([(
            ("api.test.", RecordType::A),
            Reply::Code(ResponseCode::Refused),
        )])
    };
    let (_first, port) = Server::start("127.0.0.1", 0, silent).await;
    let (_second, _) = Server::start("127.0.0.2", port, zone()).await;
    let (_third, _) = Server::start("127.0.0.3", port, refused()).await;
    for first in ["127.0.0.1", "127.0.0.3", "127.0.0.4"] {
        let files = Files::new(
            port,
            "",
            &format!("nameserver {first}\nnameserver 127.0.0.2"),
        );
        let found = files.found("api.test").await.unwrap();
        assert_eq!(found, ["127.1.0.1:8443"], "{first}");
    }
}

#[tokio::test]
async fn the_hosts_file_comes_first_and_ends_the_search() {
    let zone = Zone::from([(("api.test.", RecordType::A), records(&[v4(1)]))]);
    let (server, port) = Server::start("127.0.0.1", 0, zone).await;
    let files = Files::new(port, "127.2.0.9 api.test", LOCAL);
    assert_eq!(files.found("API.test").await.unwrap(), ["127.2.0.9:8443"]);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn localhost_needs_no_file() {
    let files = Files::new(1, "127.0.0.1 localhost", "");
    assert_eq!(files.found("localhost").await.unwrap(), ["127.0.0.1:8443"]);
    std::fs::remove_file(files.service().hosts).unwrap();
    std::fs::remove_file(files.service().resolv_conf).unwrap();
    for name in ["localhost", "LOCALHOST.", "api.localhost"] {
        let mut found = files.found(name).await.unwrap();
        found.sort();
        assert_eq!(found, ["127.0.0.1:8443", "[::1]:8443"]);
    }
    assert_eq!(files.found("::1").await.unwrap(), ["[::1]:8443"]);
    assert_eq!(
        files.found("fe80::1%3").await.unwrap(),
        ["[fe80::1%3]:8443"]
    );
}

#[tokio::test]
async fn without_name_servers_the_file_is_named() {
    let files = Files::new(1, "", "# empty\nsearch test\n");
    let (unknown, text) = files.failed("api.test").await;
    assert!(!unknown);
    assert!(
        text.ends_with("/resolv.conf") && text.contains("no name server in /"),
        "{text}"
    );
    std::fs::remove_file(files.service().resolv_conf).unwrap();
    let (unknown, text) = files.failed("api.test").await;
    assert!(!unknown);
    assert!(text.starts_with("`api.test`: cannot read /"), "{text}");
    assert!(text.contains("resolv.conf: No such file"), "{text}");
}

#[tokio::test]
async fn the_search_list_is_applied_as_the_file_says() {
    let fails = Reply::Code(ResponseCode::ServFail);
    let zone = Zone::from([
        (("api.one.test.", RecordType::A), records(&[v4(1)])),
        (("whole.test.", RecordType::A), records(&[v4(2)])),
        (("lost.two.test.", RecordType::A), fails.clone()),
        (("lost.two.test.", RecordType::AAAA), fails),
    ]);
    let (server, port) = Server::start("127.0.0.1", 0, zone).await;
    let search = format!("search two.test one.test. -- .\n{LOCAL}");
    let files = Files::new(port, "", &search);
    assert_eq!(files.found("api").await.unwrap(), ["127.1.0.1:8443"]);
    assert_eq!(server.asked(), ["api.two.test.", "api.one.test."]);
    assert_eq!(files.found("whole.test").await.unwrap(), ["127.1.0.2:8443"]);
    assert_eq!(server.asked(), ["whole.test."]);
    assert!(files.failed("api.").await.0);
    assert_eq!(server.asked(), ["api."]);
    assert!(files.failed("none.test").await.0);
    let all = ["none.test.", "none.test.two.test.", "none.test.one.test."];
    assert_eq!(server.asked(), all);
    // The name whose answer is missing may be the one that exists.
    let (unknown, text) = files.failed("lost").await;
    assert!(!unknown, "{text}");

    server.asked();
    let files = Files::new(port, "", &format!("{search}options ndots:3\n"));
    assert_eq!(files.found("whole.test").await.unwrap(), ["127.1.0.2:8443"]);
    let all = [
        "whole.test.two.test.",
        "whole.test.one.test.",
        "whole.test.",
    ];
    assert_eq!(server.asked(), all);
}

#[tokio::test]
async fn a_changed_file_counts_for_the_next_look_up() {
    let zone = Zone::from([(("api.test.", RecordType::A), records(&[v4(1)]))]);
    let (_server, port) = Server::start("127.0.0.1", 0, zone).await;
    let files = Files::new(port, "", "");
    assert!(files.found("api.test").await.is_err());
    std::fs::write(files.service().resolv_conf, LOCAL).unwrap();
    assert_eq!(files.found("api.test").await.unwrap(), ["127.1.0.1:8443"]);
}
