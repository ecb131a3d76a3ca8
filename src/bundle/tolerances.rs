//! How far the values that `verify` computes in another environment may differ from those of a bundle that libtorch
//! made on a GPU. Nothing else has tolerances. They do not apply if a hash or a loss shows that both computed the same
//! bits.
//!
//! docs/verification.md has the measurements behind these numbers.

use serde::{Deserialize, Serialize};

/// The tolerances as the manifest states them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tolerances {
    /// `weights`: how many test images may have another predicted class, and by how many the correct training images
    /// and the correct validation images may differ.
    pub(crate) weights_images: usize,
    /// `weights`: by how much the logit of the stated class may be below the largest one of such an image.
    pub(crate) weights_tie: f64,
    /// `weights`: relative difference of a loss: the test loss, the batch-mean loss, and the losses on the training and
    /// validation images.
    pub(crate) weights_loss: f64,
    /// `weights`: difference of the confidence of a misclassified image.
    pub(crate) weights_confidence: f64,
    /// `replay`: error of a segment's displacement divided by the displacement's norm, for the parameters.
    pub(crate) replay_parameters: f64,
    /// `replay`: the same for the buffers (running statistics).
    pub(crate) replay_buffers: f64,
    /// `replay`: difference of a batch's loss, relative to the larger of the two, or to [`SMALL_LOSS`] if both are
    /// smaller.
    pub(crate) replay_loss: f64,
    /// `rerun`: difference of an accuracy (0.01 is one percentage point).
    pub(crate) rerun_accuracy: f64,
    /// `rerun`: difference of a loss, relative to the larger of the two.
    pub(crate) rerun_loss: f64,
}

/// The tolerances that `verify` applies.
pub(crate) const TOLERANCES: Tolerances = Tolerances {
    weights_images: 5,
    weights_tie: 1e-3,
    weights_loss: 1e-4,
    weights_confidence: 1e-3,
    replay_parameters: 0.05,
    replay_buffers: 0.05,
    replay_loss: 0.05,
    rerun_accuracy: 0.02,
    rerun_loss: 0.25,
};

/// The difference of two losses below this is divided by this instead, because the relative difference of very small
/// losses consists mostly of rounding errors.
pub(crate) const SMALL_LOSS: f64 = 0.01;
