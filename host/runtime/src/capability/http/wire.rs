//! Connections to addresses that were checked: plain, and with TLS.
//!
//! Must not know who may connect where.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::Error;

use super::address::address;

/// A connection.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects to the first of these addresses that answers.
pub(super) async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
    let mut last = Error::DestinationNotFound;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last)
}

/// The same connection with TLS, to a host of this name.
pub(super) async fn secured(tcp: TcpStream, host: &str) -> Result<Box<dyn Wire>, Error> {
    let name = match address(host) {
        Some(address) => ServerName::from(address),
        None => ServerName::try_from(host.to_owned())?,
    };
    let tls = TLS.connect(name, tcp).await.map_err(Error::Tls)?;
    Ok(Box::new(tls))
}

static TLS: LazyLock<TlsConnector> = LazyLock::new(|| {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.into(),
    };
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
});
