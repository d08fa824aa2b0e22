//! The names under which the file has what tenants share: a tenant's queue is a queue of its own, and so is its task.
//!
//! Must not know what is stored under them.

use std::borrow::Cow;
use std::sync::Arc;

use chicory_signature::TenantName;

use crate::BrokerError;

/// What stands between a queue's name and a tenant's. No queue's name has it.
const SEPARATOR: char = '\u{1}';

/// Where messages are added.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) queue: Arc<str>,
    pub(super) tenant: TenantName,
    /// The tenant's part of the queue.
    pub(super) part: Arc<str>,
    /// The broker's limit of the queue's messages.
    pub(super) limit: Option<u64>,
}

/// The name of a tenant's part of a queue; the default tenant's is the queue's. All parts of a queue are between
/// [`first`] and [`last`].
///
/// # Errors
/// For a queue whose name could be taken for a tenant's part of another one.
pub(super) fn of_queue<'a>(
    tenant: &TenantName,
    queue: &'a str,
) -> Result<Cow<'a, str>, BrokerError> {
    if queue.contains(SEPARATOR) {
        return Err(BrokerError::Invalid(format!(
            "{queue:?} is not the name of a queue: it has the control character U+0001"
        )));
    }
    Ok(part(tenant, queue))
}

/// The same for a queue that was fetched from, so its name was checked.
pub(super) fn part<'a>(tenant: &TenantName, queue: &'a str) -> Cow<'a, str> {
    match tenant.given() {
        None => queue.into(),
        Some(tenant) => format!("{queue}{SEPARATOR}{tenant}").into(),
    }
}

/// What comes before all other tenants' parts of a queue.
pub(super) fn first(queue: &str) -> String {
    format!("{queue}{SEPARATOR}")
}

/// What comes after them.
pub(super) fn last(queue: &str) -> String {
    format!("{queue}\u{2}")
}

/// The queue and the tenant that a part belongs to.
pub(super) fn owner(part: &str) -> (&str, TenantName) {
    match part.split_once(SEPARATOR) {
        None => (part, TenantName::default()),
        // Only `part` writes it.
        Some((queue, tenant)) => (queue, tenant.parse().unwrap_or_default()),
    }
}

/// The name of a tenant's task. Ids may be any text: one that begins like a tenant's is told apart.
pub(super) fn of_task<'a>(tenant: &TenantName, id: &'a str) -> Cow<'a, str> {
    match tenant.given() {
        None if id.starts_with(SEPARATOR) => format!("{SEPARATOR}{SEPARATOR}{id}").into(),
        None => id.into(),
        Some(tenant) => format!("{SEPARATOR}{tenant}{SEPARATOR}{id}").into(),
    }
}

/// What comes before and after the names of all tasks of a tenant, which is not the default one.
pub(super) fn tasks_of(tenant: &TenantName) -> [String; 2] {
    let name = tenant.as_str();
    [SEPARATOR, '\u{2}'].map(|end| format!("{SEPARATOR}{name}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> TenantName {
        "acme".parse().expect("a name")
    }

    #[test]
    fn a_part_tells_its_queue_and_its_tenant() {
        for tenant in [acme(), TenantName::default()] {
            let part = of_queue(&tenant, "mail").expect("a queue");
            assert_eq!(owner(&part), ("mail", tenant.clone()));
        }
        assert!(of_queue(&acme(), "a\u{1}b").is_err());
        assert!(of_queue(&TenantName::default(), "a\u{1}acme").is_err());
    }

    #[test]
    fn the_parts_of_a_queue_are_next_to_each_other() {
        let part = part(&acme(), "mail").into_owned();
        assert!(first("mail") < part && part < last("mail"));
        for other in ["mail", "mail2", "mai", "mail!"] {
            assert!(!(first("mail").as_str()..last("mail").as_str()).contains(&other));
        }
    }

    #[test]
    fn no_id_is_taken_for_a_tenants() {
        let tenants = of_task(&acme(), "x").into_owned();
        assert_ne!(of_task(&TenantName::default(), &tenants), tenants);
        assert_ne!(of_task(&TenantName::default(), "\u{1}x"), "\u{1}x");
        assert_eq!(of_task(&TenantName::default(), "x"), "x");
    }
}
