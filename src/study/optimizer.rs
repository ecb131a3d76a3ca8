//! Optimizers as a study configures them, with their checks.

#![expect(missing_docs, reason = "docs/study.md documents the keys of a study")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StudyError;
use super::checks::Place;
use crate::one_of::one_of;

one_of! {
    /// The update rule; names and defaults are those of `torch.optim`.
    pub enum Optimizer ("an optimizer") {
        "sgd" => Sgd(Sgd),
        "adam" => Adam(Adam),
        "adamw" => AdamW(AdamW),
        "adadelta" => Adadelta(Adadelta),
        "rmsprop" => RmsProp(RmsProp),
    }
}

/// `torch.optim.SGD`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    pub lr: f64,
    #[serde(default)]
    pub momentum: f64,
    #[serde(default)]
    pub dampening: f64,
    #[serde(default)]
    pub weight_decay: f64,
    #[serde(default)]
    pub nesterov: bool,
}

/// `torch.optim.Adam` (without amsgrad).
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    pub lr: f64,
    pub betas: [f64; 2],
    pub eps: f64,
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 0.001, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0 }
    }
}

/// `torch.optim.AdamW` (without amsgrad).
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    pub lr: f64,
    pub betas: [f64; 2],
    pub eps: f64,
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { lr: 0.001, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 }
    }
}

/// `torch.optim.Adadelta`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Adadelta {
    pub lr: f64,
    pub rho: f64,
    pub eps: f64,
    pub weight_decay: f64,
}

impl Default for Adadelta {
    fn default() -> Self {
        Self { lr: 1.0, rho: 0.9, eps: 1e-6, weight_decay: 0.0 }
    }
}

/// `torch.optim.RMSprop`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct RmsProp {
    pub lr: f64,
    pub alpha: f64,
    pub eps: f64,
    pub weight_decay: f64,
    pub momentum: f64,
    pub centered: bool,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self { lr: 0.01, alpha: 0.99, eps: 1e-8, weight_decay: 0.0, momentum: 0.0, centered: false }
    }
}

impl Optimizer {
    /// The base learning rate.
    pub fn lr(&self) -> f64 {
        match self {
            Self::Sgd(c) => c.lr,
            Self::Adam(c) => c.lr,
            Self::AdamW(c) => c.lr,
            Self::Adadelta(c) => c.lr,
            Self::RmsProp(c) => c.lr,
        }
    }

    /// Whether there is a momentum that a schedule can cycle: `momentum` of SGD and RMSprop, or Adam's first beta.
    pub(super) fn has_momentum(&self) -> bool {
        match self {
            Self::Sgd(Sgd { momentum, .. }) | Self::RmsProp(RmsProp { momentum, .. }) => *momentum > 0.0,
            Self::Adam(_) | Self::AdamW(_) => true,
            Self::Adadelta(_) => false,
        }
    }

    /// Checks the settings; `run` is the run's place in the study.
    pub(super) fn check(&self, run: &Place) -> Result<(), StudyError> {
        let place = run.at("optimizer").at(self.key());
        place.positive("lr", self.lr())?;
        match self {
            Self::Sgd(c) => {
                place.within("momentum", c.momentum, 0.0, 1.0)?;
                place.within("dampening", c.dampening, 0.0, 1.0)?;
                if c.nesterov && (c.momentum == 0.0 || c.dampening != 0.0) {
                    return place.at("nesterov").refuse("needs a momentum and no dampening");
                }
                place.not_negative("weight_decay", c.weight_decay)
            }
            Self::Adam(Adam { betas, eps, weight_decay, .. }) | Self::AdamW(AdamW { betas, eps, weight_decay, .. }) => {
                place.positive("eps", *eps)?;
                for (i, beta) in betas.iter().enumerate() {
                    let holds = (0.0..1.0).contains(beta);
                    place.require(&format!("betas[{i}]"), beta, holds, "at least 0 and below 1")?;
                }
                place.not_negative("weight_decay", *weight_decay)
            }
            Self::Adadelta(c) => {
                place.positive("eps", c.eps)?;
                place.within("rho", c.rho, 0.0, 1.0)?;
                place.not_negative("weight_decay", c.weight_decay)
            }
            Self::RmsProp(c) => {
                place.positive("eps", c.eps)?;
                place.within("alpha", c.alpha, 0.0, 1.0)?;
                place.within("momentum", c.momentum, 0.0, 1.0)?;
                place.not_negative("weight_decay", c.weight_decay)
            }
        }
    }
}
