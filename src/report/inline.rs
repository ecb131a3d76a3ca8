//! Text with inline markup: code, emphasis, links, verdicts. No output format is decided here.
//!
//! Phrases are templates, so their result is one string. Marked text passes through that string as JSON between two
//! control characters, which no other text may contain.

use minijinja::{Value, value::ValueKind};
use serde::{Deserialize, Serialize};

/// How a piece of text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InlineStyle {
    Plain,
    Code,
    /// A digest: code that may break anywhere.
    Hash,
    Emphasis,
    Strong,
    StrongEmphasis,
    /// The end of a line, without text.
    Break,
    Muted,
    Superscript,
    /// Somebody else's words, in a language that is not known.
    Quote,
    /// A number with a remark, such as `300 (random, plus 100 for validation)`: lines break only before the remark or inside it.
    Unbroken,
    /// Badges: a verdict or finding in favour, against, and neither.
    Agrees,
    Opposes,
    Open,
}

/// A piece of text in one style.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inline {
    pub text: String,
    pub style: InlineStyle,
    /// The id of the place in the report that the piece links to; empty for none.
    pub link: String,
    /// The address that the piece links to; empty for none.
    #[serde(default)]
    pub url: String,
}

/// Text as a sequence of styled pieces; empty text has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RichText(Vec<Inline>);

/// Before and after marked text.
const START: char = '\u{1}';
const END: char = '\u{3}';

impl RichText {
    /// Text in one style.
    pub fn styled(style: InlineStyle, text: impl Into<String>) -> Self {
        Self::linked(style, text, String::new())
    }

    /// Text in one style that links to an id.
    pub fn linked(style: InlineStyle, text: impl Into<String>, link: impl Into<String>) -> Self {
        // Markdown would read leading spaces as code, and would not end emphasis after a space.
        let text = without_marks(text.into().trim());
        if text.is_empty() {
            return Self::default();
        }
        Self(vec![Inline { text, style, link: link.into(), url: String::new() }])
    }

    /// Adds text that links to an id or an address, both empty for none.
    pub fn push(&mut self, style: InlineStyle, text: &str, link: &str, url: &str) {
        let mut add = |style, text: &str| {
            let is_shown = !text.is_empty() || style == InlineStyle::Break;
            let text = without_marks(text);
            self.0.extend(is_shown.then(|| Inline { text, style, link: link.to_owned(), url: url.to_owned() }));
        };
        if !matches!(style, InlineStyle::Emphasis | InlineStyle::Strong | InlineStyle::StrongEmphasis) {
            return add(style, text);
        }
        // Markdown would not end emphasis after a space.
        let inner = text.trim();
        let start = text.len() - text.trim_start().len();
        add(InlineStyle::Plain, &text[..start]);
        add(style, inner);
        add(InlineStyle::Plain, &text[start + inner.len()..]);
    }

    /// Code.
    pub fn code(text: impl Into<String>) -> Self {
        Self::styled(InlineStyle::Code, text)
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text, followed by a space and more.
    #[must_use]
    pub fn then(mut self, more: Self) -> Self {
        if !self.is_empty() && !more.is_empty() {
            self.push(InlineStyle::Plain, " ", "", "");
        }
        self.0.extend(more.0);
        self
    }

    /// Adds text without a space before it.
    pub fn append(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The words alone.
    pub fn plain(&self) -> String {
        self.0.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// As a value that a phrase prints with its markup.
    ///
    /// # Panics
    /// Never: text is valid JSON.
    pub fn value(&self) -> Value {
        let pieces = serde_json::to_string(self).expect("pieces of text are always valid JSON");
        Value::from_safe_string(format!("{START}{pieces}{END}"))
    }

    /// Reads what a phrase printed.
    pub(super) fn from_marked(text: &str) -> Self {
        let mut pieces = Self::default();
        for part in text.split_inclusive(END) {
            let (plain, marked) = part.split_once(START).unwrap_or((part, ""));
            if !plain.is_empty() {
                pieces.push(InlineStyle::Plain, plain, "", "");
            }
            pieces.0.extend(serde_json::from_str::<Self>(marked.trim_end_matches(END)).unwrap_or_default().0);
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
    text.replace([START, END], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_passes_through_a_string_and_nothing_else_becomes_markup() {
        let link = RichText::linked(InlineStyle::Code, "a\u{1}|b", "table-1").then("and \u{1}[]\u{3}c\u{3}".into());
        let read = RichText::from_marked(&format!("see {} there", printed(&link.value())));
        assert_eq!(read.0.len(), 5, "{read:?}");
        assert_eq!((read.plain().as_str(), read.0[1].link.as_str()), ("see a|b and []c there", "table-1"));
        assert_eq!(read.0[1].style, InlineStyle::Code);
        assert_eq!(printed(&Value::from("\u{1}[]\u{3}c\u{3}")), "[]c");
    }
}
