//! The indentation of lines in YAML, and what to say of a line whose indentation fits no line above it.

use crate::text::numbers::plural;

/// The most lines above that are named.
const MOST: usize = 4;

/// By how many spaces a line, counted from 1, is indented, and by how many those above it to which it could belong: the keys of its map
/// and of those around it, or the items of its list. `None` if it is indented as one of them, so that the mistake is another.
pub(super) fn misplaced(lines: &[&str], number: usize) -> Option<String> {
    let line = lines.get(number.checked_sub(1)?)?;
    let (own, is_item) = (spaces(line), starts_item(line));
    let mut levels: Vec<(usize, usize)> = Vec::new();
    for (i, above) in lines[..number - 1].iter().enumerate().rev() {
        let is_other_kind = is_item && !starts_item(above);
        if above.trim_start().starts_with('#') || !(starts_item(above) || colons(above) > 0) {
            continue;
        }
        if is_other_kind && spaces(above) < own {
            break;
        }
        // The key of a list counts only for the first item.
        if is_other_kind && !levels.is_empty() {
            continue;
        }
        let level = if is_item { spaces(above) } else { indent(above) };
        if levels.last().is_none_or(|(last, _)| level < *last) {
            levels.push((level, i + 1));
        }
    }
    if levels.is_empty() || levels.iter().any(|(level, _)| *level == own) {
        return None;
    }
    let named: Vec<String> = levels.iter().take(MOST).map(|(level, above)| format!("{level} (line {above})")).collect();
    let (own, named) = (plural(own, "space"), named.join(", "));
    Some(format!(
        "this line is indented by {own}, those above it by {named}: indent the keys of one map, or the items of one list, alike"
    ))
}

/// The spaces before a line's text.
fn spaces(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a line starts an item of a list.
pub(super) fn starts_item(line: &str) -> bool {
    line.trim_start().starts_with("- ")
}

/// The column of a line's key or text, which may be the first of a list's item.
pub(super) fn indent(line: &str) -> usize {
    let text = line.trim_start();
    line.len() - text.strip_prefix("- ").map_or(text, str::trim_start).len()
}

/// The number of colons in a line that end a key in YAML.
pub(super) fn colons(line: &str) -> usize {
    line.matches(": ").count() + usize::from(line.trim_end().ends_with(':'))
}
