//! Explains how to correct text that is not YAML. The parser only names the rule of YAML that was broken.

use super::indentation::{colons, indent, misplaced, starts_item};
use super::unquoted::{
    IN_BRACES, QuoteFault, after_quote, before_text, needs_quotes, quote_fault, text_follows, unquoted_text,
};
use crate::text::short_number;
use crate::text::unseen::complaint;

/// What is wrong with a text that is not YAML: its line, if known, and what to do.
pub(super) fn advice(yaml: &str, error: &serde_yaml::Error) -> (Option<usize>, String) {
    let message = error.to_string();
    let mark = error.location().map(|at| (at.line(), at.column()));
    let text = Text { lines: yaml.lines().collect(), message: &message, mark };
    let found = if text.lines.iter().any(|line| line.len() > LONGEST_LINE) { None } else { text.advice(yaml) };
    let (line, what) = found.unwrap_or_else(|| (mark.map_or(0, |(line, _)| line), message.clone()));
    ((line > 0).then_some(line), format!("is not valid YAML: {what}"))
}

/// The bytes of a line in which a mistake is looked for: some searches take the square of its length.
const LONGEST_LINE: usize = 10_000;
/// Lines of a map that are searched for a text without quotes.
const MOST_LINES: usize = 20;

/// A line, from 1 (0 if unknown), and what is wrong with it.
type Advice = Option<(usize, String)>;

struct Text<'a> {
    lines: Vec<&'a str>,
    /// The parser's message.
    message: &'a str,
    /// The line and column, from 1, at which the parser stopped.
    mark: Option<(usize, usize)>,
}

