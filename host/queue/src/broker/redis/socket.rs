//! A socket to a server: TCP, TLS or a Unix socket.
//!
//! The client crate greets the server (user, password, database), even if it doesn't read the replies afterwards.
//! Must not know what is asked.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::select_ok;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion, RedisError,
    RedisResult, cmd,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::tls::Tls;

/// Bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// An open socket.
pub(super) type Socket = Box<dyn Stream>;

/// Opens a socket to the server and greets it, for replies that the crate doesn't read. Returns the client number
/// for ending a read on it, if that is wanted and allowed.
pub(super) async fn open(
    info: &ConnectionInfo,
    tls: &Tls,
    with_number: bool,
) -> RedisResult<(Socket, Option<i64>)> {
    let lent = Lent(Arc::new(Mutex::new(connect(info, tls).await?)));
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP2);
    let (mut connection, driver) = MultiplexedConnection::new_with_config(
        &settings,
        lent.clone(),
        AsyncConnectionConfig::new(),
    )
    .await?;
    let number = if with_number {
        tokio::select! {
            number = number(&mut connection) => number?,
            () = driver => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    } else {
        drop(driver);
        None
    };
    drop(connection);
    match Arc::into_inner(lent.0) {
        Some(socket) => {
            let socket = socket.into_inner().unwrap_or_else(PoisonError::into_inner);
            Ok((socket, number))
        }
        None => unreachable!("the connection and its driver are gone"),
    }
}

/// The connection's client number, if CLIENT is allowed: some servers and users do without.
async fn number(connection: &mut MultiplexedConnection) -> RedisResult<Option<i64>> {
    let mut ask = cmd("CLIENT");
    let number: i64 = match ask.arg("ID").query_async(connection).await {
        Err(error) if error.code().is_some() => return Ok(None),
        number => number?,
    };
    // It isn't blocked, so this changes nothing.
    let mut unblock = cmd("CLIENT");
    match unblock
        .arg("UNBLOCK")
        .arg(number)
        .exec_async(connection)
        .await
    {
        Err(error) if error.code().is_some() => Ok(None),
        answer => answer.map(|()| Some(number)),
    }
}

/// How all connections to servers are set up: small commands go out at once, and a network that swallows everything is
/// noticed after 5 seconds, whether or not an answer is awaited.
pub(super) fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(2))
        .with_interval(Duration::from_secs(1));
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(Duration::from_secs(5));
    settings.set_keepalive(keepalive.with_retries(3))
}

/// Opens a socket without greeting the server.
pub(super) async fn connect(info: &ConnectionInfo, tls: &Tls) -> RedisResult<Socket> {
    let settings = info.tcp_settings();
    Ok(match info.addr() {
        ConnectionAddr::Tcp(host, port) => Box::new(tcp(host, *port, settings).await?),
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        } => {
            let name = ServerName::try_from(host.clone()).map_err(|error| {
                let text = "the server's name is not one that a certificate can have";
                RedisError::from((ErrorKind::InvalidClientConfig, text, error.to_string()))
            })?;
            let stream = tcp(host, *port, settings).await?;
            Box::new(tls.connector()?.connect(name, stream).await?)
        }
        ConnectionAddr::Unix(path) => Box::new(UnixStream::connect(path).await?),
        _ => {
            let text = "this kind of address is not supported for reading";
            return Err((ErrorKind::InvalidClientConfig, text).into());
        }
    })
}

/// Connects to whichever of the host's addresses answers first.
async fn tcp(host: &str, port: u16, settings: &TcpSettings) -> io::Result<TcpStream> {
    let attempts = lookup_host((host, port)).await?;
    let attempts: Vec<_> = attempts
        .map(|at| Box::pin(TcpStream::connect(at)))
        .collect();
    if attempts.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let (stream, _) = select_ok(attempts).await?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_nodelay(settings.nodelay())?;
    if let Some(keepalive) = settings.keepalive() {
        socket.set_tcp_keepalive(keepalive)?;
    }
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(settings.user_timeout())?;
    Ok(stream)
}

/// A socket while the client crate greets the server on it.
#[derive(Clone)]
struct Lent(Arc<Mutex<Socket>>);

impl Lent {
    /// Nothing panics under this lock.
    fn lock(&self) -> MutexGuard<'_, Socket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.lock()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut **self.lock()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.lock()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Case Q19: a connection into a network that swallows everything is noticed after 5 seconds.
    #[tokio::test]
    async fn the_kernel_asks_an_idle_peer_whether_it_is_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = tcp("127.0.0.1", port, &tcp_settings()).await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        let (idle, interval) = (
            socket.tcp_keepalive_time().unwrap(),
            socket.tcp_keepalive_interval().unwrap(),
        );
        let probes = socket.tcp_keepalive_retries().unwrap();
        assert_eq!(idle + interval * probes, Duration::from_secs(5));
        #[cfg(target_os = "linux")]
        assert_eq!(
            socket.tcp_user_timeout().unwrap(),
            Some(Duration::from_secs(5))
        );
    }
}
