//! The embedded broker.

use std::sync::Arc;

use crate::{BrokerError, Clock, Connected, SqliteConfig};

pub(super) async fn connect(
    _config: &SqliteConfig,
    _clock: Arc<dyn Clock>,
) -> Result<Connected, BrokerError> {
    Err(BrokerError::Closed)
}
