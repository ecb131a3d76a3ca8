//! The brackets of expressions, and the parts of a text that are expressions: what their parser has to do, without parsing.

/// The bytes of a text that are in braces.
pub(super) fn in_braces(text: &str) -> usize {
    parts_in_braces(text).map(<[u8]>::len).sum()
}

/// The parts of a text that are between `{{` and `}}` or `{%` and `%}`, which the parser of expressions reads. As there, quoted text
/// and brackets that are still open hide the end.
fn parts_in_braces(text: &str) -> impl Iterator<Item = &[u8]> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let (start, end) = next_part(bytes, at)?;
        at = end.unwrap_or(bytes.len());
        Some(&bytes[start..at])
    })
}

/// Where the next part in braces starts and ends; no end if it is not closed.
fn next_part(bytes: &[u8], from: usize) -> Option<(usize, Option<usize>)> {
    let is_opened = |at: &usize| bytes[*at] == b'{' && matches!(bytes[at + 1], b'{' | b'%');
    let start = (from..bytes.len().saturating_sub(1)).find(is_opened)?;
    Some((start, end_of_braces(bytes, start + 2, bytes[start + 1])))
}

/// The first `{{` or `{%` that is not closed before the next one, with its place.
pub(crate) fn unclosed(text: &str) -> Option<(usize, &'static str)> {
    let mut from = 0;
    let start = loop {
        match next_part(text.as_bytes(), from)? {
            (_, Some(end)) => from = end,
            (start, None) => break start,
        }
    };
    let (opened, rest) = text[start..].split_at(2);
    let before_next = rest.split("{{").next().and_then(|rest| rest.split("{%").next()).unwrap_or_default();
    let (mark, closing) = if opened == "{{" { ("{{", "}}") } else { ("{%", "%}") };
    (!before_next.contains(closing)).then_some((start, mark))
}

/// How deep brackets are inside each other in the parts of a text that are in braces.
pub(super) fn depth_in_braces(text: &str) -> usize {
    // The braces around a part are brackets, too.
    let inner = parts_in_braces(text).map(|part| part.get(2..).unwrap_or_default());
    inner.map(depth_of).max().unwrap_or_default()
}

/// How deep brackets are inside each other in an expression. Those in quoted text are not brackets.
pub(super) fn depth(expression: &str) -> usize {
    depth_of(expression.as_bytes())
}

/// How often a YAML reader looks at an open bracket: it looks at all of them at each sign between values. Also counts those in texts.
pub(super) fn looks_at_brackets(yaml: &str) -> usize {
    let mut open: usize = 0;
    let looks = yaml.bytes().map(|byte| match byte {
        b'[' | b'{' => {
            open += 1;
            open
        }
        b']' | b'}' => {
            open = open.saturating_sub(1);
            open
        }
        b',' | b':' => open,
        _ => 0,
    });
    looks.sum()
}

fn depth_of(bytes: &[u8]) -> usize {
    let (mut at, mut open, mut deepest, mut quote) = (0, 0_usize, 0, None);
    while let Some(byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(mark), byte) => quote = (*byte != mark).then_some(mark),
            (None, mark @ (b'"' | b'\'')) => quote = Some(*mark),
            (None, b'(' | b'[' | b'{') => open += 1,
            (None, b')' | b']' | b'}') => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
        at += 1;
    }
    deepest
}

/// Where the part ends that starts after `{{` (`opened` is `{`) or `{%`; none if it is not closed.
fn end_of_braces(bytes: &[u8], start: usize, opened: u8) -> Option<usize> {
    let closing = if opened == b'{' { b'}' } else { b'%' };
    let (mut at, mut open, mut quote) = (start, 0_usize, None);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(mark), byte) => quote = (byte != mark).then_some(mark),
            (None, mark @ (b'"' | b'\'')) => quote = Some(mark),
            (None, byte) if open == 0 && byte == closing && bytes.get(at + 1) == Some(&b'}') => return Some(at + 2),
            (None, b'(' | b'[' | b'{') => open += 1,
            (None, b')' | b']' | b'}') => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::unclosed;

    #[test]
    fn braces_that_are_not_closed_are_found() {
        for (text, expected) in [
            ("a {{ b }} c {% if d %} e {% endif %}", None),
            ("{{ '{{' }}", None),
            ("{{ '}}' }} it's", None),
            ("a {{ b } c", Some((2, "{{"))),
            ("п {{ b } c {{ d }}", Some((3, "{{"))),
            ("{{ a }} {% if b } c", Some((8, "{%"))),
            ("{{ a", Some((0, "{{"))),
            ("{{ (a }}", None),
        ] {
            assert_eq!(unclosed(text), expected, "{text}");
        }
    }
}
