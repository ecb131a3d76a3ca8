//! Learning rate schedules as a study configures them, with their checks.

#![expect(missing_docs, reason = "docs/study.md documents the keys of a study")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::Place;
use super::{Optimizer, StudyError};
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
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
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
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    pub min_lr: f64,
}

/// `OneCycleLR` with the base rate as its maximum and cosine annealing, stepped each batch. Cycles the momentum (SGD's
/// `momentum`, Adam's first beta) in the other direction unless switched off.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct OneCycle {
    pub pct_start: f64,
    pub div_factor: f64,
    pub final_div_factor: f64,
    pub cycle_momentum: bool,
    pub base_momentum: f64,
    pub max_momentum: f64,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self {
            pct_start: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            cycle_momentum: true,
            base_momentum: 0.85,
            max_momentum: 0.95,
        }
    }
}

impl Schedule {
    /// Checks the settings; `run` is the run's place in the study.
    pub(super) fn check(&self, run: &Place, optimizer: &Optimizer) -> Result<(), StudyError> {
        let place = run.at("schedule").at(self.key());
        match self {
            Self::Constant(_) => Ok(()),
            Self::Step(c) if c.step_size == 0 => place.at("step_size").refuse("0: must be at least 1 epoch"),
            Self::Step(c) => place.positive("gamma", c.gamma),
            Self::Cosine(c) => place.not_negative("min_lr", c.min_lr),
            Self::OneCycle(c) => {
                place.within("pct_start", c.pct_start, 0.0, 1.0)?;
                place.positive("div_factor", c.div_factor)?;
                place.positive("final_div_factor", c.final_div_factor)?;
                for (key, momentum) in [("base_momentum", c.base_momentum), ("max_momentum", c.max_momentum)] {
                    place.require(key, momentum, (0.0..1.0).contains(&momentum), "at least 0 and below 1")?;
                }
                if c.cycle_momentum && !optimizer.has_momentum() {
                    let name = optimizer.key();
                    let momentum = if name == "sgd" { "give it a `momentum`, or " } else { "" };
                    return place.at("cycle_momentum").refuse(format!(
                        "{name} has no momentum to cycle in this run; {momentum}set `cycle_momentum: false` here"
                    ));
                }
                Ok(())
            }
        }
    }
}
