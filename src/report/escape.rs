//! How text is escaped in Markdown, in CSS, and where its lines may break.

/// Text that Markdown shows as it stands, in a paragraph or a table's cell.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    // At the start of a line, a dash, a plus, or a number with a dot would begin a list, and equals signs would make the line
    // above a heading.
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let text = match text.as_bytes().get(digits) {
        Some(b'-' | b'+' | b'=') if digits == 0 => {
            escaped.push('\\');
            text
        }
        Some(b'.' | b')') if digits > 0 && !text[digits + 1..].starts_with(|c: char| c.is_ascii_digit()) => {
            escaped.push_str(&text[..digits]);
            escaped.push('\\');
            &text[digits..]
        }
        _ => text,
    };
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '$' => escaped.extend(['\\', c]),
            '&' => escaped.push_str("&amp;"),
            '\n' | '\r' => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Text as a code span of Markdown, between more backticks than it has in a row (CommonMark 0.31, 6.1).
pub(super) fn code_span(text: &str) -> String {
    // An empty line would end the paragraph, and the span with it.
    let text = text.replace(['\n', '\r'], " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let room = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{room}{text}{room}{fence}")
}

/// Text as a code span in a cell of a table. A bar would end the cell even inside the span, so it is escaped (GFM 0.29, 4.10).
/// Parsers disagree on a backslash before a bar, so such a text is not shown as code.
pub(super) fn code_cell(text: &str) -> String {
    if text.contains("\\|") { markdown(text) } else { code_span(text).replace('|', "\\|") }
}

/// An address as the target of a link of Markdown, between `<` and `>`, which no address has.
pub(super) fn link_target(url: &str) -> String {
    url.replace('&', "&amp;")
}

/// Code between fences of more backticks than it has in a row.
pub(super) fn fenced(text: &str, language: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", text.trim_end_matches('\n'))
}

/// Markdown as a quotation.
pub(super) fn quotation(markdown: &str) -> String {
    markdown.trim().lines().map(|line| format!("> {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Text as a string of CSS, without its quotes: everything but letters and digits is escaped (CSS Syntax 3, 4.3.7).
pub(super) fn css_string(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() { c.to_string() } else { format!("\\{:x} ", u32::from(c)) }).collect()
}

/// The nouns and units that stay on the line of the number before them, by how they begin.
const COUNTED: [&str; 22] = [
    "в. п.",
    "відсотков",
    "епох",
    "запуск",
    "зображен",
    "клас",
    "кро",
    "МБ",
    "мереж",
    "параметр",
    "раз",
    "seed",
    "epoch",
    "image",
    "MB",
    "network",
    "parameter",
    "percentage",
    "points",
    "run",
    "step",
    "times",
];

/// Words that end in a point, before a number.
const ABBREVIATED: [&str; 3] = ["розд.", "рис.", "табл."];

/// Text in which a number stays on the line of its percent sign, its noun and the word before it, no line begins with a
/// dash, and none ends with a Ukrainian word of one letter.
pub(super) fn tied(text: &str) -> String {
    let mut tied = String::with_capacity(text.len());
    for (i, c) in text.char_indices() {
        let is_tied = c == ' ' && is_tied(&text[..i], &text[i + 1..]);
        tied.push(if is_tied { '\u{a0}' } else { c });
    }
    // Percentage points, in Ukrainian.
    tied.replace("в. п.", "в.\u{a0}п.")
}

/// Whether no line breaks at the space between two texts.
fn is_tied(before: &str, after: &str) -> bool {
    let (last, next) = (before.chars().next_back().unwrap_or(' '), after.chars().next().unwrap_or(' '));
    let names_number = next.is_ascii_digit() && (last.is_alphabetic() || matches!(last, ':' | '×' | '<' | '='));
    if names_number
        || matches!(next, '%' | '—' | '…' | '<' | '=')
        || (last == '…' && (next.is_ascii_digit() || next == '−'))
    {
        return true;
    }
    if last.is_ascii_digit() {
        // The next three digits of a number.
        let digits = after.chars().take_while(char::is_ascii_digit).count();
        return digits == 3 || next == '×' || COUNTED.iter().any(|noun| after.starts_with(noun));
    }
    let word = before.rsplit([' ', '\u{a0}', '(', '«']).next().unwrap_or_default();
    let is_cyrillic = |c: char| ('\u{400}'..'\u{530}').contains(&c);
    let is_one_letter = word.chars().count() == 1 && word.chars().all(is_cyrillic);
    is_one_letter || (next.is_ascii_digit() && ABBREVIATED.contains(&word))
}

/// A number with a remark in brackets: lines break only before the brackets, and after a comma inside them.
pub(super) fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}").replace("\u{a0}(", " (").replace(",\u{a0}", ", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_shown_as_it_stands() {
        assert_eq!(code_span("a < b|c"), "`a < b|c`");
        assert_eq!(code_span("`a` or ``b``"), "``` `a` or ``b`` ```");
        assert_eq!(code_span("a\n\n# b"), "`a  # b`");
    }

    #[test]
    fn code_cannot_end_a_cell() {
        assert_eq!(code_cell("a | b"), r"`a \| b`");
        assert_eq!(code_cell(r"a \| b"), r"a \\\| b");
    }

    #[test]
    fn text_cannot_end_a_css_string() {
        assert_eq!(css_string("Їжак 1\"</style>"), r"Їжак\20 1\22 \3c \2f style\3e ");
    }

    #[test]
    fn text_cannot_become_markdown() {
        assert_eq!(markdown("a|b *c* [d](e)\n<f>"), r"a\|b \*c\* \[d\](e) \<f\>");
    }

    #[test]
    fn lines_break_only_where_they_may() {
        assert_eq!(unbroken("300 (100 held out, drawn)"), "300 (100\u{a0}held\u{a0}out, drawn)");
        assert_eq!(
            tied("97 %, seed 1, epochs: 2, (1, 2) — не"),
            "97\u{a0}%, seed\u{a0}1, epochs:\u{a0}2, (1, 2)\u{a0}— не"
        );
        assert_eq!(
            tied("2 000 зображень і 3 epochs (розд. 9), −0,1 … 0,3; 128 × 4 × 4, з нею; seeds 1, 2, 300"),
            "2\u{a0}000\u{a0}зображень і\u{a0}3\u{a0}epochs (розд.\u{a0}9), −0,1\u{a0}…\u{a0}0,3; \
             128\u{a0}×\u{a0}4\u{a0}×\u{a0}4, з\u{a0}нею; seeds\u{a0}1, 2, 300"
        );
        assert_eq!(tied("McNemar: p < 0.001, p = 0.426"), "McNemar: p\u{a0}<\u{a0}0.001, p\u{a0}=\u{a0}0.426");
        assert_eq!(tied("0,09 в. п., 3 of 10 images"), "0,09\u{a0}в.\u{a0}п., 3 of\u{a0}10\u{a0}images");
    }
}
