//! A socket to a server whose replies are read here and not by the client crate: TCP, TLS or a Unix socket.
//!
//! The crate greets the server (user, password, database), so that this is done in the same way on every connection. Must
//! not know what is asked afterwards.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::future::select_ok;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion, RedisError,
    RedisResult, cmd,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;

/// Bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

/// An open socket.
pub(super) type Socket = Box<dyn Stream>;

/// Opens a socket to the server and greets it. Returns the number by which the server knows the connection, if it
/// is asked for.
pub(super) async fn open(
    info: &ConnectionInfo,
    with_number: bool,
) -> RedisResult<(Socket, Option<i64>)> {
    let lent = Lent(Arc::new(Mutex::new(connect(info.addr()).await?)));
    let settings = info.redis_settings().clone();
    let settings = settings.set_protocol(ProtocolVersion::RESP2);
    let (mut connection, driver) = MultiplexedConnection::new_with_config(
        &settings,
        lent.clone(),
        AsyncConnectionConfig::new(),
    )
    .await?;
    let number = if with_number {
        let mut ask = cmd("CLIENT");
        ask.arg("ID");
        tokio::select! {
            number = ask.query_async(&mut connection) => Some(number?),
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

async fn connect(address: &ConnectionAddr) -> RedisResult<Socket> {
    Ok(match address {
        ConnectionAddr::Tcp(host, port) => Box::new(tcp(host, *port).await?),
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        } => {
            let name = ServerName::try_from(host.clone()).map_err(|error| {
                let text = "the server's name can't be one of a certificate";
                RedisError::from((ErrorKind::InvalidClientConfig, text, error.to_string()))
            })?;
            let stream = tcp(host, *port).await?;
            Box::new(tls()?.connect(name, stream).await?)
        }
        ConnectionAddr::Unix(path) => Box::new(UnixStream::connect(path).await?),
        _ => {
            let text = "this kind of address is not supported for reading";
            return Err((ErrorKind::InvalidClientConfig, text).into());
        }
    })
}

/// To whichever of the host's addresses answers first.
async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let attempts = lookup_host((host, port)).await?;
    let attempts: Vec<_> = attempts
        .map(|at| Box::pin(TcpStream::connect(at)))
        .collect();
    if attempts.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let (stream, _) = select_ok(attempts).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// With the authorities that this machine trusts, as the client crate does.
fn tls() -> RedisResult<TlsConnector> {
    let mut found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.pop() {
        let text = "this machine's certificates can't be read";
        return Err((ErrorKind::InvalidClientConfig, text, error.to_string()).into());
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
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
