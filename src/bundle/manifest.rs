//! manifest.json: the program, the environment, the inputs with their hashes, the digests, the tolerances and the list
//! of files.

use serde::{Deserialize, Serialize};

use super::layout::STUDY;
use super::tolerances::{TOLERANCES, Tolerances};
use super::{Error, Files, images};
use crate::claims;
use crate::compute::Environment;
use crate::dataset::DataSet;
use crate::digest::sha256_hex;
use crate::report::{InputFile, Pictures, Provenance, Rendition, SOURCE, TEMPLATES, Templates};
use crate::results::Results;
use crate::study::Study;
use crate::text::Languages;

/// The version of manifest.json's schema; a program refuses any other.
pub(super) const MANIFEST_SCHEMA: u32 = 3;

/// The SHA-256 of the program's sources, templates and lock file, computed when it was built.
pub(crate) const SOURCE_SHA256: &str = env!("MNIST_REPORT_SOURCE_SHA256");

/// What a bundle was made from, by which program, and in which environment.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) schema: u32,
    pub(crate) title: String,
    /// The date that the report prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) date: Option<String>,
    /// The report's languages. The files of the first language have names without a language code.
    pub(crate) languages: Languages,
    pub(crate) program: Program,
    /// The environment in which the networks were trained.
    pub(crate) environment: Environment,
    /// Study, data, templates, program source, libtorch.
    pub(crate) inputs: Vec<InputFile>,
    pub(crate) digests: Digests,
    /// How far the values of a verification in another environment may differ.
    pub(crate) tolerances: Tolerances,
    /// Every file that SHA256SUMS lists.
    pub(crate) files: Vec<String>,
}

/// The program that built the bundle.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) version: String,
    /// [`SOURCE_SHA256`] of that program.
    pub(crate) source_sha256: String,
    /// The digest of the templates that rendered the report.
    pub(crate) templates_sha256: String,
}

impl Program {
    /// This program, with the templates that it renders by.
    pub(crate) fn this(templates: &Templates) -> Self {
        Self {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source_sha256: SOURCE_SHA256.to_owned(),
            templates_sha256: templates.digest(),
        }
    }

    /// Whether it has the name and the version of this program.
    pub(crate) fn has_this_name(&self) -> bool {
        [&*self.name, &*self.version] == [env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")]
    }
}

/// SHA-256 of three parts of a bundle's content.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Digests {
    /// [`input_files_digest`] of the list of inputs.
    pub(crate) inputs: String,
    /// The results that need no training; see [`exact_digest`].
    pub(crate) exact: String,
    /// The results of training; see `Results::measured_digest`.
    pub(crate) measured: String,
}

impl Manifest {
    /// A manifest that lists no files yet.
    pub(super) fn new(files: &Files, results: &Results, rendition: &Rendition, program: &Program) -> Self {
        let study = rendition.study();
        let inputs = inputs(files, &study.data_set(), program, &results.environment);
        Self {
            schema: MANIFEST_SCHEMA,
            title: study.title.clone(),
            date: rendition.date.map(str::to_owned),
            languages: rendition.languages(),
            program: program.clone(),
            environment: results.environment.clone(),
            digests: Digests {
                inputs: input_files_digest(&inputs),
                exact: exact_digest(study, results),
                measured: results.measured_digest(),
            },
            inputs,
            tolerances: TOLERANCES,
            files: Vec::new(),
        }
    }

    pub(super) fn provenance<'a>(&'a self, pictures: &'a Pictures) -> Provenance<'a> {
        let Digests { inputs, measured, .. } = &self.digests;
        Provenance {
            languages: &self.languages,
            pictures,
            inputs: &self.inputs,
            inputs_digest: inputs,
            measured_digest: measured,
        }
    }

    /// The text of manifest.json.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers") + "\n"
    }

    pub(super) fn from_json(text: &str) -> Result<Self, Error> {
        let manifest: Self = serde_json::from_str(text)?;
        if manifest.schema == MANIFEST_SCHEMA {
            Ok(manifest)
        } else {
            Err(Error::ManifestSchema { found: manifest.schema })
        }
    }
}

/// The inputs of a build, in the order in which reports list them. The study and its images are files of the bundle. If
/// libtorch computed, it is listed with the hash of its name and version, not of its files.
pub(crate) fn inputs(files: &Files, data: &DataSet, program: &Program, environment: &Environment) -> Vec<InputFile> {
    let input = |name: &str, sha256: String| InputFile { name: name.to_owned(), sha256 };
    let study = files.get(STUDY).map_or_else(Vec::new, Clone::clone);
    let mut inputs = vec![input(STUDY, sha256_hex(&study))];
    inputs.extend(images(files).map(|(path, bytes)| input(path, sha256_hex(bytes))));
    inputs.extend(data.hashes().map(|(name, sha256)| input(name, sha256.to_owned())));
    inputs.push(input(TEMPLATES, program.templates_sha256.clone()));
    inputs.push(input(SOURCE, program.source_sha256.clone()));
    inputs.extend(environment.gpu.as_ref().map(|gpu| {
        let libtorch = format!("libtorch {}", gpu.libtorch);
        input(&libtorch, sha256_hex(libtorch.as_bytes()))
    }));
    inputs
}

/// The digest of a list of inputs with their hashes.
pub(crate) fn input_files_digest(inputs: &[InputFile]) -> String {
    let list: String = inputs.iter().map(|i| format!("{}  {}\n", i.sha256, i.name)).collect();
    sha256_hex(list.as_bytes())
}

/// The digest of the results that need no training and are the same on every machine: numbers of images, model facts,
/// settings of runs, choices of images, and the verdicts on claims that need no training.
pub(crate) fn exact_digest(study: &Study, results: &Results) -> String {
    let mut untrained = results.clone();
    untrained.runs.clear();
    let verdicts: Vec<_> = claims::judge(study, &untrained)
        .into_iter()
        .filter(|j| j.verdict != claims::Verdict::NotMeasured)
        .map(|j| (j.claim.id.clone(), j.verdict >= claims::Verdict::TestsNothing, j.measured))
        .collect();
    // Sort the runs in the study's order, because whether a run diverged is a result of training.
    let mut runs: Vec<_> = results.all_runs().map(|(name, run)| (name, run.plan(), run.subsets())).collect();
    runs.sort_by_key(|(name, ..)| study.runs.get_index_of(*name));
    let exact = serde_json::to_string(&(&results.data, &results.models, runs, verdicts)).expect("finite numbers");
    sha256_hex(exact.as_bytes())
}
