//! Renders Markdown as HTML.
//!
//! Must not know queues or messages; imports nothing at all from its host.

use pulldown_cmark::{Event, Options as Syntax, Parser, Tag, TagEnd, html};

wit_bindgen::generate!({ path: "wit", world: "markdown" });

struct Markdown;

export!(Markdown);

impl Guest for Markdown {
    fn render(source: String, options: Option<Options>) -> String {
        let extensions = options.and_then(|options| options.extensions);
        let raw_html = options.and_then(|options| options.raw_html) == Some(true);
        let events = Parser::new_ext(&source, syntax(extensions)).map(|event| match event {
            Event::Html(text) | Event::InlineHtml(text) if !raw_html => Event::Text(text),
            other => other,
        });
        let mut page = String::with_capacity(source.len() * 3 / 2);
        html::push_html(&mut page, events);
        page
    }

    fn outline(source: String) -> Vec<Heading> {
        let mut headings = Vec::new();
        let mut open: Option<Heading> = None;
        for event in Parser::new_ext(&source, syntax(None)) {
            match event {
                Event::Start(Tag::Heading { level, .. }) => {
                    open = Some(Heading {
                        level: level as u8,
                        text: String::new(),
                    });
                }
                Event::End(TagEnd::Heading(_)) => headings.extend(open.take()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut open {
                        heading.text.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        headings
    }
}

/// The parser's switches for the caller's flags.
fn syntax(extensions: Option<Extensions>) -> Syntax {
    let wanted = extensions.unwrap_or(Extensions::all() - Extensions::SMART_PUNCTUATION);
    let switches = [
        (Extensions::TABLES, Syntax::ENABLE_TABLES),
        (Extensions::FOOTNOTES, Syntax::ENABLE_FOOTNOTES),
        (Extensions::STRIKETHROUGH, Syntax::ENABLE_STRIKETHROUGH),
        (Extensions::TASK_LISTS, Syntax::ENABLE_TASKLISTS),
        (
            Extensions::SMART_PUNCTUATION,
            Syntax::ENABLE_SMART_PUNCTUATION,
        ),
    ];
    let mut syntax = Syntax::empty();
    for (flag, switch) in switches {
        syntax.set(switch, wanted.contains(flag));
    }
    syntax
}
