//! The study as a student writes it: the types that YAML is read into, with their defaults.
//!
//! Owns names, defaults and what YAML may hold; not whether the parts fit together (`plan`, `model`).
//! Names and defaults are PyTorch's.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::dataset::{ImageOrder, Subset};
use crate::one_of::{Nothing, one_of};
use crate::text::Lang;

/// A whole study.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    pub title: String,
    /// The language of the study's own words, and of the report unless `--lang` asks for another.
    #[serde(default)]
    pub lang: Lang,
    #[serde(default)]
    pub description: String,
    pub author: Option<String>,
    pub group: Option<String>,
    pub course: Option<String>,
    pub institution: Option<String>,
    /// Printed in the report, YYYY-MM-DD. Without it the report carries no date, or SOURCE_DATE_EPOCH's.
    pub date: Option<String>,
    /// What readers may do with the bundle: a licence's URL, or a few words. Without it nothing is granted.
    pub license: Option<String>,
    /// The folder with MNIST; relative to the study file. Without it: `data/mnist` of the repository.
    pub data: Option<PathBuf>,
    #[serde(default)]
    pub input: Input,
    #[serde(default)]
    pub compute: Compute,
    pub models: IndexMap<String, ModelSpec>,
    pub runs: IndexMap<String, RunSpec>,
    /// Pairs of runs whose accuracies are held against each other.
    #[serde(default)]
    pub comparisons: IndexMap<String, Comparison>,
    #[serde(default)]
    pub sections: Vec<Section>,
    /// Figures that claims and conclusions refer to, quoted or chosen; any shape.
    #[serde(default)]
    pub values: serde_json::Value,
    #[serde(default)]
    pub claims: Vec<Claim>,
    #[serde(default)]
    pub conclusions: Vec<Conclusion>,
}

impl Study {
    /// Every expression over the results, with its key: those of claims, then those that decide conclusions.
    pub fn expressions(&self) -> impl Iterator<Item = (String, &str)> {
        let claims =
            self.claims.iter().enumerate().map(|(i, c)| (format!("claims[{i}].measured"), c.measured.as_str()));
        claims.chain(self.conclusions.iter().enumerate().flat_map(|(i, c)| {
            [("supported_if", &c.supported_if), ("refuted_if", &c.refuted_if)]
                .map(|(part, text)| (format!("conclusions[{i}].{part}"), text.as_str()))
        }))
    }

    /// Every sentence of a conclusion, with its key.
    pub fn sentences(&self) -> impl Iterator<Item = (String, &str)> {
        self.conclusions.iter().enumerate().flat_map(|(i, c)| {
            [("supported", &c.supported), ("refuted", &c.refuted), ("undecided", &c.undecided)]
                .map(|(part, text)| (format!("conclusions[{i}].{part}"), text.as_str()))
        })
    }
}

/// What the network is given: pixels as `(x / 255 - mean) / std`, shape channels x height x width.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    #[serde(default = "mnist_shape")]
    pub shape: [usize; 3],
    #[serde(default = "half")]
    pub mean: f64,
    #[serde(default = "half")]
    pub std: f64,
}

impl Default for Input {
    fn default() -> Self {
        Self { shape: mnist_shape(), mean: half(), std: half() }
    }
}

/// How the arithmetic is done, as far as it changes results.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Compute {
    /// CPU threads; partial sums depend on it, so it is the study's and not the machine's.
    #[serde(default = "four")]
    pub threads: usize,
    #[serde(default)]
    pub class: CpuClass,
    /// TF32 in matrix products and convolutions on a GPU.
    #[serde(default)]
    pub tf32: bool,
}

impl Default for Compute {
    fn default() -> Self {
        Self { threads: four(), class: CpuClass::default(), tf32: false }
    }
}

/// Which CPUs a result is comparable with.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum CpuClass {
    /// The same bits on every x86-64 CPU with AVX2.
    #[default]
    Portable,
    /// Whatever is fastest on this CPU model.
    Native,
}

