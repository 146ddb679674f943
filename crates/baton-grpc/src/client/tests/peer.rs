//! A scripted peer over HTTP/2 in memory: it answers each call as a test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use prost::Message;
use tokio::io::DuplexStream;

use crate::client::{ClientSettings, RemoteConnector};
use crate::transport::{Channel, channel};

type Name = std::borrow::Cow<'static, str>;

/// What the peer does with a call.
#[derive(Clone)]
pub(crate) enum Reply {
    /// An answer, in any shape.
    Answer(Answer),
    /// Resets the stream.
    Reset(h2::Reason),
    /// Resets the stream after a time.
    ResetAfter(Duration, h2::Reason),
    /// Does not answer.
    Silence,
    /// Closes the connection.
    Hangup,
}

/// An answer, frame by frame.
#[derive(Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(Name, String)>,
    pub data: Vec<Vec<u8>>,
    pub trailers: Option<Vec<(Name, String)>>,
    /// Resets the stream in place of trailers.
    pub reset: Option<h2::Reason>,
}

impl Answer {
    pub(crate) fn bytes(message: &[u8]) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type".into(), "application/grpc".to_owned())],
            data: vec![framed(0, message)],
            trailers: Some(vec![
                ("grpc-status".into(), "0".to_owned()),
                ("grpc-message".into(), String::new()),
            ]),
            reset: None,
        }
    }

    pub(crate) fn status(headers: Vec<(Name, String)>) -> Self {
        Self {
            data: Vec::new(),
            trailers: None,
            headers: [
                vec![("content-type".into(), "application/grpc".to_owned())],
                headers,
            ]
            .concat(),
            ..Self::bytes(&[])
        }
    }
}

impl Reply {
    pub(crate) fn message(message: &impl Message) -> Self {
        Self::Answer(Answer::bytes(&message.encode_to_vec()))
    }

    pub(crate) fn error(code: u8, text: &str) -> Self {
        Self::Answer(Answer::status(vec![
            ("grpc-status".into(), code.to_string()),
            ("grpc-message".into(), text.to_owned()),
        ]))
    }
}

pub(crate) fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.to_vec()
}

fn headers(list: &[(Name, String)]) -> HeaderMap {
    let pair = |(name, value): &(Name, String)| {
        (
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        )
    };
    list.iter().map(pair).collect()
}

/// A call as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub message: Bytes,
}

impl Seen {
    pub(crate) fn decoded<M: Message + Default>(&self) -> M {
        M::decode(self.message.clone()).unwrap()
    }
}

/// The calls that a peer saw.
pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

async fn serve(io: DuplexStream, log: Log, script: Arc<dyn Fn(&Seen) -> Reply + Send + Sync>) {
    let mut builder = h2::server::Builder::new();
    builder.max_header_list_size(1 << 20);
    let mut connection = builder.handshake::<_, Bytes>(io).await.unwrap();
    let mut held = Vec::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let reply = {
            let reading = receive(request);
            tokio::pin!(reading);
            // The connection must be driven while the body comes in.
            let seen = loop {
                tokio::select! {
                    seen = &mut reading => break seen,
                    () = std::future::poll_fn(|cx| {
                        let _ = connection.poll_closed(cx);
                        std::task::Poll::<()>::Pending
                    }) => {}
                }
            };
            log.lock().unwrap().push(seen.clone());
            script(&seen)
        };
        match reply {
            Reply::Silence => held.push(respond),
            Reply::Reset(reason) => respond.send_reset(reason),
            Reply::ResetAfter(time, reason) => {
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    respond.send_reset(reason);
                });
            }
            Reply::Hangup => return,
            Reply::Answer(answer) => {
                let mut response = Response::builder().status(answer.status).body(()).unwrap();
                *response.headers_mut() = headers(&answer.headers);
                let only_headers =
                    answer.data.is_empty() && answer.trailers.is_none() && answer.reset.is_none();
                let mut stream = respond.send_response(response, only_headers).unwrap();
                let last = answer.trailers.is_none() && answer.reset.is_none();
                let count = answer.data.len();
                for (at, data) in answer.data.into_iter().enumerate() {
                    stream
                        .send_data(data.into(), last && at + 1 == count)
                        .unwrap();
                }
                if let Some(trailers) = &answer.trailers {
                    stream.send_trailers(headers(trailers)).unwrap();
                }
                if let Some(reason) = answer.reset {
                    // What was sent before goes out first.
                    tokio::select! {
                        () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
                        () = std::future::poll_fn(|cx| {
                            let _ = connection.poll_closed(cx);
                            std::task::Poll::<()>::Pending
                        }) => {}
                    }
                    stream.send_reset(reason);
                }
            }
        }
    }
}

async fn receive(request: Request<h2::RecvStream>) -> Seen {
    let (head, mut body) = request.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    Seen {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        message: bytes.freeze().slice(5..),
    }
}

/// A connector whose other end follows `script`, and the calls that it saw.
pub(crate) fn scripted(
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (RemoteConnector, Log) {
    scripted_with(ClientSettings::new("peer"), script)
}

pub(crate) fn scripted_with(
    settings: ClientSettings,
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (RemoteConnector, Log) {
    let (dialled, log) = scripted_channel(script);
    (RemoteConnector::new(dialled, settings), log)
}

/// A channel whose other end follows `script`.
pub(crate) fn scripted_channel(
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (Channel, Log) {
    let log = Log::default();
    let script: Arc<dyn Fn(&Seen) -> Reply + Send + Sync> = Arc::new(script);
    let seen = Arc::clone(&log);
    let dialled = channel(move || {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(serve(theirs, Arc::clone(&seen), Arc::clone(&script)));
        std::future::ready(Ok(ours))
    });
    (dialled, log)
}
