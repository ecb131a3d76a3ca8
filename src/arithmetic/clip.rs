//! Gradient clipping, between the backward pass and the optimizer, as `torch.nn.utils.clip_grad_norm_` and
//! `clip_grad_value_`.

use crate::study::RunSettings;
use kernels::clip::{clip_norm, clip_values};

/// How a run clips its gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clipping {
    /// Scales all gradients so that their norm is at most this.
    Norm(f64),
    /// Limits each value to at most this, and at least minus this.
    Value(f64),
}

impl Clipping {
    /// The clipping of a run; `None` if it has none. No run has both.
    pub fn of(settings: &RunSettings) -> Option<Self> {
        settings.clip_grad_norm.map(Self::Norm).or(settings.clip_grad_value.map(Self::Value))
    }

    /// Clips the gradients of all parameters.
    pub(super) fn clip(self, gradients: &mut [Vec<f32>]) {
        match self {
            Self::Norm(max_norm) => clip_norm(gradients, max_norm),
            Self::Value(limit) => clip_values(gradients, limit as f32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arithmetic::testing::{ClippingCase, clipping_cases};

    #[test]
    fn clipped_gradients_agree_with_pytorch() {
        for case in clipping_cases() {
            let ClippingCase { max_norm, clip_value, mut gradients, .. } = case.clone();
            let clipping = max_norm.map(Clipping::Norm).or(clip_value.map(Clipping::Value));
            clipping.expect("a limit").clip(&mut gradients);
            case.assert_near(&gradients);
        }
    }
}
