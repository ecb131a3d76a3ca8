//! Finds Markdown that a report prints as it was typed, because it is not quite Markdown.

use crate::text::markdown;

/// The groups of values that a text can print.
const VALUES: [&str; 5] = ["runs", "models", "comparisons", "values", "data"];

/// What a text has that is probably meant as an image, a value or a link: where, and what to do.
pub(super) fn unread_markup(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for printed in markdown::read(text).printed() {
        let image = image(&printed)
            .map(|typed| (typed, "this looks like an image but is printed as text; its file name may have no spaces"));
        let value = value(&printed).map(|typed| (typed, "`{ }` is printed as text; write {{ }} for a value"));
        let link = link(&printed).map(|typed| (typed, "this link is printed as text; a link needs https://"));
        let places = [image, value, link].into_iter().flatten();
        found.extend(places.map(|(typed, what)| (place(text, typed), what)));
    }
    found
}

/// Where something is typed. The single brace of a value is not one of two.
fn place(text: &str, typed: &str) -> usize {
    text.match_indices(typed).map(|(at, _)| at).find(|at| !text[..*at].ends_with('{')).unwrap_or_default()
}

/// `![caption](my file.png`.
fn image(printed: &str) -> Option<&str> {
    let images = printed.match_indices("![").map(|(at, _)| &printed[at..]);
    images.into_iter().find_map(|image| {
        let file = image.find("](")? + 2;
        let end = file + image[file..].find(')')?;
        let name = image[file..end].split('"').next().unwrap_or_default();
        name.trim().contains(' ').then(|| &image[..file])
    })
}

/// `{ runs.slim.accuracy }`.
fn value(printed: &str) -> Option<&str> {
    printed.match_indices('{').find_map(|(at, _)| {
        let inside = &printed[at + 1..];
        let after = |name: &&str| inside.trim_start().strip_prefix(*name);
        let is_value = VALUES.iter().filter_map(after).any(|rest| rest.starts_with(['.', '[']));
        let is_single = !printed[..at].ends_with('{') && is_value;
        let end = inside.find('}').filter(|_| is_single)?;
        Some(&printed[at..at + end + 2])
    })
}

/// `<doi.org/10.1000/1>`.
fn link(printed: &str) -> Option<&str> {
    printed.match_indices('<').find_map(|(at, _)| {
        let end = printed[at..].find('>')?;
        let inside = &printed[at + 1..at + end];
        let host = inside.split('/').next().unwrap_or_default();
        let (name, top) = host.rsplit_once('.')?;
        let is_host = !name.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
        let is_link = is_host && top.len() > 1 && top.bytes().all(|b| b.is_ascii_alphabetic());
        (is_link && !inside.contains(char::is_whitespace)).then(|| &printed[at..=at + end])
    })
}

#[cfg(test)]
mod tests {
    use super::unread_markup;

    #[test]
    fn markup_that_is_printed_as_typed_is_found() {
        for (text, at, part) in [
            ("Text\n\n![x](my schema.png \"Seen\")", 6, "may have no spaces"),
            ("{{ runs.a.loss }} { runs.a.loss }", 18, "write {{ }}"),
            ("{runs[\"a-b\"].accuracy|percent(2)} %", 0, "write {{ }}"),
            ("See <doi.org/10.1000/1>.", 4, "needs https://"),
        ] {
            let found = unread_markup(text);
            assert!(matches!(found[..], [(place, what)] if place == at && what.contains(part)), "{text}: {found:?}");
        }
        for text in [
            "![x](a.png \"A schema\")",
            "`![x](my schema.png)` and `{ runs.a }` and `<doi.org/1>`",
            "{{ runs.a.loss }}, {% if runs.a.loss > 1 %}a{% endif %}, {x}, the set {a, b}",
            "<https://doi.org/1>, [a](https://doi.org/1), a < b.c and d > e, <b>x</b>, <0.01>",
        ] {
            assert_eq!(unread_markup(text), [], "{text}");
        }
    }
}
