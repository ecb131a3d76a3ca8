//! Texts without quotation marks that have characters with a meaning in YAML: inside `{ }`, or before ` #`.

use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};

use super::lines::join;
use super::yaml::{DATA, PROSE};
use crate::text::Lang;

/// What to do about a text inside `{ }`.
pub(super) const IN_BRACES: &str = "a text inside { } that has a comma, a colon and a space, brackets, # or quotation marks must be wholly in \"…\", with \\\" for a \
     quotation mark inside and a comma after it";

fn is_language(key: &str) -> bool {
    Lang::ALL.iter().any(|lang| lang.code() == key)
}

/// Whether a line has a text that must be in quotation marks inside `{ }`.
pub(super) fn needs_quotes(line: &str) -> bool {
    let mut values = line.match_indices(": ").filter_map(|(colon, mark)| {
        let key = line[..colon].rsplit([' ', '{', ',', '[']).next().unwrap_or_default();
        (PROSE.contains(&key) || is_language(key)).then(|| line[colon + mark.len()..].trim_start())
    });
    values.any(is_broken)
}

/// Whether YAML reads a text inside `{ }`, with the rest of its line, in another way than it was meant.
fn is_broken(value: &str) -> bool {
    match value.chars().next() {
        None | Some('#') => false,
        Some(quote @ ('"' | '\'')) => after_quote(&value[1..], quote).is_some_and(|rest| !ends_value(rest)),
        // The texts of `{en: ..., uk: ...}` are looked at one by one.
        Some('{') => value.starts_with("{{"),
        Some('[') => before_text(value).is_some(),
        Some('@' | '`' | '%' | '|' | '>') => true,
        Some(_) => is_plain_broken(value),
    }
}

fn is_plain_broken(value: &str) -> bool {
    let text = &value[..end_of_text(value)];
    let closed = text.find(['}', ']']);
    let inside = &text[..closed.unwrap_or(text.len())];
    let follows = closed.is_some_and(|at| !ends_value(&text[at + 1..]));
    let opens_quote = [", \"", ", '"].iter().any(|mark| inside.contains(mark));
    let has_mark = [": ", " #", "{", "["].iter().any(|mark| inside.contains(mark));
    follows || opens_quote || has_mark || inside.starts_with("- ")
}

/// Where a text without quotation marks ends on its line at the latest: at the next key, or at a comment.
fn end_of_text(value: &str) -> usize {
    let is_key = |(at, mark): &(usize, &str)| {
        let rest = value[at + mark.len()..].trim_start();
        let word = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_').len();
        word > 0 && rest[word..].starts_with(':')
    };
    let is_comment = |(at, mark): &(usize, &str)| !is_text_after_hash(&value[at + mark.len()..]);
    let key = value.match_indices(',').find(is_key).map(|(at, _)| at);
    let comment = value.match_indices(" #").find(is_comment).map(|(at, _)| at);
    key.into_iter().chain(comment).min().unwrap_or(value.len())
}

/// Whether what follows `#` is meant as text: it touches a letter or digit. People write a space after the `#` of a
/// comment.
fn is_text_after_hash(rest: &str) -> bool {
    rest.starts_with(char::is_alphanumeric)
}

/// Whether a value inside `{ }` can end before this.
fn ends_value(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with([',', ']', '}', '#'])
}

/// What follows the closing quotation mark, if there is one.
pub(super) fn after_quote(text: &str, quote: char) -> Option<&str> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => drop(chars.next()),
            '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            _ if c == quote => return Some(&text[at + 1..]),
            _ => {}
        }
    }
    None
}

/// What to do about a text in one of several languages, `{en: ..., uk: ...}`, whose characters have a meaning in YAML.
pub(super) fn unquoted_text(line: &str) -> Option<&'static str> {
    let keys = Lang::ALL.map(|lang| format!("{}: ", lang.code()));
    let starts = keys.iter().flat_map(|key| line.match_indices(key.as_str()).map(|(at, key)| (at, at + key.len())));
    let texts = starts.filter(|(at, _)| line[..*at].trim_end().ends_with(['{', ','])).map(|(_, start)| {
        let text = &line[start..];
        let end = keys.iter().filter_map(|key| text.find(&format!(", {key}"))).min();
        &text[..end.unwrap_or(text.len())]
    });
    texts.into_iter().filter(|text| !text.starts_with(['"', '\''])).find_map(|text| {
        if text.contains("{{") {
            Some("a text that has {{ }} must be in quotes, such as {en: \"{{ value }}\"}")
        } else if text.contains(": ") {
            Some("a text that has a colon and a space must be in quotes, such as {en: \"Part 1: results\"}")
        } else {
            None
        }
    })
}

