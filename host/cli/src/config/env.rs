//! Settings from the environment, and from a `.env` file as if it were the environment.
//!
//! Must not know what a value means.

use super::ConfigError;
use super::raw::{Raw, Source};
use super::settings::{SETTINGS, Setting, is_owned, nearest, of_variable};

/// Sets the values of variables. An empty variable counts as unset; a misspelt one is an error.
pub(crate) fn read_variables(
    raw: &mut Raw,
    variables: impl IntoIterator<Item = (String, String)>,
    source: &Source,
) -> Result<(), ConfigError> {
    for (name, text) in variables {
        match of_variable(&name) {
            Some(_) if text.is_empty() => {}
            _ if is_service_link(&name, &text) => {}
            Some(setting) => raw.set(setting, text, source.clone()),
            None if is_owned(&name) => return Err(unknown(&name, source)),
            None => {}
        }
    }
    Ok(())
}

/// The variables of a `.env` file, one per line. A line of another program is left alone, whatever is in it: only one of
/// our own has to be as we read it.
pub(crate) fn read_dotenv(text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let mut readable = String::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let is_bad = line.contains(char::REPLACEMENT_CHARACTER) || !stands_alone(line);
        if is_bad && is_ours(assigned(line)) {
            // The line is not shown: it may hold a password.
            return Err(ConfigError::Syntax {
                file: ".env".into(),
                line: index + 1,
                message: format!(
                    "{} is not NAME=value on one line, in UTF-8; put a value with spaces, quotes, # or $ in 'single quotes'",
                    assigned(line)
                ),
            });
        }
        if !is_bad {
            readable.push_str(line);
            readable.push('\n');
        }
    }
    // All at once: a value may name a variable of another line.
    let variables = dotenvy::from_read_iter(readable.as_bytes());
    variables
        .collect::<Result<_, _>>()
        .map_err(|error| ConfigError::Unreadable {
            file: ".env".into(),
            reason: match error {
                dotenvy::Error::LineParse(..) => "not NAME=value".to_owned(),
                other => other.to_string(),
            },
        })
}

/// Whether a line can be read without those that follow.
fn stands_alone(line: &str) -> bool {
    // Without an end of line, a space at the end would be an error.
    let line = format!("{line}\n");
    dotenvy::from_read_iter(line.as_bytes()).all(|read| read.is_ok())
}

/// The name that a line gives a value to.
fn assigned(line: &str) -> &str {
    let line = line.trim_start();
    let line = line
        .strip_prefix("export")
        .filter(|rest| rest.starts_with(char::is_whitespace))
        .map_or(line, str::trim_start);
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &line[..end.unwrap_or(line.len())]
}

/// Whether a variable is, or must be, a setting of ours.
pub(crate) fn is_ours(name: &str) -> bool {
    of_variable(name).is_some() || is_owned(name)
}

/// Whether a variable is one that Kubernetes (or Docker) sets for each service: `chicory-worker` makes
/// `CHICORY_WORKER_PORT` and several more, and `chicory-broker-redis` one that is named as a setting is.
fn is_service_link(name: &str, text: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    (name.ends_with("_PORT") && is_address)
        || name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.match_indices("_PORT_").any(|(at, found)| {
            let mut rest = name[at + found.len()..].split('_');
            let port = rest.next().unwrap_or_default();
            let protocol = rest.next().unwrap_or_default();
            let detail = rest.next().unwrap_or_default();
            port.parse::<u16>().is_ok()
                && ["TCP", "UDP", "SCTP"].contains(&protocol)
                && ["", "PROTO", "PORT", "ADDR"].contains(&detail)
                && rest.next().is_none()
        })
}

