//! The methods that a server has.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use baton_connector::ChangeSettings;
use baton_proto::{Code, encode};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use prost::{Message, Name};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::body::ResponseBody;
use super::frame::Messages;
use crate::trace::{self, Carrier};
use crate::{Method, Status, TraceContext, rules};

/// What a method is given besides its request.
#[derive(Debug, Clone)]
pub struct Context {
    /// When the caller stops waiting; `None` if it did not say.
    pub deadline: Option<Instant>,
    /// Cancelled when the server stops, and for a write when its call ends. A read is
    /// dropped when its caller is gone and at its deadline; work that it began for a whole
    /// sync continues.
    pub stop: CancellationToken,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// How changes are made, and who records them. A caller in another process has
    /// no say in it.
    pub changes: ChangeSettings,
}

/// What a method answers: messages, encoded.
pub(crate) enum Answer {
    One(Vec<u8>),
    Many(BoxStream<'static, Result<Vec<u8>, Status>>),
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send>>;
type Handler = Arc<dyn Fn(Bytes, Context) -> Answering + Send + Sync>;
type StreamHandler = Arc<dyn Fn(Messages<Incoming>, Context) -> Answering + Send + Sync>;

/// How a call ends when its caller is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is dropped.
    Read,
    /// It is asked to end, and what has begun is brought to its end.
    Write,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) streams: bool,
    pub(crate) handler: Handler,
}

/// A method whose caller sends many messages.
#[derive(Clone)]
pub(crate) struct ClientStream {
    pub(crate) handler: StreamHandler,
}

#[derive(Clone)]
enum Registered {
    Message(Entry),
    Stream(ClientStream),
}

type ExtraAnswering = Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>;
/// A whole service that another library serves, as health and reflection.
pub type Extra = Arc<dyn Fn(Request<Incoming>) -> ExtraAnswering + Send + Sync>;

/// Services and their methods, to be given to a [`Server`](crate::Server).
#[derive(Clone, Default)]
pub struct Router {
    services: BTreeMap<&'static str, BTreeMap<&'static str, Registered>>,
    extra: BTreeMap<&'static str, Extra>,
    carrier: Carrier,
}

