//! Augmentation of training images as a study configures it, with its checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StudyError;
use super::checks::Place;

/// A larger shift moves most digits out of the image.
const MAX_SHIFT: f64 = 8.0;
/// Beyond this, a rotation changes what a digit is: a 6 becomes a 9.
const MAX_ROTATION: f64 = 45.0;

/// Random changes of the training images, as `torchvision.transforms.RandomAffine` with bilinear interpolation. Each image is
/// changed in another way in each epoch. Evaluated images are never changed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Shifts each image by up to this many pixels along each axis, in both directions; 0 to 8.
    pub shift: f64,
    /// Rotates each image by up to this many degrees in both directions; 0 to 45.
    pub rotate: f64,
}

impl Augment {
    /// Whether it leaves every image as it is.
    pub(crate) fn is_identity(&self) -> bool {
        self.shift == 0.0 && self.rotate == 0.0
    }

    /// Checks the settings; `run` is the run's place in the study.
    pub(super) fn check(&self, run: &Place) -> Result<(), StudyError> {
        let place = run.at("augment");
        place.within("shift", self.shift, 0.0, MAX_SHIFT)?;
        place.within("rotate", self.rotate, 0.0, MAX_ROTATION)
    }
}
