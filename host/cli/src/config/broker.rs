//! The broker's settings: which one, where it is, and where results go.
//!
//! Must not know how a broker is reached.

use std::path::PathBuf;

use chicory_queue::{
    BrokerConfig, RedisConfig, RedisServer, RedisTls, ResultsConfig, Secret, SqliteConfig,
    unencoded,
};

use super::ConfigError;
use super::raw::{Raw, RawValue, always};

const BROKERS: &str = "redis, sqlite, sqlite:PATH, or a URL: redis://, rediss://, unix://, redis-sentinel://, redis-cluster://";

/// The broker that the settings name.
pub(super) fn read(raw: &Raw) -> Result<BrokerConfig, ConfigError> {
    let Some(choice) = raw.get("broker.url") else {
        unreachable!("broker.url has a default")
    };
    let sqlite = |path: Option<&str>| {
        refuse_results_server(raw)?;
        Ok(BrokerConfig::Sqlite(sqlite(raw, path)?))
    };
    match choice.text.as_str() {
        "redis" => redis(raw, None),
        "sqlite" => sqlite(None),
        text => match (text.strip_prefix("sqlite:"), text.split_once("://")) {
            (Some(""), _) => Err(choice.refuse(BROKERS)),
            (Some(path), _) => sqlite(Some(path)),
            (None, Some((scheme, _))) if is_redis(scheme) => {
                check_encoded(choice)?;
                redis(raw, Some(text))
            }
            _ => Err(choice.refuse(BROKERS)),
        },
    }
}

fn is_redis(scheme: &str) -> bool {
    scheme == "unix"
        || ["redis", "rediss", "valkey", "valkeys"]
            .contains(&scheme.split(['-', '+']).next().unwrap_or_default())
}

/// Refuses a URL whose credentials can't be told from the rest.
fn check_encoded(url: &RawValue) -> Result<(), ConfigError> {
    unencoded(&url.text).map_or(Ok(()), |found| {
        Err(url.refuse(format!(
            "a URL whose user and password are percent-encoded: {found:?} is written %{:02X} there",
            u32::from(found)
        )))
    })
}

fn redis(raw: &Raw, url: Option<&str>) -> Result<BrokerConfig, ConfigError> {
    let mut server = server(raw, "broker.redis", RedisServer::default())?;
    if let Some(url) = url {
        server.url = Some(Secret(url.to_owned()));
    }
    let redis = RedisConfig {
        consumer_group: raw.required("broker.redis.consumer_group", "a name", text)?,
        block: always(raw.duration("broker.redis.block_ms")?),
        claim_min_idle: always(raw.duration("broker.redis.claim_min_idle_ms")?),
        max_stream_length: raw.limit("broker.redis.max_stream_length")?,
        dlq_max_length: raw.limit("broker.redis.dlq_max_length")?,
        key_prefix: raw.required("broker.redis.key_prefix", "a name", text)?,
        wait_replicas: always(raw.whole("broker.redis.wait_replicas")?),
        wait_timeout: always(raw.duration("broker.redis.wait_timeout_ms")?),
        server,
    };
    let results = ResultsConfig {
        server: results_server(raw, &redis.server)?,
        ttl: always(raw.duration("backend.redis.result_ttl")?),
        key_prefix: raw
            .optional("backend.redis.key_prefix", "a name", text)?
            .unwrap_or_else(|| redis.key_prefix.clone()),
    };
    Ok(BrokerConfig::Redis(redis, results))
}

/// The server that `section` describes; what it leaves out is taken from `base`.
fn server(raw: &Raw, section: &str, base: RedisServer) -> Result<RedisServer, ConfigError> {
    let at = |key: &str| format!("{section}.{key}");
    raw.get(&at("url")).map_or(Ok(()), check_encoded)?;
    Ok(RedisServer {
        host: raw
            .optional(&at("host"), "a host name or address", text)?
            .unwrap_or(base.host),
        port: raw.whole(&at("port"))?.unwrap_or(base.port),
        db: raw.whole(&at("db"))?.unwrap_or(base.db),
        username: raw
            .optional(&at("username"), "a user's name", text)?
            .or(base.username),
        password: raw
            .optional(&at("password"), "a password", text)?
            .map(Secret)
            .or(base.password),
        url: raw
            .optional(&at("url"), "a URL, such as redis://localhost:6379/0", url)?
            .map(Secret)
            .or(base.url),
        sentinel_username: raw
            .optional(&at("sentinel_username"), "a user's name", text)?
            .or(base.sentinel_username),
        sentinel_password: raw
            .optional(&at("sentinel_password"), "a password", text)?
            .map(Secret)
            .or(base.sentinel_password),
        tls: RedisTls {
            ca_file: file(raw, &at("tls_ca_file"))?.or(base.tls.ca_file),
            cert_file: file(raw, &at("tls_cert_file"))?.or(base.tls.cert_file),
            key_file: file(raw, &at("tls_key_file"))?.or(base.tls.key_file),
        },
    })
}

