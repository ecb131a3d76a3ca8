//! The plan: a study's models and runs resolved and checked, before anything is trained.

use std::hash::Hash;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::assignment::check_free;
use super::checks::{self, Place};
use super::run_spec::{EarlyStopping, EvidenceSettings, ReportEpoch, RunSpec};
use super::spec::{Compute, Input};
use super::{Augment, Optimizer, Schedule, Source, StudyError};
use crate::dataset::{Candidates, DataSet, ImageOrder, Subset, choose};
use crate::model::{Layer, Model};
use crate::text::closest::unknown;

/// The cost of writing and reading one output value of a layer, in multiply-adds. Measured on two CPU cores with
/// reports/coursework.yaml and reports/ladder.yaml; in small networks it is most of the cost.
const OUTPUT_VALUE_COST: f64 = 200.0;
/// The cost of a training step besides that of its images: for each parameter its gradient and the optimizer, and in any case
/// what the smallest step takes. Measured with Adam at batch size 1, where it is nearly all of the cost.
const PARAMETER_COST: f64 = 1000.0;
const STEP_COST: f64 = 1e7;
/// The cost of reading one pixel, and of shifting and rotating it. Measured with a network of ten weights.
const PIXEL_COST: f64 = 700.0;
const AUGMENTED_PIXEL_COST: f64 = 3000.0;

/// Seeds of all runs together. A bundle has at most as many files, and each training that does not diverge has some.
pub const MAX_TRAININGS: usize = 10_000;

/// Models and runs of a study, resolved.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Plan {
    pub data: DataSet,
    pub input: Input,
    pub compute: Compute,
    pub models: IndexMap<String, Model>,
    pub runs: IndexMap<String, RunPlan>,
}

/// One run as it will be trained, for each of its seeds.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct RunPlan {
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    pub title: String,
    #[serde(flatten)]
    pub settings: RunSettings,
    pub seeds: Vec<u64>,
    /// The size of the test set.
    #[serde(skip)]
    pub test_images: usize,
    /// The cost of one seed in multiply-adds; see `Plan::seed_cost`.
    #[serde(skip)]
    pub cost: f64,
}

/// How a run is trained, with any seed. results.json stores it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/study.md documents the keys of a study")]
pub struct RunSettings {
    pub model: String,
    pub images: Subset,
    /// Size of the validation set: training images held out from training.
    pub hold_out: usize,
    pub order: ImageOrder,
    /// Training images in an epoch.
    pub image_count: usize,
    pub epochs: usize,
    pub batch_size: usize,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    /// Of the training loss; evaluations have the plain loss.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_grad_norm: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_grad_value: Option<f64>,
    /// Of training batches; evaluated images stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub augment: Option<Augment>,
    pub dropout: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_below_train_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    #[serde(default, skip_serializing_if = "ReportEpoch::is_last")]
    pub report_epoch: ReportEpoch,
    pub evaluate_train: bool,
    /// Steps from one evaluation within the training to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluate_every: Option<usize>,
    pub evidence: EvidenceSettings,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl RunSettings {
    /// Batches in an epoch; the last may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        // Settings from a bundle that is not checked yet may have a batch size of 0.
        self.image_count.div_ceil(self.batch_size.max(1))
    }

    /// Whether the run may end before its last epoch.
    pub fn may_stop_early(&self) -> bool {
        self.stop_below_train_loss.is_some() || self.early_stopping.is_some()
    }

    /// Whether the run ends early after an epoch with this training loss, so many epochs after that with the lowest validation loss.
    pub fn stops(&self, train_loss: f64, since_lowest: usize) -> bool {
        let is_low = self.stop_below_train_loss.is_some_and(|limit| train_loss < limit);
        is_low || self.early_stopping.is_some_and(|EarlyStopping { patience }| since_lowest >= patience)
    }

    /// Whether the reported network may be that of an epoch before the last planned one.
    pub fn may_report_earlier(&self) -> bool {
        self.may_stop_early() || !self.report_epoch.is_last()
    }

    /// Whether test and validation images are evaluated after this many steps of the training, within an epoch.
    pub fn is_evaluated_within(&self, step: usize) -> bool {
        // Settings from a bundle that is not checked yet may have 0 steps.
        let is_due = self.evaluate_every.is_some_and(|every| every > 0 && step > 0 && step.is_multiple_of(every));
        is_due && !step.is_multiple_of(self.steps_per_epoch().max(1))
    }

    /// The steps within some epochs after which test and validation images are evaluated.
    pub fn evaluated_steps(&self, epochs: usize) -> impl Iterator<Item = usize> {
        let last = epochs.saturating_mul(self.steps_per_epoch());
        let every = self.evaluate_every.filter(|every| *every > 0).unwrap_or(usize::MAX);
        (every..last).step_by(every).filter(|step| self.is_evaluated_within(*step))
    }

