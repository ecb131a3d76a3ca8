//! The rungs of `verify`: their order and names, for reports, options and the checks themselves.

use serde::{Deserialize, Serialize};

/// A rung of the verification ladder; cheaper rungs come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// Compares the files with SHA256SUMS.
    Files,
    /// Checks the data and the study.
    Inputs,
    /// Recomputes what needs no training.
    Exact,
    /// Renders the report again.
    Render,
    /// Recomputes accuracies and confusion matrices from the predictions.
    Metrics,
    /// Evaluates the stored weights.
    Weights,
    /// Does cheap trainings again, and replays segments of the others.
    Replay,
    /// Trains every run again.
    Rerun,
}

impl Rung {
    /// All rungs, cheapest first.
    pub const ALL: [Self; 8] =
        [Self::Files, Self::Inputs, Self::Exact, Self::Render, Self::Metrics, Self::Weights, Self::Replay, Self::Rerun];

    /// Whether it computes with networks, for which a device is started.
    pub fn computes(self) -> bool {
        self >= Self::Weights
    }

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

    /// What it shows, in a line of help.
    pub fn help(self) -> &'static str {
        match self {
            Self::Files => "Every file has the hash in SHA256SUMS",
            Self::Inputs => "The data are MNIST, or those that the study lists, and the study is the one named",
            Self::Exact => "Counts, shapes, sizes and the claims about them, recomputed",
            Self::Render => "Report and figures, rendered again",
            Self::Metrics => "Accuracies and confusion matrices, recomputed from the predictions",
            Self::Weights => "The stored weights, evaluated again",
            Self::Replay => "Cheap trainings, done again; segments of the others, replayed",
            Self::Rerun => "Every run, or those of --runs, trained again",
        }
    }
}