fn file(raw: &Raw, path: &str) -> Result<Option<PathBuf>, ConfigError> {
    raw.optional(path, "a file's path", |path| text(path).map(PathBuf::from))
}

/// The results' own server, if one is configured.
fn results_server(raw: &Raw, broker: &RedisServer) -> Result<Option<RedisServer>, ConfigError> {
    let Some(given) = results_settings(raw).next() else {
        return Ok(None);
    };
    let elsewhere = ["backend.redis.host", "backend.redis.url"]
        .iter()
        .any(|path| raw.get(path).is_some());
    // The broker's password must not be sent to another server.
    let base = if elsewhere {
        RedisServer::default()
    } else if broker.url.is_some() {
        return Err(ConfigError::Conflict(format!(
            "{} changes part of the broker's server, which is given as a URL; give the results' server as a URL, too: CHICORY_BACKEND_REDIS_URL",
            given.name()
        )));
    } else {
        broker.clone()
    };
    server(raw, "backend.redis", base).map(Some)
}

fn results_settings(raw: &Raw) -> impl Iterator<Item = &RawValue> {
    const KEYS: [&str; 11] = [
        "url",
        "host",
        "port",
        "db",
        "username",
        "password",
        "sentinel_username",
        "sentinel_password",
        "tls_ca_file",
        "tls_cert_file",
        "tls_key_file",
    ];
    KEYS.into_iter()
        .filter_map(|key| raw.get(&format!("backend.redis.{key}")))
}

fn refuse_results_server(raw: &Raw) -> Result<(), ConfigError> {
    results_settings(raw).next().map_or(Ok(()), |given| {
        Err(ConfigError::Conflict(format!(
            "{} sends results to a Redis server, but the embedded broker keeps them in its file; unset it, or use a Redis broker",
            given.name()
        )))
    })
}

