//! Raw settings to a valid [`Config`]: types, bounds, and what must fit together.
//!
//! Must not know where values come from, but to name them in an error.

use std::path::PathBuf;
use std::time::Duration;

use chicory_queue::{BrokerConfig, DeliveryMode, TenantName, ValidationMode};
use chicory_runtime::{Features, Shape};
use chicory_worker::{Admission, Trust};

use super::confine::Confine;
use super::raw::{Raw, RawValue, always};
use super::{ConfigError, broker, modules, parse, policy};

/// All settings, valid.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Whose queues, results and modules commands are about.
    pub(crate) tenant: TenantName,
    /// Which broker, and how it is set.
    pub(crate) broker: BrokerConfig,
    /// Whether a message is delivered at least once or at most once.
    pub(crate) delivery_mode: DeliveryMode,
    /// What is checked before a message is queued.
    pub(crate) validation: ValidationMode,
    /// The worker's settings.
    pub(crate) worker: WorkerSettings,
    /// How long `--wait` waits; without a limit if `None`.
    pub(crate) result_timeout: Option<Duration>,
    /// Which keys may sign modules, and what modules get at most.
    pub(crate) admission: Admission,
}

/// The section `[worker]`.
#[derive(Debug, Clone)]
pub(crate) struct WorkerSettings {
    pub(crate) concurrency: usize,
    pub(crate) threads: usize,
    /// Bytes.
    pub(crate) max_memory: u64,
    /// Bytes; if unset, by the machine.
    pub(crate) process_memory: Option<u64>,
    pub(crate) queues: Vec<String>,
    pub(crate) modules: PathBuf,
    /// Whether the folder was set explicitly: then it must exist.
    pub(crate) modules_named: bool,
    pub(crate) cache_dir: Option<PathBuf>,
    /// Bytes, as the sizes below.
    pub(crate) cache_size: u64,
    pub(crate) loaded_code: u64,
    pub(crate) compile_timeout: Duration,
    pub(crate) compile_memory: u64,
    pub(crate) max_module_size: u64,
    pub(crate) wasm_features: Features,
    pub(crate) shape: Shape,
    pub(crate) confine: Confine,
    pub(crate) dead_letters: bool,
    pub(crate) max_deliveries: u32,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) heartbeat_ttl: Duration,
    pub(crate) cleanup_interval: Duration,
    pub(crate) stale_workers_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) log_level: Level,
}

/// Log levels, by the names of Chicory for Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Level {
    /// Reads a level's name in any case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "WARNING" => Self::Warning,
            "ERROR" => Self::Error,
            "CRITICAL" => Self::Critical,
            _ => return None,
        })
    }
}

impl Config {
    /// Checks every value.
    pub(crate) fn from_raw(raw: &Raw) -> Result<Self, ConfigError> {
        let worker = worker(raw)?;
        let admission = Admission {
            trust: trust(raw)?,
            policy: policy::read(raw, worker.max_memory)?,
        };
        Ok(Self {
            tenant: raw
                .optional("tenant", TENANTS, |text| text.parse().ok())?
                .unwrap_or_default(),
            broker: broker::read(raw)?,
            delivery_mode: raw.required("delivery_mode", DELIVERY_MODES, delivery_mode)?,
            validation: raw.required("validation_mode", VALIDATION_MODES, validation_mode)?,
            worker,
            result_timeout: raw.duration("result.default_timeout")?,
            admission,
        })
    }
}

const TENANTS: &str =
    "a tenant's name: 1 to 63 characters of a to z, 0 to 9 and -, not beginning with -";
const DELIVERY_MODES: &str = "at_least_once or at_most_once";
const VALIDATION_MODES: &str = "inputs, strict or none";

fn delivery_mode(text: &str) -> Option<DeliveryMode> {
    match text.to_ascii_lowercase().replace('-', "_").as_str() {
        "at_least_once" => Some(DeliveryMode::AtLeastOnce),
        "at_most_once" => Some(DeliveryMode::AtMostOnce),
        _ => None,
    }
}

fn validation_mode(text: &str) -> Option<ValidationMode> {
    match text.to_ascii_lowercase().as_str() {
        "inputs" => Some(ValidationMode::Inputs),
        "strict" => Some(ValidationMode::Strict),
        "none" => Some(ValidationMode::None),
        _ => None,
    }
}

