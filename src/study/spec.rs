//! The types that a study's YAML is read into, with their defaults. A setting that PyTorch also has keeps PyTorch's
//! name and default.

use std::collections::BTreeSet;
use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Grid;
use super::conclusion::{Conclusion, Expressions, Rule};
use super::data::{DataSpec, PinnedData};
use super::run_spec::RunSpec;
use super::section::Section;
use crate::dataset::DataSet;
use crate::model::ModelSpec;
use crate::one_of::{Nothing, one_of};
use crate::text::Lang;

/// A whole study.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The title of the report.
    pub title: String,
    /// The language of the study's own texts, and of the report unless `--lang` names another.
    #[serde(default)]
    pub lang: Lang,
    /// Printed below the title: Markdown.
    #[serde(default)]
    pub description: String,
    /// Title block: who wrote it, one name or a list.
    #[schemars(with = "Option<String>")]
    pub author: Option<Authors>,
    /// Title block: the author's group.
    pub group: Option<String>,
    /// Title block: the course.
    pub course: Option<String>,
    /// Title block: the university or school.
    pub institution: Option<String>,
    /// Title block: where the institution is.
    pub city: Option<String>,
    /// Title block: who supervises the work.
    pub supervisor: Option<String>,
    /// Title block: anything else, as pairs of `label` and `value`.
    #[serde(default)]
    pub meta: Vec<MetaPair>,
    /// Printed in the report: a day, YYYY-MM-DD, or a year, YYYY. Default: the day of SOURCE_DATE_EPOCH, or no date.
    pub date: Option<String>,
    /// What readers may do with the bundle: a licence's URL, or a few words. Default: no licence.
    pub license: Option<String>,
    /// An assignment's keys that are the student's to change, such as `models.slim.layers`, `runs.*.epochs`, `title`. `verify
    /// --assignment` demands that a bundle's study has the assignment's value everywhere else. Nothing that is trained or
    /// reported depends on it.
    #[serde(default)]
    pub free: Vec<String>,
    /// The folder with MNIST, relative to the study file (default: `data/mnist` of the repository), or another data set with the
    /// hashes of its files.
    pub data: Option<DataSpec>,
    /// How pixels become the input of a network.
    #[serde(default)]
    pub input: Input,
    /// Settings of the computation.
    #[serde(default)]
    pub compute: Compute,
    /// The networks, by name.
    pub models: IndexMap<String, ModelSpec>,
    /// Settings of runs, where a list stands for each of its items: one run for each combination. `seeds` are given to each.
    pub grid: Option<Grid>,
    /// The trainings, by name; with `grid`, changes to its runs, and further ones.
    pub runs: IndexMap<String, RunSpec>,
    /// Pairs of runs whose accuracies are compared.
    #[serde(default)]
    pub comparisons: IndexMap<String, Comparison>,
    /// The report's sections on training. Default: one with all runs.
    #[serde(default)]
    pub sections: Vec<Section>,
    /// Values of any shape that claims and conclusions can use.
    #[serde(default)]
    pub values: serde_json::Value,
    /// Published values to compare with the measured ones.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Questions that the results answer.
    #[serde(default)]
    pub conclusions: Vec<Conclusion>,
    /// What the study's own words refer to, each in Markdown. A text links to the first one with `[1](#reference-1)`.
    #[serde(default)]
    pub references: Vec<String>,
}

impl Study {
    /// The data set's keys, unless it is MNIST.
    pub fn pinned(&self) -> Option<&PinnedData> {
        match &self.data {
            Some(DataSpec::Pinned(data)) => Some(data),
            Some(DataSpec::Folder(_)) | None => None,
        }
    }

    /// The data set.
    pub fn data_set(&self) -> DataSet {
        self.pinned().map_or_else(DataSet::mnist, PinnedData::set)
    }

    /// The name of a class: MNIST's are the digits.
    pub fn class_name(&self, class: usize) -> String {
        let name = self.pinned().and_then(|data| data.classes.get(class));
        name.map_or_else(|| class.to_string(), Clone::clone)
    }

    /// Every expression over the results, with its key in the study: those of claims, then those that decide conclusions.
    pub fn expressions(&self) -> impl Iterator<Item = (String, &str)> {
        let claims =
            self.claims.iter().enumerate().map(|(i, c)| (format!("claims[{i}].measured"), c.measured.as_str()));
        claims.chain(self.own_rules().flat_map(|(i, own)| {
            [("supported_if", &own.supported_if), ("refuted_if", &own.refuted_if)]
                .map(|(part, text)| (format!("conclusions[{i}].{part}"), text.as_str()))
        }))
    }

