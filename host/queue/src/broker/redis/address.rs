//! Where Redis is, according to the settings or a URL: a single server (TCP, TLS or a Unix socket), a master that
//! Sentinels name, or a Cluster.
//!
//! Must not know how connections are opened.

use redis::{
    ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    RedisResult,
};

use super::socket::tcp_settings;
use crate::RedisServer;

/// Where Redis is.
pub(super) enum Address {
    Server(Box<ConnectionInfo>),
    Master {
        /// Each with the Sentinels' credentials.
        sentinels: Vec<ConnectionInfo>,
        name: String,
        /// The master's credentials and database.
        settings: Box<RedisConnectionInfo>,
    },
    /// Some nodes of the Cluster.
    Cluster(Vec<ConnectionInfo>),
}

impl Address {
    /// The address that the settings name. A URL takes precedence.
    pub(super) fn new(settings: &RedisServer) -> RedisResult<Self> {
        let address = match &settings.url {
            Some(url) => of_url(&url.0, settings)?,
            None => Self::Server(Box::new(plain(settings)?)),
        };
        if settings.tls != crate::RedisTls::default() && !address.has_tls() {
            return Err(wrong(
                "tls_ca_file, tls_cert_file and tls_key_file are for TLS: give a rediss:// URL, or host and port",
            ));
        }
        Ok(address)
    }

    fn has_tls(&self) -> bool {
        let info = match self {
            Self::Server(info) => info,
            Self::Master {
                sentinels: infos, ..
            }
            | Self::Cluster(infos) => &infos[0],
        };
        matches!(info.addr(), ConnectionAddr::TcpTls { .. })
    }
}

fn wrong(text: &'static str) -> RedisError {
    (ErrorKind::InvalidClientConfig, text).into()
}

fn plain(settings: &RedisServer) -> RedisResult<ConnectionInfo> {
    let mut redis = RedisConnectionInfo::default().set_db(settings.db);
    if let Some(username) = &settings.username {
        redis = redis.set_username(username);
    }
    if let Some(password) = &settings.password {
        redis = redis.set_password(&password.0);
    }
    let (host, port) = (settings.host.clone(), settings.port);
    let address = if settings.tls == crate::RedisTls::default() {
        ConnectionAddr::Tcp(host, port)
    } else {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    };
    Ok(prepared(address.into_connection_info()?).set_redis_settings(redis))
}

fn prepared(info: ConnectionInfo) -> ConnectionInfo {
    info.set_tcp_settings(tcp_settings())
}

fn of_url(url: &str, settings: &RedisServer) -> RedisResult<Address> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(wrong("the Redis URL has no scheme://"));
    };
    match scheme {
        "redis-sentinel" => sentinel(rest, "redis", settings),
        "rediss-sentinel" => sentinel(rest, "rediss", settings),
        "redis-cluster" => cluster(rest, "redis"),
        "rediss-cluster" => cluster(rest, "rediss"),
        _ => Ok(Address::Server(Box::new(prepared(
            url.into_connection_info()?,
        )))),
    }
}

/// `[user:password@]host:port,host:port/master/db`. The credentials are the master's; those of the Sentinels are
/// separate settings, or `?sentinel_username=…&sentinel_password=…`.
fn sentinel(rest: &str, scheme: &str, settings: &RedisServer) -> RedisResult<Address> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (nodes, path) = nodes(rest, scheme)?;
    let mut path = path.split('/');
    let name = match path.next() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => {
            return Err(wrong(
                "the URL names no master: redis-sentinel://host:port/MASTER/DB",
            ));
        }
    };
    let master = nodes[0]
        .redis_settings()
        .clone()
        .set_db(database(path.next())?);
    let own = sentinels_own(query, settings)?;
    let sentinels = nodes
        .into_iter()
        .map(|node| node.set_redis_settings(own.clone()))
        .collect();
    Ok(Address::Master {
        sentinels,
        name,
        settings: Box::new(master),
    })
}

/// The Sentinels' credentials.
fn sentinels_own(query: &str, settings: &RedisServer) -> RedisResult<RedisConnectionInfo> {
    let mut username = settings.sentinel_username.clone();
    let mut password = (settings.sentinel_password.as_ref()).map(|secret| secret.0.clone());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value)
            .ok_or_else(|| wrong("a credential in the URL is not percent-encoded text"))?;
        match name {
            "sentinel_username" => username = Some(value),
            "sentinel_password" => password = Some(value),
            _ => {
                return Err(wrong(
                    "a URL of Sentinels takes only ?sentinel_username=… and sentinel_password=…; write a # or ? in a password as %23 or %3F",
                ));
            }
        }
    }
    let mut own = RedisConnectionInfo::default();
    if let Some(username) = username {
        own = own.set_username(username);
    }
    if let Some(password) = password {
        own = own.set_password(password);
    }
    Ok(own)
}

/// Decodes `%40` and the like.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let value = digit(rest.next())? * 16 + digit(rest.next())?;
                u8::try_from(value).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// `[user:password@]host:port,host:port`.
fn cluster(rest: &str, scheme: &str) -> RedisResult<Address> {
    let (nodes, path) = nodes(rest, scheme)?;
    if database(Some(path))? != 0 {
        return Err(wrong("a Redis Cluster has database 0 only"));
    }
    Ok(Address::Cluster(nodes))
}

/// The nodes of a URL, each with the URL's credentials, and what follows the first slash.
fn nodes<'a>(rest: &'a str, scheme: &str) -> RedisResult<(Vec<ConnectionInfo>, &'a str)> {
    // A slash in a password must be encoded, so the first one ends the hosts.
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, hosts) = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), authority),
    };
    let nodes = hosts
        .split(',')
        .map(|host| {
            let info = format!("{scheme}://{credentials}{host}/").into_connection_info()?;
            Ok(prepared(info))
        })
        .collect::<RedisResult<Vec<_>>>()?;
    Ok((nodes, path))
}

fn database(text: Option<&str>) -> RedisResult<i64> {
    match text {
        None | Some("") => Ok(0),
        Some(text) => text
            .parse()
            .map_err(|_| wrong("the URL's database is not a number")),
    }
}