fn worker(raw: &Raw) -> Result<WorkerSettings, ConfigError> {
    let settings = WorkerSettings {
        concurrency: always(raw.whole("worker.concurrency")?),
        threads: threads(raw)?,
        max_memory: always(raw.size("worker.max_memory")?),
        process_memory: raw.size("worker.process_memory")?,
        queues: raw.required(
            "worker.queue",
            "queue names, separated by commas, without spaces or braces",
            parse::names,
        )?,
        modules: raw.required("worker.modules", "a folder", some_path)?,
        modules_named: raw.is_named("worker.modules"),
        cache_dir: raw
            .optional("worker.cache_dir", "a folder", some_path)?
            .or_else(user_cache),
        cache_size: always(raw.size("worker.cache_size")?),
        loaded_code: always(raw.size("worker.loaded_code")?),
        compile_timeout: always(raw.duration("worker.compile_timeout")?),
        compile_memory: always(raw.size("worker.compile_memory")?),
        max_module_size: always(raw.size("worker.max_module_size")?),
        wasm_features: modules::features(raw)?,
        shape: modules::shape(raw)?,
        confine: raw.required("worker.confine", "off, on or required", Confine::parse)?,
        dead_letters: raw.required(
            "worker.use_dead_letter_queue",
            "true or false",
            parse::switch,
        )?,
        max_deliveries: always(raw.whole("worker.max_deliveries")?),
        heartbeat_interval: always(raw.duration("worker.heartbeat_interval")?),
        heartbeat_ttl: always(raw.duration("worker.heartbeat_ttl")?),
        cleanup_interval: always(raw.duration("worker.cleanup_interval")?),
        stale_workers_timeout: always(raw.duration("worker.stale_workers_timeout")?),
        shutdown_timeout: always(raw.duration("worker.shutdown_timeout")?),
        log_level: raw.required(
            "worker.log_level",
            "DEBUG, INFO, WARNING, ERROR or CRITICAL",
            Level::parse,
        )?,
    };
    check_heartbeat(raw, &settings)?;
    Ok(settings)
}

fn threads(raw: &Raw) -> Result<usize, ConfigError> {
    let given = raw.whole("worker.threads")?;
    Ok(given.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)))
}

fn trust(raw: &Raw) -> Result<Trust, ConfigError> {
    let required = raw.required("trust.required", "true or false", parse::switch)?;
    let allowed = "pairs MODULE=KEY: a module's name, or its beginning followed by *, and a minisign public key";
    let keys = raw.optional("trust.keys", allowed, parse::pairs)?;
    let keys = keys.unwrap_or_default();
    let pairs = keys
        .iter()
        .map(|(pattern, key)| (pattern.as_str(), key.as_str()));
    Trust::new(pairs, required)
        .map_err(|error| ConfigError::Conflict(format!("[trust] keys: {error}")))
}

fn check_heartbeat(raw: &Raw, worker: &WorkerSettings) -> Result<(), ConfigError> {
    if worker.heartbeat_ttl > worker.heartbeat_interval {
        return Ok(());
    }
    let named = |path| raw.get(path).map(RawValue::name).unwrap_or_default();
    Err(ConfigError::Conflict(format!(
        "a heartbeat must last longer than the interval to the next one, but {} is {:?} and {} is {:?}; raise the first or lower the second",
        named("worker.heartbeat_ttl"),
        worker.heartbeat_ttl,
        named("worker.heartbeat_interval"),
        worker.heartbeat_interval,
    )))
}

