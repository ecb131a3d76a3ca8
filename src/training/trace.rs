//! Checks that networks on the device have the shapes and numbers of values that `model` computes.

use indexmap::IndexMap;

use super::TrainingError;
use crate::engine::{Engine, Network, caught};
use crate::model::Model;
use crate::results::ModelFacts;
use crate::study::Plan;

/// Runs a batch through a network and compares shapes and number of values with the model's facts.
///
/// # Errors
/// A difference, which is a fault of this program; or a batch that libtorch cannot compute on this machine.
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
    for (traced, computed) in traces.iter().zip(&facts.layers) {
        let same_shapes = traced.input == computed.input_shape && traced.output == computed.output_shape;
        if traced.layer != computed.name || !same_shapes {
            return differs(format!(
                "{} turns {:?} into {:?} instead of {:?} into {:?}",
                traced.layer, traced.input, traced.output, computed.input_shape, computed.output_shape
            ));
        }
    }
    let held: u64 = network.tensors().iter().map(|t| t.values.len() as u64).sum();
    let computed = facts.parameters + facts.buffers;
    if held != computed {
        return differs(format!("it holds {held} values instead of {computed}"));
    }
    Ok(())
}

/// Checks the network of every model of a plan; see [`check_trace`].
///
/// # Errors
/// See [`check_trace`].
pub fn check_models(engine: &Engine, plan: &Plan, facts: &IndexMap<String, ModelFacts>) -> Result<(), TrainingError> {
    plan.models.values().try_for_each(|model| check_trace(&Network::new(engine, model, 0), model, &facts[&model.name]))
}
