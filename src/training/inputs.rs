//! Digests of what the outcome of a seed's training depends on.

use crate::compute::Environment;
use crate::dataset::DataSet;
use crate::digest::sha256_hex;
use crate::model::Model;
use crate::study::{Input, RunPlan};

/// The digest of what the outcome of a seed's training depends on: environment (with the version of the program's arithmetic),
/// data, normalisation of the input, layers and plan. It draws the evidence that is stored, and is part of the run cache's key.
/// The program's source is left out, so that a later version of the program draws the same evidence.
///
/// # Panics
/// On a setting that is not a finite number.
pub fn inputs_digest(
    environment: &Environment,
    given: (&DataSet, &Input),
    model: &Model,
    run: &RunPlan,
    seed: u64,
) -> String {
    let layers: Vec<_> = model.layers.iter().map(|l| (&l.name, &l.kind)).collect();
    let (data, input) = given;
    let data: Vec<_> = data.hashes().collect();
    // The outcome does not depend on the model's name or on the run's other seeds.
    let mut plan = RunPlan { seeds: vec![seed], ..run.clone() };
    plan.settings.model.clear();
    let parts = (environment, data, input, layers, plan);
    sha256_hex(serde_json::to_string(&parts).expect("plain values").as_bytes())
}

/// The SHA-256 of the indices of the chosen images, as little-endian u32.
pub fn subset_sha256(chosen: &[u32]) -> String {
    sha256_hex(&chosen.iter().flat_map(|i| i.to_le_bytes()).collect::<Vec<u8>>())
}
