//! The names of all settings, in the file and in the environment, which of them are secrets, and what their numbers
//! may be.
//!
//! Must not know values or defaults; defaults are in `chicory.default.toml`.

use chicory_signature::{Range, Unit};

/// The documented defaults, which `chicory config default` prints.
pub(crate) const DEFAULTS: &str = include_str!("../../chicory.default.toml");

/// One setting.
#[derive(Debug, PartialEq)]
pub(crate) struct Setting {
    /// Its name in the file, with its sections: `broker.redis.host`.
    pub(crate) path: &'static str,
    /// Whether its value must never be shown.
    pub(crate) secret: bool,
    /// What it may be, if it is a number.
    pub(crate) range: Option<Range>,
    /// Whether its value is a table of its own: as text, a JSON object.
    pub(crate) table: bool,
}

const fn plain(path: &'static str) -> Setting {
    Setting {
        path,
        secret: false,
        range: None,
        table: false,
    }
}

const fn secret(path: &'static str) -> Setting {
    Setting {
        secret: true,
        ..plain(path)
    }
}

const fn table(path: &'static str) -> Setting {
    Setting {
        table: true,
        ..plain(path)
    }
}

const fn number(path: &'static str, unit: Unit, least: f64, most: f64) -> Setting {
    Setting {
        range: Some(Range::new(least, most, unit)),
        ..plain(path)
    }
}

const fn count(path: &'static str, least: f64, most: f64) -> Setting {
    number(path, Unit::Count, least, most)
}

const fn seconds(path: &'static str, least: f64, most: f64) -> Setting {
    number(path, Unit::Seconds, least, most)
}

const fn milliseconds(path: &'static str, least: f64, most: f64) -> Setting {
    number(path, Unit::Milliseconds, least, most)
}

const fn bytes(path: &'static str, least: f64, most: f64) -> Setting {
    number(path, Unit::Bytes, least, most)
}

const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1024.0 * MIB;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;
const YEAR: f64 = 365.0 * DAY;
/// The shortest time that a setting may be, in seconds.
const SHORTEST: f64 = 0.001;
/// The most entries of a queue or of anything else that is counted.
const MANY: f64 = 1e12;

