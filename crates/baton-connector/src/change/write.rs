//! One write of a change: what is shown of it, and how it is sent.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use crate::call::Call;
use crate::error::Error;
use crate::http::{HttpClient, Request, Response};
use crate::write_view::WriteView;

type Sending = Pin<Box<dyn Future<Output = Result<Sent, Error>> + Send>>;
type Sender = Box<dyn Fn(Call) -> Sending + Send + Sync>;
type Judging = Pin<Box<dyn Future<Output = Reply> + Send>>;
type Judge = Box<dyn Fn(Call, Error) -> Judging + Send + Sync>;
type Missing = Box<dyn Fn(&Error) -> bool + Send + Sync>;
type Notice = Box<dyn Fn(Option<&Error>) + Send + Sync>;

/// What an error answer to a write means.
#[derive(Debug)]
pub enum Reply {
    /// Things are as wanted already, as the application itself answers.
    Already,
    /// The write failed with this error, which may explain more than the
    /// answer.
    Failed(Error),
}

/// What is left of a write that was sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// The application's own id of the request.
    pub request_id: Option<String>,
    /// It was as wanted already.
    pub already: bool,
}

/// A write that was sent and is not made.
#[derive(Debug)]
pub(crate) struct Unmade {
    /// The application's own id of the request.
    pub request_id: Option<String>,
    /// Why it is not made, or not known to be.
    pub error: Error,
}

/// One write: shown, recorded, and sent at most twice.
#[must_use]
pub struct Write {
    view: WriteView,
    name: String,
    repeatable: bool,
    send: Sender,
    judge: Judge,
    instead: Option<(Missing, Box<Write>)>,
    notice: Option<Notice>,
}

impl Write {
    /// A request. It counts as done when it has a success (2xx) without a body
    /// or with JSON; any other body comes from something else than the
    /// application.
    pub fn http(client: &HttpClient, request: Request) -> Self {
        Self::http_read(client, request, |response| {
            if !response.body().is_empty() {
                response.json::<serde::de::IgnoredAny>()?;
            }
            Ok(())
        })
    }

    /// A request whose success is read by `read`, which keeps what is needed of
    /// the answer (see [`Answer`](super::Answer)). A success that cannot be read
    /// counts as a lost answer: the write may have had its effect.
    pub fn http_read(
        client: &HttpClient,
        request: Request,
        read: impl Fn(&Response) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        let view = request.view();
        let client = client.clone();
        let read = Arc::new(read);
        // A lost answer is not repeated blindly: the outcome is read first.
        let request = request.idempotent(false);
        Self::new(view, move |call| {
            let (client, request) = (client.on(&call), request.clone());
            let read = Arc::clone(&read);
            Box::pin(async move {
                let response = client.send(&request).await?;
                read(&response).map_err(Error::with_outcome_open)?;
                Ok(Sent {
                    request_id: response.request_id().map(str::to_owned),
                    already: false,
                })
            })
        })
    }

    /// A write that is no request, as in "rewrite `members.csv`". It must either
    /// happen whole or change nothing.
    pub fn local<F, R>(doing: impl Into<String>, write: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self::remote(doing, move |call| {
            let done = write(call);
            async move { done.await.map(|()| false) }
        })
    }

    /// A call of a connector in another process, as in "call `GrantManagerService/Grant`
    /// of the connector at 127.0.0.1:9000". `send` answers whether things were as
    /// wanted already. Its error leaves the outcome open only where it is marked so
    /// ([`Error::with_outcome_open`]).
    pub fn remote<F, R>(doing: impl Into<String>, send: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<bool, Error>> + Send + 'static,
    {
        let view = WriteView {
            method: String::new(),
            target: doing.into(),
            body: String::new(),
        };
        Self::new(view, move |call| {
            let done = send(call);
            Box::pin(async move {
                let already = done.await?;
                Ok(Sent {
                    request_id: None,
                    already,
                })
            })
        })
    }

    fn new(view: WriteView, send: impl Fn(Call) -> Sending + Send + Sync + 'static) -> Self {
        Self {
            name: view.target.clone(),
            view,
            repeatable: false,
            send: Box::new(send),
            judge: Box::new(|_, error| Box::pin(ready(Reply::Failed(error)))),
            instead: None,
            notice: None,
        }
    }

    /// Names the write for the error of a change of which only a part was made,
    /// as in "suspend in directory `Acme`".
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The body holds a secret: people see that there is one, and not what it is.
    pub fn secret_body(mut self) -> Self {
        if !self.view.body.is_empty() {
            "[redacted]".clone_into(&mut self.view.body);
        }
        self
    }

    /// Sending it a second time does no harm, whatever became of the first.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Sorts error answers: those that mean "already so" from the others, which
    /// may get an error of their own.
    pub fn judged(mut self, judge: impl Fn(Error) -> Reply + Send + Sync + 'static) -> Self {
        self.judge = Box::new(move |_, error| Box::pin(ready(judge(error))));
        self
    }

    /// As [`Write::judged`], where only reading shows what an answer means. What
    /// judges sends reads only.
    pub fn judged_by_reading<F, R>(mut self, judge: F) -> Self
    where
        F: Fn(Call, Error) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        self.judge = Box::new(move |call, error| Box::pin(judge(call, error)));
        self
    }

    /// Sends `other` instead where `is_missing` takes the answer to mean that the
    /// application has no such write. People see the first of the two.
    pub fn or(
        mut self,
        is_missing: impl Fn(&Error) -> bool + Send + Sync + 'static,
        other: Self,
    ) -> Self {
        self.instead = Some((Box::new(is_missing), Box::new(other)));
        self
    }

    /// Calls `notice` each time that it was sent: with the error, if it was not
    /// made or is not known to be.
    pub fn noticed(mut self, notice: impl Fn(Option<&Error>) + Send + Sync + 'static) -> Self {
        self.notice = Some(Box::new(notice));
        self
    }

    /// What people see of it.
    pub fn view(&self) -> &WriteView {
        &self.view
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// Sends it once. An error of unknown outcome is passed on as it is.
    pub(crate) async fn send(&self, call: &Call) -> Result<Sent, Unmade> {
        let sent = self.send_or_other(call).await;
        if let Some(notice) = &self.notice {
            notice(sent.as_ref().err().map(|unmade| &unmade.error));
        }
        sent
    }

    async fn send_or_other(&self, call: &Call) -> Result<Sent, Unmade> {
        let error = match (self.send)(call.clone()).await {
            Ok(sent) => return Ok(sent),
            Err(error) => error,
        };
        let request_id = error
            .request()
            .and_then(|request| request.request_id.clone());
        if error.leaves_outcome_open() {
            return Err(Unmade { request_id, error });
        }
        if let Some((is_missing, other)) = &self.instead
            && is_missing(&error)
        {
            return Box::pin(other.send(call)).await;
        }
        match (self.judge)(call.clone(), error).await {
            Reply::Already => Ok(Sent {
                request_id,
                already: true,
            }),
            Reply::Failed(error) => Err(Unmade { request_id, error }),
        }
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("view", &self.view)
            .field("repeatable", &self.repeatable)
            .finish_non_exhaustive()
    }
}
