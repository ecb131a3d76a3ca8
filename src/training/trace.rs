//! Compares networks on the device with what `model` computes: shapes and numbers of values.

use indexmap::IndexMap;

use super::TrainingError;
use crate::engine::{Engine, Network, caught};
use crate::model::Model;
use crate::results::ModelFacts;
use crate::study::Plan;

/// Sends a batch through a network and compares its shapes with the stated ones.
///
/// # Errors
/// The layer and both shapes where they differ, which is a fault of this program; or a batch that libtorch cannot compute
/// on this machine.
pub fn check_trace(network: &Network, model: &Model, facts: &ModelFacts) -> Result<(), TrainingError> {
    let traces = caught(|| network.trace_shapes(facts.batch, model.input)).map_err(|reason| TrainingError::Trace {
        images: facts.batch,
        model: model.name.clone(),
        reason,
    })?;
    let differs = |difference: String| Err(TrainingError::Shapes { model: model.name.clone(), difference });
    if traces.len() != facts.layers.len() {
        return differs(format!("it has {} layers instead of {}", traces.len(), facts.layers.len()));
    }
    for (live, stated) in traces.iter().zip(&facts.layers) {
        if live.layer != stated.name || live.input != stated.input_shape || live.output != stated.output_shape {
            return differs(format!(
                "{} turns {:?} into {:?} instead of {:?} into {:?}",
                live.layer, live.input, live.output, stated.input_shape, stated.output_shape
            ));
        }
    }
    let live: u64 = network.tensors().iter().map(|t| t.values.len() as u64).sum();
    let stated = facts.parameters + facts.buffers;
    if live != stated {
        return differs(format!("it holds {live} values instead of {stated}"));
    }
    Ok(())
}

/// Checks every model of a plan, as a network on the device.
///
/// # Errors
/// See [`check_trace`].
pub fn check_models(engine: &Engine, plan: &Plan, facts: &IndexMap<String, ModelFacts>) -> Result<(), TrainingError> {
    plan.models.values().try_for_each(|model| check_trace(&Network::new(engine, model, 0), model, &facts[&model.name]))
}
