//! A shop that embeds Chicory's worker without a sandbox: its tasks are closures over its own stock.
//!
//! Written as a stranger would: must not use anything but the public API of the crates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chicory_queue::{Failure, RetryPolicy};
use chicory_worker::{Call, NativeTasks, TaskProfile};

/// What the shop has, by article.
#[derive(Debug, Default)]
pub struct Stock(Mutex<BTreeMap<String, u32>>);

impl Stock {
    /// Adds to what there is of an article; the number that there is then.
    pub fn add(&self, article: &str, count: u32) -> u32 {
        let mut stock = self.lock();
        let there = stock.entry(article.to_owned()).or_default();
        *there += count;
        *there
    }

    /// Takes from what there is of an article, if there is enough; the number that is left.
    pub fn take(&self, article: &str, count: u32) -> Option<u32> {
        let mut stock = self.lock();
        let there = stock.get_mut(article)?;
        *there = there.checked_sub(count)?;
        Some(*there)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shop's tasks:
///
/// - `stock.add(article, count)` returns the number that there is then.
/// - `stock.take(article, count)` returns the number that is left. It fails as `sold-out`, and is retried up to `retries`
///   times, in case the article arrives.
pub fn tasks(stock: Arc<Stock>, retries: RetryPolicy) -> NativeTasks {
    let shelf = Arc::clone(&stock);
    NativeTasks::new()
        .add("stock.add", move |call: Call| {
            let stock = Arc::clone(&shelf);
            async move {
                let (article, count): (String, u32) = call.args()?;
                Ok(stock.add(&article, count))
            }
        })
        .add_with(
            "stock.take",
            TaskProfile::new(retries),
            move |call: Call| {
                let stock = Arc::clone(&stock);
                async move {
                    let (article, count): (String, u32) = call.args()?;
                    stock
                        .take(&article, count)
                        .ok_or_else(|| sold_out(&article))
                }
            },
        )
}

fn sold_out(article: &str) -> Failure {
    Failure::new("sold-out", format!("there is not enough {article}"))
}
