//! Reading a tenant's messages that wait or are admitted.
//!
//! Must not change any.

use bytes::Bytes;
use redis::cmd;

use super::readable;
use crate::broker::redis::RedisBroker;
use crate::{BrokerError, ScanCursor, ScanPage};

/// A page of a tenant's messages that wait or are admitted. The waiting list is read from its end: what is admitted meanwhile
/// leaves at the other end, so no element moves past the reader.
pub(super) async fn scan(
    broker: &RedisBroker,
    queue: &str,
    cursor: ScanCursor,
) -> Result<ScanPage, BrokerError> {
    if let Some(after) = cursor.after.strip_prefix(ADMITTED) {
        let after = after.to_owned();
        return scan_admitted(broker, queue, cursor, &after).await;
    }
    let waiting = broker.keys.waiting(queue);
    let end: usize = match cursor.after.parse() {
        Ok(end) => end,
        Err(_) => broker.connection.ask(cmd("LLEN").arg(&waiting)).await?,
    };
    let start = end.saturating_sub(broker.listed_size.page());
    let mut elements: Vec<Vec<u8>> = Vec::new();
    if end > 0 {
        let mut command = cmd("LRANGE");
        command.arg(&waiting).arg(start).arg(end - 1);
        elements = broker.connection.ask(&command).await?;
    }
    let next = match start {
        0 => format!("{ADMITTED}-"),
        start => start.to_string(),
    };
    Ok(ScanPage {
        messages: readable(broker, elements.into_iter().filter_map(data_of)),
        next: Some(cursor.on(next)),
    })
}

/// What a place in the admitted stream begins with.
const ADMITTED: &str = "admitted ";

async fn scan_admitted(
    broker: &RedisBroker,
    queue: &str,
    cursor: ScanCursor,
    after: &str,
) -> Result<ScanPage, BrokerError> {
    type Entries = Vec<(String, std::collections::HashMap<String, Vec<u8>>)>;
    let mut command = cmd("XRANGE");
    command.arg(broker.root.admitted(queue)).arg(after).arg("+");
    command.arg("COUNT").arg(broker.listed_size.page());
    let entries: Entries = broker.connection.ask(&command).await?;
    let last = entries.last().map(|(id, _)| format!("{ADMITTED}({id}"));
    let is_own = |fields: &std::collections::HashMap<String, Vec<u8>>| {
        fields.get("tenant").map(Vec::as_slice) == Some(broker.tenant.as_str().as_bytes())
    };
    let data = (entries.into_iter().map(|(_, fields)| fields))
        .filter(is_own)
        .filter_map(|mut fields| fields.remove("data"));
    Ok(ScanPage {
        messages: readable(broker, data),
        next: match last {
            Some(last) => Some(cursor.on(last)),
            // The last part reads all of this again: a list has no place that something added later is behind.
            None => cursor.on(String::new()).over(),
        },
    })
}

/// The message of an element of a waiting list: the length of its id, a colon, the id, the message.
fn data_of(element: Vec<u8>) -> Option<Vec<u8>> {
    let colon = element.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&element[..colon]).ok()?.parse().ok()?;
    let start = colon.checked_add(1)?.checked_add(length)?;
    let element = Bytes::from(element);
    (start <= element.len()).then(|| element.slice(start..).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_has_its_id_before_its_message() {
        assert_eq!(data_of(b"3:a:b{}".to_vec()), Some(b"{}".to_vec()));
        assert_eq!(data_of(b"0:{}".to_vec()), Some(b"{}".to_vec()));
        for broken in [&b"9:a{}"[..], b"x:a", b"", b"18446744073709551615:a"] {
            assert_eq!(data_of(broken.to_vec()), None);
        }
    }
}
