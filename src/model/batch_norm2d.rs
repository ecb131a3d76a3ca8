//! `batch_norm2d`: `torch.nn.BatchNorm2d`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch_norm::{self, batch_norm_layer};
use super::layer::{LayerConfig, LayerError, TensorSpec, named};

batch_norm_layer! {
    /// `torch.nn.BatchNorm2d`; keeps the shape `[C, H, W]`.
    BatchNorm2d, "BatchNorm2d", [_, _, _], LayerError::FlatNorm
}
