//! TLS: which authorities are trusted, and the certificate that this client shows.
//!
//! Must not know where the servers are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redis::{ErrorKind, RedisError, RedisResult};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::RedisTls;

/// How TLS connections are made. Clones share what was read.
#[derive(Clone, Default)]
pub(super) struct Tls(Arc<State>);

#[derive(Default)]
struct State {
    settings: RedisTls,
    connector: OnceLock<TlsConnector>,
}

impl Tls {
    /// Reads the files that the settings name, so a fault in one is reported now and not at the first connection.
    pub(super) fn new(settings: &RedisTls) -> RedisResult<Self> {
        let tls = Self(Arc::new(State {
            settings: settings.clone(),
            connector: OnceLock::new(),
        }));
        if *settings != RedisTls::default() {
            tls.connector()?;
        }
        Ok(tls)
    }

    /// Without configured files, trusts the authorities that this machine trusts, which are read with the first
    /// connection.
    pub(super) fn connector(&self) -> RedisResult<&TlsConnector> {
        if let Some(connector) = self.0.connector.get() {
            return Ok(connector);
        }
        // If the program has already chosen its cryptography, that choice stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = &self.0.settings;
        let roots = match &settings.ca_file {
            Some(file) => authorities(file)?,
            None => machine()?,
        };
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match (&settings.cert_file, &settings.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| wrong("tls_key_file", key, &error))?;
                builder
                    .with_client_auth_cert(chain, secret)
                    .map_err(|error| wrong("tls_cert_file", certificate, &error))?
            }
            _ => {
                let text = "tls_cert_file and tls_key_file belong together: give both or neither";
                return Err((ErrorKind::InvalidClientConfig, text).into());
            }
        };
        Ok(self.0.connector.get_or_init(|| Arc::new(config).into()))
    }
}

fn authorities(file: &PathBuf) -> RedisResult<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong("tls_ca_file", file, &error))?;
    if found.is_empty() {
        return Err(wrong("tls_ca_file", file, &"it has no certificate"));
    }
    for certificate in found {
        roots
            .add(certificate)
            .map_err(|error| wrong("tls_ca_file", file, &error))?;
    }
    Ok(roots)
}

fn certificates(file: &PathBuf) -> RedisResult<Vec<CertificateDer<'static>>> {
    let chain =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    chain.map_err(|error| wrong("tls_cert_file", file, &error))
}

fn machine() -> RedisResult<RootCertStore> {
    let mut found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.pop() {
        let text = "this machine's certificates can't be read";
        return Err((ErrorKind::InvalidClientConfig, text, error.to_string()).into());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    Ok(roots)
}

fn wrong(setting: &str, file: &Path, error: &dyn fmt::Display) -> RedisError {
    let detail = format!("{setting} = {:?}: {error}", file.display().to_string());
    let text = "a file for TLS can't be used";
    (ErrorKind::InvalidClientConfig, text, detail).into()
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.settings).finish()
    }
}
