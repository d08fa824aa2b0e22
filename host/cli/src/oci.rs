//! Modules in OCI registries: `oci://HOST[:PORT]/REPOSITORY[:TAG|@sha256:…]`.
//!
//! Must not know what is done with a module: a pulled module becomes files, like any other module.

mod address;
mod fault;
mod fetch;
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
/// The media type of an artifact's configuration, which marks it as WebAssembly.
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The media type of the manifest's layer.
const MANIFEST: &str = "application/vnd.chicory.manifest.v1+toml";
/// The media type of the layer that holds a bundle's signature.
const SIGNATURE: &str = "application/vnd.chicory.signature.v1+minisign";

/// How registries are reached.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OciArgs {
    /// Use plain HTTP for an oci:// address (always used for registries on this machine)
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// A registry, and the credentials for it.
struct Registry {
    client: Client,
    auth: RegistryAuth,
}

impl Registry {
    fn of(address: &Address, plain_http: bool) -> anyhow::Result<Self> {
        // A provider that is already installed stays.
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
            // The same address must give the same module on every machine.
            platform_resolver: None,
            ..ClientConfig::default()
        };
        Ok(Self {
            client: Client::try_from(config)?,
            auth: credentials(address)?,
        })
    }

    /// The user, for messages.
    fn who(&self) -> String {
        match &self.auth {
            RegistryAuth::Basic(user, _) => format!("as {user:?}"),
            RegistryAuth::Anonymous | RegistryAuth::Bearer(_) => "without credentials".to_owned(),
        }
    }
}

/// The path of Docker's configuration.
fn docker_config() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(std::env::home_dir()?.join(".docker")));
    Some(folder?.join("config.json"))
}

/// The credentials that `docker login` has stored for this registry.
fn credentials(address: &Address) -> anyhow::Result<RegistryAuth> {
    // The crate does not distinguish a missing file from an unreadable one.
    if docker_config().is_none_or(|file| !file.exists()) {
        return Ok(RegistryAuth::Anonymous);
    }
    match docker_credential::get_credential(address.credentials_key()) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(RegistryAuth::Basic(user, password))
        }
        // Docker exchanges such a token for another one; registries don't accept it directly.
        Ok(DockerCredential::IdentityToken(_)) => Err(CommandError::Usage(format!(
            "the credentials for {} are an identity token, which only Docker can use: log in with a user name and a password or access token",
            address.registry()
        ))
        .into()),
        Err(
            CredentialRetrievalError::ConfigNotFound
            | CredentialRetrievalError::NoCredentialConfigured,
        ) => Ok(RegistryAuth::Anonymous),
        // The text of a credential helper may contain the secret.
        Err(_) => Err(CommandError::Usage(format!(
            "can't read the credentials for {} from Docker's configuration ($DOCKER_CONFIG or ~/.docker, config.json): run `docker login {}` again",
            address.registry(),
            address.registry()
        ))
        .into()),
    }
}
