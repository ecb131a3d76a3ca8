//! What may explain that two bundles measured different values.
//!
//! Owns the judgement: training is a function of study, program and environment class, so that each of these which
//! differs explains a difference, and where none does there is none to be explained.

use serde::Serialize;

use super::Read;
use crate::changes::{Change, changes};

/// Which causes of different results there are.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub measured_differ: bool,
    /// The studies differ in models, plans, seeds, input or compute.
    pub studies_differ: bool,
    pub programs_differ: bool,
    pub environments_differ: bool,
    /// The measured values differ and nothing above does.
    pub unexplained: bool,
    pub sentences: Vec<String>,
}

pub(super) fn explain(a: &Read, b: &Read, exact: &[Change], measured_differ: bool) -> Explanation {
    let studies_differ = !exact.is_empty() || !beyond_exact(a, b).is_empty();
    let programs_differ = a.manifest.program.source_sha256 != b.manifest.program.source_sha256;
    let environments_differ = a.results.environment != b.results.environment;
    let unexplained = measured_differ && !studies_differ && !programs_differ && !environments_differ;
    let mut sentences = Vec::new();
    let mut say = |said: bool, sentence: String| sentences.extend(said.then_some(sentence));
    say(!measured_differ, "The measured values are the same.".into());
    say(
        measured_differ && studies_differ,
        "The studies differ in models, plans, seeds, input or compute: other values are to be expected.".into(),
    );
    say(
        measured_differ && programs_differ,
        "The programs differ: build both with one of them to see whether that is why.".into(),
    );
    say(
        measured_differ && environments_differ,
        format!(
            "The environment classes differ (A: {}; B: {}): values agree within rounding at first and part as training \
             goes on.",
            a.results.environment, b.results.environment
        ),
    );
    say(
        measured_differ && !environments_differ,
        "The environment class is the same: it explains no difference.".into(),
    );
    say(
        unexplained,
        "Study, program and environment class are the same, so the same values were to be expected: at least one of \
         these bundles is not what its study gives. `mnist-report verify` both."
            .into(),
    );
    Explanation { measured_differ, studies_differ, programs_differ, environments_differ, unexplained, sentences }
}

/// Differences of the studies that reach the measured values and are not among the exact ones.
fn beyond_exact(a: &Read, b: &Read) -> Vec<Change> {
    let seeds = |r: &Read| -> Vec<(String, Vec<u64>)> {
        r.results.runs.iter().map(|(name, run)| (name.clone(), run.seeds.iter().map(|s| s.seed).collect())).collect()
    };
    let layers = |r: &Read| -> Vec<_> { r.study.models.iter().map(|(n, m)| (n.clone(), m.layers.clone())).collect() };
    let mut differences = changes("seeds", &seeds(a), &seeds(b));
    differences.extend(changes("layers", &layers(a), &layers(b)));
    differences.extend(changes("input", &a.study.input, &b.study.input));
    differences.extend(changes("compute", &a.study.compute, &b.study.compute));
    differences
}
