//! One call's way to its granted hosts.
//!
//! A name is resolved once, and the connection goes to the address that was checked, so that a second DNS
//! answer can't lead elsewhere. The task's deadline limits every request. Must not know tasks.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chicory_signature::{MAX_NAME, excerpt};
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi::runtime::{self, AbortOnDropJoinHandle};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::address::{HostGrant, address, is_public};
use super::counted::BODY_CHUNK;
use super::wire::{self, Wire};
use crate::held::Held;
use crate::monitor::Monitor;

/// Maximum number of open connections of one task.
const MAX_CONNECTIONS: usize = 32;

/// A connection's buffer for what it reads, in bytes. An answer's status line and headers have to fit.
const BUFFER_BYTES: usize = 64 << 10;

/// What an open connection counts, in bytes: its buffers in both directions, and those of TLS.
const CONNECTION_BYTES: u64 = 256 << 10;

/// Maximum time to connect, and to wait for an answer to begin. A guest may set less.
const PATIENCE: Duration = Duration::from_mins(1);

type Done = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Answer = (
    Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

/// What one call may connect to.
pub(super) struct Gate {
    grants: Arc<[HostGrant]>,
    monitor: Arc<Monitor>,
    connections: Arc<Semaphore>,
}

impl Gate {
    /// A gate for one call.
    pub(super) fn new(grants: Arc<[HostGrant]>, monitor: Arc<Monitor>) -> Self {
        Gate {
            grants,
            monitor,
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }
    }

    /// The request's destination, if it is granted.
    fn admit(&self, uri: &Uri) -> Result<Destination, Error> {
        let host = uri.host().ok_or(Error::HttpRequestUriInvalid)?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            other => {
                let other = other.map_or("none", Scheme::as_str);
                self.monitor.log().deny(format!(
                    "a request with the scheme `{}`; only http and https are allowed",
                    excerpt(other, MAX_NAME)
                ));
                return Err(Error::HttpProtocolError);
            }
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let granted: Vec<_> = self
            .grants
            .iter()
            .filter(|grant| grant.allows(host, port))
            .cloned()
            .collect();
        if granted.is_empty() {
            self.monitor
                .log()
                .deny(denial(host, port, "is not granted"));
            return Err(Error::HttpRequestDenied);
        }
        let permit = Arc::clone(&self.connections).try_acquire_owned();
        let held = Held::new(&self.monitor, CONNECTION_BYTES);
        Ok(Destination {
            host: host.to_owned(),
            port,
            tls,
            granted,
            monitor: Arc::clone(&self.monitor),
            permit: permit.map_err(|_| Error::ConnectionLimitReached)?,
            held: held.map_err(|_| Error::ConnectionLimitReached)?,
        })
    }
}

fn denial(host: &str, port: u16, why: &str) -> String {
    let host = &*excerpt(host, MAX_NAME);
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

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }
}

/// A host that was granted.
struct Destination {
    host: String,
    port: u16,
    tls: bool,
    granted: Vec<HostGrant>,
    monitor: Arc<Monitor>,
    permit: OwnedSemaphorePermit,
    held: Held,
}

impl Destination {
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
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(BUFFER_BYTES)
            .handshake(TokioIo::new(wire))
            .await?;
        let connection = runtime::spawn(async move { connection.await.map_err(Error::from) });
        // Only requests to a proxy have a scheme and an authority.
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
        Ok((body, Box::new(drive(connection, self.permit, self.held))))
    }

    async fn connect(&self) -> Result<Box<dyn Wire>, Error> {
        let tcp = wire::dial(&self.resolve().await?).await?;
        if self.tls {
            wire::secured(tcp, &self.host).await
        } else {
            Ok(Box::new(tcp))
        }
    }

    /// The addresses of the host that the guest may reach.
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
            self.monitor.log().deny(denial(&self.host, self.port, &why));
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

