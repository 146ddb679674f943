//! The router on a real socket, with connections that a fault can break.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A switch that breaks its connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionControl(Arc<AtomicBool>);

impl ConnectionControl {
    /// The next write resets the connection.
    pub(crate) fn reset(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A connection that resets itself once its switch is set.
#[derive(Debug)]
pub(crate) struct FragileStream {
    inner: TcpStream,
    control: ConnectionControl,
}

impl FragileStream {
    fn check(&self) -> io::Result<()> {
        if self.control.0.load(Ordering::Acquire) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "connection reset by a fault rule",
            ));
        }
        Ok(())
    }
}

impl Drop for FragileStream {
    fn drop(&mut self) {
        if self.control.0.load(Ordering::Acquire) {
            // Without lingering, closing sends a reset instead of an orderly end. A connection that is
            // closed already cannot be set, and need not be.
            let _ = self.inner.set_zero_linger();
        }
    }
}

impl AsyncRead for FragileStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for FragileStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

struct FragileListener(TcpListener);

impl Listener for FragileListener {
    type Io = FragileStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (FragileStream, SocketAddr) {
        let (inner, address) = Listener::accept(&mut self.0).await;
        // Answers are small: waiting to fill a packet would add to the latency that is being simulated.
        let _ = inner.set_nodelay(true);
        (
            FragileStream {
                inner,
                control: ConnectionControl(Arc::default()),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, FragileListener>> for ConnectionControl {
    fn connect_info(stream: IncomingStream<'_, FragileListener>) -> Self {
        stream.io().control.clone()
    }
}

/// A running server. Dropping it lets the server run on until the runtime ends; [`ServerHandle::shutdown`] ends it.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl ServerHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no further connections, lets running requests finish and waits for that.
    pub async fn shutdown(self) -> io::Result<()> {
        let _ = self.stop.send(());
        self.task.await.map_err(io::Error::other)?
    }
}

/// Serves the router on a task of the current runtime.
pub(crate) fn serve(router: Router, listener: TcpListener) -> io::Result<ServerHandle> {
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(serve_until(router, listener, async move {
        // A dropped handle must not stop the server: only a sent message does.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    }));
    Ok(ServerHandle {
        address,
        stop,
        task,
    })
}

async fn serve_until(
    router: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<ConnectionControl>();
    axum::serve(FragileListener(listener), service)
        .with_graceful_shutdown(stop)
        .await
}
