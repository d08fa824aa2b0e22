//! Outbound HTTP: listed hosts only, and no private address unless the list names it.
//!
//! A name is resolved once, and the connection goes to the address that was checked, so that a
//! second answer of the name server can't lead elsewhere. The task's deadline bounds every request.
//! Must not know tasks.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi::runtime::{self, AbortOnDropJoinHandle};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::address::{HostGrant, address, is_public};
use crate::watch::Watch;

/// Connections that one task may have open at a time.
const MAX_CONNECTIONS: usize = 32;

/// How long a connection may take to be made, and an answer to begin, unless the guest says less.
const PATIENCE: Duration = Duration::from_secs(60);

type Done = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Answer = (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// What one call may reach.
pub(crate) struct Gate {
    grants: Arc<[HostGrant]>,
    watch: Arc<Watch>,
    connections: Arc<Semaphore>,
}

impl Gate {
    /// A gate for one call.
    pub(crate) fn new(grants: Arc<[HostGrant]>, watch: Arc<Watch>) -> Self {
        Gate {
            grants,
            watch,
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }
    }

    /// Where the request goes, if that is granted.
    fn admit(&self, uri: &Uri) -> Result<Target, Error> {
        let host = uri.host().ok_or(Error::HttpRequestUriInvalid)?;
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let granted: Vec<_> = self
            .grants
            .iter()
            .filter(|grant| grant.allows(host, port))
            .cloned()
            .collect();
        if granted.is_empty() {
            self.watch
                .journal()
                .deny(denial(host, port, "is not granted"));
            return Err(Error::HttpRequestDenied);
        }
        let permit = Arc::clone(&self.connections).try_acquire_owned();
        Ok(Target {
            host: host.to_owned(),
            port,
            tls,
            granted,
            watch: Arc::clone(&self.watch),
            permit: permit.map_err(|_| Error::ConnectionLimitReached)?,
        })
    }
}

fn denial(host: &str, port: u16, why: &str) -> String {
    let entry = if port == 80 || port == 443 {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    };
    format!(
        "HTTP to `{host}` on port {port} {why}; add to the manifest: [grants] http = [\"{entry}\"]"
    )
}

impl WasiHttpHooks for Gate {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, Error>> + Send> {
        let admitted = self.admit(request.uri());
        Box::new(async move { admitted?.send(request, options.unwrap_or_default()).await })
    }
}

/// A host that was granted.
struct Target {
    host: String,
    port: u16,
    tls: bool,
    granted: Vec<HostGrant>,
    watch: Arc<Watch>,
    permit: OwnedSemaphorePermit,
}

impl Target {
    async fn send(
        self,
        mut request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Answer, Error> {
        let patience = options
            .connect_timeout
            .map_or(PATIENCE, |given| given.min(PATIENCE));
        let wire = tokio::time::timeout(patience, self.connect())
            .await
            .map_err(|_| Error::ConnectionTimeout)??;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(wire)).await?;
        let connection = runtime::spawn(async move { connection.await.map_err(Error::from) });
        // The scheme and the authority belong in a request only if it goes to a proxy.
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
        let patience = options
            .first_byte_timeout
            .map_or(PATIENCE, |given| given.min(PATIENCE));
        let answer = tokio::time::timeout(patience, sender.send_request(request)).await;
        let answer = answer.map_err(|_| Error::HttpResponseTimeout)??;
        let body = answer.map(|body| body.map_err(Error::from).boxed_unsync());
        Ok((body, Box::new(drive(connection, self.permit))))
    }

    async fn connect(&self) -> Result<Box<dyn Wire>, Error> {
        let tcp = dial(&self.resolve().await?).await?;
        if !self.tls {
            return Ok(Box::new(tcp));
        }
        let name = match address(&self.host) {
            Some(address) => ServerName::from(address),
            None => ServerName::try_from(self.host.clone())?,
        };
        let tls = TLS.connect(name, tcp).await.map_err(Error::Tls)?;
        Ok(Box::new(tls))
    }

    /// The addresses of the host that may be reached.
    async fn resolve(&self) -> Result<Vec<SocketAddr>, Error> {
        let found: Vec<SocketAddr> = match address(&self.host) {
            Some(address) => vec![SocketAddr::new(address, self.port)],
            None => tokio::net::lookup_host((self.host.as_str(), self.port))
                .await
                .map_err(|_| Error::DnsError {
                    rcode: None,
                    info_code: None,
                })?
                .collect(),
        };
        let reachable: Vec<_> = found
            .iter()
            .copied()
            .filter(|found| self.may_reach(found.ip()))
            .collect();
        if let (Some(first), true) = (found.first(), reachable.is_empty()) {
            let why = format!("leads to {}, which is not a public address", first.ip());
            self.watch
                .journal()
                .deny(denial(&self.host, self.port, &why));
            return Err(Error::DestinationIpProhibited);
        }
        Ok(reachable)
    }

    fn may_reach(&self, address: IpAddr) -> bool {
        is_public(address)
            || self
                .granted
                .iter()
                .any(|grant| grant.names_private(address))
    }
}

async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, Error> {
    let mut last = Error::DestinationNotFound;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = Error::Connect(error),
        }
    }
    Err(last)
}

/// Drives a connection until its answer is read, and holds its place among the task's connections.
fn drive(
    connection: AbortOnDropJoinHandle<Result<(), Error>>,
    permit: OwnedSemaphorePermit,
) -> Done {
    Box::pin(async move {
        let ended = connection.await;
        drop(permit);
        ended
    })
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
