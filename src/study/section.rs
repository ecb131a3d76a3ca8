//! The sections of a report on training: which runs, tables and figures each has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A section of the report about some of the runs.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Printed before the tables: Markdown.
    #[serde(default)]
    pub text: String,
    /// Printed after the figures: Markdown.
    #[serde(default)]
    pub discussion: String,
    /// The conclusions, by id, whose answers it starts with.
    #[serde(default)]
    pub answers: Vec<String>,
    /// The runs that it shows.
    #[serde(default)]
    pub runs: Vec<String>,
    /// The tables of its runs. Default: settings and results.
    #[serde(default = "Table::default_tables")]
    pub tables: Vec<Table>,
    /// The comparisons that it shows, by name.
    #[serde(default)]
    pub comparisons: Vec<String>,
    /// Its figures, such as `curves`.
    #[serde(default)]
    pub show: Vec<Show>,
    /// Results from elsewhere, drawn beside the runs in the figure `ladder`.
    #[serde(default)]
    pub points: Vec<Point>,
}

impl Section {
    /// The number of its figures, at most: some are drawn once, others for each run or comparison.
    pub fn figures(&self) -> usize {
        let of = |show: &Show| match show {
            Show::Confusion | Show::Misclassified | Show::Filters => self.runs.len(),
            Show::Disagreements => self.comparisons.len(),
            Show::Curves | Show::CurvesTogether | Show::Predictions | Show::PerClass | Show::Gain | Show::Ladder => 1,
        };
        self.show.iter().map(of).sum()
    }
}

/// A table of a section.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Model, images, optimizer and the like.
    Settings,
    /// Losses and accuracies after the last epoch.
    Results,
    /// Loss and accuracy after each epoch.
    Epochs,
    /// The runs of `grid`, best first, each compared with the best.
    Ranking,
    /// Accuracies of the runs of `grid`: a row for each value of its first list, a column for each of its second.
    Matrix,
}

impl Table {
    /// The default of a section. Curves show what happens by epoch.
    pub fn default_tables() -> Vec<Self> {
        vec![Self::Settings, Self::Results]
    }
}

/// A network's size and accuracy as somebody else published them.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Its name in the figure.
    pub title: String,
    /// Parameters of the network.
    pub parameters: u64,
    /// Its test accuracy, 0 to 1.
    pub accuracy: f64,
}

/// A figure of a section's runs.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// Training loss by step, and losses after each epoch. Runs that the section compares share a panel, the others have panels
    /// of their own.
    Curves,
    /// The same, all runs of the section in one panel.
    CurvesTogether,
    /// How many test images each network predicts as each class.
    Predictions,
    /// Accuracy by class.
    PerClass,
    /// Confusion matrices: counts and the shares of their rows.
    Confusion,
    /// Accuracies of both runs by epoch and their difference, for each of the section's comparisons.
    Gain,
    /// Accuracy against the number of parameters.
    Ladder,
    /// The test images that each run misclassifies with the highest confidence.
    #[serde(alias = "misread")]
    Misclassified,
    /// The kernels of the first convolution of each run's network.
    Filters,
    /// The test images that the two runs of a comparison classify differently, for each of the section's comparisons.
    Disagreements,
}

impl Show {
    /// More curves than this cannot be told apart in one panel.
    pub const MAX_TOGETHER: usize = 6;
}
