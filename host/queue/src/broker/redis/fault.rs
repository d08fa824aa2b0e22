//! What Redis's errors mean for a caller of the broker.
//!
//! Must not know which command failed.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::BrokerError;

/// Turns an error of the client crate into the broker's. `place` says where the server is, without secrets.
pub(super) fn broker_error(place: &str, error: &RedisError) -> BrokerError {
    let (error, place) = (cause(error), place.to_owned());
    match advice(&error) {
        Some(advice) => BrokerError::Refused {
            place,
            advice: Some(advice),
            source: error.into(),
        },
        None => BrokerError::Unavailable {
            place,
            advice: None,
            source: error.into(),
        },
    }
}

/// A transaction's error lists the errors of its commands; the first is the cause.
fn cause(error: &RedisError) -> RedisError {
    let errors = error.clone().into_server_errors();
    match errors.as_deref() {
        Some([(_, first), ..]) => first.clone().into(),
        _ => error.clone(),
    }
}

/// What to do about an error that retrying won't fix; `None` for errors that may pass.
fn advice(error: &RedisError) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::AuthenticationFailed => return Some(CREDENTIALS),
        ErrorKind::InvalidClientConfig => return Some("correct the Redis settings or URL"),
        ErrorKind::Server(ServerErrorKind::NoPerm) => return Some(PERMISSIONS),
        ErrorKind::Server(
            ServerErrorKind::CrossSlot | ServerErrorKind::Moved | ServerErrorKind::Ask,
        ) => return Some("use a redis-cluster:// URL for a Redis Cluster"),
        _ => {}
    }
    match code(error)? {
        "WRONGPASS" | "NOAUTH" => Some(CREDENTIALS),
        "NOPERM" => Some(PERMISSIONS),
        "WRONGTYPE" => {
            Some("another program uses this key: choose another key_prefix, or delete the key")
        }
        "ERR"
            if error
                .detail()
                .is_some_and(|detail| detail.contains("max number of clients")) =>
        {
            None
        }
        "ERR" => Some("check the settings, and that it is Redis 6.2 or later, or a Valkey"),
        _ => None,
    }
}

const CREDENTIALS: &str = "check the username and password";
const PERMISSIONS: &str = "allow the user these commands and keys: docs/redis.md has the ACL lines";

/// Whether a connection must not be used again after this error.
pub(super) fn spoils_connection(error: &RedisError) -> bool {
    // After a failover, the old master answers READONLY for as long as we stay connected: look for the new one.
    // After a timeout the connection may be dead, or its next answer may be the late one.
    let error = &cause(error);
    error.is_unrecoverable_error()
        || error.is_io_error()
        || matches!(code(error), Some("READONLY" | "MASTERDOWN" | "UNBLOCKED"))
}

/// Whether the user may not do that.
pub(super) fn is_no_permission(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) || code(error) == Some("NOPERM")
}

/// Whether a command failed because the key it asks about is missing.
pub(super) fn is_no_key(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("no such key"))
}

/// Whether the consumer group or its stream is missing, or vanished while a read was blocked.
pub(super) fn is_no_group(error: &RedisError) -> bool {
    match code(error) {
        Some("NOGROUP") => true,
        Some("UNBLOCKED") => error
            .detail()
            .is_some_and(|detail| detail.contains("no longer exists")),
        _ => false,
    }
}

/// The error's code. Before Redis 7, a script's errors are wrapped in one with the code ERR.
fn code(error: &RedisError) -> Option<&str> {
    let code = error.code()?;
    let detail = error.detail().unwrap_or_default();
    if code != "ERR" || !detail.contains("user_script") {
        return Some(code);
    }
    let wrapped = [
        "OOM",
        "READONLY",
        "NOGROUP",
        "WRONGTYPE",
        "NOPERM",
        "MISCONF",
        "NOREPLICAS",
    ];
    let mut words = detail.split(|c: char| !c.is_ascii_uppercase());
    let inner = words.find_map(|word| wrapped.into_iter().find(|known| *known == word));
    Some(inner.unwrap_or(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(text: &str) -> RedisError {
        let line = format!("-{text}\r\n");
        let value = redis::parse_redis_value(line.as_bytes()).expect("a well-formed answer");
        value.extract_error().expect_err("it is an error")
    }

    #[test]
    fn what_may_pass_is_unavailable() {
        for text in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "CLUSTERDOWN The cluster is down",
            "MASTERDOWN Link with MASTER is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "BUSY Redis is busy running a script.",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR max number of clients reached",
            "ERR Error running script (call to f_1): @user_script:9: -OOM command not allowed",
        ] {
            assert!(
                broker_error("h:1", &server_error(text)).is_transient(),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_not_pass_says_what_to_do() {
        for (text, part) in [
            ("WRONGPASS invalid username-password pair", "password"),
            ("NOAUTH Authentication required.", "password"),
            ("NOPERM this user has no permissions", "ACL"),
            (
                "WRONGTYPE Operation against a key holding the wrong kind",
                "key_prefix",
            ),
            ("MOVED 1 127.0.0.1:7000", "redis-cluster://"),
        ] {
            let error = broker_error("h:1", &server_error(text));
            assert!(
                matches!(&error, BrokerError::Refused { advice: Some(advice), .. } if advice.contains(part)),
                "{error}"
            );
        }
    }

    #[test]
    fn a_stream_that_goes_in_mid_read_is_no_outage() {
        let gone = server_error("UNBLOCKED the stream key no longer exists");
        assert!(is_no_group(&gone));
        let demoted = server_error(
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        );
        assert!(!is_no_group(&demoted) && spoils_connection(&demoted));
    }

    #[test]
    fn a_demoted_master_is_left() {
        assert!(spoils_connection(&server_error("READONLY You can't write")));
        assert!(!spoils_connection(&server_error("OOM command not allowed")));
    }
}
