//! `avg_pool2d`: `torch.nn.AvgPool2d` with square windows.

#![expect(missing_docs, reason = "the settings have the names of torch.nn")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layer::{LayerConfig, LayerError, Window, named};
use super::pool::{self, pool_layer};
use super::settings::{Pair, optional_side, side};

pool_layer! {
    /// `torch.nn.AvgPool2d`: the mean of each window; `[C, H, W] -> [C, H', W']`. The stride defaults to the window.
    AvgPool2d, "AvgPool2d", "avg_pool2d",
    // Zeros of the padding are not shifted.
    passes_channel_shifts: |pool| pool.padding == 0
}
