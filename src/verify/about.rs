//! What a bundle states about itself, for the table of several bundles.

use serde::{Deserialize, Serialize};

use crate::bundle::{Bundle, PREDICTIONS};
use crate::compute::Environment;
use crate::digest::sha256_hex;
use crate::results::Results;

/// A bundle's own statements, `None` where they cannot be read. Nothing here is checked; the digests are computed from the
/// files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct About {
    /// The study's title.
    pub title: Option<String>,
    /// The study's author.
    pub author: Option<String>,
    /// The author's group.
    pub group: Option<String>,
    /// The environment in which the networks were trained.
    pub environment: Option<Environment>,
    /// The digest of the measured values.
    pub measured_digest: Option<String>,
    /// The runs that the bundle says diverged, each with where.
    pub diverged: Option<Vec<String>>,
    /// The digest of all predictions, which does not depend on the runs' names and order.
    pub predictions_digest: Option<String>,
}

impl About {
    pub(super) fn of(bundle: &Bundle) -> Self {
        let results = bundle.results().ok();
        let study = bundle.source(None).ok().map(|source| source.study);
        Self {
            author: study.as_ref().and_then(|study| Some(study.author.as_ref()?.to_string())),
            group: study.and_then(|study| study.group),
            title: bundle.manifest().ok().map(|manifest| manifest.title),
            measured_digest: results.as_ref().map(Results::measured_digest),
            diverged: results.as_ref().map(Results::diverged_in_words),
            environment: results.map(|results| results.environment),
            predictions_digest: predictions_digest(bundle),
        }
    }
}

fn predictions_digest(bundle: &Bundle) -> Option<String> {
    let predictions = bundle.files.iter().filter(|(path, _)| path.starts_with(PREDICTIONS));
    let mut hashes: Vec<String> = predictions.map(|(_, bytes)| sha256_hex(bytes)).collect();
    hashes.sort();
    (!hashes.is_empty()).then(|| sha256_hex(hashes.join("\n").as_bytes()))
}
