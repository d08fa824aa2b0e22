//! Finds code that writes to a terminal past the one place that cleans what it writes.
//!
//! Must not know what is written.

use crate::Source;
use crate::tokens::{Token, tokens};

/// Macros that print.
const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// Files that may write by themselves: the place that cleans, the log (which cleans too), the process that compiles for
/// another one (which reads what it writes), a build script, and a tool's output that goes where it came from.
const MAY: [&str; 5] = [
    "host/cli/src/output.rs",
    "host/cli/src/log.rs",
    "host/runtime/src/confined.rs",
    "host/project/build.rs",
    "host/project/src/tool.rs",
];

/// How a source file of the program or of a library writes to a terminal by itself, if it does.
pub fn writes_past_the_output(source: &Source) -> Option<String> {
    let of_program = source.path.starts_with("host/")
        && !source.path.starts_with("host/testing/")
        && source.path.contains("/src/");
    if !of_program || MAY.contains(&source.path.as_str()) {
        return None;
    }
    let tokens = tokens(&source.text);
    tokens.windows(4).find_map(|window| match window {
        [Token::Name(name), Token::Sign('!'), ..] if MACROS.contains(name) => {
            Some(format!("{name}!"))
        }
        [
            Token::Name("io"),
            Token::Inside,
            Token::Name(stream @ ("stdout" | "stderr")),
            ..,
        ] => Some(format!("io::{stream}")),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources;

    fn found(path: &str, text: &str) -> Option<String> {
        writes_past_the_output(&Source {
            path: path.into(),
            text: text.into(),
        })
    }

    /// Case M13: all text that is shown goes through one place.
    #[test]
    fn m13_only_the_output_writes_to_the_terminal() {
        let past: Vec<_> = sources("host", ".rs")
            .iter()
            .filter_map(|file| Some((file.path.clone(), writes_past_the_output(file)?)))
            .collect();
        assert!(past.is_empty(), "use crate::output instead: {past:?}");
    }

    #[test]
    fn what_prints_is_found_and_text_is_not() {
        let path = "host/cli/src/command/x.rs";
        let with = |line: &str| format!("fn f() {{ {line} }}");
        for (line, what) in [
            ("println!(\"x\");", "println!"),
            ("eprint!(\"x\");", "eprint!"),
            ("let out = std::io::stdout().lock();", "io::stdout"),
            ("writeln!(io::stderr(), \"x\")", "io::stderr"),
        ] {
            assert_eq!(found(path, &with(line)).as_deref(), Some(what));
            assert_eq!(found("host/cli/src/output.rs", &with(line)), None);
        }
        assert_eq!(
            found(path, &with("say(\"println!(io::stdout())\"); // println!")),
            None
        );
    }
}
