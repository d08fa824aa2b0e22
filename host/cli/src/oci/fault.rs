//! What went wrong at a registry, and what to do about it.
//!
//! Must not repeat credentials, nor long error pages of a registry.

use oci_client::errors::{OciDistributionError as Fault, OciErrorCode};

use super::fetch::FetchError;
use super::{Address, Registry};
use crate::exit::CommandError;
use crate::output::{printable, shorten};

/// The maximum number of characters of a registry's own text.
const WORDS: usize = 300;

/// The program's error for one of the client's.
pub(super) fn told(fault: &Fault, address: &Address, registry: &Registry) -> CommandError {
    let host = address.registry();
    let message = match fault {
        Fault::RequestError(error) => unreachable_registry(host, error),
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
                Some(OciErrorCode::BlobUnknown | OciErrorCode::ManifestBlobUnknown) => {
                    lost(address)
                }
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

/// The program's error for what happened while a manifest or a layer was read.
pub(super) fn fetching(
    error: &FetchError,
    address: &Address,
    registry: &Registry,
    layer: bool,
) -> CommandError {
    let host = address.registry();
    CommandError::Failed(match error {
        FetchError::Connection(error) => unreachable_registry(host, error),
        FetchError::Unauthorized => unauthorized(address, registry),
        FetchError::Absent if layer => lost(address),
        FetchError::Absent => absent(address),
        FetchError::Status { code, text } => format!(
            "the registry {host} fails at {address} ({code}): {}",
            words(text)
        ),
        FetchError::TooLarge { .. } => tampered(address, &error.to_string()),
        FetchError::Protocol(why) => {
            format!("the registry {host} does not serve {address}: {why}")
        }
    })
}

fn unreachable_registry(host: &str, error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    format!(
        "can't reach the registry {host}: {cause}; is the address right, and is the registry running? A registry without TLS on another machine needs --plain-http"
    )
}

fn lost(address: &Address) -> String {
    format!(
        "the registry {} has lost a layer of {address} (404): push it again",
        address.registry()
    )
}

/// The bytes don't match the digest.
pub(super) fn tampered(address: &Address, why: &str) -> String {
    format!(
        "the registry {} sent damaged or modified data for {address} ({}): push it again",
        address.registry(),
        words(why)
    )
}

fn unauthorized(address: &Address, registry: &Registry) -> String {
    let host = address.registry();
    format!(
        "the registry {host} refuses {address} {} (401): run `docker login {host}`, whose credentials are read from config.json in $DOCKER_CONFIG or ~/.docker",
        registry.who()
    )
}

fn absent(address: &Address) -> String {
    format!(
        "the registry {} does not have {address} (404): is the tag right? `chicory push MODULE {address}` pushes one",
        address.registry()
    )
}

fn words(text: &str) -> String {
    shorten(&printable(&text.replace('\n', " ")), WORDS)
}
