//! A starter in two languages, made from the same starter in each of them: `{uk: Моя мережа, en: My network}` in the place of
//! each text.

use std::fmt::Write as _;

use crate::text::Lang;

/// The keys of the starters whose values are texts.
const TEXTS: [&str; 9] =
    ["title", "author", "group", "course", "institution", "description", "text", "question", "why"];

/// The key of a paragraph that has its own line.
const PARAGRAPH: &str = "text: ";

/// Where the comment of a paragraph's key starts.
const WIDTH_BEFORE_COMMENT: usize = 44;

/// The longest line.
const WIDEST: usize = 125;

/// One starter in two languages. Comments are those of the first.
pub(super) fn joined(starters: [(Lang, &str); 2]) -> String {
    let [(first, a), (second, b)] = starters;
    let (mut joined, mut open) = (String::new(), 0_usize);
    for (a, b) in lines(a).zip(lines(b)) {
        let (content, comment) = split_comment(a);
        if content.trim_start().starts_with(PARAGRAPH) {
            push_paragraph(&mut joined, [a, b], [first, second]);
            continue;
        }
        let text = in_both(content, split_comment(b).0, [first, second]);
        push(&mut joined, &text, comment, open > 0);
        let count = |brackets: [char; 2]| content.matches(brackets).count();
        open = (open + count(['[', '{'])).saturating_sub(count([']', '}']));
        if content.starts_with("title:") {
            let _ = writeln!(joined, "lang: [{}, {}]", first.code(), second.code());
        }
    }
    joined
}

/// The lines that a starter has in every language, without the one on how to write a text in two.
fn lines(starter: &str) -> impl Iterator<Item = &str> {
    starter.lines().filter(|line| !line.starts_with("lang:") && !line.starts_with("# In two languages"))
}

/// Adds the line of a paragraph, in the form for texts of several lines.
fn push_paragraph(joined: &mut String, lines: [&str; 2], langs: [Lang; 2]) {
    let [(content, comment), (other, _)] = lines.map(split_comment);
    let indent = " ".repeat(content.len() - content.trim_start().len());
    let _ = writeln!(joined, "{:<WIDTH_BEFORE_COMMENT$}{comment}", format!("{indent}{}", PARAGRAPH.trim_end()));
    for (text, lang) in [content, other].into_iter().zip(langs) {
        let text = text.trim_start().trim_start_matches(PARAGRAPH).trim_matches('"');
        let _ = writeln!(joined, "{indent}  {}: |\n{indent}    {text}", lang.code());
    }
}

/// A line, and the comment at its end.
fn split_comment(line: &str) -> (&str, &str) {
    let at = if line.starts_with('#') { Some(0) } else { line.find(" #") };
    let (content, comment) = line.split_at(at.unwrap_or(line.len()));
    (content.trim_end(), comment.trim_start())
}

/// A line whose texts are in two languages.
fn in_both(a: &str, b: &str, langs: [Lang; 2]) -> String {
    let (mut joined, mut done) = (String::new(), 0);
    for ((at, own), (_, other)) in texts(a).into_iter().zip(texts(b)) {
        if own != other {
            joined.push_str(&a[done..at]);
            let [first, second] = langs.map(Lang::code);
            let _ = write!(joined, "{{{first}: {}, {second}: {}}}", quoted(own), quoted(other));
            done = at + own.len();
        }
    }
    joined + &a[done..]
}

/// The texts of a line, each with its place.
fn texts(line: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (colon, _) in line.match_indices(": ") {
        let start = line[..colon].rfind([' ', '{']).map_or(0, |at| at + 1);
        if TEXTS.contains(&&line[start..colon]) {
            let value = &line[colon + 2..];
            let in_map = line[..colon].matches('{').count() > line[..colon].matches('}').count();
            let closing = value.strip_prefix('"').and_then(|rest| rest.find('"')).map(|at| at + 2);
            let end = if in_map { closing.or(value.find([',', '}'])).unwrap_or(value.len()) } else { value.len() };
            found.push((colon + 2, &value[..end]));
        }
    }
    found
}

/// A text inside `{}`.
fn quoted(text: &str) -> String {
    let is_quoted = text.starts_with('"');
    if !is_quoted && text.contains([',', ':', '"', '[', '{', '?']) { format!("\"{text}\"") } else { text.to_owned() }
}

/// Adds a line, broken after commas between keys if it is long. Its comment stays on its first line. The rest of a line that is inside a
/// bracket of a line before is indented as that line.
fn push(joined: &mut String, text: &str, comment: &str, is_inside: bool) {
    let deeper = " ".repeat(text.len() - text.trim_start().len() + if is_inside { 0 } else { 4 });
    let (mut rest, mut comment, mut indent) = (text.to_owned(), comment, "");
    loop {
        let room = WIDEST.saturating_sub(indent.len() + comment.chars().count());
        let fits = |at: &usize| {
            let before = &rest[..*at];
            let is_in_a_text = before.matches('"').count() % 2 == 1;
            !is_in_a_text && before.chars().count() <= room
        };
        let break_at = rest.match_indices(", ").map(|(at, _)| at + 1).filter(fits).last();
        let (line, left) = match break_at {
            Some(at) if rest.chars().count() > room && rest.contains('{') => {
                (rest[..at].to_owned(), rest[at + 1..].to_owned())
            }
            _ => (std::mem::take(&mut rest), String::new()),
        };
        joined.push_str(indent);
        joined.push_str(&line);
        if !comment.is_empty() {
            if !line.is_empty() {
                joined.push_str("     ");
            }
            joined.push_str(comment);
            comment = "";
        }
        joined.push('\n');
        if left.is_empty() {
            return;
        }
        (rest, indent) = (left, &deeper);
    }
}