/// A network: its layers from input to output.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    pub title: Option<String>,
    pub layers: Vec<LayerKind>,
}

one_of! {
    /// A layer; names and defaults are those of `torch.nn`.
    pub enum LayerKind ("a layer") {
        "conv2d" => Conv2d(Conv2d),
        "batch_norm2d" => BatchNorm2d(BatchNorm2d),
        "layer_norm" => LayerNorm(LayerNorm),
        "relu" => Relu(Plain),
        "leaky_relu" => LeakyRelu(LeakyRelu),
        "gelu" => Gelu(Plain),
        "max_pool2d" => MaxPool2d(Pool2d),
        "avg_pool2d" => AvgPool2d(Pool2d),
        "global_avg_pool" => GlobalAvgPool(Plain),
        "dropout" => Dropout(Dropout),
        "flatten" => Flatten(Plain),
        "linear" => Linear(Linear),
    }
}

/// `torch.nn.Conv2d` with square kernels; `[C, H, W] -> [out_channels, H', W']`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    pub name: Option<String>,
    pub out_channels: usize,
    pub kernel_size: usize,
    #[serde(default = "one")]
    pub stride: usize,
    #[serde(default)]
    pub padding: usize,
    #[serde(default = "one")]
    pub groups: usize,
    #[serde(default = "yes")]
    pub bias: bool,
}

/// `torch.nn.BatchNorm2d`; keeps the shape.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm2d {
    pub name: Option<String>,
    #[serde(default = "eps")]
    pub eps: f64,
    #[serde(default = "tenth")]
    pub momentum: f64,
}

/// `torch.nn.LayerNorm` over the whole shape of one image; keeps the shape.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LayerNorm {
    pub name: Option<String>,
    #[serde(default = "eps")]
    pub eps: f64,
}

/// A layer with nothing to set.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    pub name: Option<String>,
}

/// `torch.nn.LeakyReLU`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LeakyRelu {
    pub name: Option<String>,
    #[serde(default = "hundredth")]
    pub negative_slope: f64,
}

/// `torch.nn.MaxPool2d` or `AvgPool2d` with square windows; the stride defaults to the window.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Pool2d {
    pub name: Option<String>,
    pub kernel_size: usize,
    pub stride: Option<usize>,
    #[serde(default)]
    pub padding: usize,
}

impl Pool2d {
    /// The stride in force, in pixels.
    pub fn stride(&self) -> usize {
        self.stride.unwrap_or(self.kernel_size)
    }
}

/// `torch.nn.Dropout`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    pub name: Option<String>,
    #[serde(default = "half")]
    pub p: f64,
}

/// `torch.nn.Linear`; `[in] -> [out_features]`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    pub name: Option<String>,
    pub out_features: usize,
    #[serde(default = "yes")]
    pub bias: bool,
}

impl LayerKind {
    /// The name that the study gives, if any.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Conv2d(c) => c.name.as_deref(),
            Self::BatchNorm2d(c) => c.name.as_deref(),
            Self::LayerNorm(c) => c.name.as_deref(),
            Self::Relu(c) | Self::Gelu(c) | Self::GlobalAvgPool(c) | Self::Flatten(c) => c.name.as_deref(),
            Self::LeakyRelu(c) => c.name.as_deref(),
            Self::MaxPool2d(c) | Self::AvgPool2d(c) => c.name.as_deref(),
            Self::Dropout(c) => c.name.as_deref(),
            Self::Linear(c) => c.name.as_deref(),
        }
    }

    /// What an unnamed layer of this kind is called, before its number: PyTorch users' habit.
    pub fn prefix(&self) -> &'static str {
        match self {
            Self::Conv2d(_) => "conv",
            Self::BatchNorm2d(_) => "bn",
            Self::LayerNorm(_) => "ln",
            Self::Relu(_) => "relu",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::Gelu(_) => "gelu",
            Self::MaxPool2d(_) | Self::AvgPool2d(_) => "pool",
            Self::GlobalAvgPool(_) => "global_pool",
            Self::Dropout(_) => "dropout",
            Self::Flatten(_) => "flatten",
            Self::Linear(_) => "fc",
        }
    }
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
    #[serde(default = "constant")]
    pub schedule: Schedule,
    /// `false` switches every dropout layer off for this run.
    #[serde(default = "yes")]
    pub dropout: bool,
    /// Ends the run after the first epoch whose mean training loss is below this.
    pub stop_below_train_loss: Option<f64>,
    /// Also evaluates the training images after each epoch, as the test images are (no dropout).
    #[serde(default)]
    pub evaluate_train: bool,
    /// What the bundle carries so that segments of the training can be replayed.
    #[serde(default)]
    pub evidence: EvidenceSettings,
    pub seeds: Vec<u64>,
}

