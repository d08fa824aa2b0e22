//! Reading all messages of a queue, page by page.
//!
//! Must not change any.

use rusqlite::{Connection, params};

use crate::{ScanCursor, ScanPage, ScanPart, TaskMessage};

/// Messages read at a time.
const PAGE: i64 = 500;
/// Bytes of messages after which a page ends. One message may have more.
const PAGE_BYTES: usize = 16 << 20;

/// One page, in the order of ids. What is there all the time is in one of the pages.
pub(super) fn scan(
    connection: &Connection,
    queue: &str,
    cursor: ScanCursor,
) -> rusqlite::Result<ScanPage> {
    let table = match cursor.part {
        ScanPart::Stream | ScanPart::Tail => "messages",
        ScanPart::Delayed => "delayed",
        ScanPart::Dead => "dead",
    };
    let after: i64 = cursor.after.parse().unwrap_or(0);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, data FROM {table} WHERE queue = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![queue, after, PAGE], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let mut bytes = 0;
    let rows = rows.take_while(|row| {
        let is_full = bytes >= PAGE_BYTES;
        bytes += row.as_ref().map_or(0, |(_, data)| data.len());
        !is_full
    });
    let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let next = match rows.last() {
        Some((last, _)) => Some(cursor.on(last.to_string())),
        None => cursor.over(),
    };
    let decode = |(_, data): (i64, Vec<u8>)| TaskMessage::decode(&data.into()).ok();
    Ok(ScanPage {
        messages: rows.into_iter().filter_map(decode).collect(),
        next,
    })
}
