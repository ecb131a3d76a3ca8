//! Checks that networks on the device have the shapes and numbers of values that `model` computes.

use indexmap::IndexMap;

use super::TrainingError;
use crate::arithmetic::trace_shapes;
use crate::failure::caught;
use crate::model::Model;
use crate::results::ModelFacts;
use crate::study::Plan;

/// Runs a batch through a network and compares shapes and number of values with the model's facts.
///
/// # Errors
/// A difference, which is a fault of this program; or a batch that this machine's memory cannot hold.
pub fn check_trace(model: &Model, facts: &ModelFacts) -> Result<(), TrainingError> {
    let traces = caught(|| trace_shapes(model, facts.batch)).map_err(|reason| TrainingError::Trace {
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
    Ok(())
}

/// Checks the network of every model of a plan; see [`check_trace`].
///
/// # Errors
/// See [`check_trace`].
pub fn check_models(plan: &Plan, facts: &IndexMap<String, ModelFacts>) -> Result<(), TrainingError> {
    plan.models.values().try_for_each(|model| check_trace(model, &facts[&model.name]))
}
