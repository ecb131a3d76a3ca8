//! How far a verification in another environment class may differ. In the same class, nothing may differ.
//!
//! docs/verification.md has the measurements behind these numbers.

use serde::{Deserialize, Serialize};

/// The tolerances as the manifest states them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tolerances {
    /// `weights`: test images whose predicted class may differ.
    pub(crate) weights_images: usize,
    /// `weights`: relative difference of the test loss.
    pub(crate) weights_loss: f64,
    /// `weights`: difference of the confidence in a misclassified image.
    pub(crate) weights_confidence: f64,
    /// `replay`: error of a segment's displacement, relative to its length, of trainable values.
    pub(crate) replay_parameters: f64,
    /// `replay`: the same of running statistics.
    pub(crate) replay_buffers: f64,
    /// `rerun`: difference of an accuracy (0.01 is one percentage point).
    pub(crate) rerun_accuracy: f64,
    /// `rerun`: difference of a loss, relative to the larger.
    pub(crate) rerun_loss: f64,
}

/// The tolerances that `verify` applies.
pub(crate) const TOLERANCES: Tolerances = Tolerances {
    weights_images: 5,
    weights_loss: 1e-4,
    weights_confidence: 1e-3,
    replay_parameters: 0.05,
    replay_buffers: 0.05,
    rerun_accuracy: 0.02,
    rerun_loss: 0.25,
};