/// What is wrong with the quotation marks of a line.
#[derive(Debug, PartialEq)]
pub(super) enum QuoteFault {
    /// A text ends at this mark, and a letter or digit follows.
    EndsEarly(char),
    /// A text that this mark opened does not end on the line.
    Open(char),
}

/// The first fault of the quotation marks of a line, which are those that start a value.
pub(super) fn quote_fault(line: &str) -> Option<QuoteFault> {
    let mut at = 0;
    while let Some(next) = line[at..].find(['"', '\'', '#']) {
        let (before, rest) = line.split_at(at + next);
        let mark = rest.chars().next()?;
        at = before.len() + 1;
        if mark == '#' {
            if before.ends_with(' ') || before.is_empty() {
                return None;
            }
            continue;
        }
        let starts_value = [":", "[", "{", ","].iter().any(|sign| before.trim_end().ends_with(sign));
        if !starts_value && !["", "-"].contains(&before.trim()) {
            continue;
        }
        match after_quote(&rest[1..], mark) {
            None => return Some(QuoteFault::Open(mark)),
            Some(after) if after.starts_with(char::is_alphanumeric) => return Some(QuoteFault::EndsEarly(mark)),
            Some(after) => at = line.len() - after.len(),
        }
    }
    None
}

/// What to do about a text that ends at a quotation mark inside it.
pub(super) fn text_follows(quote: char) -> String {
    let inside = if quote == '"' { "\\\"" } else { "''" };
    format!(
        "text follows the closing {quote}, which ends the text there: put the whole text in quotes, with {inside} for a \
         quotation mark inside"
    )
}

/// The bracket that a value starts with, if text follows where it is closed.
pub(super) fn before_text(value: &str) -> Option<char> {
    let first = value.chars().next().filter(|c| matches!(c, '[' | '{'))?;
    let mut depth = 0;
    for (at, c) in value.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let rest = value[at + 1..].trim_start();
            return (!rest.is_empty() && !rest.starts_with(['#', ',', ']', '}', ':'])).then_some(first);
        }
    }
    None
}

/// The texts that YAML ends before ` #`, where a comment starts: their keys and lines.
pub(super) fn cut_texts(yaml: &str) -> Vec<(String, usize)> {
    let is_text = |(at, mark): (usize, &str)| is_text_after_hash(&yaml[at + mark.len()..]);
    let mut found = Vec::new();
    if yaml.match_indices(" #").any(is_text)
        && let Ok(documents) = MarkedYaml::load_from_str(yaml)
        && let Some(document) = documents.first()
    {
        find_cut(document, "", false, &mut Lines::of(yaml), &mut found);
    }
    found
}

/// The lines that have ` #`, and the place of the last text that was looked for: texts come in their order, and a line may have
/// 100,000 of them.
struct Lines<'y> {
    lines: Vec<&'y str>,
    /// The line, counted from 1, and its column in characters and in bytes.
    last: (usize, usize, usize),
}

impl<'y> Lines<'y> {
    fn of(yaml: &'y str) -> Self {
        let with_hash = |line: &'y str| if line.contains(" #") { line } else { "" };
        Self { lines: yaml.lines().map(with_hash).collect(), last: (0, 0, 0) }
    }

    /// The rest of a line from a column on; empty if the line has no ` #`.
    fn rest_of(&mut self, line: usize, column: usize) -> &'y str {
        let text = self.lines.get(line.wrapping_sub(1)).copied().unwrap_or_default();
        let (columns, bytes) = match self.last {
            (last, columns, bytes) if last == line && columns <= column => (columns, bytes),
            _ => (0, 0),
        };
        let rest = &text[bytes..];
        let at = bytes + rest.char_indices().nth(column - columns).map_or(rest.len(), |(at, _)| at);
        if at < text.len() {
            self.last = (line, column, at);
        }
        &text[at..]
    }
}

