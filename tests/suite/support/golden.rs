//! Golden files: compares the program's output with the files in tests/golden.
//!
//! `SNAPSHOTS=overwrite make test` updates them.

use std::fmt::Write as _;

use snapbox::Assert;
use snapbox::data::{Data, DataFormat};

use super::{Done, root};

/// Compares a text with a golden file, or writes the file if SNAPSHOTS is `overwrite`.
#[track_caller]
pub fn golden(name: &str, actual: &str) {
    let path = root().join("tests/golden").join(name);
    let expected = Data::read_from(&path, Some(DataFormat::Text));
    // Backslashes are part of Markdown here, not of paths.
    Assert::new().action_env("SNAPSHOTS").normalize_paths(false).eq(redacted(actual), expected);
}

/// Replaces what differs between two machines or two versions of the source: hashes, paths, the version.
fn redacted(text: &str) -> String {
    let mut text = text.replace(&format!("mnist-report {}", env!("CARGO_PKG_VERSION")), "mnist-report [VERSION]");
    // A random name made by `tempfile`: `.tmp` and six characters.
    let temporary = std::env::temp_dir().join(".tmp").to_str().unwrap().to_owned();
    while let Some(at) = text.find(&temporary) {
        text.replace_range(at..at + temporary.len() + 6, "[TMP]");
    }
    text = text.replace(root().to_str().unwrap(), "[REPOSITORY]");
    let mut short = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let hex = part.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        short += &match hex.len() {
            64 => part.replace(hex, "[SHA-256]"),
            // The start of one, as messages print it.
            12 => part.replace(hex, "[HASH]"),
            _ => part.to_owned(),
        };
    }
    short
}

/// Messages of the program, each with its cause: the text of one golden file.
#[derive(Default)]
pub struct Messages(String);

impl Messages {
    /// Adds the exit code and the message of a run; of a verification, the rungs that were checked.
    pub fn add(&mut self, provoked_by: &str, done: &Done) {
        let message = if done.err.is_empty() { &done.out } else { &done.err };
        writeln!(self.0, "{}\n  exit code {}", provoked_by.replace('\n', "\\n"), done.code).unwrap();
        let unchecked = |line: &str| {
            line.contains(" not checked ") || line.starts_with("Report ID ") || line.starts_with("Proven: ")
        };
        for line in message.lines().filter(|line| !unchecked(line)) {
            writeln!(self.0, "  {line}").unwrap();
        }
        self.0.push('\n');
    }

    /// Adds an error of the library, as the program prints it.
    pub fn add_error(&mut self, provoked_by: &str, message: &str) {
        let err = format!("error: {message}\n");
        self.add(provoked_by, &Done { code: 2, out: String::new(), err });
    }

    /// Compares the messages with a file in tests/golden/messages.
    #[track_caller]
    pub fn golden(&self, name: &str) {
        golden(&format!("messages/{name}.txt"), &self.0);
    }
}

/// The visible text of an HTML page: a line for each block, cells of a row between bars, no figures, no styles.
pub fn page_text(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text += &collapsed(&rest[..start]);
        let tag = &rest[start..];
        let name: String = tag[1..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        let end = match &*name {
            "style" | "svg" | "head" | "script" => {
                let close = format!("</{name}>");
                if name == "svg" {
                    text += "\n[figure]\n";
                }
                tag.find(&close).map_or(tag.len(), |at| at + close.len())
            }
            _ => tag.find('>').map_or(tag.len(), |at| at + 1),
        };
        // Inline tags do not end a line; a cell starts with a bar; every other tag ends the line.
        match name.trim_start_matches('/') {
            "a" | "abbr" | "b" | "bdi" | "code" | "em" | "i" | "q" | "small" | "span" | "strong" | "sub" | "sup" => {}
            "td" | "th" => text += if name.starts_with('/') { "" } else { " | " },
            _ => text.push('\n'),
        }
        rest = &tag[end..];
    }
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ];
    let text = entities.iter().fold(text, |text, (entity, c)| text.replace(entity, c));
    text.lines().map(str::trim).filter(|line| !line.is_empty()).fold(String::new(), |all, line| all + line + "\n")
}

/// Text with each run of white space as one space.
fn collapsed(text: &str) -> String {
    let mut short = String::new();
    for c in text.chars() {
        let space = c.is_ascii_whitespace();
        if !(space && short.ends_with(' ')) {
            short.push(if space { ' ' } else { c });
        }
    }
    short
}
