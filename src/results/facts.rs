//! The part of the results that needs no training: facts about models.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::model::{LayerKind, Model, Sizes, Window};
use crate::study::Plan;

/// Sizes of a model and of its layers.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct ModelFacts {
    /// Trainable parameters, as PyTorch counts them.
    pub parameters: u64,
    /// Values in buffers (running statistics).
    pub buffers: u64,
    /// Multiply-adds for one image, by torchinfo's convention.
    pub mult_adds: u64,
    pub sizes: Sizes,
    /// The batch size in the layers' shapes.
    pub batch: usize,
    pub layers: Vec<LayerFacts>,
}

/// A layer's row in the tables of parameters and shapes.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct LayerFacts {
    pub name: String,
    pub kind: String,
    pub parameters: u64,
    pub buffers: u64,
    pub formula: String,
    /// The window of a convolution or a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Of a `residual`: how many of the layers before it are its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_layers: Option<usize>,
    pub mult_adds: u64,
    /// Input and output shape, batch first.
    pub input_shape: Vec<usize>,
    pub output_shape: Vec<usize>,
}

impl ModelFacts {
    /// The facts of a model, with shapes for batches of the given size.
    pub fn of(model: &Model, batch: usize) -> Self {
        let with_batch = |shape: &[usize]| std::iter::once(batch).chain(shape.iter().copied()).collect();
        Self {
            parameters: model.parameter_count(),
            buffers: model.buffer_count(),
            mult_adds: model.mult_adds(),
            sizes: model.sizes(),
            batch,
            layers: model
                .layers
                .iter()
                .map(|l| LayerFacts {
                    name: l.name.clone(),
                    kind: l.kind.key().to_owned(),
                    parameters: l.parameter_count(),
                    buffers: l.buffer_count(),
                    formula: l.formula.clone(),
                    window: l.kind.config().window(),
                    inner_layers: if let LayerKind::Residual(c) = &l.kind { Some(c.layers.len()) } else { None },
                    mult_adds: l.mult_adds,
                    input_shape: with_batch(&l.input),
                    output_shape: with_batch(&l.output),
                })
                .collect(),
        }
    }
}

/// The facts of every model of a plan, with shapes for the batch size of the model's first run.
pub fn model_facts(plan: &Plan) -> IndexMap<String, ModelFacts> {
    let batch =
        |name: &str| plan.runs.values().find(|r| r.settings.model == *name).map_or(1, |r| r.settings.batch_size);
    plan.models.iter().map(|(name, model)| (name.clone(), ModelFacts::of(model, batch(name)))).collect()
}