fn sqlite(raw: &Raw, path: Option<&str>) -> Result<SqliteConfig, ConfigError> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => raw.required("broker.sqlite.path", "a file's path", text)?,
    };
    Ok(SqliteConfig {
        path: path.into(),
        lease: always(raw.duration("broker.sqlite.claim_min_idle_ms")?),
        max_queue_length: raw.limit("broker.sqlite.max_queue_length")?,
        dlq_max_length: raw.limit("broker.sqlite.dlq_max_length")?,
        result_ttl: always(raw.duration("broker.sqlite.result_ttl")?),
    })
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn url(text: &str) -> Option<String> {
    text.split_once("://")
        .is_some_and(|(scheme, _)| is_redis(scheme))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;
    use proptest::prelude::*;

    fn broker(variables: &[(&str, &str)]) -> Result<BrokerConfig, ConfigError> {
        let environment = variables
            .iter()
            .map(|(name, text)| (format!("CHICORY_{name}"), (*text).to_owned()))
            .collect();
        let layers = Layers {
            environment,
            ..Layers::default()
        };
        read(&layers.merge()?)
    }

    fn redis_of(variables: &[(&str, &str)]) -> (RedisConfig, ResultsConfig) {
        match broker(variables).unwrap() {
            BrokerConfig::Redis(redis, results) => (redis, results),
            BrokerConfig::Sqlite(sqlite) => panic!("{sqlite:?}"),
        }
    }

    #[test]
    fn the_documented_defaults_are_the_brokers_own() {
        let got = format!("{:?}", broker(&[]).unwrap());
        let expected = BrokerConfig::Redis(RedisConfig::default(), ResultsConfig::default());
        assert_eq!(got, format!("{expected:?}"));
        let got = format!("{:?}", broker(&[("BROKER", "sqlite")]).unwrap());
        let expected = BrokerConfig::Sqlite(SqliteConfig::new("chicory.db"));
        assert_eq!(got, format!("{expected:?}"));
    }

    #[test]
    fn every_variable_of_chicory_for_python_arrives() {
        let (redis, results) = redis_of(&[
            ("BROKER_REDIS_HOST", "h"),
            ("BROKER_REDIS_PORT", "6380"),
            ("BROKER_REDIS_DB", "2"),
            ("BROKER_REDIS_USERNAME", "u"),
            ("BROKER_REDIS_PASSWORD", "hunter2"),
            ("BROKER_REDIS_CONSUMER_GROUP", "g"),
            ("BROKER_REDIS_BLOCK_MS", "100"),
            ("BROKER_REDIS_CLAIM_MIN_IDLE_MS", "1000"),
            ("BROKER_REDIS_MAX_STREAM_LENGTH", "100000"),
            ("BROKER_REDIS_DLQ_MAX_LENGTH", "none"),
            ("BROKER_REDIS_KEY_PREFIX", "p"),
            ("BACKEND_REDIS_RESULT_TTL", "60"),
        ]);
        assert_eq!(redis.server.password, Some(Secret("hunter2".into())));
        assert_eq!(
            results.key_prefix, "p",
            "the broker's, unless it has its own"
        );
        insta::assert_debug_snapshot!((redis, results));
    }

    #[test]
    fn a_url_takes_precedence_over_the_parts() {
        let url = "redis://user:pass@localhost:6379/0";
        let (redis, _) = redis_of(&[("BROKER_REDIS_URL", url), ("BROKER_REDIS_HOST", "h")]);
        assert_eq!(redis.server.url, Some(Secret(url.into())));
        let (redis, _) = redis_of(&[("BROKER_REDIS_URL", url), ("BROKER", "rediss://other/1")]);
        assert_eq!(redis.server.url, Some(Secret("rediss://other/1".into())));
    }

    #[test]
    fn a_part_changes_the_brokers_server_and_a_host_is_another_one() {
        let parts = [("BROKER_REDIS_HOST", "h"), ("BROKER_REDIS_PASSWORD", "p")];
        let with = |more: &[(&'static str, &'static str)]| redis_of(&[&parts[..], more].concat()).1;
        assert_eq!(with(&[]).server, None);
        let same = with(&[("BACKEND_REDIS_DB", "1")]).server.unwrap();
        assert_eq!((same.host.as_str(), same.db), ("h", 1));
        assert_eq!(same.password, Some(Secret("p".into())));
        let other = with(&[("BACKEND_REDIS_HOST", "o")]).server.unwrap();
        assert_eq!((other.host.as_str(), other.password), ("o", None));
    }

    #[test]
    fn contradictions_are_refused() {
        let error = broker(&[("BROKER", "redis://h"), ("BACKEND_REDIS_DB", "1")]).unwrap_err();
        assert!(
            error.to_string().contains("CHICORY_BACKEND_REDIS_DB"),
            "{error}"
        );
        let error = broker(&[("BROKER", "sqlite:x"), ("BACKEND_REDIS_DB", "1")]).unwrap_err();
        assert!(error.to_string().contains("embedded broker"), "{error}");
    }

    #[test]
    fn a_password_is_not_shown_in_an_error() {
        let error = broker(&[("BROKER", "http://u:hunter2@h")]).unwrap_err();
        insta::assert_snapshot!(error, @r#"CHICORY_BROKER: "http://h" is not allowed; give redis, sqlite, sqlite:PATH, or a URL: redis://, rediss://, unix://, redis-sentinel://, redis-cluster://"#);
    }

    /// Case Q4.
    #[test]
    fn a_url_with_an_unencoded_password_says_what_to_encode() {
        let error = broker(&[("BROKER", "redis://:hunter2#x@h/0")]).unwrap_err();
        insta::assert_snapshot!(error, @r#"CHICORY_BROKER: "redis://***" is not allowed; give a URL whose user and password are percent-encoded: '#' is written %23 there"#);
        let url = "redis-sentinel://:hunter2?x@a:1,b:2/m/0";
        let error = broker(&[("BACKEND_REDIS_URL", url)]).unwrap_err();
        insta::assert_snapshot!(error, @r#"CHICORY_BACKEND_REDIS_URL: "redis-sentinel://***" is not allowed; give a URL whose user and password are percent-encoded: '?' is written %3F there"#);
    }

    proptest! {
        /// Case Q4, for any URL and any setting that has one.
        #[test]
        fn no_error_and_no_setting_shows_a_password(
            scheme in "redis|rediss|valkey|redis-sentinel|redis-cluster|redis\\+unix|http|redis|x y",
            before in "[a-zA-Z0-9:/?#@%&=.\\[ -]{0,6}",
            after in "[a-zA-Z0-9:/?#@%&=.\\[ -]{0,6}",
            place in "h|h:1|a:1,b:2|\\[::1\\]:6379|",
            path in "|/0|/m/3|/m/x|\\?a=b|#c",
            variable in "BROKER|BROKER_REDIS_URL|BACKEND_REDIS_URL",
        ) {
            let secret = "hunter2";
            let url = format!("{scheme}://:{before}{secret}{after}@{place}{path}");
            let layers = Layers {
                environment: vec![(format!("CHICORY_{variable}"), url.clone())],
                ..Layers::default()
            };
            let raw = layers.merge().unwrap();
            let said = [format!("{raw:?}"), format!("{:?}", read(&raw)), match read(&raw) {
                Ok(_) => String::new(),
                Err(error) => error.to_string(),
            }];
            prop_assert!(!said.iter().any(|text| text.contains(secret)), "{url}: {said:?}");
            for (setting, value) in raw.all() {
                let shown = value.map(|value| setting.shown(&value.text));
                prop_assert!(!shown.unwrap_or_default().contains(secret), "{url}");
            }
        }
    }
}
