//! What a bundle says of itself, for the table of a batch.

use serde::Serialize;

use crate::bundle::{Bundle, Contents, Manifest, PREDICTIONS};
use crate::digest::sha256_hex;
use crate::engine::Environment;
use crate::results::Results;

/// A bundle's own statements, `None` where they cannot be read. Nothing here is checked; the digests are computed from the
/// files.
#[derive(Clone, Debug, Default, Serialize)]
pub struct About {
    /// The study's title.
    pub title: Option<String>,
    /// The environment class in which the networks were trained.
    pub environment: Option<Environment>,
    /// The digest of the measured values.
    pub measured_digest: Option<String>,
    /// The digest of all predictions, which does not depend on the runs' names and order.
    pub predictions_digest: Option<String>,
}

impl About {
    /// Takes parsed contents where there are any, and otherwise parses what can be parsed.
    pub(super) fn of(bundle: &Bundle, contents: Option<&Contents>) -> Self {
        match contents {
            Some(contents) => Self::new(bundle, Some(&contents.manifest), Some(&contents.results)),
            None => Self::new(bundle, bundle.manifest().ok().as_ref(), bundle.results().ok().as_ref()),
        }
    }

    fn new(bundle: &Bundle, manifest: Option<&Manifest>, results: Option<&Results>) -> Self {
        Self {
            title: manifest.map(|m| m.title.clone()),
            environment: results.map(|r| r.environment.clone()),
            measured_digest: results.map(Results::measured_digest),
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
