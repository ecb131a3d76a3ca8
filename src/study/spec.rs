//! The types that a study's YAML is read into, with their defaults. A setting that PyTorch also has keeps PyTorch's
//! name and default.

#![expect(missing_docs, reason = "docs/study.md documents the keys of a study")]

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Optimizer, Schedule};
use crate::dataset::{ImageOrder, Subset};
use crate::model::ModelSpec;
use crate::one_of::{Nothing, one_of};
use crate::text::Lang;

/// A whole study.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    pub title: String,
    /// The language of the study's own texts, and of the report unless `--lang` names another.
    #[serde(default)]
    pub lang: Lang,
    #[serde(default)]
    pub description: String,
    pub author: Option<String>,
    pub group: Option<String>,
    pub course: Option<String>,
    pub institution: Option<String>,
    /// Printed in the report, YYYY-MM-DD. Default: the day of SOURCE_DATE_EPOCH, or no date.
    pub date: Option<String>,
    /// What readers may do with the bundle: a licence's URL, or a few words. Default: no licence.
    pub license: Option<String>,
    /// The folder with MNIST, relative to the study file. Default: `data/mnist` of the repository.
    pub data: Option<PathBuf>,
    #[serde(default)]
    pub input: Input,
    #[serde(default)]
    pub compute: Compute,
    pub models: IndexMap<String, ModelSpec>,
    pub runs: IndexMap<String, RunSpec>,
    /// Pairs of runs whose accuracies are compared.
    #[serde(default)]
    pub comparisons: IndexMap<String, Comparison>,
    #[serde(default)]
    pub sections: Vec<Section>,
    /// Values of any shape that claims and conclusions can use.
    #[serde(default)]
    pub values: serde_json::Value,
    #[serde(default)]
    pub claims: Vec<Claim>,
    #[serde(default)]
    pub conclusions: Vec<Conclusion>,
}

impl Study {
    /// Every expression over the results, with its key in the study: those of claims, then those that decide conclusions.
    pub fn expressions(&self) -> impl Iterator<Item = (String, &str)> {
        let claims =
            self.claims.iter().enumerate().map(|(i, c)| (format!("claims[{i}].measured"), c.measured.as_str()));
        claims.chain(self.conclusions.iter().enumerate().flat_map(|(i, c)| {
            [("supported_if", &c.supported_if), ("refuted_if", &c.refuted_if)]
                .map(|(part, text)| (format!("conclusions[{i}].{part}"), text.as_str()))
        }))
    }

    /// Every sentence of every conclusion, with its key in the study.
    pub fn sentences(&self) -> impl Iterator<Item = (String, &str)> {
        self.conclusions.iter().enumerate().flat_map(|(i, c)| {
            [("supported", &c.supported), ("refuted", &c.refuted), ("undecided", &c.undecided)]
                .map(|(part, text)| (format!("conclusions[{i}].{part}"), text.as_str()))
        })
    }
}

/// The network's input: pixels as `(x / 255 - mean) / std`, shape `[channels, height, width]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    pub shape: [usize; 3],
    pub mean: f64,
    pub std: f64,
}

impl Default for Input {
    fn default() -> Self {
        Self { shape: [1, 28, 28], mean: 0.5, std: 0.5 }
    }
}

/// Settings of the computation that change the results' bits.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compute {
    /// TF32 in matrix products and convolutions on a GPU.
    pub tf32: bool,
}

/// A training run, with `defaults` already filled in.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    pub title: Option<String>,
    pub model: String,
    #[serde(default)]
    pub train: TrainImages,
    pub epochs: usize,
    pub batch_size: usize,
    pub optimizer: Optimizer,
    #[serde(default)]
    pub schedule: Schedule,
    /// `false` switches every dropout layer off for this run.
    #[serde(default = "default_dropout")]
    pub dropout: bool,
    /// Ends the run after the first epoch whose mean training loss is below this.
    pub stop_below_train_loss: Option<f64>,
    /// Also evaluates the training images after each epoch, in the same way as the test images.
    #[serde(default)]
    pub evaluate_train: bool,
    /// What the bundle stores so that segments of the training can be replayed.
    #[serde(default)]
    pub evidence: EvidenceSettings,
    pub seeds: Vec<u64>,
}

