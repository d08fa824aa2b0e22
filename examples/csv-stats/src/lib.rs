//! Aggregates a CSV table by a column.
//!
//! Must not know queues or messages; imports nothing at all from its host.

use std::collections::BTreeMap;

use csv::{Error, Reader, ReaderBuilder, StringRecord};

wit_bindgen::generate!({ path: "wit", world: "csv-stats" });

struct CsvStats;

export!(CsvStats);

impl Guest for CsvStats {
    fn aggregate(
        table: String,
        group_by: String,
        value: String,
        separator: Option<char>,
    ) -> Result<Vec<Group>, TableError> {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter(separator)?)
            .from_reader(table.as_bytes());
        let header = reader.headers().map_err(malformed)?.clone();
        let (key, value) = (column(&header, &group_by)?, column(&header, &value)?);
        add_up(&mut reader, key, value)
    }
}

fn delimiter(separator: Option<char>) -> Result<u8, TableError> {
    let separator = separator.unwrap_or(',');
    u8::try_from(separator)
        .ok()
        .filter(u8::is_ascii)
        .ok_or_else(|| TableError::Malformed(format!("the separator {separator:?} is not ASCII")))
}

fn column(header: &StringRecord, name: &str) -> Result<usize, TableError> {
    let position = header.iter().position(|column| column.trim() == name);
    position.ok_or_else(|| {
        let known: Vec<_> = header.iter().collect();
        TableError::NoSuchColumn(format!(
            "no column {name:?}; there are {}",
            known.join(", ")
        ))
    })
}

fn add_up(reader: &mut Reader<&[u8]>, key: usize, value: usize) -> Result<Vec<Group>, TableError> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(malformed)?;
        let text = row[value].trim();
        if text.is_empty() {
            continue;
        }
        let number: f64 = text.parse().map_err(|_| not_a_number(&row, text))?;
        let key = row[key].to_owned();
        let group = groups.entry(key.clone()).or_insert_with(|| empty(key));
        group.count += 1;
        group.sum += number;
        group.min = group.min.min(number);
        group.max = group.max.max(number);
    }
    Ok(groups.into_values().map(with_mean).collect())
}

fn empty(key: String) -> Group {
    Group {
        key,
        count: 0,
        sum: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        mean: 0.0,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a table with 2^53 rows doesn't fit in memory"
)]
fn with_mean(group: Group) -> Group {
    Group {
        mean: group.sum / group.count as f64,
        ..group
    }
}

fn not_a_number(row: &StringRecord, text: &str) -> TableError {
    TableError::NotANumber(Cell {
        line: row.position().map_or(0, csv::Position::line),
        text: text.to_owned(),
    })
}

fn malformed(error: Error) -> TableError {
    TableError::Malformed(error.to_string())
}
