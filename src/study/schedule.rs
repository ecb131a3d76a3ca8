//! Learning rate schedules as a study configures them, with their checks.

#![expect(missing_docs, reason = "docs/study.md documents the keys of a study")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::Place;
use super::{Optimizer, StudyError};
use crate::one_of::{Nothing, one_of};
use crate::text::numbers::plural;

one_of! {
    /// How the learning rate changes; names are those of `torch.optim.lr_scheduler`.
    pub enum Schedule ("a schedule") {
        "constant" => Constant(Nothing),
        "step" => Step(StepLr),
        "cosine" => Cosine(Cosine),
        "one_cycle" => OneCycle(OneCycle),
        "reduce_on_plateau" => ReduceOnPlateau(ReduceOnPlateau),
        "warmup" => Warmup(Warmup),
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

/// `OneCycleLR` with the base rate as its maximum and cosine annealing, stepped each batch. Cycles the momentum (`momentum`
/// of SGD and RMSprop, Adam's first beta) in the other direction unless switched off.
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

/// `ReduceLROnPlateau` of the validation loss: multiplies the rate by factor when more than patience epochs in a row have not
/// lowered the lowest validation loss by the relative threshold. Needs `hold_out`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ReduceOnPlateau {
    pub factor: f64,
    pub patience: usize,
    pub threshold: f64,
    pub min_lr: f64,
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        Self { factor: 0.1, patience: 10, threshold: 1e-4, min_lr: 0.0 }
    }
}

/// `LinearLR` over the first steps, from start_factor of the base rate to the base rate, then another schedule, whose epochs
/// count from there, as `SequentialLR` does.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Warmup {
    pub steps: usize,
    #[serde(default = "default_start_factor")]
    pub start_factor: f64,
    #[serde(default)]
    pub then: Box<Schedule>,
}

fn default_start_factor() -> f64 {
    1.0 / 3.0
}

impl Schedule {
    /// Whether the rate depends on the validation losses of the epochs before.
    pub fn follows_validation(&self) -> bool {
        matches!(self, Self::ReduceOnPlateau(_))
    }

    /// Checks the settings; `run` is the run's place in the study, `steps` the number of its steps.
    pub(super) fn check(&self, run: &Place, optimizer: &Optimizer, steps: usize) -> Result<(), StudyError> {
        self.check_at(&run.at("schedule"), optimizer, steps)
    }

    fn check_at(&self, place: &Place, optimizer: &Optimizer, steps: usize) -> Result<(), StudyError> {
        let place = place.at(self.key());
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
                    let momentum = if matches!(optimizer, Optimizer::Sgd(_) | Optimizer::RmsProp(_)) {
                        "give it a `momentum`, or "
                    } else {
                        ""
                    };
                    return place.at("cycle_momentum").refuse(format!(
                        "{name} has no momentum to cycle in this run; {momentum}set `cycle_momentum: false` here"
                    ));
                }
                Ok(())
            }
            Self::ReduceOnPlateau(c) => {
                place.require("factor", c.factor, 0.0 < c.factor && c.factor < 1.0, "above 0 and below 1")?;
                place.within("threshold", c.threshold, 0.0, 1.0)?;
                place.not_negative("min_lr", c.min_lr)
            }
            Self::Warmup(c) => c.check(&place, optimizer, steps),
        }
    }
}

impl Warmup {
    fn check(&self, place: &Place, optimizer: &Optimizer, steps: usize) -> Result<(), StudyError> {
        if self.steps == 0 {
            return place.at("steps").refuse("0: must be at least 1");
        }
        if self.steps >= steps {
            let (all, advice) =
                (plural(steps, "step"), if steps > 1 { "warm up over fewer" } else { "too few to warm up" });
            return place.at("steps").refuse(format!("{}: the run has {all} in all; {advice}", self.steps));
        }
        let start = self.start_factor;
        place.require("start_factor", start, 0.0 < start && start <= 1.0, "above 0 and at most 1")?;
        let then = place.at("then");
        match &*self.then {
            Schedule::Warmup(_) | Schedule::OneCycle(_) | Schedule::ReduceOnPlateau(_) => then
                .refuse(format!("`{}` cannot follow a warm-up; `constant`, `step` and `cosine` can", self.then.key())),
            other => other.check_at(&then, optimizer, steps),
        }
    }
}
