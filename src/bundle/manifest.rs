//! manifest.json: the inputs with their hashes, the digests, the environment and the list of files.

use serde::{Deserialize, Serialize};

use super::layout::{MANIFEST, STUDY};
use super::tolerances::{TOLERANCES, Tolerances};
use crate::claims;
use crate::dataset::Mnist;
use crate::digest::sha256_hex;
use crate::engine::{Engine, Environment};
use crate::report::{InputFile, Rendition, SOURCE, TEMPLATES, Templates};
use crate::results::Results;
use crate::study::Study;
use crate::text::Lang;

const SCHEMA: u32 = 1;

/// The SHA-256 of the program's sources, templates and lock file, computed when it was built.
pub const SOURCE_SHA256: &str = env!("MNIST_REPORT_SOURCE_SHA256");

/// What a bundle was made from, by which program, and in which environment.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The schema's version.
    pub schema: u32,
    /// The study's title.
    pub title: String,
    /// The date that the report prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The report's language.
    pub language: Lang,
    /// The program that built the bundle.
    pub program: Program,
    /// The environment class in which the networks were trained.
    pub environment: Environment,
    /// Data, study, templates, program, libtorch.
    pub inputs: Vec<InputFile>,
    /// Digests of inputs and results.
    pub digests: Digests,
    /// How far a verification in another environment class may differ.
    pub tolerances: Tolerances,
    /// Every file that SHA256SUMS lists.
    pub files: Vec<String>,
}

/// The program that built the bundle.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// `mnist-report`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its [`SOURCE_SHA256`].
    pub source_sha256: String,
    /// The digest of the templates that rendered the report.
    pub templates_sha256: String,
}

/// SHA-256 of three kinds of content.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// Data, study, templates, program, libtorch.
    pub inputs: String,
    /// What every machine computes alike.
    pub exact: String,
    /// The results of training.
    pub measured: String,
}

impl Manifest {
    pub(super) fn new(
        study: &Study,
        results: &Results,
        inputs: Vec<InputFile>,
        digests: Digests,
        rendition: &Rendition,
        mut files: Vec<String>,
    ) -> Self {
        let templates = inputs.iter().find(|i| i.name == TEMPLATES).map(|i| i.sha256.clone()).unwrap_or_default();
        files.push(MANIFEST.to_owned());
        files.sort();
        Self {
            schema: SCHEMA,
            title: study.title.clone(),
            date: rendition.date.map(str::to_owned),
            language: rendition.lang,
            program: Program {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                source_sha256: SOURCE_SHA256.to_owned(),
                templates_sha256: templates,
            },
            environment: results.environment.clone(),
            inputs,
            digests,
            tolerances: TOLERANCES,
            files,
        }
    }

    /// The bytes of manifest.json.
    ///
    /// # Panics
    /// Never: strings and numbers can always be written as JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("strings and numbers");
        text.push('\n');
        text
    }

    /// Parses manifest.json.
    ///
    /// # Errors
    /// Not JSON, or another schema.
    pub fn from_json(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_str(text)?;
        if manifest.schema != SCHEMA {
            return Err(ManifestError::Schema(manifest.schema));
        }
        Ok(manifest)
    }
}

/// A manifest.json that this program cannot read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or other keys or types.
    #[error("does not follow the schema")]
    Form(#[from] serde_json::Error),
    /// Of another version of the schema.
    #[error("schema {0} is not {SCHEMA}, the one that this program reads")]
    Schema(u32),
}

/// The inputs of a build, in the order in which reports list them.
pub fn inputs(study_yaml: &[u8], templates: &Templates) -> Vec<InputFile> {
    let input = |name: &str, sha256: String| InputFile { name: name.to_owned(), sha256 };
    let mut inputs = vec![input(STUDY, sha256_hex(study_yaml))];
    inputs.extend(Mnist::hashes().map(|(name, sha256)| input(name, sha256.to_owned())));
    inputs.push(input(TEMPLATES, templates.digest()));
    inputs.push(input(SOURCE, SOURCE_SHA256.to_owned()));
    let libtorch = format!("libtorch {}", Engine::libtorch_version());
    let version = sha256_hex(libtorch.as_bytes());
    inputs.push(input(&libtorch, version));
    inputs
}

/// The digest of a list of inputs.
pub fn inputs_digest(inputs: &[InputFile]) -> String {
    let list: String = inputs.iter().map(|i| format!("{}  {}\n", i.sha256, i.name)).collect();
    sha256_hex(list.as_bytes())
}

/// The digest of what every machine computes alike: model facts, plans, subsets, and the verdicts on claims that need no
/// training.
///
/// # Panics
/// Never: the values are finite.
pub fn exact_digest(study: &Study, results: &Results) -> String {
    let mut untrained = results.clone();
    untrained.runs.clear();
    let verdicts: Vec<_> = claims::judge(study, &untrained)
        .into_iter()
        .filter(|j| j.verdict != claims::Verdict::NotMeasured)
        .map(|j| (j.claim.id.clone(), j.verdict == claims::Verdict::Matches, j.measured))
        .collect();
    let runs: Vec<_> = results
        .runs
        .iter()
        .map(|(name, run)| {
            let subsets: Vec<_> = run.seeds.iter().map(|s| (s.seed, &s.subset_sha256)).collect();
            (name, &run.plan, subsets)
        })
        .collect();
    let exact = serde_json::to_string(&(&results.data, &results.models, runs, verdicts)).expect("finite numbers");
    sha256_hex(exact.as_bytes())
}
