//! The clock that leases use: how long the machine has been running, which nobody can set forward or back.
//!
//! It restarts with the machine. The file says which start its leases belong to; leases of an earlier start are over,
//! since no process has outlived it. Must not know messages' own times.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::Timestamp;

/// Microseconds since the machine was started, or since 1970 on systems that don't say.
pub(super) fn now() -> i64 {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
    }
    #[cfg(not(target_os = "linux"))]
    Timestamp::now().as_micros()
}

/// A time this far ahead.
pub(super) fn after(duration: Duration) -> i64 {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    now().saturating_add(micros)
}

/// What distinguishes this start of the machine from earlier ones; empty on systems that don't say.
fn this_start() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Makes all leases in the file relative to this start of the machine.
pub(super) fn adopt(connection: &Connection) -> rusqlite::Result<()> {
    let start = this_start();
    if noted(connection)?.as_ref() == Some(&start) {
        return Ok(());
    }
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    match noted(&transaction)? {
        Some(noted) if noted == start => return Ok(()),
        Some(_) => transaction.execute(
            "UPDATE messages SET lease_until = 0 WHERE consumer IS NOT NULL",
            [],
        )?,
        // Leases of a version that timed them by the time of day keep the time they have left.
        None => transaction.execute(
            "UPDATE messages SET lease_until = ?1 + max(0, lease_until - ?2) WHERE consumer IS NOT NULL",
            params![now(), Timestamp::now().as_micros()],
        )?,
    };
    transaction.execute(
        "INSERT INTO lease_clock (id, start) VALUES (1, ?1) ON CONFLICT DO UPDATE SET start = excluded.start",
        [&start],
    )?;
    transaction.commit()
}

fn noted(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection
        .query_row("SELECT start FROM lease_clock", [], |row| row.get(0))
        .optional()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Connection {
        let connection = Connection::open_in_memory().expect("memory");
        for schema in [
            include_str!("schema.sql"),
            include_str!("schema_lease_clock.sql"),
        ] {
            connection.execute_batch(schema).expect("a schema");
        }
        connection
    }

    fn lease(connection: &Connection, until: i64) {
        connection
            .execute(
                "INSERT INTO messages (queue, data, task_id, consumer, lease_until) VALUES ('q', '', 'm', 'c', ?1)",
                [until],
            )
            .expect("a lease");
    }

    fn until(connection: &Connection) -> i64 {
        let sql = "SELECT lease_until FROM messages";
        connection
            .query_row(sql, [], |row| row.get(0))
            .expect("a lease")
    }

    #[test]
    fn leases_of_an_earlier_start_are_over() {
        let file = file();
        adopt(&file).expect("adopted");
        lease(&file, 1 << 50);
        adopt(&file).expect("adopted");
        assert_eq!(until(&file), 1 << 50);
        let earlier = "UPDATE lease_clock SET start = 'earlier'";
        file.execute(earlier, []).expect("an update");
        adopt(&file).expect("adopted");
        assert_eq!(until(&file), 0);
    }

    #[test]
    fn leases_by_the_day_keep_their_time() {
        let file = file();
        let minute = Duration::from_mins(1);
        lease(&file, Timestamp::now().after(minute).as_micros());
        let before = now();
        adopt(&file).expect("adopted");
        let left = until(&file) - before;
        assert!((59_000_000..=60_000_000).contains(&left), "{left}");
    }
}
