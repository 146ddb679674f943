//! One try: send, and read the answer within its limits of time and size.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use tokio::time::timeout;

use super::settings::HttpSettings;
use super::transport::{BodyStream, Transport};
use crate::transport_error::{TransportError, TransportErrorKind};

/// A whole answer, of any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum ExchangeError {
    Transport(TransportError),
    TooLarge { status: u16, headers: HeaderMap },
}

impl From<TransportError> for ExchangeError {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

pub(super) async fn exchange(
    transport: &dyn Transport,
    settings: &HttpSettings,
    request: &http::Request<Bytes>,
) -> Result<Answer, ExchangeError> {
    let whole = async {
        let sent = transport.send(request.clone());
        let answer = timeout(settings.idle_timeout, sent)
            .await
            .map_err(|_| silent(settings))??;
        let (head, body) = answer.into_parts();
        let status = head.status.as_u16();
        if head.status.is_success() {
            read_success(settings, status, head.headers, body).await
        } else {
            let body = read_error(settings, body).await;
            Ok(Answer {
                status,
                headers: head.headers,
                body,
            })
        }
    };
    match timeout(settings.total_timeout, whole).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ExchangeError::Transport(TransportError::new(
            TransportErrorKind::Timeout,
            format!(
                "no complete answer within {} s",
                settings.total_timeout.as_secs_f64()
            ),
        ))),
    }
}

async fn read_success(
    settings: &HttpSettings,
    status: u16,
    headers: HeaderMap,
    mut body: BodyStream,
) -> Result<Answer, ExchangeError> {
    let limit = settings.max_response_bytes;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(ExchangeError::TooLarge { status, headers });
    }
    let mut collected = BytesMut::new();
    while let Some(piece) = timeout(settings.idle_timeout, body.next())
        .await
        .map_err(|_| silent(settings))?
    {
        let piece = piece?;
        let length = u64::try_from(collected.len() + piece.len()).unwrap_or(u64::MAX);
        if length > limit {
            return Err(ExchangeError::TooLarge { status, headers });
        }
        collected.extend_from_slice(&piece);
    }
    Ok(Answer {
        status,
        headers,
        body: collected.freeze(),
    })
}

/// The status matters more than its body: whatever arrives is enough.
async fn read_error(settings: &HttpSettings, mut body: BodyStream) -> Bytes {
    let mut collected = BytesMut::new();
    while collected.len() < settings.max_error_bytes {
        match timeout(settings.idle_timeout, body.next()).await {
            Ok(Some(Ok(piece))) => collected.extend_from_slice(&piece),
            _ => break,
        }
    }
    collected.truncate(settings.max_error_bytes);
    collected.freeze()
}

fn silent(settings: &HttpSettings) -> TransportError {
    TransportError::new(
        TransportErrorKind::Timeout,
        format!("not one byte for {} s", settings.idle_timeout.as_secs_f64()),
    )
}
