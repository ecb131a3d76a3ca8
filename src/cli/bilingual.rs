//! A starter in two languages, made from the same starter in each of them: `{uk: Моя мережа, en: My network}` in the place of
//! each text.

use std::fmt::Write as _;

use crate::text::Lang;

/// The keys of the starters whose values are texts.
const TEXTS: [&str; 9] =
    ["title", "author", "group", "course", "institution", "description", "text", "question", "why"];

/// The longest line.
const WIDEST: usize = 125;

/// One starter in two languages. Comments are those of the first.
pub(super) fn joined(starters: [(Lang, &str); 2]) -> String {
    let [(first, a), (second, b)] = starters;
    let (mut joined, mut open) = (String::new(), 0_usize);
    for (a, b) in lines(a).zip(lines(b)) {
        let (content, comment) = split_comment(a);
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

/// The lines that a starter has in every language.
fn lines(starter: &str) -> impl Iterator<Item = &str> {
    starter.lines().filter(|line| !line.starts_with("lang:"))
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
            let end = if in_map { value.find([',', '}']).unwrap_or(value.len()) } else { value.len() };
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
        let room = WIDEST - indent.len() - comment.chars().count();
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