/// Drives a connection until its answer has been read, and holds its permit and its memory until then.
fn drive(
    connection: AbortOnDropJoinHandle<Result<(), Error>>,
    permit: OwnedSemaphorePermit,
    held: Held,
) -> Done {
    Box::pin(async move {
        let ended = connection.await;
        drop((permit, held));
        ended
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Empty;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::call_log::CallLog;
    use crate::limits::{Limits, ResolvedLimits};

    fn gate(grants: &[&str]) -> Gate {
        let limits = ResolvedLimits::resolve(&Limits::default(), 1 << 20).unwrap();
        let monitor = Arc::new(Monitor::start(CallLog::new(&limits, None, false), &limits));
        Gate::new(
            grants
                .iter()
                .map(|text| HostGrant::parse(text).unwrap())
                .collect(),
            monitor,
        )
    }

    async fn get(gate: &mut Gate, url: &str) -> Result<(u16, Bytes), Error> {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::builder().uri(url).body(body).unwrap();
        let (answer, driver) =
            Pin::from(gate.send_request(request, None, Box::new(async { Ok(()) }))).await?;
        let status = answer.status().as_u16();
        let (body, end) = tokio::join!(answer.into_body().collect(), Pin::from(driver));
        end?;
        Ok((status, body?.to_bytes()))
    }

    /// Serves one request, and answers with the first line of what was asked.
    async fn serve_once() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 1000];
            let length = stream.read(&mut asked).await.unwrap();
            let text = String::from_utf8_lossy(&asked[..length]);
            let line = text.lines().next().unwrap();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{line}",
                line.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        port
    }

    #[tokio::test]
    async fn a_granted_host_is_called() {
        let port = serve_once().await;
        let mut gate = gate(&[&format!("127.0.0.1:{port}")]);
        let (status, body) = get(&mut gate, &format!("http://127.0.0.1:{port}/path?q=1"))
            .await
            .unwrap();
        assert_eq!((status, &body[..]), (200, &b"GET /path?q=1 HTTP/1.1"[..]));
        assert_eq!(gate.monitor.log().denied(), None);
    }

    #[tokio::test]
    async fn a_host_that_is_not_listed_is_refused_with_the_line_that_grants_it() {
        let mut gate = gate(&["example.com"]);
        let refused = get(&mut gate, "http://127.0.0.1:9000/").await.unwrap_err();
        assert!(matches!(refused, Error::HttpRequestDenied), "{refused:?}");
        let expected = "HTTP to `127.0.0.1` on port 9000 is not granted; add to the manifest: [grants] http = [\"127.0.0.1:9000\"]";
        assert_eq!(gate.monitor.log().denied(), Some(expected));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_refused_unless_the_address_is_named() {
        // As if DNS gave a loopback address for a granted name.
        let gate = gate(&["*.test"]);
        let destination = Destination {
            host: "localhost".into(),
            port: 80,
            tls: false,
            granted: gate.grants.to_vec(),
            monitor: Arc::clone(&gate.monitor),
            permit: Arc::clone(&gate.connections).try_acquire_owned().unwrap(),
            held: Held::new(&gate.monitor, CONNECTION_BYTES).unwrap(),
        };
        let refused = destination.resolve().await.unwrap_err();
        assert!(
            matches!(refused, Error::DestinationIpProhibited),
            "{refused:?}"
        );
        assert!(
            gate.monitor
                .log()
                .denied()
                .unwrap()
                .contains("which is not a public address")
        );

        let port = serve_once().await;
        let mut open = self::gate(&[&format!("localhost:{port}")]);
        assert_eq!(
            get(&mut open, &format!("http://localhost:{port}/"))
                .await
                .unwrap()
                .0,
            200
        );
    }

    /// Case M14: `ftp://granted`.
    #[tokio::test]
    async fn other_schemes_are_refused_on_granted_hosts() {
        let mut gate = gate(&["example.com:80"]);
        let refused = get(&mut gate, "ftp://example.com:80/").await.unwrap_err();
        assert!(matches!(refused, Error::HttpProtocolError), "{refused:?}");
        let said = gate.monitor.log().denied().map(str::to_owned);
        assert_eq!(
            said.as_deref(),
            Some("a request with the scheme `ftp`; only http and https are allowed")
        );
    }

    #[tokio::test]
    async fn connections_are_counted() {
        let gate = gate(&["example.com"]);
        let uri: Uri = "http://example.com/".parse().unwrap();
        let open: Vec<_> = (0..MAX_CONNECTIONS)
            .map(|_| gate.admit(&uri).unwrap())
            .collect();
        assert!(matches!(
            gate.admit(&uri),
            Err(Error::ConnectionLimitReached)
        ));
        drop(open);
        assert!(gate.admit(&uri).is_ok());
    }
}
