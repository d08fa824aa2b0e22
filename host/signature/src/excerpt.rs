//! Text of unknown length, such as what a guest or a server says: kept up to a limit, with a mark where some is
//! missing.
//!
//! A text is cut where it is made, so that nothing behind that has to hold the whole. Must not know what the text
//! says, nor who sees it.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// The longest text of an error that is kept, in bytes, in results, dead letters and logs: a message, a traceback.
/// The longest line of a log, too.
pub const MAX_TEXT: usize = 16 << 10;

/// The longest name that an error shows, in bytes.
pub const MAX_NAME: usize = 256;

/// At most `limit` bytes of a text. A longer one ends with its length.
///
/// ```
/// use chicory_signature::excerpt;
///
/// assert_eq!(excerpt("short", 100), "short");
/// let long = excerpt(&"x".repeat(1000), 100).into_owned();
/// assert!(long.len() <= 100 && long.ends_with("x… (1000 bytes)"));
/// ```
pub fn excerpt(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    Cow::Owned(marked(text, limit, &format!("… ({} bytes)", text.len())))
}

/// The same for a text that nobody else needs.
pub fn into_excerpt(text: String, limit: usize) -> String {
    match excerpt(&text, limit) {
        Cow::Owned(cut) => cut,
        Cow::Borrowed(_) => text,
    }
}

/// The beginning of a text, followed by a mark, in `limit` bytes together.
fn marked(text: &str, limit: usize, mark: &str) -> String {
    let kept = text.floor_char_boundary(limit.saturating_sub(mark.len()));
    [&text[..kept], mark].concat()
}

/// A text while it is written, for what could write without end: it takes up to `limit` bytes, then every write is
/// an error, which ends the writer.
///
/// ```
/// use chicory_signature::Excerpt;
///
/// let text = Excerpt::of(&format_args!("{}", "x".repeat(1000)), 100);
/// assert!(text.len() <= 100 && text.ends_with("x… (cut)"));
/// ```
#[derive(Debug)]
pub struct Excerpt {
    text: String,
    limit: usize,
    full: bool,
}

impl Excerpt {
    /// Nothing yet.
    pub fn new(limit: usize) -> Self {
        Excerpt {
            text: String::new(),
            limit,
            full: false,
        }
    }

    /// At most `limit` bytes of what a value shows.
    pub fn of(value: &dyn fmt::Display, limit: usize) -> String {
        let mut text = Excerpt::new(limit);
        // An error says that it is full, which `finish` shows.
        let _ = write!(text, "{value}");
        text.finish()
    }

    /// What was written.
    pub fn finish(self) -> String {
        if self.full {
            marked(&self.text, self.limit, "… (cut)")
        } else {
            self.text
        }
    }
}

impl Write for Excerpt {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.full {
            return Err(fmt::Error);
        }
        let room = self.limit.saturating_sub(self.text.len());
        self.full = more.len() > room;
        self.text.push_str(&more[..more.floor_char_boundary(room)]);
        if self.full { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_is_within_its_limit_and_says_its_length() {
        for limit in [16, 17, 100, MAX_NAME] {
            let cut = excerpt(&"é".repeat(1000), limit).into_owned();
            assert!(cut.len() <= limit, "{limit}: {cut}");
            assert!(cut.ends_with("… (2000 bytes)"), "{limit}: {cut}");
        }
    }

    #[test]
    fn what_fits_is_not_copied() {
        assert!(matches!(excerpt("four", 4), Cow::Borrowed("four")));
        assert_eq!(into_excerpt("four".into(), 4), "four");
    }

    #[test]
    fn a_writer_without_end_is_ended() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("again ")?;
                }
            }
        }
        let text = Excerpt::of(&Endless, 50);
        assert!(text.len() <= 50, "{text}");
        assert!(
            text.starts_with("again again") && text.ends_with("… (cut)"),
            "{text}"
        );
    }
}
