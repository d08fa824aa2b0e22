//! Modules in OCI registries: `oci://HOST[:PORT]/REPOSITORY[:TAG|@sha256:…]`.
//!
//! Must not know what is done with a module: what is pulled becomes files, as a person would have them.

mod address;
mod fault;
mod pull;
mod push;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;

pub(crate) use self::address::Address;
pub(crate) use self::pull::{Module, module};
pub(crate) use self::push::{Content, push};
use crate::exit::CommandError;

/// The media type of a module's layer, as we write it.
const WASM: &str = "application/wasm";
/// The media type of an artifact's configuration, by which it is known to be WebAssembly.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The media type of the manifest's layer.
const MANIFEST: &str = "application/vnd.chicory.manifest.v1+toml";
/// The media type of the layer that holds a bundle's signature.
const SIGNATURE: &str = "application/vnd.chicory.signature.v1+minisign";

/// How registries are reached.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OciArgs {
    /// Reach the registry of an oci:// address without TLS, as one on this machine is
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// A registry, and who we are there.
struct Registry {
    client: Client,
    auth: RegistryAuth,
}

impl Registry {
    fn of(address: &Address, plain_http: bool) -> anyhow::Result<Self> {
        // Where it is chosen already, that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let protocol = if plain_http || address.is_loopback() {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        };
        let config = ClientConfig {
            protocol,
            connect_timeout: Some(Duration::from_secs(10)),
            read_timeout: Some(Duration::from_mins(1)),
            // Which module is meant must not depend on the machine that asks.
            platform_resolver: None,
            ..ClientConfig::default()
        };
        Ok(Self {
            client: Client::try_from(config)?,
            auth: credentials(address)?,
        })
    }

    /// Who we are there, for messages.
    fn who(&self) -> String {
        match &self.auth {
            RegistryAuth::Basic(user, _) => format!("as {user:?}"),
            RegistryAuth::Anonymous | RegistryAuth::Bearer(_) => "without credentials".to_owned(),
        }
    }
}

/// Docker's configuration, where it would be.
fn docker_config() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(std::env::home_dir()?.join(".docker")));
    Some(folder?.join("config.json"))
}

/// What `docker login` has left for this registry.
fn credentials(address: &Address) -> anyhow::Result<RegistryAuth> {
    // The crate does not tell a file that is not there from one that can't be read.
    if docker_config().is_none_or(|file| !file.exists()) {
        return Ok(RegistryAuth::Anonymous);
    }
    match docker_credential::get_credential(address.credentials_key()) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(RegistryAuth::Basic(user, password))
        }
        // Docker's own exchange of such a token for another; no registry takes it as it is.
        Ok(DockerCredential::IdentityToken(_)) => Err(CommandError::Usage(format!(
            "the credentials for {} are an identity token, which only docker can use: log in by a name and a password or access token",
            address.registry()
        ))
        .into()),
        Err(
            CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::NoCredentialConfigured,
        ) => Ok(RegistryAuth::Anonymous),
        // A helper's words may show what it was to keep secret.
        Err(_) => Err(CommandError::Usage(format!(
            "can't read the credentials for {} from docker's configuration ($DOCKER_CONFIG or ~/.docker, config.json): run `docker login {}` again",
            address.registry(),
            address.registry()
        ))
        .into()),
    }
}
