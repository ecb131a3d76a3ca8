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
        while at + 1 < bytes.len() {
            if bytes[at] == b'{' && matches!(bytes[at + 1], b'{' | b'%') {
                let start = at;
                at = end_of_braces(bytes, at + 2, bytes[at + 1]);
                return Some(&bytes[start..at]);
            }
            at += 1;
        }
        None
    })
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

/// Where the part ends that starts after `{{` (`opened` is `{`) or `{%`.
fn end_of_braces(bytes: &[u8], start: usize, opened: u8) -> usize {
    let closing = if opened == b'{' { b'}' } else { b'%' };
    let (mut at, mut open, mut quote) = (start, 0_usize, None);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(mark), byte) => quote = (byte != mark).then_some(mark),
            (None, mark @ (b'"' | b'\'')) => quote = Some(mark),
            (None, byte) if open == 0 && byte == closing && bytes.get(at + 1) == Some(&b'}') => return at + 2,
            (None, b'(' | b'[' | b'{') => open += 1,
            (None, b')' | b']' | b'}') => open = open.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}
