//! SHA256SUMS: the list that `sha256sum -c` checks. Its own hash is the Report ID.
//!
//! Only one form is accepted (sorted by path, two spaces, a newline after each line), so that every changed byte is
//! detected.

use std::collections::BTreeMap;
use std::fmt;

use super::{Files, is_valid_path};
use crate::digest::sha256_hex;

/// Hashes by path.
#[derive(Debug, PartialEq)]
pub(crate) struct Sums(pub(crate) BTreeMap<String, String>);

impl Sums {
    /// The sums of some files.
    pub(crate) fn of(files: &Files) -> Self {
        Self(files.iter().map(|(path, bytes)| (path.clone(), sha256_hex(bytes))).collect())
    }

    /// Parses SHA256SUMS. Fails with the reason if the format is not the one that this program writes, or if a path
    /// leads out of the folder.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut sums = BTreeMap::new();
        for (i, line) in text.lines().enumerate() {
            let entry = line.split_once("  ").filter(|(hash, path)| is_sha256(hash) && is_valid_path(path));
            let (hash, path) = entry.ok_or_else(|| format!("line {} is not `hash  path`", i + 1))?;
            if sums.insert(path.to_owned(), hash.to_owned()).is_some() {
                return Err(format!("{path} is listed twice"));
            }
        }
        let sums = Self(sums);
        if sums.0.is_empty() || sums.to_string() != text {
            return Err("is not in the form that mnist-report writes".to_owned());
        }
        Ok(sums)
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.iter().try_for_each(|(path, hash)| writeln!(f, "{hash}  {path}"))
    }
}

/// The Report ID: the SHA-256 of SHA256SUMS.
pub(crate) fn report_id(sums: &[u8]) -> String {
    sha256_hex(sums)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        let files: Files = [("a.txt".to_owned(), b"x".to_vec()), ("d/b".to_owned(), b"y".to_vec())].into();
        let text = Sums::of(&files).to_string();
        assert_eq!(Sums::parse(&text).unwrap(), Sums::of(&files));
        let lines: Vec<&str> = text.lines().collect();
        for bad in [
            text.trim_end().to_owned(),
            format!("{text}\n"),
            text.to_uppercase(),
            text.replace("  ", " "),
            text.replace("  ", " *"),
            text.replace("a.txt", "../a.txt"),
            text.replace("a.txt", "/a.txt"),
            text.replace('\n', "\r\n"),
            format!("{}\n{}\n", lines[1], lines[0]),
            format!("{}\n{}\n", lines[0], lines[0]),
            String::new(),
        ] {
            assert!(Sums::parse(&bad).is_err(), "{bad}");
        }
    }
}
