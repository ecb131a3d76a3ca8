//! How much memory a network takes, by the conventions of the two summaries that students know.
//!
//! Owns the two conventions; printing is `report`'s.

use serde::{Deserialize, Serialize};

use super::Model;
use crate::study::LayerKind;

const FLOAT: f64 = 4.0;
const MIB: f64 = 1_048_576.0;
const MEGA: f64 = 1e6;

/// Sizes by both conventions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// torchsummary 1.5: "MB" is 2^20 bytes; forward and backward is twice the outputs of the modules. As in
    /// the notes' program, convolutions, normalisations, dropout and linear layers are modules; activations,
    /// pooling and flatten are functions, which torchsummary does not see.
    pub torchsummary: Megabytes,
    /// torchinfo 1.8: "MB" is 10^6 bytes; forward and backward is twice the outputs of the layers that have
    /// parameters.
    pub torchinfo: Megabytes,
}

/// What one image's pass takes in float32, in the "MB" of a convention.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Megabytes {
    pub input: f64,
    pub forward_backward: f64,
    pub params: f64,
    pub total: f64,
}

impl Model {
    /// Sizes in memory of one image's pass, float32.
    pub fn sizes(&self) -> Sizes {
        let input = self.input.iter().product::<usize>() as f64 * FLOAT;
        let params = self.parameter_count() as f64 * FLOAT;
        let outputs = |counted: fn(&LayerKind) -> bool| -> f64 {
            let values: u64 = self.layers.iter().filter(|l| counted(&l.kind)).map(|l| l.output_values()).sum();
            2.0 * values as f64 * FLOAT
        };
        let modules = outputs(|kind| has_parameters(kind) || matches!(kind, LayerKind::Dropout(_)));
        let weighted = outputs(has_parameters);
        let megabytes = |forward_backward: f64, unit: f64| Megabytes {
            input: input / unit,
            forward_backward: forward_backward / unit,
            params: params / unit,
            total: (input + forward_backward + params) / unit,
        };
        Sizes { torchsummary: megabytes(modules, MIB), torchinfo: megabytes(weighted, MEGA) }
    }
}

fn has_parameters(kind: &LayerKind) -> bool {
    use LayerKind::*;
    matches!(kind, Conv2d(_) | BatchNorm2d(_) | LayerNorm(_) | Linear(_))
}
