//! A module's record as a store has it: read with a limit on its size, checked, or put aside with the reason.
//!
//! Whoever can write to the store can write anything there, and a newer Chicory may write what this one doesn't
//! know. Neither may keep a fleet from its other modules. Must not know any store.

use serde::Deserialize;

use crate::ModuleRecord;

/// Maximum size of a module's record, in bytes. A deploy that would make a larger one is refused.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// The format of records that this Chicory writes, and the newest that it reads. A record that names none has
/// the first.
pub const FORMAT: u64 = 1;

/// Why a record can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// It is larger than records may be.
    #[error("it has {size} bytes, and up to {MAX_RECORD_BYTES} are allowed")]
    TooLarge {
        /// Its size, in bytes.
        size: u64,
    },
    /// It, or its module's name, is not text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// It is not JSON, or a part of it is missing or has another type.
    #[error("it is not a module's record")]
    Json(#[from] serde_json::Error),
    /// A newer Chicory wrote it.
    #[error(
        "it has format {found}, and this Chicory knows formats up to {FORMAT}: upgrade this one"
    )]
    Newer {
        /// Its format.
        found: u64,
    },
    /// It says what no record may say.
    #[error("{place} is not valid: {problem}")]
    Invalid {
        /// Which part of it.
        place: String,
        /// What is wrong with the part.
        problem: String,
    },
}

impl RecordFault {
    /// Whether it is to be left as it is, because a newer Chicory wrote it.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. })
    }
}

/// A module's record that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the record of module {module:?} in the registry can't be read")]
pub struct UnreadableRecord {
    /// The module.
    pub module: String,
    /// The revision of the record, by which it can be replaced.
    pub revision: u64,
    /// What is wrong with it.
    pub source: RecordFault,
}

impl UnreadableRecord {
    /// An empty record that takes its place in a registry: of a module that was never deployed.
    pub fn replaced(&self) -> ModuleRecord {
        ModuleRecord {
            revision: self.revision,
            ..ModuleRecord::new(&self.module)
        }
    }
}

/// What has changed in a registry.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Changes {
    /// The registry's revision that this stands for.
    pub revision: u64,
    /// The records that have changed.
    pub records: Vec<ModuleRecord>,
    /// Those among them that can't be read.
    pub unreadable: Vec<UnreadableRecord>,
}

impl Changes {
    /// Reads the records that a store has found.
    pub fn read<'a>(revision: u64, stored: impl IntoIterator<Item = StoredRecord<'a>>) -> Self {
        let mut changes = Self {
            revision,
            ..Self::default()
        };
        for stored in stored {
            match stored.read() {
                Ok(record) => changes.records.push(record),
                Err(unreadable) => changes.unreadable.push(unreadable),
            }
        }
        changes
    }
}

/// A record as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'a> {
    /// The module's name, under which it is stored.
    pub module: &'a [u8],
    /// Its revision.
    pub revision: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The record. Left out by the store if it is larger than [`MAX_RECORD_BYTES`].
    pub json: &'a [u8],
}

/// What a store reads of a record: the module's name, the revision, the size in bytes, and the record unless it is larger than
/// [`MAX_RECORD_BYTES`].
pub type StoredRow = (Vec<u8>, u64, u64, Vec<u8>);

impl<'a> From<&'a StoredRow> for StoredRecord<'a> {
    fn from((module, revision, size, json): &'a StoredRow) -> Self {
        Self {
            module,
            revision: *revision,
            size: *size,
            json,
        }
    }
}

/// What is known of all formats.
#[derive(Deserialize)]
struct Header {
    #[serde(default = "first")]
    format: u64,
}

fn first() -> u64 {
    1
}

impl StoredRecord<'_> {
    /// The record, if it can be read.
    ///
    /// # Errors
    /// Names the module, and says what is wrong with its record.
    pub fn read(self) -> Result<ModuleRecord, UnreadableRecord> {
        self.parse().map_err(|source| UnreadableRecord {
            module: String::from_utf8_lossy(self.module).into_owned(),
            revision: self.revision,
            source,
        })
    }

    fn parse(self) -> Result<ModuleRecord, RecordFault> {
        let allowed = u64::try_from(MAX_RECORD_BYTES).unwrap_or(u64::MAX);
        if self.size > allowed || self.json.len() > MAX_RECORD_BYTES {
            return Err(RecordFault::TooLarge { size: self.size });
        }
        let text = |bytes| std::str::from_utf8(bytes).map_err(|_| RecordFault::NotText);
        let (module, json) = (text(self.module)?, text(self.json)?);
        let Header { format } = serde_json::from_str(json)?;
        if format > FORMAT {
            return Err(RecordFault::Newer { found: format });
        }
        let mut record: ModuleRecord = serde_json::from_str(json)?;
        record.revision = self.revision;
        if record.name != module {
            return Err(RecordFault::Invalid {
                place: "name".into(),
                problem: format!(
                    "it is {:?}, and the record is stored for {module:?}",
                    record.name
                ),
            });
        }
        record.check()?;
        Ok(record)
    }
}
