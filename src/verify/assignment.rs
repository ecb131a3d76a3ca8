//! Whether a bundle's study is the assignment: every key that the assignment does not leave free has the assignment's value.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Judgement, Status};
use crate::bundle::{Bundle, IMAGES};
use crate::claims::load_study;
use crate::digest::{sha256_hex, short};
use crate::study::{Differences, KeyDifference, Source, fixed_images, frees_names};
use crate::text::error_chain;
use crate::text::numbers::plural;
use crate::text::terminal::cut;

/// Differences of each kind that are kept, and characters of a value that are printed.
const MOST: usize = 100;
const WIDEST: usize = 80;

/// A bundle's study compared with an assignment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AssignmentResult {
    /// The assignment's file.
    pub file: String,
    /// Passed if the bundle's study is the assignment, failed if it is another study.
    pub status: Status,
    /// Why it was not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The keys that differ, the first hundred of each kind.
    #[serde(flatten)]
    pub differences: Differences,
    /// How many keys differ that must be equal.
    pub forbidden_count: usize,
    /// How many keys differ that the assignment leaves free.
    pub free_count: usize,
    /// Whether the assignment leaves author or group free.
    pub names_are_free: bool,
}

impl AssignmentResult {
    /// The result in lines: what was found, then each key that must be equal and is not, then the free keys that differ.
    pub fn lines(&self) -> Vec<String> {
        let file = &self.file;
        let free = match self.free_count {
            0 => None,
            _ => Some(format!("changed, as the assignment allows: {}", named(&self.differences.free, self.free_count))),
        };
        let languages = self.differences.languages_not_compared.join(", ");
        let not_compared = (!languages.is_empty())
            .then(|| format!("texts in {languages} were not compared, because the assignment has none: read them"));
        let first = match self.status {
            Status::NotChecked => return vec![self.why.clone().unwrap_or_default()],
            Status::Passed => format!("the study is that of {file}"),
            Status::Failed => format!(
                "not the study of {file}: {} {}",
                plural(self.forbidden_count, "key"),
                if self.forbidden_count == 1 { "differs that must be equal" } else { "differ that must be equal" }
            ),
        };
        let differing = self.differences.forbidden.iter().map(describe);
        std::iter::once(first).chain(differing).chain(free).chain(not_compared).collect()
    }

    /// The result in a few words: the first key that differs, and how many others do.
    pub fn brief(&self) -> String {
        match (self.status, self.differences.forbidden.first()) {
            (Status::Failed, Some(first)) => {
                let more = self.forbidden_count - 1;
                let more = if more > 0 { format!(" (and {})", plural(more, "more key")) } else { String::new() };
                format!("{}{more}", describe(first))
            }
            (Status::NotChecked, _) => format!("assignment not checked: {}", self.why.as_deref().unwrap_or_default()),
            _ => "assignment passed".to_owned(),
        }
    }

    /// The result in a word.
    pub fn word(&self) -> String {
        if self.status == Status::Failed { Judgement::AnotherStudy.to_string() } else { self.status.to_string() }
    }

    /// The keys that must be equal and are not.
    pub fn forbidden_keys(&self) -> String {
        named(&self.differences.forbidden, self.forbidden_count)
    }
}

/// The keys of some differences.
fn named(differences: &[KeyDifference], count: usize) -> String {
    let keys: Vec<&str> = differences.iter().map(|difference| difference.key.as_str()).collect();
    let more = count - keys.len();
    keys.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

/// Compares the study in a bundle with an assignment. `damaged` says that the bundle's files are not those of SHA256SUMS, so that
/// its study may not be the one that was handed in.
pub(super) fn check(file: &Path, bundle: &Bundle, damaged: bool) -> AssignmentResult {
    let assignment = load_study(file).map(|(assignment, _)| assignment).map_err(error_chain);
    let names_are_free = assignment.as_ref().is_ok_and(frees_names);
    let found = if damaged { Err("`files` failed".to_owned()) } else { assignment.and_then(|a| compare(&a, bundle)) };
    let (mut differences, why) = match found {
        Ok(differences) => (differences, None),
        Err(why) => (Differences::default(), Some(why)),
    };
    let (forbidden_count, free_count) = (differences.forbidden.len(), differences.free.len());
    differences.forbidden.truncate(MOST);
    differences.free.truncate(MOST);
    for difference in differences.forbidden.iter_mut().chain(&mut differences.free) {
        difference.shorten();
    }
    let status = match (&why, forbidden_count) {
        (Some(_), _) => Status::NotChecked,
        (None, 0) => Status::Passed,
        (None, _) => Status::Failed,
    };
    let file = file.display().to_string();
    AssignmentResult { file, status, why, differences, forbidden_count, free_count, names_are_free }
}

fn compare(assignment: &Source, bundle: &Bundle) -> Result<Differences, String> {
    let handed_in: Source =
        bundle.source(None).map_err(|e| format!("the bundle's study cannot be read: {}", error_chain(e)))?;
    let mut differences = Differences::between(assignment, &handed_in).map_err(error_chain)?;
    // The texts that show them are compared above.
    for (file, image) in fixed_images(assignment).map_err(error_chain)? {
        let key = format!("{IMAGES}{file}");
        if let Some(bytes) = bundle.files.get(&key).filter(|bytes| **bytes != image.bytes) {
            let hash = |bytes: &[u8]| format!("SHA-256 {}", short(&sha256_hex(bytes))).into();
            differences.forbidden.push(KeyDifference { key, assignment: hash(&image.bytes), handed_in: hash(bytes) });
        }
    }
    Ok(differences)
}

/// A difference in words.
fn describe(difference: &KeyDifference) -> String {
    let shown = |value: Option<String>| value.map_or_else(|| "nothing".to_owned(), |yaml| cut(&yaml, WIDEST));
    let [assignment, handed_in] = difference.in_yaml().map(shown);
    format!("{}: {handed_in} handed in, the assignment has {assignment}", difference.key)
}