/// What a path leads to.
pub(crate) enum Found<'r> {
    Method(&'r Entry),
    ClientStream(&'r ClientStream),
    Extra(&'r Extra),
    Nothing(Status),
}

impl Router {
    /// No services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues the traces of callers, whose headers `carrier` reads.
    pub fn continue_traces(&mut self, carrier: Option<Arc<dyn TraceContext>>) {
        self.carrier = carrier;
    }

    /// The span of a call of another process.
    pub(crate) fn span(&self, path: &str, headers: &HeaderMap) -> Span {
        let span = trace::server_span(path);
        if let Some(carrier) = &self.carrier {
            carrier.extract(headers, &span);
        }
        span
    }

    /// Adds a method that reads: it is dropped when its caller is gone.
    pub fn read<Q, A, F, R>(&mut self, method: Method<Q, A>, serve: F)
    where
        Q: Message + Default + 'static,
        A: Message + Name + 'static,
        F: Fn(Q, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<A, Status>> + Send + 'static,
    {
        self.unary(method, Kind::Read, serve, |answer| {
            Ok(encode::to_vec(&answer))
        });
    }

    /// Adds a method that changes something: when its caller is gone it is asked to
    /// end, and what it has begun is brought to its end.
    pub fn write<Q, A, F, R>(&mut self, method: Method<Q, A>, serve: F)
    where
        Q: Message + Default + 'static,
        A: Message + Name + 'static,
        F: Fn(Q, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<A, Status>> + Send + 'static,
    {
        self.unary(method, Kind::Write, serve, |answer| {
            Ok(encode::to_vec(&answer))
        });
    }

    /// Adds a method that reads, whose response comes encoded.
    pub(crate) fn read_encoded<Q, A, F, R>(&mut self, method: Method<Q, A>, serve: F)
    where
        Q: Message + Default + 'static,
        A: 'static,
        F: Fn(Q, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Vec<u8>, Status>> + Send + 'static,
    {
        self.unary(method, Kind::Read, serve, Ok);
    }

    fn unary<Q, A, O, F, R>(
        &mut self,
        method: Method<Q, A>,
        kind: Kind,
        serve: F,
        encode: fn(O) -> Result<Vec<u8>, Status>,
    ) where
        Q: Message + Default + 'static,
        A: 'static,
        O: 'static,
        F: Fn(Q, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<O, Status>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |message, context| {
            let answer = checked(&method, &message).map(|request| serve(request, context));
            Box::pin(async move { Ok(Answer::One(encode(answer?.await?)?)) })
        });
        let streams = false;
        self.add(
            method,
            Registered::Message(Entry {
                kind,
                streams,
                handler,
            }),
        );
    }

    /// Adds a method that answers with many messages.
    pub(crate) fn stream<Q, A, F, R>(&mut self, method: Method<Q, A>, serve: F)
    where
        Q: Message + Default + 'static,
        A: 'static,
        F: Fn(Q, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<BoxStream<'static, Result<Vec<u8>, Status>>, Status>>
            + Send
            + 'static,
    {
        let handler: Handler = Arc::new(move |message, context| {
            let answer = checked(&method, &message).map(|request| serve(request, context));
            Box::pin(async move { Ok(Answer::Many(answer?.await?)) })
        });
        let entry = Entry {
            kind: Kind::Read,
            streams: true,
            handler,
        };
        self.add(method, Registered::Message(entry));
    }

    /// Adds a method whose caller sends many messages and gets one answer.
    ///
    /// Each message is decoded and its rules are checked when it arrives. A message
    /// that breaks a rule, and a body that breaks off, are the last item of the stream;
    /// the handler decides what follows from them. The handler is dropped when its
    /// caller is gone, at the deadline and when the server stops.
    pub fn client_stream<Q, A, F, R>(&mut self, method: Method<Q, A>, serve: F)
    where
        Q: Message + Default + 'static,
        A: Message + Name + 'static,
        F: Fn(BoxStream<'static, Result<Q, Status>>, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<A, Status>> + Send + 'static,
    {
        let handler: StreamHandler = Arc::new(move |messages, context| {
            let requests = stream::try_unfold(messages, move |mut messages| async move {
                let Some(message) = messages.next().await? else {
                    return Ok(None);
                };
                Ok(Some((checked(&method, &message)?, messages)))
            });
            let answer = serve(requests.boxed(), context);
            Box::pin(async move { Ok(Answer::One(encode::to_vec(&answer.await?))) })
        });
        self.add(method, Registered::Stream(ClientStream { handler }));
    }

    /// Adds a method that is refused; its requests are checked before.
    pub(crate) fn refuse<Q, A>(&mut self, method: Method<Q, A>, status: &Status)
    where
        Q: Message + Default + 'static,
        A: 'static,
    {
        let status = status.clone();
        let serve = move |_: Q, _| std::future::ready(Err::<Vec<u8>, _>(status.clone()));
        self.unary(method, Kind::Read, serve, Ok);
    }

    /// Adds a service that another library serves. It gets its requests as they
    /// come.
    pub fn extra(&mut self, service: &'static str, serve: Extra) {
        self.extra.insert(service, serve);
    }

    fn add<Q, A>(&mut self, method: Method<Q, A>, entry: Registered) {
        let (service, name) = method.parts();
        self.services
            .entry(service)
            .or_default()
            .insert(name, entry);
    }

    /// The full names of the services.
    pub fn service_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.services.keys().chain(self.extra.keys()).copied()
    }

    pub(crate) fn find(&self, path: &str) -> Found<'_> {
        let unimplemented = |text: String| Found::Nothing(Status::new(Code::Unimplemented, text));
        let parts = path.strip_prefix('/').unwrap_or(path).rsplit_once('/');
        let Some((service, name)) = parts else {
            return unimplemented(format!("malformed method name: {path:?}"));
        };
        if let Some(extra) = self.extra.get(service) {
            return Found::Extra(extra);
        }
        match self.services.get(service) {
            None => unimplemented(format!("unknown service {service}")),
            Some(methods) => match methods.get(name) {
                None => unimplemented(format!("unknown method {name} for service {service}")),
                Some(Registered::Message(entry)) => Found::Method(entry),
                Some(Registered::Stream(stream)) => Found::ClientStream(stream),
            },
        }
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let services = self.service_names();
        f.debug_list().entries(services).finish()
    }
}

/// Decodes a request and checks its rules.
fn checked<Q: Message + Default, A>(method: &Method<Q, A>, message: &[u8]) -> Result<Q, Status> {
    let request = Q::decode(message).map_err(|error| {
        // prost names an invalid string only in its text.
        let reason = if error.to_string().contains("UTF-8") {
            "string field contains invalid UTF-8"
        } else {
            "proto: cannot parse invalid wire-format data"
        };
        let text = format!("grpc: error unmarshalling request: {reason}");
        Status::new(Code::Internal, text)
    })?;
    rules::check(method.request(), message)
        .map_err(|text| Status::new(Code::InvalidArgument, text))?;
    Ok(request)
}