    /// The number of [`Self::evaluated_steps`], which is not counted one by one.
    pub fn evaluations_within(&self, epochs: usize) -> usize {
        let per_epoch = self.steps_per_epoch().max(1);
        let Some(every) = self.evaluate_every.filter(|every| *every > 0) else { return 0 };
        let (mut a, mut b) = (every, per_epoch);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        // Steps that end an epoch are evaluated in any case, the last one, too.
        let before_last = epochs.saturating_mul(per_epoch).saturating_sub(1);
        before_last / every - before_last / (every / a).saturating_mul(per_epoch)
    }

    /// What decides the kernels and sizes of a run's steps: two runs with the same have steps of the same cost.
    pub fn step_kind(&self) -> impl Eq + Hash + use<> {
        let optimizer = std::mem::discriminant(&self.optimizer);
        let others = [self.clip_grad_norm.is_some(), self.clip_grad_value.is_some(), self.augment.is_some()];
        (self.model.clone(), self.batch_size.min(self.image_count), self.dropout, optimizer, others)
    }
}

impl RunPlan {
    /// Resolves and checks a run.
    fn resolve(
        source: &Source,
        name: &str,
        spec: &RunSpec,
        models: &IndexMap<String, Model>,
        data: &DataSet,
    ) -> Result<Self, StudyError> {
        let place = Place::new(source, format!("runs.{name}"));
        let Some(model) = models.get(&spec.model) else {
            return place.at("model").refuse(unknown("model", &spec.model, models.keys()));
        };
        let image_count = checks::image_count(&place, &spec.train, data)?;
        checks::check_run(&place, spec, model, image_count, data)?;
        let spec = spec.clone();
        let settings = RunSettings {
            model: spec.model,
            images: spec.train.images,
            hold_out: spec.train.hold_out,
            order: spec.train.order,
            image_count,
            epochs: spec.epochs,
            batch_size: spec.batch_size,
            optimizer: spec.optimizer,
            schedule: spec.schedule,
            label_smoothing: spec.label_smoothing,
            clip_grad_norm: spec.clip_grad_norm,
            clip_grad_value: spec.clip_grad_value,
            augment: spec.augment.filter(|augment| !augment.is_identity()),
            dropout: spec.dropout,
            stop_below_train_loss: spec.stop_below_train_loss,
            early_stopping: spec.early_stopping,
            report_epoch: spec.report_epoch,
            evaluate_train: spec.evaluate_train,
            evaluate_every: spec.evaluate_every,
            evidence: spec.evidence,
        };
        let name = name.to_owned();
        let title = spec.title.unwrap_or_else(|| name.clone());
        let test_images = data.test_images;
        let mut plan = Self { title, name, settings, seeds: spec.seeds, test_images, cost: 0.0 };
        plan.cost = plan.cost_of_seed(model);
        Ok(plan)
    }

    /// The indices of the images that one of its seeds trains on; see [`choose`].
    pub fn choose(&self, train_labels: &[u8], seed: u64) -> Vec<u32> {
        choose(train_labels, &self.settings.images, self.settings.hold_out, self.settings.order, seed)
    }

    /// As [`Self::choose`], of the images that remain without the run's validation set.
    pub fn choose_from(&self, candidates: &Candidates, seed: u64) -> Vec<u32> {
        candidates.choose(&self.settings.images, self.settings.order, seed)
    }

    /// Batches in an epoch; the last one may be smaller.
    pub fn steps_per_epoch(&self) -> usize {
        self.settings.steps_per_epoch()
    }

    /// Batches in all planned epochs.
    pub fn total_steps(&self) -> usize {
        self.settings.epochs * self.steps_per_epoch()
    }

    /// Images that are evaluated after each epoch.
    pub fn evaluated_images(&self) -> usize {
        let train = if self.settings.evaluate_train { self.settings.image_count } else { 0 };
        self.test_images + self.settings.hold_out + train
    }

    /// The mean training loss over an epoch's images, given the mean loss of each of its batches.
    pub fn mean_loss(&self, batches: &[f32]) -> f64 {
        let (images, batch) = (self.settings.image_count, self.settings.batch_size);
        let size = |step: usize| (images - step * batch).min(batch);
        let weighted = batches.iter().enumerate().map(|(step, loss)| f64::from(*loss) * size(step) as f64);
        weighted.fold(0.0, |sum, loss| sum + loss) / images as f64
    }

    /// In each epoch, training images pass forward and backward (twice the cost of forward), evaluated images forward.
    fn cost_of_seed(&self, model: &Model) -> f64 {
        let RunSettings { image_count, epochs, augment, .. } = self.settings;
        let within = self.settings.evaluated_steps(epochs).count() * (self.test_images + self.settings.hold_out);
        let images = (3 * image_count + self.evaluated_images()) * epochs + within;
        let of_layer = |layer: &Layer| {
            let of_values = layer.mult_adds as f64 + OUTPUT_VALUE_COST * layer.output_values() as f64;
            of_values.max(layer.loop_cost()) + layer.fixed_cost().image
        };
        let pixels = model.input.iter().product::<usize>() as f64;
        let image = PIXEL_COST * pixels + model.layers.iter().map(of_layer).sum::<f64>();
        let augmented =
            if augment.is_some() { (image_count * epochs) as f64 * AUGMENTED_PIXEL_COST * pixels } else { 0.0 };
        let layers = model.layers.iter().map(|layer| layer.fixed_cost().step).sum::<f64>();
        let step = PARAMETER_COST * model.parameter_count() as f64 + STEP_COST + layers;
        images as f64 * image + augmented + self.total_steps() as f64 * step
    }