/// All settings, in the order in which they are shown.
pub(crate) static SETTINGS: &[Setting] = &[
    plain("tenant"),
    plain("delivery_mode"),
    plain("validation_mode"),
    plain("broker.url"),
    plain("broker.redis.host"),
    count("broker.redis.port", 1.0, 65_535.0),
    count("broker.redis.db", 0.0, 2_147_483_647.0),
    plain("broker.redis.username"),
    secret("broker.redis.password"),
    plain("broker.redis.url"),
    plain("broker.redis.consumer_group"),
    milliseconds("broker.redis.block_ms", 1.0, 1e3 * HOUR),
    milliseconds("broker.redis.claim_min_idle_ms", 10.0, 7e3 * DAY),
    count("broker.redis.max_stream_length", 1.0, MANY),
    count("broker.redis.dlq_max_length", 1.0, MANY),
    plain("broker.redis.key_prefix"),
    count("broker.redis.wait_replicas", 0.0, 100.0),
    milliseconds("broker.redis.wait_timeout_ms", 1.0, 5_000.0),
    plain("broker.redis.sentinel_username"),
    secret("broker.redis.sentinel_password"),
    plain("broker.redis.tls_ca_file"),
    plain("broker.redis.tls_cert_file"),
    plain("broker.redis.tls_key_file"),
    plain("broker.sqlite.path"),
    milliseconds("broker.sqlite.claim_min_idle_ms", 10.0, 7e3 * DAY),
    count("broker.sqlite.max_queue_length", 1.0, MANY),
    count("broker.sqlite.dlq_max_length", 1.0, MANY),
    seconds("broker.sqlite.result_ttl", 0.0, 10.0 * YEAR),
    plain("backend.redis.host"),
    count("backend.redis.port", 1.0, 65_535.0),
    count("backend.redis.db", 0.0, 2_147_483_647.0),
    plain("backend.redis.username"),
    secret("backend.redis.password"),
    plain("backend.redis.url"),
    seconds("backend.redis.result_ttl", 0.0, 10.0 * YEAR),
    plain("backend.redis.key_prefix"),
    plain("backend.redis.sentinel_username"),
    secret("backend.redis.sentinel_password"),
    plain("backend.redis.tls_ca_file"),
    plain("backend.redis.tls_cert_file"),
    plain("backend.redis.tls_key_file"),
    count("worker.concurrency", 1.0, 10_000.0),
    count("worker.threads", 1.0, 1024.0),
    bytes("worker.max_memory", 65_536.0, 256.0 * GIB),
    bytes("worker.process_memory", 64.0 * MIB, 64.0 * 1024.0 * GIB),
    plain("worker.queue"),
    plain("worker.modules"),
    plain("worker.cache_dir"),
    bytes("worker.cache_size", 0.0, 1024.0 * GIB),
    bytes("worker.loaded_code", 0.0, 1024.0 * GIB),
    seconds("worker.compile_timeout", SHORTEST, DAY),
    bytes("worker.compile_memory", 64.0 * MIB, 1024.0 * GIB),
    bytes("worker.max_module_size", 1024.0, GIB),
    plain("worker.wasm_features"),
    count("worker.max_memories", 1.0, 1000.0),
    count("worker.max_tables", 1.0, 1000.0),
    count("worker.max_instances", 1.0, 10_000.0),
    plain("worker.confine"),
    plain("worker.use_dead_letter_queue"),
    count("worker.max_deliveries", 1.0, 1e6),
    seconds("worker.heartbeat_interval", SHORTEST, DAY),
    seconds("worker.heartbeat_ttl", SHORTEST, 7.0 * DAY),
    seconds("worker.cleanup_interval", SHORTEST, 30.0 * DAY),
    seconds("worker.stale_workers_timeout", SHORTEST, 30.0 * DAY),
    seconds("worker.shutdown_timeout", 0.0, 7.0 * DAY),
    plain("worker.log_level"),
    seconds("result.default_timeout", 0.0, YEAR),
    plain("trust.required"),
    plain("trust.keys"),
    plain("policy.env"),
    plain("policy.clocks"),
    plain("policy.random"),
    plain("policy.stdio"),
    plain("policy.http"),
    plain("policy.dirs"),
    plain("policy.writable_dirs"),
    plain("policy.interfaces"),
    plain("policy.timeout"),
    plain("policy.cpu_time"),
    plain("policy.memory"),
    plain("policy.table_elements"),
    plain("policy.fuel"),
    plain("policy.output_bytes"),
    plain("policy.log_bytes"),
    plain("policy.args_bytes"),
    plain("policy.result_bytes"),
    plain("policy.host_call_bytes"),
    plain("policy.write_bytes"),
    table("policy.signed"),
    table("policy.modules"),
];

/// Which of the working folder's files may set it. They may be anybody's: a folder that was downloaded has them, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// `chicory.toml` and `.env`.
    Open,
    /// `chicory.toml`, but not `.env`, which goes before a settings file that the operator names.
    Protection,
    /// None: it decides which machine code is run.
    Code,
}

impl Setting {
    /// Which of the working folder's files may set it.
    pub(crate) fn guard(&self) -> Guard {
        match self.path {
            "worker.cache_dir" => Guard::Code,
            "worker.confine" => Guard::Protection,
            path if path.starts_with("trust.") || path.starts_with("policy.") => Guard::Protection,
            _ => Guard::Open,
        }
    }

    /// The name of its variable.
    pub(crate) fn variable(&self) -> String {
        match self.path {
            "broker.url" => "CHICORY_BROKER".to_owned(),
            path => format!("CHICORY_{}", path.replace('.', "_").to_uppercase()),
        }
    }

    /// As people read it in the file: `[broker.redis] host`.
    pub(crate) fn in_file(&self) -> String {
        match self.path.rsplit_once('.') {
            Some((section, key)) => format!("[{section}] {key}"),
            None => self.path.to_owned(),
        }
    }