/// How much of a training can be replayed. Its first steps always can, since its start follows from the seed.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EvidenceSettings {
    /// Evenly spaced steps at which the whole state is hashed.
    #[serde(default = "sixteen")]
    pub candidates: usize,
    /// How many of them, drawn when training is over, the bundle carries with their states; and with any, the last
    /// steps too. A state is the weights with what the optimizer keeps: 8 bytes a parameter with momentum, 12 with Adam.
    #[serde(default)]
    pub keep: usize,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self { candidates: sixteen(), keep: 0 }
    }
}

/// Which training images, and in which order.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TrainImages {
    #[serde(default = "all")]
    pub images: Subset,
    /// How many of the training images are never trained on but evaluated after each epoch: what models and epochs
    /// are chosen by, so that the test set is not. The same images in every run that holds out as many.
    #[serde(default)]
    pub hold_out: usize,
    #[serde(default)]
    pub order: ImageOrder,
}

impl Default for TrainImages {
    fn default() -> Self {
        Self { images: all(), hold_out: 0, order: ImageOrder::default() }
    }
}

one_of! {
    /// The update rule; names and defaults are those of `torch.optim`.
    pub enum Optimizer ("an optimizer") {
        "sgd" => Sgd(Sgd),
        "adam" => Adam(Adam),
        "adamw" => AdamW(AdamW),
        "adadelta" => Adadelta(Adadelta),
    }
}

/// `torch.optim.SGD`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    pub lr: f64,
    #[serde(default)]
    pub momentum: f64,
    #[serde(default)]
    pub dampening: f64,
    #[serde(default)]
    pub weight_decay: f64,
    #[serde(default)]
    pub nesterov: bool,
}

/// `torch.optim.Adam` (without amsgrad).
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    #[serde(default = "thousandth")]
    pub lr: f64,
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    #[serde(default = "adam_eps")]
    pub eps: f64,
    #[serde(default)]
    pub weight_decay: f64,
}

/// `torch.optim.AdamW` (without amsgrad).
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    #[serde(default = "thousandth")]
    pub lr: f64,
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    #[serde(default = "adam_eps")]
    pub eps: f64,
    #[serde(default = "hundredth")]
    pub weight_decay: f64,
}

/// `torch.optim.Adadelta`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Adadelta {
    #[serde(default = "unit")]
    pub lr: f64,
    #[serde(default = "rho")]
    pub rho: f64,
    #[serde(default = "adadelta_eps")]
    pub eps: f64,
    #[serde(default)]
    pub weight_decay: f64,
}

impl Optimizer {
    /// The base learning rate.
    pub fn lr(&self) -> f64 {
        match self {
            Self::Sgd(c) => c.lr,
            Self::Adam(c) => c.lr,
            Self::AdamW(c) => c.lr,
            Self::Adadelta(c) => c.lr,
        }
    }
}

one_of! {
    /// The learning rate's course; names are those of `torch.optim.lr_scheduler`.
    pub enum Schedule ("a schedule") {
        "constant" => Constant(Nothing),
        "step" => Step(StepLr),
        "cosine" => Cosine(Cosine),
        "one_cycle" => OneCycle(OneCycle),
    }
}

