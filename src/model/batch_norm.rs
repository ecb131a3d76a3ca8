//! Shared by `batch_norm1d` and `batch_norm2d`: settings, checks, tensors, PyTorch call.

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

/// Defines a batch normalisation: its documentation, its name, its name in `torch.nn`, the shape of its input, and the error
/// for another shape.
macro_rules! batch_norm_layer {
    ($(#[$doc:meta])* $Name:ident, $class:literal, $shape:pat, LayerError::$Other:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
        #[serde(default, deny_unknown_fields)]
        pub struct $Name {
            pub name: Option<String>,
            pub eps: f64,
            pub momentum: f64,
        }

        impl Default for $Name {
            fn default() -> Self {
                Self { name: None, eps: batch_norm::EPS, momentum: batch_norm::MOMENTUM }
            }
        }

        impl LayerConfig for $Name {
            named!("bn");

            fn fixed_cost(&self) -> crate::model::layer::FixedCost {
                crate::model::layer::FixedCost { image: 8e4, step: 1e7 }
            }

            fn check(&self) -> Result<(), LayerError> {
                batch_norm::check(self.eps, self.momentum)
            }

            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
                match input {
                    $shape => Ok(input.to_vec()),
                    _ => Err(LayerError::$Other { input: input.to_vec() }),
                }
            }

            fn parameters(&self, input: &[usize]) -> Vec<TensorSpec> {
                batch_norm::parameters(input)
            }

            fn buffers(&self, input: &[usize]) -> Vec<TensorSpec> {
                batch_norm::buffers(input)
            }

            fn formula(&self, input: &[usize]) -> String {
                batch_norm::formula(input)
            }

            fn is_torchsummary_module(&self) -> bool {
                true
            }

            fn is_normalisation(&self) -> bool {
                true
            }

            fn pytorch(&self, input: &[usize]) -> String {
                batch_norm::pytorch($class, input, self.eps, self.momentum)
            }

            fn cancels_channel_shifts(&self) -> bool {
                true
            }

            fn has_channel_bias(&self) -> bool {
                true
            }
        }
    };
}
pub(super) use batch_norm_layer;
