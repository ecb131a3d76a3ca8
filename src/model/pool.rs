//! Shared by max and average pooling: settings, checks, shape, PyTorch call.

use super::layer::{LayerError, call, function, image, positive, unless_default, window};
use super::settings::Pair;

pub(super) fn check(kernel_size: usize, stride: usize, padding: usize) -> Result<(), LayerError> {
    positive("kernel_size", kernel_size)?;
    positive("stride", stride)?;
    if padding > kernel_size / 2 { Err(LayerError::Padding { padding, kernel_size }) } else { Ok(()) }
}

pub(super) fn output_shape(
    input: &[usize],
    kernel_size: usize,
    stride: usize,
    padding: usize,
) -> Result<Vec<usize>, LayerError> {
    let (channels, height, width) = image(input)?;
    let [height, width] = [height, width].map(|n| n + 2 * padding);
    match window([height, width], [kernel_size; 2], [stride; 2]) {
        Some([rows, columns]) => Ok(vec![channels, rows, columns]),
        None => Err(LayerError::Kernel { kernel_size: Pair::square(kernel_size), height, width }),
    }
}

/// Where windows overlap, a value of a window takes as long as 250 multiply-adds. Otherwise each value of the input is read once, which
/// the cost of the layer before covers.
pub(super) fn loop_cost(kernel_size: usize, stride: usize, output: &[usize]) -> f64 {
    let window = if stride < kernel_size { (kernel_size * kernel_size) as f64 } else { 0.0 };
    250.0 * window * output.iter().map(|&n| n as f64).product::<f64>()
}

pub(super) fn pytorch(class: &str, kernel_size: usize, stride: usize, padding: usize) -> String {
    call(class, &[kernel_size], &keywords(kernel_size, stride, padding))
}

pub(super) fn pytorch_function(name: &str, x: &str, kernel_size: usize, stride: usize, padding: usize) -> String {
    function(name, x, &[kernel_size], &keywords(kernel_size, stride, padding))
}

fn keywords(kernel_size: usize, stride: usize, padding: usize) -> [(&'static str, Option<String>); 2] {
    [("stride", unless_default(&kernel_size, &stride)), ("padding", unless_default(&0, &padding))]
}

/// Defines a pooling layer: its documentation, its name, its names in `torch.nn` and `torch.nn.functional`, and whether a
/// pool passes shifts of channels.
macro_rules! pool_layer {
    (
        $(#[$doc:meta])*
        $Name:ident, $class:literal, $function:literal,
        passes_channel_shifts: $passes:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, JsonSchema, Serialize, PartialEq)]
        #[serde(deny_unknown_fields)]
        pub struct $Name {
            pub name: Option<String>,
            #[serde(deserialize_with = "side")]
            #[schemars(with = "Pair")]
            pub kernel_size: usize,
            #[serde(default, deserialize_with = "optional_side")]
            #[schemars(with = "Option<Pair>")]
            pub stride: Option<usize>,
            #[serde(default, deserialize_with = "side")]
            #[schemars(with = "Pair")]
            pub padding: usize,
        }

        impl $Name {
            /// The stride in effect, in pixels.
            pub fn stride(&self) -> usize {
                self.stride.unwrap_or(self.kernel_size)
            }
        }

        impl LayerConfig for $Name {
            named!("pool");

            fn check(&self) -> Result<(), LayerError> {
                pool::check(self.kernel_size, self.stride(), self.padding)
            }

            fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, LayerError> {
                pool::output_shape(input, self.kernel_size, self.stride(), self.padding)
            }

            fn window(&self) -> Option<Window> {
                Some(Window::square(self.kernel_size, self.stride(), self.padding))
            }

            fn loop_cost(&self, _input: &[usize], output: &[usize]) -> f64 {
                pool::loop_cost(self.kernel_size, self.stride(), output)
            }

            fn fixed_cost(&self) -> crate::model::layer::FixedCost {
                crate::model::layer::FixedCost { image: 1.2e5, step: 5.5e7 }
            }

            fn padding(&self) -> [usize; 2] {
                [2 * self.padding; 2]
            }

            fn pytorch(&self, _input: &[usize]) -> String {
                pool::pytorch($class, self.kernel_size, self.stride(), self.padding)
            }

            fn pytorch_function(&self, x: &str) -> Option<String> {
                Some(pool::pytorch_function($function, x, self.kernel_size, self.stride(), self.padding))
            }

            fn passes_channel_shifts(&self) -> bool {
                let passes: fn(&Self) -> bool = $passes;
                passes(self)
            }
        }
    };
}
pub(super) use pool_layer;
