//! What a bundle says of itself: the columns of a grader's table.
//!
//! Owns reading it from bundles of any state, sound or damaged; nothing here was checked, except that the measured
//! digest is that of results.json, computed and not copied.

use serde::Serialize;

use super::Opened;
use crate::bundle::{MANIFEST, Manifest, RESULTS};
use crate::engine::Environment;
use crate::results::Results;

/// A bundle's own words, absent where they cannot be read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct About {
    pub title: Option<String>,
    pub environment: Option<Environment>,
    pub measured_digest: Option<String>,
}

impl About {
    pub(super) fn of(opened: &Opened) -> Self {
        let text = |name: &str| opened.files.get(name).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let results = text(RESULTS).and_then(|text| Results::from_json(text).ok());
        Self {
            title: text(MANIFEST).and_then(|text| Manifest::from_json(text).ok()).map(|m| m.title),
            environment: results.as_ref().map(|r| r.environment.clone()),
            measured_digest: results.as_ref().map(Results::measured_digest),
        }
    }
}
