//! What a bundle says of itself: the columns of a grader's table.
//!
//! Owns reading it from bundles of any state, sound or damaged; nothing here was checked, except that the digests are
//! those of results.json and of the predictions, computed and not copied.

use serde::Serialize;

use super::Opened;
use crate::bundle::{MANIFEST, Manifest, RESULTS};
use crate::digest::sha256_hex;
use crate::engine::Environment;
use crate::results::Results;

/// A bundle's own words, absent where they cannot be read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct About {
    pub title: Option<String>,
    pub environment: Option<Environment>,
    pub measured_digest: Option<String>,
    /// The digest of all predictions, in whatever runs and bundles they stand.
    pub predictions_digest: Option<String>,
}

impl About {
    pub(super) fn of(opened: &Opened) -> Self {
        let text = |name: &str| opened.files.get(name).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let results = text(RESULTS).and_then(|text| Results::from_json(text).ok());
        Self {
            title: text(MANIFEST).and_then(|text| Manifest::from_json(text).ok()).map(|m| m.title),
            environment: results.as_ref().map(|r| r.environment.clone()),
            measured_digest: results.as_ref().map(Results::measured_digest),
            predictions_digest: predictions_digest(opened),
        }
    }
}

fn predictions_digest(opened: &Opened) -> Option<String> {
    let of_networks = opened.files.iter().filter(|(path, _)| path.starts_with("predictions/"));
    let mut hashes: Vec<String> = of_networks.map(|(_, bytes)| sha256_hex(bytes)).collect();
    hashes.sort();
    (!hashes.is_empty()).then(|| sha256_hex(hashes.join("\n").as_bytes()))
}
