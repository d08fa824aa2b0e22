//! What a failure on a Cluster node means: the slot is elsewhere, the failure may pass, or the node can't serve.
//!
//! Must not know what was asked.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::node::Node;
use super::shared::Unsent;

/// What to do about a failure.
pub(super) enum Remedy {
    /// The slot has moved to this node.
    Moved(Node),
    /// The slot is moving to this node, which must be asked this once.
    Ask(Node),
    /// It was not carried out, but may succeed in a moment.
    Again,
    /// It may have been carried out, or can't be.
    None,
}

/// Whether a failure says that the node can't serve, and not only this request.
pub(super) fn is_trouble(error: &RedisError) -> bool {
    error.is_io_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::BusyLoading
            )
        )
}

/// What to do about a failure.
pub(super) fn remedy(failure: &Unsent) -> Remedy {
    let error = &failure.error;
    let node = error.redirect_node().and_then(|(at, _)| Node::parse(at));
    match (error.kind(), node) {
        (ErrorKind::Server(ServerErrorKind::Ask), Some(node)) => Remedy::Ask(node),
        (ErrorKind::Server(ServerErrorKind::Moved), Some(node)) => Remedy::Moved(node),
        (
            ErrorKind::Server(
                ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::BusyLoading,
            ),
            _,
        ) => Remedy::Again,
        // A permanent refusal, such as of a password, is no reason to retry.
        _ if !failure.sent
            && (error.is_io_error() || error.code().is_none())
            && !is_refusal(error) =>
        {
            Remedy::Again
        }
        _ => Remedy::None,
    }
}

fn is_refusal(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig
    )
}