    /// Whether the run ends early after an epoch with this training loss. `validation_losses` are those of all epochs up to it;
    /// none if the run has no validation set.
    pub fn stops_after(&self, train_loss: f64, validation_losses: &[f64]) -> bool {
        let since_lowest = validation_losses.len().saturating_sub(first_lowest(validation_losses) + 1);
        self.settings.stops(train_loss, since_lowest)
    }

    /// The reported epoch, counted from 1, of a training with these validation losses; `None` for the last one.
    pub fn reported_epoch(&self, validation_losses: &[f64]) -> Option<usize> {
        match self.settings.report_epoch {
            ReportEpoch::Last => None,
            ReportEpoch::BestValidation => Some(first_lowest(validation_losses) + 1),
        }
    }
}

/// The index of the lowest loss, the first of equal ones; 0 if there are none.
pub fn first_lowest(losses: &[f64]) -> usize {
    (0..losses.len()).fold(0, |lowest, i| if losses[i] < losses[lowest] { i } else { lowest })
}

impl Plan {
    /// Checks a study and resolves it.
    ///
    /// # Errors
    /// The first part that does not fit, with file, line, key and value.
    pub fn resolve(source: &Source) -> Result<Self, StudyError> {
        checks::check_study(source)?;
        let data = source.study.data_set();
        let models = resolve_models(source, data.classes)?;
        let runs = resolve_runs(source, &models, &data)?;
        checks::check_epochs(source)?;
        check_trainings(source, &runs)?;
        checks::check_comparisons(source)?;
        // Before the sections, whose answers may be named after what a conclusion misspells.
        checks::check_conclusions(source)?;
        checks::check_sections(source, &runs)?;
        check_free(source)?;
        let (input, compute) = (source.study.input.clone(), source.study.compute.clone());
        Ok(Self { data, input, compute, models, runs })
    }

    /// The cost of all training and evaluation, in multiply-adds.
    pub fn cost(&self) -> f64 {
        self.runs.values().map(|run| self.seed_cost(run) * run.seeds.len() as f64).sum()
    }

    /// The cost of one seed of a run, in multiply-adds. It follows from the study alone. A run that may stop early counts
    /// with all its epochs.
    pub fn seed_cost(&self, run: &RunPlan) -> f64 {
        run.cost_of_seed(&self.models[&run.settings.model])
    }
}

fn check_trainings(source: &Source, runs: &IndexMap<String, RunPlan>) -> Result<(), StudyError> {
    let count: usize = runs.values().map(|run| run.seeds.len()).sum();
    if count > MAX_TRAININGS {
        let message = format!("{count} trainings, one for each seed of a run: at most {MAX_TRAININGS} are supported");
        return Err(source.error("runs", message));
    }
    Ok(())
}

/// More layers than this in one model take a grader's machine long to trace and draw; the deepest networks in use have a few hundred.
const MAX_LAYERS: usize = 1000;
/// Layers of all models together: each needs memory for its tables and figures.
const MAX_LAYERS_IN_ALL: usize = 20_000;

fn resolve_models(source: &Source, classes: usize) -> Result<IndexMap<String, Model>, StudyError> {
    if source.study.models.is_empty() {
        return Err(source.error("models", "holds no model"));
    }
    checks::check_names(source, "models", source.study.models.keys())?;
    let all: usize = source.study.models.values().map(|spec| spec.in_order().count()).sum();
    if all > MAX_LAYERS_IN_ALL {
        let message = format!("{all} layers in all models together: at most {MAX_LAYERS_IN_ALL} are supported");
        return Err(source.error("models", message));
    }
    let mut models = IndexMap::new();
    for (name, spec) in &source.study.models {
        let place = Place::new(source, format!("models.{name}"));
        let layers = spec.in_order().count();
        if layers > MAX_LAYERS {
            return place.at("layers").refuse(format!("{layers} layers: at most {MAX_LAYERS} are supported"));
        }
        let model = Model::resolve(name, spec, source.study.input.shape, classes).map_err(|e| {
            match e.position().and_then(|at| spec.in_order().find(|(position, _)| *position == at)) {
                Some((at, kind)) => place.at(&at.key()).error(format!("{}: {e}", kind.key())),
                None => place.at("layers").error(e.to_string()),
            }
        })?;
        models.insert(name.clone(), model);
    }
    Ok(models)
}

fn resolve_runs(
    source: &Source,
    models: &IndexMap<String, Model>,
    data: &DataSet,
) -> Result<IndexMap<String, RunPlan>, StudyError> {
    if source.study.runs.is_empty() {
        return Err(source.error("runs", "holds no run"));
    }
    let runs = &source.study.runs;
    checks::check_names(source, "runs", runs.keys())?;
    runs.iter().map(|(name, spec)| Ok((name.clone(), RunPlan::resolve(source, name, spec, models, data)?))).collect()
}

#[cfg(test)]
mod tests;