    /// `text` as it may be shown: masked if it is a secret, and without the password of a URL.
    pub(crate) fn shown(&self, text: &str) -> String {
        if self.secret {
            return "***".to_owned();
        }
        if !self.path.ends_with("url") || text.starts_with("sqlite:") {
            return text.to_owned();
        }
        match chicory_queue::mask_url(text) {
            Some(shown) => shown,
            // Not a URL, but it may have been meant as one.
            None if text.contains(['@', '/']) => "***".to_owned(),
            None => text.to_owned(),
        }
    }
}

/// The setting at a path.
pub(crate) fn at_path(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

/// The setting with this variable.
pub(crate) fn of_variable(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.variable() == name)
}

/// Prefixes of variables that only Chicory uses: an unknown one is a mistake.
const OWNED: &[&str] = &[
    "CHICORY_BROKER_REDIS_",
    "CHICORY_BROKER_SQLITE_",
    "CHICORY_BACKEND_REDIS_",
    "CHICORY_WORKER_",
    "CHICORY_RESULT_",
    "CHICORY_TRUST_",
    "CHICORY_POLICY_",
];

/// Whether a variable with this name must be a setting.
pub(crate) fn is_owned(variable: &str) -> bool {
    OWNED.iter().any(|prefix| variable.starts_with(prefix))
}

/// The name closest to a misspelt one, if any is close.
pub(crate) fn nearest(misspelt: &str, names: impl Iterator<Item = String>) -> Option<String> {
    names
        .map(|name| (distance(misspelt, &name), name))
        .min()
        .filter(|(edits, _)| *edits <= (misspelt.chars().count() / 3).clamp(1, 6))
        .map(|(_, name)| name)
}

/// The number of edits between two texts (insertions, deletions, substitutions and swaps of neighbours).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut edits = (last[j] + usize::from(a != b))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                edits = edits.min(before[j - 1] + 1);
            }
            row.push(edits);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_after_its_section() {
        let host = at_path("broker.redis.host").unwrap();
        assert_eq!(host.variable(), "CHICORY_BROKER_REDIS_HOST");
        assert_eq!(host.in_file(), "[broker.redis] host");
        assert_eq!(
            of_variable("CHICORY_DELIVERY_MODE").unwrap().in_file(),
            "delivery_mode"
        );
        assert_eq!(of_variable("CHICORY_BROKER").unwrap().path, "broker.url");
    }

    #[test]
    fn passwords_are_never_shown() {
        for (url, shown) in [
            ("redis://u:p@h:1/0", "redis://h:1/0"),
            ("redis://u:p/@x@h/0", "redis://h/0"),
            ("unix:///run/r.sock?pass=secret", "unix:///run/r.sock"),
            ("sqlite:a@b.db", "sqlite:a@b.db"),
            ("user:secret@host", "***"),
            ("redis://:hunter2#x@h/0", "redis://***"),
        ] {
            assert_eq!(at_path("broker.url").unwrap().shown(url), shown);
        }
        assert_eq!(
            at_path("broker.redis.password").unwrap().shown("hunter2"),
            "***"
        );
    }

    #[test]
    fn the_nearest_name_is_found() {
        let paths = || SETTINGS.iter().map(|setting| setting.path.to_owned());
        assert_eq!(
            nearest("broker.redis.hots", paths()).as_deref(),
            Some("broker.redis.host")
        );
        assert_eq!(
            nearest("worker.concurency", paths()).as_deref(),
            Some("worker.concurrency")
        );
        assert_eq!(nearest("zzz", paths()), None);
    }

    #[test]
    fn the_documented_file_names_every_setting() {
        let mut section = String::new();
        let mut named = Vec::new();
        for line in DEFAULTS.lines() {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                section = format!("{name}.");
            } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ")
                && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            {
                named.push(format!("{section}{key}"));
            }
        }
        for setting in SETTINGS {
            assert!(
                named.iter().any(|path| path == setting.path),
                "{} is not documented",
                setting.path
            );
        }
        for path in &named {
            assert!(
                at_path(path).is_some(),
                "{path} is documented, but is not a setting"
            );
        }
    }
}
