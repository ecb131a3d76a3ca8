//! What may explain that two bundles differ, above all in what they measured.
//!
//! Training is a function of study, program and environment, so each of these that differs may explain a difference.
//! If none does, one of the bundles is wrong.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Parsed, hashes};
use crate::bundle::{EVIDENCE, LOSSES, PREDICTIONS, RESULTS, WEIGHTS};
use crate::changes::{Change, changes};
use crate::study::Study;

/// The folders of measurements.
const MEASURED: [&str; 4] = [PREDICTIONS, WEIGHTS, EVIDENCE, LOSSES];

/// The possible causes of different results.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the JSON")]
pub(crate) struct Explanation {
    pub(crate) measured_differ: bool,
    /// In models, plans, data, seeds, input or compute.
    pub(crate) studies_differ: bool,
    /// In sources, templates or lock file.
    pub(crate) programs_differ: bool,
    pub(crate) environments_differ: bool,
    /// The measured values differ, and study, program and environment do not; or files differ, and nothing of what they are made.
    pub(crate) unexplained: bool,
    /// The explanation in sentences, for people.
    pub(crate) sentences: Vec<String>,
}

pub(super) fn explain(a: &Parsed, b: &Parsed, exact: &[Change], measured_differ: bool) -> Explanation {
    let studies_differ = !exact.is_empty() || !other_differences(a, b).is_empty();
    let programs_differ = a.manifest.program.source_sha256 != b.manifest.program.source_sha256;
    let environments_differ = a.results.environment != b.results.environment;
    let unexplained = measured_differ && !studies_differ && !programs_differ && !environments_differ;
    let is_edited = !measured_differ && is_made_of_the_same(a, b);
    let mut others = if measured_differ { Vec::new() } else { measurements_that_differ(a, b) };
    // It has the models and plans, too.
    others.retain(|path| exact.is_empty() || *path != RESULTS);
    let mut sentences = Vec::new();
    let mut say = |holds: bool, sentence: &str| sentences.extend(holds.then(|| sentence.to_owned()));
    say(
        !others.is_empty(),
        &format!("The values of all runs are the same, but other measurements are not: {}.", named(&others)),
    );
    say(
        !measured_differ && !studies_differ && !is_edited && others.is_empty(),
        "The measured values are the same: only texts or files made from them differ.",
    );
    let names =
        |side: &Parsed| side.manifest.languages.all().iter().map(|lang| lang.name()).collect::<Vec<_>>().join(", ");
    let (x, y) = (names(a), names(b));
    say(x != y, &format!("The reports are in different languages (A: {x}; B: {y})."));
    say(
        !measured_differ && studies_differ,
        "The measured values are the same, though the studies differ in models, plans, data, seeds, input or compute: that has no effect \
         on them, or one of the bundles does not hold the results of its study. `mnist-report verify --upto rerun` shows which.",
    );
    say(!measured_differ && programs_differ, "The programs differ, so their texts may differ.");
    say(
        measured_differ && studies_differ,
        "The studies differ in models, plans, data, seeds, input or compute, so other values are expected.",
    );
    say(
        measured_differ && programs_differ,
        "The programs differ: build both studies with one program to see whether that is the cause.",
    );
    let classes = format!(
        "The environments differ (A: {}; B: {}): values agree within rounding at first and diverge as training \
         goes on.",
        a.results.environment, b.results.environment
    );
    say(measured_differ && environments_differ, &classes);
    say(measured_differ && !environments_differ, "The environment is the same: it explains no difference.");
    say(
        unexplained,
        "Study, program and environment are the same, so the values should be the same: at least one of these \
         bundles does not hold the results of its study. Run `mnist-report verify` on both.",
    );
    say(
        is_edited,
        "Study, images, data, program and measured values are the same, so the files should be the same: at least one of these \
         bundles was changed after it was built. Run `mnist-report verify` on both: it says where their pages differ from the values.",
    );
    let unexplained = unexplained || is_edited;
    Explanation { measured_differ, studies_differ, programs_differ, environments_differ, unexplained, sentences }
}

/// The files with measurements of which two bundles have, or list, different ones.
fn measurements_that_differ<'a>(a: &'a Parsed, b: &'a Parsed) -> Vec<&'a str> {
    let [x, y] = [a, b].map(|side| hashes(&side.bundle));
    let is_measured = |path: &&str| *path == RESULTS || MEASURED.iter().any(|folder| path.starts_with(folder));
    let paths: BTreeSet<&str> = x.keys().chain(y.keys()).copied().filter(is_measured).collect();
    paths.into_iter().filter(|path| x.get(path) != y.get(path)).collect()
}

/// The first names of a list, and how many more.
fn named(names: &[&str]) -> String {
    const MOST: usize = 3;
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ") + &more
}

/// Whether the files of two bundles are made of the same: inputs, program, environment and languages.
fn is_made_of_the_same(a: &Parsed, b: &Parsed) -> bool {
    let of = |side: &Parsed| {
        let inputs = side.manifest.inputs.iter().map(|input| (input.name.clone(), input.sha256.clone()));
        let languages = side.manifest.languages.all().iter().map(|lang| lang.name()).collect::<Vec<_>>();
        (inputs.collect::<Vec<_>>(), languages, side.manifest.program.source_sha256.clone())
    };
    of(a) == of(b) && a.results.environment == b.results.environment
}

/// Differences of the studies that change measured values and that `exact` does not list.
fn other_differences(a: &Parsed, b: &Parsed) -> Vec<Change> {
    let seeds = |side: &Parsed| -> Vec<(String, Vec<u64>)> {
        let sorted = |mut seeds: Vec<u64>| {
            seeds.sort_unstable();
            seeds
        };
        side.results.all_runs().map(|(name, run)| (name.clone(), sorted(run.seeds()))).collect()
    };
    let (x, y) = (&a.source.study, &b.source.study);
    let layers =
        |study: &Study| -> Vec<_> { study.models.iter().map(|(n, m)| (n.clone(), m.layers.clone())).collect() };
    let mut differences = changes("seeds", &seeds(a), &seeds(b));
    differences.extend(changes("layers", &layers(x), &layers(y)));
    differences.extend(changes("input", &x.input, &y.input));
    differences.extend(changes("compute", &x.compute, &y.compute));
    differences
}