fn unknown(name: &str, source: &Source) -> ConfigError {
    let hint = match nearest(name, SETTINGS.iter().map(Setting::variable)) {
        Some(near) => format!("did you mean {near}?"),
        None => "`chicory config show` prints all settings".to_owned(),
    };
    ConfigError::Unknown {
        name: format!("the variable {name} ({source})"),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Raw, ConfigError> {
        let mut raw = Raw::defaults()?;
        let variables = variables
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        read_variables(&mut raw, variables, &Source::Environment)?;
        Ok(raw)
    }

    #[test]
    fn an_empty_variable_is_unset() {
        let raw = read(&[("CHICORY_BROKER_REDIS_HOST", "")]).unwrap();
        assert_eq!(raw.get("broker.redis.host").unwrap().text, "localhost");
    }

    #[test]
    fn a_misspelt_variable_is_named_with_the_nearest() {
        let error = read(&[("CHICORY_WORKER_CONCURENCY", "3")]).unwrap_err();
        insta::assert_snapshot!(error, @"the variable CHICORY_WORKER_CONCURENCY (environment) is not a setting; did you mean CHICORY_WORKER_CONCURRENCY?");
    }

    #[test]
    fn other_variables_of_chicory_for_python_are_ignored() {
        assert!(
            read(&[
                ("CHICORY_BROKER_RABBITMQ_HOST", "h"),
                ("CHICORY_VALIDATION_MODE", "strict"),
                ("HOME", "/")
            ])
            .is_ok()
        );
    }

    #[test]
    fn a_broken_line_of_ours_is_named_and_shows_no_value() {
        for line in [
            "CHICORY_BROKER_REDIS_PASSWORD = 'hunter2",
            "export CHICORY_BROKER_REDIS_PASSWORD=hunter2 x",
            "CHICORY_BROKER_REDIS_PASSWORD: hunter2",
            "CHICORY_BROKER_REDIS_PASSWORD=hunter2\u{fffd}",
        ] {
            let error = read_dotenv(&format!("A=1\n{line}\n")).unwrap_err();
            let text = error.to_string();
            assert!(
                text.starts_with(".env, line 2: CHICORY_BROKER_REDIS_PASSWORD is not NAME=value"),
                "{text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    /// Case Q12: a `.env` that other programs share.
    #[test]
    fn lines_of_other_programs_are_left_alone() {
        let foreign = "\u{feff}APP_NAME=My App\nJSON={\"a\": 1}\nit's\nX=it's\n[section]\n\u{0}\nKEY=\"-----BEGIN\n\
                       abc=\n-----END\"\nPATH+=:/x\n=y\n\\\nLATIN=\u{fffd}\n";
        let ours = "CHICORY_WORKER_QUEUE=mail \nHOME_OF=redis-1\nexport CHICORY_BROKER_REDIS_HOST=\"${HOME_OF}.lan\"";
        for text in [
            format!("{foreign}{ours}"),
            format!("\u{feff}{ours}\n{foreign}"),
        ] {
            let mut read = read_dotenv(&text).unwrap();
            read.retain(|(name, _)| is_ours(name));
            let expected = [
                ("CHICORY_WORKER_QUEUE", "mail"),
                ("CHICORY_BROKER_REDIS_HOST", "redis-1.lan"),
            ];
            assert_eq!(
                read,
                expected.map(|(name, text)| (name.into(), text.into()))
            );
        }
    }

    /// Case Q12: what Kubernetes sets for services named `chicory-worker` and `chicory-broker-redis`.
    #[test]
    fn service_links_are_recognised() {
        let raw = read(&[
            ("CHICORY_WORKER_SERVICE_HOST", "10.0.0.1"),
            ("CHICORY_WORKER_SERVICE_PORT", "80"),
            ("CHICORY_WORKER_SERVICE_PORT_HTTP_METRICS", "80"),
            ("CHICORY_WORKER_PORT", "tcp://10.0.0.1:80"),
            ("CHICORY_WORKER_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("CHICORY_WORKER_PORT_80_TCP_PROTO", "tcp"),
            ("CHICORY_WORKER_PORT_80_TCP_PORT", "80"),
            ("CHICORY_WORKER_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("CHICORY_WORKER_CPU_PORT_53_UDP_ADDR", "10.0.0.1"),
            ("CHICORY_BROKER_REDIS_PORT", "tcp://[fd00::1]:6380"),
            ("CHICORY_BROKER_REDIS_PORT_6379_TCP_ADDR", "10.0.0.2"),
        ])
        .unwrap();
        assert_eq!(raw.get("broker.redis.port").unwrap().text, "6379");
        for setting in SETTINGS {
            assert!(
                !is_service_link(&setting.variable(), "1"),
                "{}",
                setting.path
            );
        }
        for (name, text) in [
            ("CHICORY_WORKER_PORT", "80"),
            ("CHICORY_WORKER_PORT_80_HTTP", "x"),
            ("CHICORY_WORKER_PORT_80_TCP_NAME", "x"),
        ] {
            assert!(read(&[(name, text)]).is_err(), "{name}");
        }
    }
}
