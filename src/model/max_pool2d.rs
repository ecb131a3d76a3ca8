//! `max_pool2d`: `torch.nn.MaxPool2d` with square windows.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, LayerError, Window, named};
use super::pool::{self, pool_layer};
use super::settings::{Pair, optional_side, side};

pool_layer! {
    /// `torch.nn.MaxPool2d`: the largest value of each window; `[C, H, W] -> [C, H', W']`. The stride defaults to the window.
    MaxPool2d, "MaxPool2d", "max_pool2d",
    // Padding is minus infinity, never the largest value.
    passes_channel_shifts: |_| true
}
