//! Tries each row of the tables in docs/errors.md, which must give the message and the exit code of the row.
//! `SNAPSHOTS=overwrite` updates messages and exit codes; edit inputs by hand.

use std::fs;
use std::path::Path;

use mnist_report::claims::check_expressions;
use mnist_report::study::{Plan, Source};

use crate::support::*;

/// The study that rows change: tests/fixtures/base.yaml.
fn base() -> String {
    fs::read_to_string(root().join("tests/fixtures/base.yaml")).unwrap()
}

/// The folder in which commands run, with the files that docs/errors.md names.
fn desk() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::write(at("base.yaml"), base()).unwrap();
    fs::write(at("base"), base()).unwrap();
    fs::write(at("notes.txt"), "mine").unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/notes.txt"), "mine").unwrap();
    fs::write(at("utf16.yaml"), base().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
    fs::write(at("windows1251.yaml"), b"title: \xc7\xe2\xb3\xf2\n").unwrap();
    fs::write(at("empty.yaml"), "").unwrap();
    fs::write(at("list.yaml"), "- 1\n").unwrap();
    fs::write(at("large.yaml"), "#".repeat(5 << 20)).unwrap();
    fs::write(at("no-base.yaml"), "extends: none.yaml\n").unwrap();
    fs::write(at("circle.yaml"), "extends: circle.yaml\n").unwrap();
    fs::write(at("no-data.yaml"), base() + "data: none\n").unwrap();
    copy_folder(&shared().0.path, &at("changed"));
    fs::write(at("changed/report.md"), "better").unwrap();
    home
}

/// The cells of a table's row; `\|` is a bar inside a cell.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    inner.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// The text of a code span.
fn span(cell: &str) -> &str {
    let cell = cell.trim();
    let double = cell.strip_prefix("`` ").and_then(|inner| inner.strip_suffix(" ``"));
    double.or_else(|| cell.strip_prefix('`')?.strip_suffix('`')).unwrap_or_else(|| panic!("no code span: {cell}"))
}

/// A text as a code span of a table's cell.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

/// An input with its escapes replaced: `\n`, `\t`, `\u{200b}`.
fn unescaped(text: &str) -> String {
    let mut text = text.replace("\\n", "\n").replace("\\t", "\t");
    while let Some((start, rest)) = text.split_once("\\u{") {
        let (hex, rest) = rest.split_once('}').unwrap();
        let c = char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap();
        text = format!("{start}{c}{rest}");
    }
    text
}

/// A text with its invisible characters escaped: `\u{200b}`.
fn escaped(text: &str) -> String {
    let shows = |c: char| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.chars().map(|c| if shows(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// Runs what a row's first cell describes: a command, a passage of the study and what replaces it, or lines added to
/// it.
fn tried(input: &str, desk: &Path) -> Done {
    if let Some(arguments) = span_of_command(input) {
        return run(program(arguments.split_whitespace()).current_dir(desk));
    }
    let study = match input.split_once(" → ") {
        Some((from, to)) => {
            let (from, to) = (unescaped(span(from)), unescaped(span(to)));
            assert!(base().contains(&from), "the study does not contain `{from}`");
            base().replacen(&from, &to, 1)
        }
        None => base() + &unescaped(span(input)) + "\n",
    };
    // Use the library, because starting the program for each row takes long.
    let source = Source::from_text(Path::new("study.yaml"), &study).map_err(|e| e.to_string());
    let checked = source.and_then(|source| {
        let plan = Plan::resolve(&source).map_err(|e| e.to_string())?;
        check_expressions(&source, &plan).map_err(|e| e.to_string())
    });
    match checked {
        Ok(()) => Done { code: 0, out: String::new(), err: String::new() },
        Err(message) => Done { code: 2, out: String::new(), err: format!("error: {message}\n") },
    }
}

fn span_of_command(input: &str) -> Option<&str> {
    (!input.contains(" → ")).then(|| span(input).strip_prefix("mnist-report ")).flatten()
}

/// A row with the message and the exit code that its input gives now.
fn renewed(row: &str, desk: &Path) -> String {
    let input = cells(row).swap_remove(0);
    let done = tried(&input, desk);
    // A verification prints its results on standard output. The lines of an error end at the first empty one.
    let lines = if done.err.is_empty() {
        vec![done.out.lines().next().unwrap_or_default()]
    } else {
        done.err.lines().take_while(|line| !line.is_empty()).collect()
    };
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
    let text = words.join(" ").replace(&format!("{}/", desk.display()), "");
    let message = escaped(text.trim_start_matches("error: "));
    assert!(done.code != 0, "{input} is not an error");
    assert!(!message.chars().any(char::is_control), "{input}: {message:?}");
    assert!(!message.contains("/tmp/"), "{input}: {message}");
    let digits = message.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    assert!(digits <= Some(20), "a number of more than 20 digits: {message}");
    format!("| {} | {} | {} |", input.replace('|', "\\|"), code(&message), done.code)
}

#[test]
fn every_row_of_the_table_of_errors_is_true() {
    let document = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let desk = desk();
    let row = |line: &str| if line.starts_with("| `") { renewed(line, desk.path()) } else { line.to_owned() };
    let all: Vec<String> = document.lines().map(row).collect();
    assert!(all.iter().filter(|line| line.starts_with("| `")).count() > 100, "the tables are read");
    golden("../../docs/errors.md", &(all.join("\n") + "\n"));
}

#[test]
fn the_study_that_rows_change_is_good() {
    let desk = desk();
    run(program(["summary", "base.yaml"]).current_dir(desk.path())).exits(0);
}
