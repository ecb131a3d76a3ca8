//! Text with inline markup: code, emphasis, links, verdicts. No output format is decided here.
//!
//! Phrases are templates, so their result is one string. Markup passes through that string between three control
//! characters, which no other text may contain, and is parsed back into pieces.

use minijinja::{Value, value::ValueKind};
use serde::Serialize;

/// How a piece of text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InlineStyle {
    Plain,
    Code,
    /// A digest: code that may break anywhere.
    Hash,
    Emphasis,
    Strong,
    Muted,
    Superscript,
    /// Somebody else's words, in a language that is not known.
    Quote,
    /// A number with a remark, such as `300 (100 held out, drawn)`: lines break only before the remark or inside it.
    Unbroken,
    /// Badges: a verdict or finding in favour, against, and neither.
    Agrees,
    Opposes,
    Open,
}

impl InlineStyle {
    const ALL: [Self; 12] = [
        Self::Plain,
        Self::Code,
        Self::Hash,
        Self::Emphasis,
        Self::Strong,
        Self::Muted,
        Self::Superscript,
        Self::Quote,
        Self::Unbroken,
        Self::Agrees,
        Self::Opposes,
        Self::Open,
    ];
}

/// A piece of text in one style.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Inline {
    pub text: String,
    pub style: InlineStyle,
    /// The id of the place in the report that the piece links to; empty for none.
    pub link: String,
}

/// Text as a sequence of styled pieces; empty text has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RichText(Vec<Inline>);

/// Before a marked piece, between its parts, after it.
const START: char = '\u{1}';
const NEXT: char = '\u{2}';
const END: char = '\u{3}';

impl RichText {
    /// Text in one style.
    pub fn styled(style: InlineStyle, text: impl Into<String>) -> Self {
        Self::linked(style, text, String::new())
    }

    /// Text in one style that links to an id.
    pub fn linked(style: InlineStyle, text: impl Into<String>, link: impl Into<String>) -> Self {
        let text: String = text.into();
        // Markdown would read leading spaces as code.
        let text = text.trim_start().to_owned();
        if text.is_empty() {
            return Self::default();
        }
        Self(vec![Inline { text, style, link: link.into() }])
    }

    pub fn code(text: impl Into<String>) -> Self {
        Self::styled(InlineStyle::Code, text)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text, followed by a space and more.
    #[must_use]
    pub fn then(mut self, more: Self) -> Self {
        if !self.is_empty() && !more.is_empty() {
            self.0.push(Inline { text: " ".into(), style: InlineStyle::Plain, link: String::new() });
        }
        self.0.extend(more.0);
        self
    }

    /// The words alone.
    pub fn plain(&self) -> String {
        self.0.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// As a value that a phrase prints with its markup.
    pub fn value(&self) -> Value {
        let marked = self.0.iter().map(|piece| match piece {
            Inline { text, style: InlineStyle::Plain, link } if link.is_empty() => without_marks(text),
            Inline { text, style, link } => {
                let style = InlineStyle::ALL.iter().position(|s| s == style).unwrap_or_default();
                format!("{START}{style}{NEXT}{link}{NEXT}{}{END}", without_marks(text))
            }
        });
        Value::from_safe_string(marked.collect())
    }

    /// Reads what a phrase printed.
    pub(super) fn from_marked(text: &str) -> Self {
        let mut pieces = Self::default();
        for (i, part) in text.split(START).enumerate() {
            let (marked, rest) = part.split_once(END).filter(|_| i > 0).unwrap_or(("", part));
            if let [style, link, text] = marked.splitn(3, NEXT).collect::<Vec<_>>()[..] {
                let style = style.parse().ok().and_then(|i: usize| InlineStyle::ALL.get(i));
                let style = style.copied().unwrap_or(InlineStyle::Plain);
                pieces.0.push(Inline { text: text.to_owned(), style, link: link.to_owned() });
            }
            if !rest.is_empty() {
                pieces.0.push(Inline { text: rest.to_owned(), style: InlineStyle::Plain, link: String::new() });
            }
        }
        pieces
    }
}

impl From<&str> for RichText {
    fn from(text: &str) -> Self {
        Self::styled(InlineStyle::Plain, text)
    }
}

impl From<String> for RichText {
    fn from(text: String) -> Self {
        Self::styled(InlineStyle::Plain, text)
    }
}

/// A phrase's value as it is printed: markup only from values that are marked up.
pub(super) fn printed(value: &Value) -> String {
    let text = value.to_string();
    if value.is_safe() && value.kind() == ValueKind::String { text } else { without_marks(&text) }
}

fn without_marks(text: &str) -> String {
    text.replace([START, NEXT, END], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_passes_through_a_string_and_nothing_else_becomes_markup() {
        let link = RichText::linked(InlineStyle::Code, "a\u{2}|b", "table-1").then("and \u{1}1\u{2}\u{2}c\u{3}".into());
        let read = RichText::from_marked(&printed(&link.value()));
        assert_eq!(read.0.len(), 2, "{read:?}");
        assert_eq!((read.plain().as_str(), read.0[0].link.as_str()), ("a|b and 1c", "table-1"));
        assert_eq!(printed(&Value::from("\u{1}1\u{2}\u{2}c\u{3}")), "1c");
        assert!(InlineStyle::ALL.iter().enumerate().all(|(i, style)| *style as usize == i));
    }
}
