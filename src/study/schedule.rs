//! Learning rate schedules as a study configures them, with their checks.

#![expect(missing_docs, reason = "docs/study.md documents the keys of a study")]

use serde::{Deserialize, Serialize};

use super::StudyError;
use super::checks::Place;
use crate::one_of::{Nothing, one_of};

one_of! {
    /// How the learning rate changes; names are those of `torch.optim.lr_scheduler`.
    pub enum Schedule ("a schedule") {
        "constant" => Constant(Nothing),
        "step" => Step(StepLr),
        "cosine" => Cosine(Cosine),
        "one_cycle" => OneCycle(OneCycle),
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant(Nothing {})
    }
}

/// `StepLR`: multiplies the rate by gamma every step_size epochs.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct StepLr {
    pub step_size: usize,
    #[serde(default = "default_gamma")]
    pub gamma: f64,
}

fn default_gamma() -> f64 {
    0.1
}

/// `CosineAnnealingLR` over the run's epochs, from the base rate to min_lr, stepped each epoch.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    pub min_lr: f64,
}

/// `OneCycleLR` with the base rate as its maximum and cosine annealing, stepped each batch, without cycling the momentum.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct OneCycle {
    pub pct_start: f64,
    pub div_factor: f64,
    pub final_div_factor: f64,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self { pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }
}

impl Schedule {
    /// Checks the settings; `run` is the run's place in the study.
    pub(super) fn check(&self, run: &Place) -> Result<(), StudyError> {
        let place = run.at("schedule").at(self.key());
        match self {
            Self::Constant(_) => Ok(()),
            Self::Step(c) if c.step_size == 0 => place.at("step_size").refuse("0: must be at least 1 epoch"),
            Self::Step(c) => place.positive("gamma", c.gamma),
            Self::Cosine(c) => place.not_negative("min_lr", c.min_lr),
            Self::OneCycle(c) => {
                place.within("pct_start", c.pct_start, 0.0, 1.0)?;
                place.positive("div_factor", c.div_factor)?;
                place.positive("final_div_factor", c.final_div_factor)
            }
        }
    }
}
