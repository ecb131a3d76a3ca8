//! `batch_norm1d`: `torch.nn.BatchNorm1d`.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch_norm::{self, batch_norm_layer};
use super::layer::{LayerConfig, LayerError, TensorSpec, named};

batch_norm_layer! {
    /// `torch.nn.BatchNorm1d`; keeps the shape `[features]`.
    BatchNorm1d, "BatchNorm1d", [_], LayerError::ImageNorm
}