    /// Every sentence of every conclusion, with its key in the study.
    pub fn sentences(&self) -> impl Iterator<Item = (String, &str)> {
        self.own_rules().flat_map(|(i, own)| {
            [("supported", &own.supported), ("refuted", &own.refuted), ("undecided", &own.undecided)]
                .map(|(part, text)| (format!("conclusions[{i}].{part}"), text.as_str()))
        })
    }

    /// Every text in Markdown, with its key in the study.
    pub fn own_words(&self) -> impl Iterator<Item = (String, &str)> {
        let sections = self.sections.iter().enumerate().flat_map(|(i, section)| {
            [("text", &section.text), ("discussion", &section.discussion)]
                .map(|(part, text)| (format!("sections[{i}].{part}"), text.as_str()))
        });
        let references = self.references.iter().enumerate();
        let references = references.map(|(i, text)| (format!("references[{i}]"), text.as_str()));
        [("description".to_owned(), self.description.as_str())].into_iter().chain(sections).chain(references)
    }

    /// The places of the report that every report of this study has, by the ids that links use. A test compares them with a report.
    pub fn anchors(&self) -> BTreeSet<String> {
        let fixed = ["summary", "contents", "parameters", "shapes", "code", "inputs", "measures", "verify"];
        let optional = [
            ("claims", !self.claims.is_empty()),
            ("conclusions", !self.conclusions.is_empty()),
            ("references", !self.references.is_empty()),
        ];
        let optional = optional.into_iter().filter(|(_, has)| *has).map(|(name, _)| name);
        let numbered = |name: &str, count: usize| (1..=count).map(|i| format!("{name}-{i}")).collect::<Vec<_>>();
        let mut anchors: BTreeSet<String> = fixed.into_iter().chain(optional).map(str::to_owned).collect();
        anchors.extend(numbered("training", self.sections.len().max(1)));
        anchors.extend(numbered("reference", self.references.len()));
        anchors.extend(self.models.keys().map(|name| format!("parameters-{name}")));
        anchors
    }

    /// The conclusions that have conditions and sentences of their own, with their places.
    fn own_rules(&self) -> impl Iterator<Item = (usize, &Expressions)> {
        self.conclusions.iter().enumerate().filter_map(|(i, c)| match &c.rule {
            Rule::Expressions(own) => Some((i, own)),
            Rule::Kind(_) => None,
        })
    }
}

/// Who wrote a report.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged, expecting = "takes a name or a list of names")]
pub enum Authors {
    /// One author.
    One(String),
    /// Several, in the order in which they are printed.
    Several(Vec<String>),
}

impl Authors {
    /// Their names.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl fmt::Display for Authors {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

/// A line of the title block.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MetaPair {
    /// What it is, such as `Variant`.
    pub label: String,
    /// What it says.
    pub value: String,
}

/// The network's input: pixels as `(x / 255 - mean) / std`, shape `[channels, height, width]`.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// Channels, height, width: can only be that of MNIST and of all other data sets.
    pub shape: [usize; 3],
    /// Subtracted from each pixel, which is from 0 to 1.
    pub mean: f64,
    /// Divides each pixel after that; above 0.
    pub std: f64,
}

impl Default for Input {
    fn default() -> Self {
        Self { shape: [1, 28, 28], mean: 0.5, std: 0.5 }
    }
}

/// Settings of the computation that change the results' bits.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compute {
    /// TF32 in matrix products and convolutions on a GPU.
    pub tf32: bool,
}

/// Two runs to compare, and by how much the first may be worse.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Its name in the report. Default: the comparison's name.
    pub title: Option<String>,
    /// The run whose accuracy is compared.
    pub run: String,
    /// The run that it is compared with.
    pub against: String,
    /// How much lower the accuracy may be (0.001 is a tenth of a point). `run` is not inferior if the lower
    /// bound of its difference to `against` is above -margin.
    pub margin: Option<f64>,
}

/// A published value, and the measured value to compare it with.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its name, unique in the study.
    pub id: String,
    /// The heading under which the report lists it.
    pub group: String,
    /// The published words.
    pub quote: String,
    /// The published value, as it is printed.
    pub printed: String,
    /// A minijinja expression over the results.
    pub measured: String,
    /// How the two values are compared.
    pub compare: Compare,
    /// Printed if the claim differs.
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
