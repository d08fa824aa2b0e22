//! What a panic of the host does: it ends the worker. Otherwise nobody would notice the lost part while the leases that
//! it held were still being renewed.
//!
//! Must not know what the parts do.

use tokio_util::sync::CancellationToken;

/// Runs a part of the worker; a panic in it cancels `broken`.
pub(crate) async fn watched<T>(broken: CancellationToken, part: impl Future<Output = T>) -> T {
    let _bell = Bell(broken);
    part.await
}

/// The same for a part that has a thread of its own.
pub(crate) fn watching<T>(broken: CancellationToken, part: impl FnOnce() -> T) -> T {
    let _bell = Bell(broken);
    part()
}

/// Cancels the token when it is dropped by a panic.
struct Bell(CancellationToken);

impl Drop for Bell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.cancel();
        }
    }
}