/// `StepLR`: times gamma every step_size epochs.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct StepLr {
    pub step_size: usize,
    #[serde(default = "tenth")]
    pub gamma: f64,
}

/// `CosineAnnealingLR` over the run's epochs, from the base rate to min_lr, stepped each epoch.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Cosine {
    #[serde(default)]
    pub min_lr: f64,
}

/// `OneCycleLR` with the base rate as its maximum, cosine shape, stepped each batch, momentum not cycled.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct OneCycle {
    #[serde(default = "pct_start")]
    pub pct_start: f64,
    #[serde(default = "div_factor")]
    pub div_factor: f64,
    #[serde(default = "final_div_factor")]
    pub final_div_factor: f64,
}

/// Two runs, and by how much the one may be worse.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    pub title: Option<String>,
    pub run: String,
    pub against: String,
    /// The loss of accuracy (0.001: a tenth of a point) that still counts as none: `run` is not inferior where the
    /// lower bound of its difference to `against` lies above its negative.
    pub margin: Option<f64>,
}

/// A section of the report on some runs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    pub title: String,
    #[serde(default)]
    pub text: String,
    pub runs: Vec<String>,
    /// Which tables of its runs it has; all of them where nothing is said.
    #[serde(default = "all_tables")]
    pub tables: Vec<Table>,
    /// Which comparisons it holds, by name.
    #[serde(default)]
    pub comparisons: Vec<String>,
    #[serde(default)]
    pub show: Vec<Show>,
    /// Points that others found, drawn into the ladder beside the runs.
    #[serde(default)]
    pub points: Vec<Point>,
}

/// A table of a section.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// What each run was given.
    Settings,
    /// What came of it after the last epoch.
    Results,
    /// Loss and accuracy after each epoch.
    Epochs,
}

/// A network's size and accuracy that are not this study's: what somebody else printed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    pub title: String,
    pub parameters: u64,
    /// 0 to 1.
    pub accuracy: f64,
}

/// What a section shows of its runs.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Show {
    /// Loss and accuracy by epoch.
    Curves,
    /// How many test images were predicted as each class.
    Predictions,
    /// Accuracy of each class.
    PerClass,
    /// Confusion matrix, as heat map and table.
    Confusion,
    /// The difference of accuracy by epoch, of each of the section's comparisons.
    Gain,
    /// Accuracy against the number of parameters.
    Ladder,
    /// Test images that each run gets wrong with the highest confidence.
    Misread,
    /// Test images that the two runs of each of the section's comparisons read differently.
    Disagreements,
}

/// Something that somebody printed, and the measured value to hold against it.
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

fn mnist_shape() -> [usize; 3] {
    [1, 28, 28]
}
fn half() -> f64 {
    0.5
}
fn four() -> usize {
    4
}
fn one() -> usize {
    1
}
fn sixteen() -> usize {
    16
}
fn yes() -> bool {
    true
}
fn eps() -> f64 {
    1e-5
}
fn tenth() -> f64 {
    0.1
}
fn hundredth() -> f64 {
    0.01
}
fn thousandth() -> f64 {
    0.001
}
fn unit() -> f64 {
    1.0
}
fn rho() -> f64 {
    0.9
}
fn betas() -> [f64; 2] {
    [0.9, 0.999]
}
fn adam_eps() -> f64 {
    1e-8
}
fn adadelta_eps() -> f64 {
    1e-6
}
fn pct_start() -> f64 {
    0.3
}
fn div_factor() -> f64 {
    25.0
}
fn final_div_factor() -> f64 {
    1e4
}
fn all() -> Subset {
    Subset::All(Nothing {})
}
/// What a section has that says nothing of its tables.
pub fn all_tables() -> Vec<Table> {
    vec![Table::Settings, Table::Results, Table::Epochs]
}

fn constant() -> Schedule {
    Schedule::Constant(Nothing {})
}
