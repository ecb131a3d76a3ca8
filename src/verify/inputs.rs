//! Rung `inputs`: the data are the canonical MNIST, the study is the one named, the manifest agrees with itself.

use std::collections::BTreeSet;

use super::{Outcome, Read, json_differences};
use crate::bundle::{self, MANIFEST, RUN_LOG, SOURCE_SHA256, STUDY, SUMS};
use crate::digest::sha256_hex;
use crate::report::Templates;
use crate::study::is_date;

pub fn check(read: &Read) -> Outcome {
    let manifest = &read.manifest;
    let study = &read.opened.files[STUDY];
    let mut differences = Vec::new();
    let mut said = Vec::new();
    // Templates, program and libtorch may be others than this machine's: that is said, not failed.
    let expected = bundle::inputs(study, &Templates::built_in());
    let firm = expected.iter().take_while(|i| i.name != "templates").count();
    if manifest.inputs.len() != expected.len() {
        differences.push(format!("{MANIFEST} lists {} inputs where {} belong", manifest.inputs.len(), expected.len()));
    }
    for (stated, expected) in manifest.inputs.iter().zip(&expected).take(firm) {
        if stated != expected {
            let what = if expected.name == STUDY { "the bundle's study" } else { "canonical MNIST" };
            differences.push(format!("{} is not {what}: {} has {}", expected.name, MANIFEST, stated.sha256));
        }
    }
    if bundle::inputs_digest(&manifest.inputs) != manifest.digests.inputs {
        differences.push(format!("{MANIFEST}: the inputs digest is not that of its inputs"));
    }
    differences.extend(json_differences("environment", &manifest.environment, &read.results.environment));
    if manifest.title != read.source.study.title {
        differences.push(format!("{MANIFEST}: the title is not the study's"));
    }
    let date = &read.source.study.date;
    if date.is_some() && manifest.date != *date {
        differences.push(format!("{MANIFEST}: the date is not the study's"));
    }
    if manifest.date.as_deref().is_some_and(|date| !is_date(date)) {
        differences.push(format!("{MANIFEST}: the date is none, as 2026-01-31 is one"));
    }
    let held = read.opened.files.keys().filter(|p| *p != SUMS && *p != RUN_LOG);
    let listed: BTreeSet<&String> = held.chain(read.opened.left_out.keys()).collect();
    if !manifest.files.iter().eq(listed) {
        differences.push(format!("{MANIFEST}: its list of files is not the bundle's"));
    }
    if !differences.is_empty() {
        return Outcome::Failed(differences);
    }
    said.push(format!("canonical MNIST; study SHA-256 {}", sha256_hex(study)));
    let program = &manifest.program;
    if program.source_sha256 != SOURCE_SHA256 {
        said.push(format!(
            "built by {} {} (source {}), another program than this one ({})",
            program.name,
            program.version,
            short(&program.source_sha256),
            short(SOURCE_SHA256)
        ));
    }
    said.push(format!("environment: {}", manifest.environment));
    Outcome::Passed(said)
}

/// The first digits of a hash, enough to tell two apart.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