fn default_dropout() -> bool {
    true
}

/// How much of a training can be replayed. The first steps always can, because their start state follows from the seed.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceSettings {
    /// The number of segments, spread over the training, from which the stored ones are drawn. The states at their start
    /// and end are hashed.
    pub candidates: usize,
    /// How many of them are drawn after the training, to be stored with their start states. Unless it is 0, the training's
    /// last steps are stored, too. A state is the weights and the optimizer's tensors: 8 bytes a parameter with momentum,
    /// 12 with Adam.
    pub keep: usize,
    /// Whether the training's last steps are stored in any case, unless `verify` repeats the whole training.
    pub last: bool,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self { candidates: 16, keep: 0, last: true }
    }
}

/// Which training images, and in which order.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct TrainImages {
    pub images: Subset,
    /// Size of the validation set: training images that are held out from training and evaluated after each epoch, so
    /// that models and epochs can be chosen by them. Runs with the same number hold out the same images.
    pub hold_out: usize,
    pub order: ImageOrder,
}

/// Two runs to compare, and by how much the first may be worse.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub title: Option<String>,
    pub run: String,
    pub against: String,
    /// How much lower the accuracy may be (0.001 is a tenth of a point). `run` is not inferior if the lower
    /// bound of its difference to `against` is above -margin.
    pub margin: Option<f64>,
}

/// A section of the report about some of the runs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    pub title: String,
    #[serde(default)]
    pub text: String,
    pub runs: Vec<String>,
    /// The tables of its runs. Default: all.
    #[serde(default = "Table::all")]
    pub tables: Vec<Table>,
    /// The comparisons that it shows, by name.
    #[serde(default)]
    pub comparisons: Vec<String>,
    #[serde(default)]
    pub show: Vec<Show>,
    /// Results from elsewhere, drawn beside the runs in the figure `ladder`.
    #[serde(default)]
    pub points: Vec<Point>,
}

/// A table of a section.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Model, images, optimizer and the like.
    Settings,
    /// Losses and accuracies after the last epoch.
    Results,
    /// Loss and accuracy after each epoch.
    Epochs,
}

impl Table {
    /// All tables: the default of a section.
    pub fn all() -> Vec<Self> {
        vec![Self::Settings, Self::Results, Self::Epochs]
    }
}

/// A network's size and accuracy as somebody else published them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub title: String,
    pub parameters: u64,
    /// 0 to 1.
    pub accuracy: f64,
}

/// A figure of a section's runs.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// Training and test loss by epoch.
    Curves,
    /// How many test images each network predicts as each class.
    Predictions,
    /// Accuracy by class.
    PerClass,
    /// Confusion matrices, as heat maps and tables.
    Confusion,
    /// The difference in accuracy by epoch, for each of the section's comparisons.
    Gain,
    /// Accuracy against the number of parameters.
    Ladder,
    /// The test images that each run misclassifies with the highest confidence.
    #[serde(alias = "misread")]
    Misclassified,
    /// The test images that the two runs of a comparison classify differently, for each of the section's comparisons.
    Disagreements,
}

/// A published value, and the measured value to compare it with.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    pub id: String,
    pub group: String,
    pub quote: String,
    pub printed: String,
    /// A minijinja expression over the results.
    pub measured: String,
    pub compare: Compare,
    pub why: Option<String>,
}

one_of! {
    /// How a printed value is compared with the measured one.
    pub enum Compare ("a way to compare") {
        "exact" => Exact(Nothing),
        /// Equal when the measured value is rounded to the printed decimals.
        "printed" => Printed(Nothing),
        "absolute" => Absolute(f64),
        "relative" => Relative(f64),
    }
}

/// A conclusion: conditions on the results, and a sentence for each outcome.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Conclusion {
    pub id: String,
    pub question: String,
    pub supported_if: String,
    pub refuted_if: String,
    pub supported: String,
    pub refuted: String,
    pub undecided: String,
}