fn find_cut(node: &MarkedYaml, path: &str, is_prose: bool, lines: &mut Lines, found: &mut Vec<(String, usize)>) {
    match &node.data {
        YamlData::Mapping(map) => {
            for (key, value) in map {
                let Some(key) = key.data.as_str().filter(|key| !(path.is_empty() && *key == DATA)) else { continue };
                let is_prose = PROSE.contains(&key) || is_prose && is_language(key);
                find_cut(value, &join(path, key), is_prose, lines, found);
            }
        }
        YamlData::Sequence(items) => {
            for (i, item) in items.iter().enumerate() {
                find_cut(item, &format!("{path}[{i}]"), is_prose, lines, found);
            }
        }
        data => {
            let start = node.span.start;
            let text = data.as_str().filter(|_| is_prose);
            let rest = text.and_then(|text| lines.rest_of(start.line(), start.col()).strip_prefix(text));
            let after_hash = rest.and_then(|rest| rest.strip_prefix(' ')?.trim_start().strip_prefix('#'));
            if after_hash.is_some_and(is_text_after_hash) {
                found.push((path.to_owned(), start.line()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_inside_braces_that_needs_quotation_marks_is_found() {
        for text in [
            "Так: бо згасають",
            "Так [[1]](#reference-1)",
            "[[1]](#reference-1) так",
            "Так {{ runs.slim.accuracy }}",
            "{{ runs.slim.accuracy }} так",
            "\"Так\" чи ні",
            "'Моя п'ята мережа'",
            "Так #3 мережа",
            "Так] ні",
            "- ні",
            "@ні",
            "Так, \"бо\" ні",
        ] {
            assert!(needs_quotes(&format!("  - {{better: a, why: {text}}}")), "{text}");
        }
        assert!(needs_quotes("author: {uk: \"Оксана\" Гриценко, en: Oksana}"));
        for line in [
            "  - {better: a, why: Так, model: b}     # <- see: docs",
            "  - {title: \"A: b\", runs: [a], show: [gain]},   # see [1]",
            "title: {uk: Мережа, en: \"A: b\"}",
            "      runs: [baseline: {x}, slim]",
            "  - {title: Так \"x\" ні, answers: [a-b]}",
            "author: [A, B]}",
            "why:",
        ] {
            assert!(!needs_quotes(line), "{line}");
        }
    }

    #[test]
    fn quotation_marks_that_end_a_text_early_or_not_at_all_are_found() {
        for line in [
            "    text: \"Мережу \"Базова мережа\", яку вчили. Точність {{ runs.r.accuracy|percent(2) }}.\"",
            "description: {uk: \"Мережу \"Базова мережа\", яку: вчили\", en: \"x\"}",
            "  - \"група \"КН-31\"\"",
            "author: [A, \"B \"C\"\"]",
        ] {
            assert_eq!(quote_fault(line), Some(QuoteFault::EndsEarly('"')), "{line}");
        }
        assert_eq!(quote_fault("why: 'п'ять'"), Some(QuoteFault::EndsEarly('\'')));
        for line in ["author: {uk: \"…\", en: \"Oksana Hrytsenko}", "\"a: b", "- \"a \\\" b"] {
            assert_eq!(quote_fault(line), Some(QuoteFault::Open('"')), "{line}");
        }
        for line in
            ["title: \"A\"   # 6\" wide", "why: п'ять \"x\"y", "x: ['it''s', \"\\\"a\\\"\"]", "# \"a", "#\"", ""]
        {
            assert_eq!(quote_fault(line), None, "{line}");
        }
    }

    #[test]
    fn a_text_that_a_comment_cuts_is_found_and_other_comments_are_not() {
        let yaml = "title: Курсова #3 мережа\ndescription: {uk: Текст}   # <- 3\nauthor: [A, B] #c\n\
                    models: {m: {title: A}} #m\nsections:\n  - title: S  #1\n    text: |\n      title: T #2\n\
                    group: \"A\" #3\nreferences:\n  - Book\n  - Book #2\nvalues:\n  title: x #y\n";
        let found = cut_texts(yaml);
        let found: Vec<(&str, usize)> = found.iter().map(|(key, line)| (key.as_str(), *line)).collect();
        assert_eq!(found, [("title", 1), ("sections[0].title", 6), ("references[1]", 12)]);
    }
    /// Each line is walked once.
    #[test]
    fn a_line_of_very_many_texts_takes_no_longer_than_they_are() {
        let items = "є, ".repeat(200_000);
        let yaml = format!("description: [{items}x] #x\nreferences: [{items}\n  Book #2\n  ]\n");
        assert_eq!(cut_texts(&yaml), [("references[200000]".to_owned(), 3)]);
    }
}