fn some_path(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

/// The user's cache folder by the XDG base directory specification; none without a home folder.
pub(crate) fn user_cache() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("chicory"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = variables
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let layers = Layers {
            environment,
            ..Layers::default()
        };
        Config::from_raw(&layers.merge()?)
    }

    #[test]
    fn the_documented_defaults_are_the_workers_own() {
        let (ours, theirs) = (
            config(&[]).unwrap(),
            chicory_worker::WorkerConfig::default(),
        );
        assert_eq!(ours.delivery_mode, theirs.delivery_mode);
        assert_eq!(ours.validation, ValidationMode::default());
        let worker = ours.worker;
        assert_eq!(worker.concurrency, theirs.concurrency);
        assert_eq!(worker.threads, theirs.threads);
        assert_eq!(worker.queues, theirs.queues);
        assert_eq!(worker.dead_letters, theirs.dead_letters);
        assert_eq!(worker.max_deliveries, theirs.max_deliveries);
        assert_eq!(worker.heartbeat_interval, theirs.heartbeat_interval);
        assert_eq!(worker.heartbeat_ttl, theirs.heartbeat_ttl);
        assert_eq!(worker.cleanup_interval, theirs.cleanup_interval);
        assert_eq!(worker.stale_workers_timeout, theirs.stale_workers_timeout);
        assert_eq!(worker.shutdown_timeout, theirs.shutdown_timeout);
    }

    #[test]
    fn every_worker_variable_arrives() {
        let worker = config(&[
            ("CHICORY_WORKER_CONCURRENCY", "7"),
            ("CHICORY_WORKER_THREADS", "3"),
            ("CHICORY_WORKER_MAX_MEMORY", "1GiB"),
            ("CHICORY_WORKER_PROCESS_MEMORY", "7GiB"),
            ("CHICORY_WORKER_QUEUE", "a,b"),
            ("CHICORY_WORKER_MODULES", "/m"),
            ("CHICORY_WORKER_CACHE_DIR", "/c"),
            ("CHICORY_WORKER_COMPILE_TIMEOUT", "45"),
            ("CHICORY_WORKER_COMPILE_MEMORY", "3GiB"),
            ("CHICORY_WORKER_MAX_MODULE_SIZE", "128MiB"),
            ("CHICORY_WORKER_WASM_FEATURES", "gc, memory64"),
            ("CHICORY_WORKER_MAX_MEMORIES", "5"),
            ("CHICORY_WORKER_MAX_TABLES", "6"),
            ("CHICORY_WORKER_MAX_INSTANCES", "7"),
            ("CHICORY_WORKER_CONFINE", "required"),
            ("CHICORY_WORKER_USE_DEAD_LETTER_QUEUE", "false"),
            ("CHICORY_WORKER_MAX_DELIVERIES", "2"),
            ("CHICORY_WORKER_HEARTBEAT_INTERVAL", "1.5"),
            ("CHICORY_WORKER_HEARTBEAT_TTL", "4s"),
            ("CHICORY_WORKER_CLEANUP_INTERVAL", "2m"),
            ("CHICORY_WORKER_STALE_WORKERS_TIMEOUT", "9"),
            ("CHICORY_WORKER_SHUTDOWN_TIMEOUT", "0"),
            ("CHICORY_WORKER_LOG_LEVEL", "debug"),
        ])
        .unwrap()
        .worker;
        insta::assert_debug_snapshot!(worker);
    }

    /// Case M5: every setting, whatever number it is given by a variable or a flag.
    #[test]
    fn a_number_is_in_range_or_an_error_names_the_setting() {
        let hostile = [
            "-1",
            "-0.5",
            "0",
            "1",
            "1e19",
            "1e308",
            "-1e308",
            "nan",
            "NaN",
            "inf",
            "-inf",
            "1e400",
            "4294967295",
            "4294967296",
            "18446744073709551615",
            "18446744073709551616",
            "9223372036854775808",
            "0x10",
            "1_000",
            "",
            " ",
            "64GiB",
            "18446744073709551615GiB",
            "-1MiB",
            "999999999999999999y",
            "none",
            "\u{202e}1",
            "\0",
        ];
        for setting in crate::config::raw::Raw::defaults()
            .unwrap()
            .all()
            .map(|(setting, _)| setting)
        {
            for text in hostile {
                let flag = [(setting.path, "--flag", text.to_owned())];
                let given = Layers {
                    flags: flag.into(),
                    ..Layers::default()
                };
                let flagged = given.merge().and_then(|raw| Config::from_raw(&raw));
                for read in [config(&[(&setting.variable(), text)]), flagged] {
                    let Err(error) = read else { continue };
                    let error = error.to_string();
                    let named = error.contains(&setting.variable())
                        || error.contains("--flag")
                        || error.contains(&setting.in_file());
                    assert!(named, "{} = {text:?}: {error}", setting.path);
                    assert!(
                        setting.range.is_none()
                            || error.contains("; give ")
                            || error.contains("must last longer"),
                        "{error}"
                    );
                }
            }
        }
    }

    #[test]
    fn modes_and_the_results_timeout_arrive() {
        let config = config(&[
            ("CHICORY_DELIVERY_MODE", "at-most-once"),
            ("CHICORY_RESULT_DEFAULT_TIMEOUT", "2.5"),
            ("CHICORY_VALIDATION_MODE", "STRICT"),
        ])
        .unwrap();
        assert_eq!(config.delivery_mode, DeliveryMode::AtMostOnce);
        assert_eq!(config.validation, ValidationMode::Strict);
        assert_eq!(config.result_timeout, Some(Duration::from_millis(2500)));
    }

    #[test]
    fn a_bad_value_names_the_setting_the_value_and_what_is_allowed() {
        let error = config(&[("CHICORY_WORKER_CONCURRENCY", "many")]).unwrap_err();
        insta::assert_snapshot!(error, @r#"CHICORY_WORKER_CONCURRENCY: "many" is not allowed; give a whole number from 1 to 10000"#);
        let error = config(&[("CHICORY_DELIVERY_MODE", "exactly_once")]).unwrap_err();
        insta::assert_snapshot!(error, @r#"CHICORY_DELIVERY_MODE: "exactly_once" is not allowed; give at_least_once or at_most_once"#);
    }

    #[test]
    fn a_heartbeat_must_outlast_its_interval() {
        let error = config(&[("CHICORY_WORKER_HEARTBEAT_TTL", "10")]).unwrap_err();
        insta::assert_snapshot!(error, @"a heartbeat must last longer than the interval to the next one, but CHICORY_WORKER_HEARTBEAT_TTL is 10s and [worker] heartbeat_interval in default is 10s; raise the first or lower the second");
    }
}
