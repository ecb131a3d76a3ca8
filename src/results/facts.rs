//! The part of the results that needs no training: facts about models, and the plan of each run.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::dataset::{ImageOrder, Subset};
use crate::model::{Model, Sizes};
use crate::study::{EvidenceSettings, Optimizer, Plan, RunPlan, Schedule};

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
    pub mult_adds: u64,
    /// Input and output shape, batch first.
    pub input_shape: Vec<usize>,
    pub output_shape: Vec<usize>,
}

/// The plan of a run, as it was carried out.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "see RunPlan")]
pub struct PlanFacts {
    pub model: String,
    pub images: Subset,
    pub hold_out: usize,
    pub order: ImageOrder,
    pub image_count: usize,
    pub epochs: usize,
    pub batch_size: usize,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    pub dropout: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_below_train_loss: Option<f64>,
    pub evaluate_train: bool,
    pub evidence: EvidenceSettings,
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
                    mult_adds: l.mult_adds,
                    input_shape: with_batch(&l.input),
                    output_shape: with_batch(&l.output),
                })
                .collect(),
        }
    }
}

impl PlanFacts {
    /// The plan of a run, without its names and seeds.
    pub fn of(run: &RunPlan) -> Self {
        Self {
            model: run.model.clone(),
            images: run.images.clone(),
            hold_out: run.hold_out,
            order: run.order,
            image_count: run.image_count,
            epochs: run.epochs,
            batch_size: run.batch_size,
            optimizer: run.optimizer.clone(),
            schedule: run.schedule.clone(),
            dropout: run.dropout,
            stop_below_train_loss: run.stop_below_train_loss,
            evaluate_train: run.evaluate_train,
            evidence: run.evidence.clone(),
        }
    }
}

/// The facts of every model of a plan, with shapes for the batch size of the model's first run.
pub fn model_facts(plan: &Plan) -> IndexMap<String, ModelFacts> {
    let batch = |name: &str| plan.runs.values().find(|r| r.model == *name).map_or(1, |r| r.batch_size);
    plan.models.iter().map(|(name, model)| (name.clone(), ModelFacts::of(model, batch(name)))).collect()
}
