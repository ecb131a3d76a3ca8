//! How much memory a network takes, by the conventions of the two programs that students know.

use serde::{Deserialize, Serialize};

use super::{Layer, Model};

const FLOAT: f64 = 4.0;
const MIB: f64 = 1_048_576.0;
const MEGA: f64 = 1e6;

/// Sizes by both conventions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// torchsummary 1.5: an MB is 2^20 bytes, and forward and backward is twice the outputs of the modules. Activations,
    /// pools and flatten are taken as function calls, which torchsummary does not see.
    pub torchsummary: Megabytes,
    /// torchinfo 1.8: an MB is 10^6 bytes, and forward and backward is twice the outputs of the layers with parameters.
    pub torchinfo: Megabytes,
}

/// Memory for one image in float32, in the MB of a convention.
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
        let input = self.input.iter().product::<usize>() as f64 * FLOAT;
        let params = self.parameter_count() as f64 * FLOAT;
        let outputs = |counted: fn(&&Layer) -> bool| -> f64 {
            let values: u64 = self.layers.iter().filter(counted).map(Layer::output_values).sum();
            2.0 * values as f64 * FLOAT
        };
        let modules = outputs(|layer| layer.kind.config().is_torchsummary_module());
        let weighted = outputs(|layer| !layer.parameters.is_empty());
        let megabytes = |forward_backward: f64, unit: f64| Megabytes {
            input: input / unit,
            forward_backward: forward_backward / unit,
            params: params / unit,
            total: (input + forward_backward + params) / unit,
        };
        Sizes { torchsummary: megabytes(modules, MIB), torchinfo: megabytes(weighted, MEGA) }
    }
}
