//! The rungs of `verify`: their order and their names, which reports list and options take.

use serde::Serialize;

/// A rung of the verification ladder; cheaper rungs come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// Every file has the hash that SHA256SUMS lists; none is missing, none was added.
    Files,
    /// The data are MNIST, and the study is the one that the manifest names.
    Inputs,
    /// Parameter counts, shapes, sizes and the claims on them, recomputed.
    Exact,
    /// Report and figures, rendered again.
    Render,
    /// Accuracies and confusion matrices, recomputed from the predictions.
    Metrics,
    /// The stored weights, evaluated again.
    Weights,
    /// Segments of the training, replayed.
    Replay,
    /// Every run, trained again.
    Rerun,
}

impl Rung {
    /// All rungs, cheapest first.
    pub const ALL: [Self; 8] =
        [Self::Files, Self::Inputs, Self::Exact, Self::Render, Self::Metrics, Self::Weights, Self::Replay, Self::Rerun];

    /// The name that `--upto` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Inputs => "inputs",
            Self::Exact => "exact",
            Self::Render => "render",
            Self::Metrics => "metrics",
            Self::Weights => "weights",
            Self::Replay => "replay",
            Self::Rerun => "rerun",
        }
    }
}
