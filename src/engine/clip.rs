//! Gradient clipping, as `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_`.

use tch::Tensor;

use mnist_report::arithmetic::Clipping;

/// Clips the gradients of all parameters. Reads no value on the host, so that a recorded step can contain it.
pub(super) fn clip(clipping: Clipping, gradients: &mut [Tensor]) {
    let _guard = tch::no_grad_guard();
    match clipping {
        Clipping::Norm(max_norm) => {
            let norms: Vec<Tensor> = gradients.iter().map(Tensor::norm).collect();
            let norm = Tensor::stack(&norms, 0).norm();
            let factor = (max_norm / (norm + 1e-6)).clamp_max(1.0);
            for gradient in gradients {
                let _ = gradient.g_mul_(&factor);
            }
        }
        Clipping::Value(limit) => {
            for gradient in gradients {
                let _ = gradient.clamp_(-limit, limit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Engine;
    use super::super::network::to_vec;
    use super::super::testing::{ClippingCase, clipping_cases};
    use super::*;

    #[test]
    fn clipped_gradients_agree_with_pytorch() {
        Engine::start(None, false).unwrap();
        for case in clipping_cases() {
            let ClippingCase { max_norm, clip_value, gradients, .. } = &case;
            let clipping = max_norm.map(Clipping::Norm).or(clip_value.map(Clipping::Value));
            let mut tensors: Vec<Tensor> = gradients.iter().map(|g| Tensor::from_slice(g)).collect();
            clip(clipping.expect("a limit"), &mut tensors);
            case.assert_near(&tensors.iter().map(to_vec).collect::<Vec<_>>());
        }
    }
}
