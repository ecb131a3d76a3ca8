//! How far a verification on another kind of machine may be off. Within one environment class nothing may.
//!
//! Owns the numbers; docs/verification.md has the measurements that they come from.

use serde::{Deserialize, Serialize};

/// What the manifest states of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerances {
    /// `weights`: test images whose predicted class may differ.
    pub weights_images: usize,
    /// `weights`: relative difference of the test loss.
    pub weights_loss: f64,
    /// `weights`: difference of a misread image's confidence.
    pub weights_confidence: f64,
    /// `replay`: error of a segment's displacement, relative to its length, of trainable values.
    pub replay_parameters: f64,
    /// `replay`: the same of running statistics.
    pub replay_buffers: f64,
    /// `rerun`: difference of an accuracy, in shares (0.01 is one percentage point).
    pub rerun_accuracy: f64,
    /// `rerun`: difference of a loss, relative to the larger.
    pub rerun_loss: f64,
}

/// The tolerances in force.
pub const TOLERANCES: Tolerances = Tolerances {
    weights_images: 5,
    weights_loss: 1e-4,
    weights_confidence: 1e-3,
    replay_parameters: 0.05,
    replay_buffers: 0.05,
    rerun_accuracy: 0.02,
    rerun_loss: 0.25,
};