impl Text<'_> {
    fn advice(&self, yaml: &str) -> Advice {
        self.control_character(yaml)
            .or_else(|| self.large_number())
            .or_else(|| self.duplicate())
            .or_else(|| self.second_document())
            .or_else(|| self.unseen_character())
            .or_else(|| self.tab())
            .or_else(|| self.anchor())
            .or_else(|| self.quote_inside())
            .or_else(|| self.quote())
            .or_else(|| self.opening_character())
            .or_else(|| self.bracket())
            .or_else(|| self.structure())
    }

    fn line(&self, number: usize) -> &str {
        self.lines.get(number.wrapping_sub(1)).copied().unwrap_or_default()
    }

    /// The line and column after `while` in the parser's message: the start of the list, map or text that it could not
    /// finish.
    fn start(&self) -> Option<(usize, usize)> {
        let rest = self.message.split(", while ").nth(1)?.rsplit_once(" at line ")?.1;
        let (line, column) = rest.split_once(" column ")?;
        Some((line.parse().ok()?, column.parse().ok()?))
    }

    /// The lines that the parser read last, the last one first.
    fn last_lines(&self) -> impl Iterator<Item = usize> + '_ {
        let last = self.mark.map_or(0, |(line, _)| line);
        (last.saturating_sub(2).max(1)..=last + 1).rev().filter(|line| *line <= self.lines.len())
    }

    fn control_character(&self, yaml: &str) -> Advice {
        if !self.message.contains("control characters are not allowed") {
            return None;
        }
        let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}');
        let at = yaml.find(bad)?;
        Some((yaml[..at].matches('\n').count() + 1, complaint(&yaml[at..])?))
    }

    /// A number that is too large for YAML readers.
    fn large_number(&self) -> Advice {
        let number = self.message.split("integer `").nth(1)?.split_once("` as ")?.0;
        let what = format!("the number {} is too large; put it in quotes if it is a text", short_number(number));
        Some((self.mark.map_or(0, |(line, _)| line), what))
    }

    /// A `*name` without its `&name`.
    fn anchor(&self) -> Advice {
        if !self.message.contains("unknown anchor") {
            return None;
        }
        let (line, column) = self.mark?;
        let is_part = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let name: String = self.line(line).chars().skip(column).take_while(is_part).collect();
        let what =
            format!("`*{name}` refers to `&{name}`, which is not above; a text that starts with * must be in quotes");
        Some((line, what))
    }

    /// A key that occurs twice in a map. The line is that of the second occurrence; the first one is named.
    fn duplicate(&self) -> Advice {
        let key = self.message.split("duplicate entry with key ").nth(1)?.split(" at line ").next()?;
        let key = key.trim_matches('"');
        let (first, second) = (self.occurrence(key, 0), self.occurrence(key, 1));
        let line = second.or(self.mark.map(|(line, _)| line))?;
        let first = first.filter(|first| *first < line);
        let above = first.map_or_else(String::new, |first| format!(", first in line {first}"));
        let what = if key.bytes().all(|b| b.is_ascii_digit()) && self.line(line).contains(&format!(",{key}")) {
            format!("decimals are written with a point, not a comma: `,{key}` starts another key")
        } else {
            format!("the key `{key}` is there twice{above}: remove or rename one of them")
        };
        Some((line, what))
    }

    /// The line of one of a key's occurrences, counted from 0, in the map that starts at the parser's mark.
    fn occurrence(&self, key: &str, number: usize) -> Option<usize> {
        let (first, column) = self.mark?;
        let start = self.line(first).char_indices().nth(column.saturating_sub(1)).map_or(0, |(at, _)| at);
        let is_key = |text: &str| {
            let text = text.trim_start_matches(['"', '\'']);
            let rest = text.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']).trim_start());
            rest.is_some_and(|rest| rest.starts_with([':', ',', '}']))
        };
        let is_flow = self.line(first)[start..].starts_with('{');
        let places = (first..=self.lines.len()).flat_map(|line| {
            let text = if line == first { &self.line(line)[start..] } else { self.line(line) };
            let indent = text.len() - text.trim_start_matches(' ').len();
            let at_key = if is_flow {
                text.char_indices()
                    .filter(|(at, _)| text[..*at].ends_with(['{', ',', ' ']))
                    .map(|(at, _)| &text[at..])
                    .collect()
            } else if line == first || indent + 1 == column {
                vec![text.trim_start()]
            } else {
                Vec::new()
            };
            vec![line; at_key.into_iter().filter(|text| is_key(text)).count()]
        });
        places.into_iter().nth(number)
    }

    fn second_document(&self) -> Advice {
        if !self.message.contains("more than one document") {
            return None;
        }
        let is_content = |line: &str| !line.trim().is_empty() && !line.starts_with(['#', '%']);
        let first = self.lines.iter().position(|line| is_content(line))?;
        let marker = |line: &&str| line.starts_with("---") || line.starts_with("...");
        let Some(i) = self.lines[first + 1..].iter().position(marker) else {
            return Some((first + 1, "the first key is indented deeper than others: start it as far left".to_owned()));
        };
        Some((first + i + 2, "a study is one document: remove the second line `---`".to_owned()))
    }

    /// An invisible character, near the place where the parser stopped or in the indentation of any line.
    fn unseen_character(&self) -> Advice {
        let near = self.last_lines().find_map(|line| Some((line, complaint(self.line(line))?)));
        near.or_else(|| {
            let indentation =
                |line: &'_ str| line.len() - line.trim_start_matches(|c: char| !c.is_alphanumeric()).len();
            let of_line = |(i, line): (usize, &&str)| Some((i + 1, complaint(&line[..indentation(line)])?));
            self.lines.iter().enumerate().find_map(of_line)
        })
    }

    fn tab(&self) -> Advice {
        let indented_by_tab = |line: &usize| {
            let text = self.line(*line);
            text[..text.len() - text.trim_start().len()].contains('\t')
        };
        let line = self.last_lines().find(indented_by_tab)?;
        Some((line, "a tab cannot indent a line: use spaces".to_owned()))
    }

    /// The lines of what the parser could not finish, the last ones if they are many.
    fn unfinished(&self) -> std::ops::RangeInclusive<usize> {
        let last = self.mark.map_or(0, |(line, _)| line);
        self.start().map_or(last, |(line, _)| line).max(last.saturating_sub(MOST_LINES))..=last
    }

    /// A quotation mark inside a text, which it ends.
    fn quote_inside(&self) -> Advice {
        self.unfinished().find_map(|line| match quote_fault(self.line(line))? {
            QuoteFault::EndsEarly(quote) => Some((line, text_follows(quote))),
            QuoteFault::Open(_) => None,
        })
    }

    /// A quotation mark that is not closed, or closed before the end of the text.
    fn quote(&self) -> Advice {
        if self.message.contains("unknown escape character") || self.message.contains("hexadecimal number") {
            let (line, _) = self.mark?;
            let what = "in double quotes `\\` starts an escape such as `\\n`: use single quotes, or write `\\\\`";
            return Some((line, what.to_owned()));
        }
        let (mut i, until) = (0, self.mark.map_or(self.lines.len(), |(line, _)| line.max(1)));
        // Outside brackets, a comma after a text in quotation marks is not YAML.
        let is_block = self.message.contains("while parsing a block");
        let can_follow = |rest: &str, is_in_brackets: bool, line: usize| {
            let is_comma_wrong = is_block && !is_in_brackets && line + 1 == until;
            rest.is_empty() || rest.starts_with(['#', ':']) || !is_comma_wrong && rest.starts_with([',', ']', '}'])
        };
        while i < until.min(self.lines.len()) {
            let Some((quote, rest)) = quoted_value(self.lines[i]) else {
                i += 1;
                continue;
            };
            let first = i;
            let opening = &self.lines[i][..self.lines[i].len() - rest.len()];
            let is_in_brackets = opening.contains(['{', '[']);
            let mut after = after_quote(rest, quote);
            while after.is_none() && i + 1 < self.lines.len() {
                i += 1;
                after = after_quote(self.lines[i], quote);
            }
            match after.map(str::trim_start) {
                None => return Some((first + 1, format!("a text opened with {quote} is not closed"))),
                Some(rest) if i == first && !can_follow(rest, is_in_brackets, i) => {
                    return Some((first + 1, text_follows(quote)));
                }
                Some(rest) if !can_follow(rest, is_in_brackets, i) => {
                    return Some((first + 1, format!("a text opened with {quote} is not closed on its line")));
                }
                Some(_) => i += 1,
            }
        }
        let (line, column) = self.start().filter(|_| self.message.contains("while scanning a quoted scalar"))?;
        let quote = self.line(line).chars().nth(column.saturating_sub(1))?;
        Some((line, format!("a text opened with {quote} is not closed")))
    }

    /// A text that starts with a character that has a meaning in YAML.
    fn opening_character(&self) -> Advice {
        const WORDS: [&str; 7] = [
            "cannot start any token",
            "expected alphabetic or numeric",
            "tag",
            "directive",
            "expected comment or line break",
            "indentation indicator",
            "mapping keys are not allowed",
        ];
        let is_no_value = ["did not find expected node content", "while parsing a block node"];
        if is_no_value.iter().all(|words| self.message.contains(words)) {
            let (line, column) = self.mark?;
            let c = self.line(line).chars().nth(column.saturating_sub(1))?;
            return Some((line, format!("a text that starts with {c} must be in quotes")));
        }
        let problem = self.message.split(", while parsing a block").next().unwrap_or(self.message);
        if self.message.contains("did not find expected key") || self.message.contains("<document start>") {
            let bracket = |line: &usize| value_start(self.line(*line)).and_then(before_text);
            let (line, c) = self.last_lines().find_map(|line| Some((line, bracket(&line)?)))?;
            return Some((line, format!("a text that starts with {c} must be in quotes")));
        }
        if !WORDS.iter().any(|word| problem.contains(word)) {
            return None;
        }
        let (line, _) = self.mark?;
        let candidates = [line, self.start().map_or(line, |(line, _)| line)];
        let starts = |line: &usize| value_start(self.line(*line)).and_then(|value| value.chars().next());
        let is_special = |c: &char| "@`%*&!|>?".contains(*c);
        let (line, c) = candidates.iter().find_map(|line| Some((*line, starts(line).filter(is_special)?)))?;
        Some((line, format!("a text that starts with {c} must be in quotes")))
    }

    /// A `[` or `{` that is not closed.
    fn bracket(&self) -> Advice {
        let list = self.message.contains("expected ',' or ']'");
        let map = self.message.contains("expected ',' or '}'");
        let node = self.message.contains("while parsing a flow node");
        let token = self.message.contains("cannot start any token");
        if !list && !map && !node && !token {
            return None;
        }
        let (line, _) = self.start().or(self.mark)?;
        let opened = if list { "[" } else { "{" };
        let unquoted = |line: usize| Some((line, unquoted_text(self.line(line))?.to_owned()));
        let mut lines = line..=self.mark.map_or(line, |(line, _)| line).min(line + MOST_LINES);
        if let Some(found) = lines.clone().find_map(unquoted).filter(|_| map) {
            return Some(found);
        }
        if let Some(line) = lines.find(|line| needs_quotes(self.line(*line))) {
            return Some((line, IN_BRACES.to_owned()));
        }
        if token {
            return None;
        }
        let open = |line: usize| Some((line, quote_fault(self.line(line))?));
        if let Some((line, QuoteFault::Open(quote))) = self.unfinished().find_map(open) {
            return Some((line, format!("a text opened with {quote} is not closed on its line")));
        }
        let what = if node {
            "an item is missing beside a comma or bracket".to_owned()
        } else {
            format!("the `{opened}` of this line is not closed, or a comma is missing")
        };
        Some((line, what))
    }

    /// The last line above that should have had a key and a value, but has none.
    fn line_without_key(&self, line: usize) -> Option<usize> {
        let above = self.content_above(line)?;
        let text = self.line(above);
        let ends_open = text.trim_end().ends_with([',', '[', '{', '|', '>']);
        (colons(text) == 0 && !starts_item(text) && !ends_open && !text.contains(['\'', '"', ']', '}']))
            .then_some(above)
    }

    /// The last line above that is not empty and not a comment.
    fn content_above(&self, line: usize) -> Option<usize> {
        let is_content = |line: &usize| !matches!(self.line(*line).trim_start().chars().next(), None | Some('#'));
        (1..line).rev().find(is_content)
    }

    /// A line of a text after `key: |` that is not deeper than the key.
    fn shallow_text(&self, line: usize) -> Advice {
        let above = self.line(self.content_above(line)?);
        let content = above.split(" #").next().unwrap_or(above).trim_end();
        let opens_text = ["|", "|-", "|+", ">", ">-", ">+"].iter().any(|mark| content.ends_with(&format!(": {mark}")));
        let what = "the lines of a text after `|` must be indented deeper than its key";
        (opens_text && indent(self.line(line)) <= indent(above)).then(|| (line, what.to_owned()))
    }

    /// Whether the parser stopped at the first colon of a line: it reads the line's key as the rest of the value above.
    fn stops_at_first_colon(&self) -> bool {
        self.mark.is_some_and(|(line, column)| {
            let before: String = self.line(line).chars().take(column.saturating_sub(1)).collect();
            colons(before.trim_end_matches(':')) == 0
        })
    }

    /// Keys, lists and their indentation.
    fn structure(&self) -> Advice {
        let (line, _) = self.mark?;
        let has = |words: &str| self.message.contains(words);
        let start = self.start().map_or(line, |(line, _)| line);
        if let Some(found) = self.shallow_text(start).or_else(|| self.shallow_text(line)) {
            return Some(found);
        }
        let what = if has("mapping values are not allowed") {
            if let Some(line) = self.line_without_key(line) {
                return Some((line, "expected `key: value`, with a space after the colon".to_owned()));
            }
            if let Some(above) = self.content_above(line).filter(|_| self.stops_at_first_colon()) {
                let what = format!(
                    "this line is indented deeper than line {above}, which has a value already: indent both alike, or put a \
                     text of several lines in quotes"
                );
                return Some((line, what));
            }
            "a text that has a colon and a space must be in quotes, such as title: \"Part 1: results\""
        } else if has("could not find expected ':'") || has("<document start>") {
            let (line, _) = self.start().unwrap_or((line, 0));
            let what = "expected `key: value`, with a space after the colon";
            return Some((line, what.to_owned()));
        } else if has("block sequence entries are not allowed") {
            "a list starts on its own line, or is written [a, b]; a text that starts with - must be in quotes"
        } else if let Some(what) =
            misplaced(&self.lines, line).filter(|_| has("expected '-' indicator") || has("did not find expected key"))
        {
            return Some((line, what));
        } else if has("expected '-' indicator") {
            "expected an item of the list above, `- item`: indent this line as the others, or less to end the list"
        } else if has("did not find expected key") {
            "the indentation fits no line above: indent the keys of one map by the same number of spaces"
        } else if has("recursion limit") {
            "lists and maps are nested too deeply"
        } else if has("repetition limit") {
            "anchors (`*name`) repeat too much"
        } else {
            return None;
        };
        Some((line, what.to_owned()))
    }
}

/// A line's value: what follows `key: ` or `- `.
fn value_start(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let item = text.strip_prefix("- ").map_or(text, str::trim_start);
    let value = item.split_once(": ").map(|(_, value)| value.trim_start());
    value
        .or_else(|| (item.len() < text.len()).then_some(item))
        .or_else(|| item.starts_with(['@', '`', '%']).then_some(item))
}

/// The quotation mark that a line's value starts with, and what follows it.
fn quoted_value(line: &str) -> Option<(char, &str)> {
    let value = value_start(line)?;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    Some((quote, &value[1..]))
}
