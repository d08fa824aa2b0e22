//! What went wrong at a registry, in words that say what to do.
//!
//! Must not repeat credentials, nor what a registry's error page says at length.

use oci_client::errors::{OciDistributionError as Fault, OciErrorCode};

use super::{Address, Registry};
use crate::exit::CommandError;
use crate::output::{printable, shorten};

/// Most characters of a registry's own words.
const WORDS: usize = 300;

/// The error of the program that this one is.
pub(super) fn told(fault: &Fault, address: &Address, registry: &Registry) -> CommandError {
    let host = address.registry();
    let message = match fault {
        Fault::RequestError(error) => {
            let mut cause: &dyn std::error::Error = error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            format!(
                "can't reach the registry {host}: {cause}; is the address right, and is it running? One without TLS that is not on this machine needs --plain-http"
            )
        }
        Fault::UnauthorizedError { .. }
        | Fault::AuthenticationFailure(_)
        | Fault::ServerError { code: 401, .. } => unauthorized(address, registry),
        Fault::RegistryError { envelope, .. } => {
            match envelope.errors.first().map(|error| &error.code) {
                Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => {
                    unauthorized(address, registry)
                }
                Some(
                    OciErrorCode::ManifestUnknown
                    | OciErrorCode::NameUnknown
                    | OciErrorCode::NotFound,
                ) => absent(address),
                Some(OciErrorCode::BlobUnknown | OciErrorCode::ManifestBlobUnknown) => format!(
                    "the registry {host} has lost a layer of {address} (404): push it again"
                ),
                _ => format!(
                    "the registry {host} refuses {address}: {}",
                    words(&envelope.to_string())
                ),
            }
        }
        Fault::ImageManifestNotFoundError(_) | Fault::ServerError { code: 404, .. } => {
            absent(address)
        }
        Fault::ServerError { code, message, .. } => {
            format!(
                "the registry {host} fails at {address} ({code}): {}",
                words(message)
            )
        }
        Fault::DigestError(error) => tampered(address, &error.to_string()),
        other => format!(
            "the registry {host} does not serve {address}: {}",
            words(&other.to_string())
        ),
    };
    CommandError::Failed(message)
}

/// The bytes are not those that the digest names.
pub(super) fn tampered(address: &Address, why: &str) -> String {
    format!(
        "what the registry {} sent for {address} is damaged or was tampered with ({}): push it again",
        address.registry(),
        words(why)
    )
}

fn unauthorized(address: &Address, registry: &Registry) -> String {
    let host = address.registry();
    format!(
        "the registry {host} refuses {address} {} (401): run `docker login {host}`, whose config.json is read ($DOCKER_CONFIG or ~/.docker)",
        registry.who()
    )
}

fn absent(address: &Address) -> String {
    format!(
        "the registry {} has no {address} (404): is the tag right? `chicory push MODULE {address}` puts one there",
        address.registry()
    )
}

fn words(text: &str) -> String {
    shorten(&printable(&text.replace('\n', " ")), WORDS)
}
