//! Shared by `batch_norm1d` and `batch_norm2d`: checks, tensors, PyTorch call.

use super::layer::{self, Init, LayerError, TensorSpec, call, range, unless_default};

/// The default of `eps`.
pub(super) const EPS: f64 = 1e-5;
/// The default of `momentum`.
pub(super) const MOMENTUM: f64 = 0.1;

pub(super) fn check(eps: f64, momentum: f64) -> Result<(), LayerError> {
    layer::eps(eps)?;
    range("momentum", momentum, (0.0..=1.0).contains(&momentum), "from 0 to 1")
}

pub(super) fn parameters(input: &[usize]) -> Vec<TensorSpec> {
    let channels = [input[0]];
    vec![TensorSpec::new("weight", channels, Init::Ones), TensorSpec::new("bias", channels, Init::Zeros)]
}

pub(super) fn buffers(input: &[usize]) -> Vec<TensorSpec> {
    let channels = [input[0]];
    vec![TensorSpec::new("running_mean", channels, Init::Zeros), TensorSpec::new("running_var", channels, Init::Ones)]
}

pub(super) fn formula(input: &[usize]) -> String {
    format!("2·{}", input[0])
}

pub(super) fn pytorch(class: &str, input: &[usize], eps: f64, momentum: f64) -> String {
    let keywords = [("eps", unless_default(&EPS, &eps)), ("momentum", unless_default(&MOMENTUM, &momentum))];
    call(class, &[input[0]], &keywords)
}
