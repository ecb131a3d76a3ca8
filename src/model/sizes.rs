//! How much memory a network takes, by the conventions of torchsummary and torchinfo.

use serde::{Deserialize, Serialize};

use super::{Layer, Model};

const BYTES_PER_VALUE: f64 = 4.0;
const MEBIBYTE: f64 = 1_048_576.0;
const MEGABYTE: f64 = 1e6;

/// A network's sizes by both conventions. The size of the forward and backward pass is twice that of some layers'
/// outputs: once for the values, once for their gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// torchsummary 1.5: an MB is 2^20 bytes, and the layers counted are those of
    /// `LayerConfig::is_torchsummary_module`.
    pub torchsummary: Megabytes,
    /// torchinfo 1.8: an MB is 10^6 bytes, and the layers counted are those with parameters.
    pub torchinfo: Megabytes,
}

/// Memory for one image in float32, in the megabytes of one convention.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those that both programs print")]
pub struct Megabytes {
    pub input: f64,
    pub forward_backward: f64,
    pub params: f64,
    pub total: f64,
}

impl Model {
    /// Memory for one image in float32.
    pub fn sizes(&self) -> Sizes {
        let input = self.input.iter().product::<usize>() as f64 * BYTES_PER_VALUE;
        let params = self.parameter_count() as f64 * BYTES_PER_VALUE;
        let twice_outputs = |is_counted: fn(&&Layer) -> bool| -> f64 {
            let values: u64 = self.layers.iter().filter(is_counted).map(Layer::output_values).sum();
            2.0 * values as f64 * BYTES_PER_VALUE
        };
        let torchsummary = twice_outputs(|layer| layer.kind.config().is_torchsummary_module());
        let torchinfo = twice_outputs(|layer| !layer.parameters.is_empty());
        let megabytes = |forward_backward: f64, megabyte: f64| Megabytes {
            input: input / megabyte,
            forward_backward: forward_backward / megabyte,
            params: params / megabyte,
            total: (input + forward_backward + params) / megabyte,
        };
        Sizes { torchsummary: megabytes(torchsummary, MEBIBYTE), torchinfo: megabytes(torchinfo, MEGABYTE) }
    }
}
