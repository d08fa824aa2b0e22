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
            Some(setting) => raw.set(setting, text, source.clone()),
            None if is_owned(&name) => return Err(unknown(&name, source)),
            None => {}
        }
    }
    Ok(())
}

/// The variables of a `.env` file.
pub(crate) fn read_dotenv(text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    dotenvy::from_read_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| match error {
            // The error's own text would show the line, which may contain a password.
            dotenvy::Error::LineParse(line, position) => ConfigError::Syntax {
                file: ".env".into(),
                line: text
                    .lines()
                    .position(|candidate| candidate.trim() == line.trim())
                    .map_or(1, |index| index + 1),
                message: format!("not NAME=value (at character {})", position + 1),
            },
            other => ConfigError::Unreadable {
                file: ".env".into(),
                reason: other.to_string(),
            },
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
    fn a_broken_dotenv_names_its_line_and_shows_no_value() {
        let error = read_dotenv("A=1\nhunter2 = 'x\n").unwrap_err().to_string();
        assert!(
            error.starts_with(".env, line 2:") && !error.contains("hunter2"),
            "{error}"
        );
        let read = read_dotenv("# c\nexport A=\"b c\"\n").unwrap();
        assert_eq!(read, [("A".to_owned(), "b c".to_owned())]);
    }
}
