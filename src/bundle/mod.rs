//! The bundle: a report with everything that it was made from, and the hashes of all files.
//!
//! [`Bundle`] holds what was read from a folder or a zip. `complete` makes the files of a new bundle from results, and
//! `replace_folder` writes them.

mod complete;
mod error;
mod folders;
mod layout;
mod leftovers;
mod limits;
mod manifest;
mod open;
mod partial;
mod place;
mod publish;
mod rerender;
mod ro_crate;
mod run_log;
mod sums;
mod tolerances;
mod write;
mod zip;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use complete::complete;
pub use error::Error;
pub(crate) use folders::existing;
pub use layout::{
    CRATE, EVIDENCE, FIGURES, FILES_PER_SEED, IMAGES, INDEX, LOSSES, MANIFEST, OPTIONAL, PREDICTIONS, REPORT,
    REPORT_MARKDOWN, RESULTS, RUN_LOG, STUDY, SUMS, SeedFiles, WEIGHTS, is_optional, is_primary, is_valid_path,
    seed_files,
};
pub(crate) use leftovers::leftovers_line;
use limits::check_models;
pub(crate) use limits::check_sizes;
pub(crate) use manifest::{Manifest, Program, SOURCE_SHA256, exact_digest, input_files_digest, inputs};
pub(crate) use partial::{Reserved, reserve};
pub(crate) use place::{check_place, try_place};
pub(crate) use publish::Packed;
pub(crate) use rerender::Rerender;
pub(crate) use run_log::RunLog;
use run_log::check_run_log;
pub use run_log::{Agreement, Timing};
pub(crate) use sums::{Sums, report_id};
pub(crate) use tolerances::{SMALL_LOSS, TOLERANCES};
pub(crate) use write::{replace_folder, replace_run_log};

use crate::dataset::{DatasetError, TrainAndTest, read_labels};
use crate::digest::{sha256_hex, short};
use crate::paths;
use crate::report::{Edition, Rendition};
use crate::results::{Results, read_losses};
use crate::study::{Plan, Source, Study};
use crate::tensors::{NamedTensor, from_safetensors};
use crate::text::Lang;

/// A bundle's files by path, in the order of SHA256SUMS.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A file's hash and size, which are known even if the file's content was left out.
#[derive(Clone, Debug, PartialEq)]
pub struct FileInfo {
    /// 64 hex digits.
    pub sha256: String,
    /// `None` if the content was left out and the crate does not state the size.
    pub bytes: Option<u64>,
}

impl FileInfo {
    fn of(bytes: &[u8]) -> Self {
        Self { sha256: sha256_hex(bytes), bytes: Some(bytes.len() as u64) }
    }
}

/// Hashes and sizes of files, by path.
pub type Listing = BTreeMap<String, FileInfo>;

/// A bundle as read from a folder or a zip. Its files may be damaged or forged.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The folder or zip.
    pub path: PathBuf,
    /// The files that were read.
    pub files: Files,
    /// What is wrong with the folder or the zip itself: links, empty folders, invalid names.
    pub problems: Vec<String>,
    /// Leftovers of operating systems, which are not in `files` and were not read.
    pub leftovers: Vec<String>,
    /// The files that a lean bundle was published without, as SHA256SUMS and the crate list them. Their content is
    /// unchecked.
    pub left_out: Listing,
}

/// A bundle's manifest, results and study, parsed.
pub(crate) struct Contents {
    pub(crate) manifest: Manifest,
    pub(crate) results: Results,
    /// The study in the report's default language.
    pub(crate) source: Source,
    /// The study in the report's other languages.
    pub(crate) translations: Vec<Source>,
    pub(crate) plan: Plan,
}

impl Contents {
    /// The study.
    pub(crate) fn study(&self) -> &Study {
        &self.source.study
    }

    /// The study in each of the report's languages.
    pub(crate) fn editions(&self) -> Vec<Edition> {
        let sources = std::iter::once(&self.source).chain(&self.translations);
        // A report may be in a language that its study has no texts in.
        let languages = self.manifest.languages.all().iter();
        languages.zip(sources).map(|(lang, source)| Edition { lang: *lang, study: source.study.clone() }).collect()
    }

    /// The study's data set, from the folder that this user names, by default that with MNIST. Not from the folder that the
    /// study names, because the bundle's author must not choose which files on a grader's machine are opened.
    pub(crate) fn data(&self, named: Option<&Path>) -> Result<TrainAndTest, DatasetError> {
        TrainAndTest::load(&named.map_or_else(paths::mnist, Path::to_owned), &self.plan.data)
    }
}

/// The images among a bundle's files.
pub(crate) fn images(files: &Files) -> impl Iterator<Item = (&String, &Vec<u8>)> {
    files.iter().filter(|(path, _)| path.starts_with(IMAGES))
}

impl Bundle {
    /// Reads a bundle's folder or zip, up to the sizes that limits.rs allows.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        open::open(path)
    }

    /// Parses manifest, results and study, and resolves the study's plan.
    pub(crate) fn contents(&self) -> Result<Contents, Error> {
        let (manifest, results) = (self.manifest()?, self.results()?);
        let source = self.source(Some(manifest.languages.default_language()))?;
        let plan = Plan::resolve(&source)?;
        check_models(&plan)?;
        let translation = |lang: &Lang| {
            let source = self.source(Some(*lang))?;
            Plan::resolve(&source)?;
            Ok(source)
        };
        let others = manifest.languages.all().iter().skip(1);
        let translations = others.map(translation).collect::<Result<_, Error>>()?;
        Ok(Contents { manifest, results, source, translations, plan })
    }

    pub(crate) fn manifest(&self) -> Result<Manifest, Error> {
        Manifest::from_json(self.text(MANIFEST)?)
    }

    pub(crate) fn results(&self) -> Result<Results, Error> {
        Ok(Results::from_json(self.text(RESULTS)?)?)
    }

    /// The study, with its texts in language `lang` if it has them.
    pub(crate) fn source(&self, lang: Option<Lang>) -> Result<Source, Error> {
        Ok(Source::from_text_in(Path::new(STUDY), self.text(STUDY)?, lang)?)
    }

    /// The predicted class of each test image.
    pub(crate) fn predictions(&self, files: &SeedFiles) -> Result<Vec<u8>, Error> {
        let file = files.predictions();
        read_labels(self.bytes(&file)?).map_err(|source| Error::Predictions { file, source })
    }

    /// The training loss of every batch of a seed, in the order of the steps.
    pub(crate) fn losses(&self, files: &SeedFiles) -> Result<Vec<f32>, Error> {
        let file = files.losses();
        read_losses(self.bytes(&file)?).map_err(|source| Error::Losses { file, source })
    }

    /// A trained network's weights and buffers.
    pub(crate) fn trained_weights(&self, files: &SeedFiles) -> Result<Vec<NamedTensor>, Error> {
        let file = files.weights();
        from_safetensors(self.bytes(&file)?).map_err(|source| Error::Weights { file, source })
    }

    /// A file's content.
    ///
    /// # Errors
    /// The file is missing.
    pub fn bytes(&self, file: &str) -> Result<&[u8], Error> {
        self.files.get(file).map(Vec::as_slice).ok_or_else(|| Error::Missing(file.to_owned()))
    }

    /// A file's content as text.
    ///
    /// # Errors
    /// The file is missing or not UTF-8.
    pub fn text(&self, file: &str) -> Result<&str, Error> {
        std::str::from_utf8(self.bytes(file)?).map_err(|_| Error::NotText(file.to_owned()))
    }

    /// A file's SHA-256, computed from its content; if the content was left out, the one that SHA256SUMS lists.
    pub(crate) fn sha256(&self, file: &str) -> Option<String> {
        let stated = || self.left_out.get(file).map(|info| info.sha256.clone());
        self.files.get(file).map(|bytes| sha256_hex(bytes)).or_else(stated)
    }

    /// The Report ID; `None` without SHA256SUMS.
    pub(crate) fn report_id(&self) -> Option<String> {
        self.files.get(SUMS).map(|sums| report_id(sums))
    }

    /// Whether a folder (`weights/`) was left out by `publish --lean`.
    pub(crate) fn leaves_out(&self, folder: &str) -> bool {
        self.left_out.keys().any(|path| path.starts_with(folder))
    }

    /// The files that SHA256SUMS must list: all but SHA256SUMS itself and the run log.
    pub(crate) fn covered(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.files.iter().filter(|(path, _)| ![SUMS, RUN_LOG].contains(&path.as_str()))
    }

    /// All files of this bundle, with the report and the files that depend on it rendered again from `results`.
    pub(crate) fn render_again(&self, results: &Results, rendition: &Rendition) -> Result<Files, Error> {
        let primary = self.files.iter().filter(|(path, _)| is_primary(path));
        let primary = primary.map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
        complete(primary, &self.left_out, results, rendition)
    }

    /// What is wrong with the format of the run log. `None` for a bundle of another version, whose format is unknown.
    fn run_log_problem(&self) -> Option<String> {
        if self.manifest().is_err_and(|e| e.is_of_another_version()) {
            return None;
        }
        let reason = check_run_log(self.files.get(RUN_LOG)?).err()?;
        Some(format!("{RUN_LOG} {reason}; it is not part of the report, so remove it"))
    }

    /// Like `render_again`, without the large files from which no other file is made: only their hashes are needed. `program`
    /// is the program that the files name as theirs.
    pub(crate) fn rendered(&self, results: &Results, rendition: &Rendition, program: &Program) -> Result<Files, Error> {
        let is_large = |path: &str| is_primary(path) && path != RESULTS && path != STUDY && !path.starts_with(IMAGES);
        let large = self.files.iter().filter(|(path, _)| is_large(path));
        let mut listed: Listing = large.map(|(path, bytes)| (path.clone(), FileInfo::of(bytes))).collect();
        listed.extend(self.left_out.clone());
        let small = [RESULTS, STUDY].map(|path| Ok((path.to_owned(), self.bytes(path)?.to_vec())));
        let mut small: Files = small.into_iter().collect::<Result<_, Error>>()?;
        small.extend(images(&self.files).map(|(path, bytes)| (path.clone(), bytes.clone())));
        complete::complete_as(program, small, &listed, results, rendition)
    }

    /// Everything that is wrong with the files: the problems of the folder or zip, and differences from SHA256SUMS.
    /// Empty if the files are intact.
    pub(crate) fn damage(&self) -> Vec<String> {
        const CONVERTED: &str = "a program converted its line ends to those of Windows, such as git or FTP: ask for the zip, or clone with \
                                 `git -c core.autocrlf=false clone`";
        let mut damage = self.problems.clone();
        damage.extend(self.run_log_problem());
        let listed = match self.text(SUMS).map(Sums::parse) {
            Ok(Ok(listed)) => listed,
            Ok(Err(reason)) => {
                let is_converted = self.text(SUMS).is_ok_and(|text| Sums::parse(&text.replace("\r\n", "\n")).is_ok());
                let reason = if is_converted { CONVERTED.to_owned() } else { reason };
                return [damage, vec![format!("{SUMS}: {reason}")]].concat();
            }
            // No file of a zip that contradicts itself was read.
            Err(_) if self.files.is_empty() && !damage.is_empty() => return damage,
            Err(e) => return [damage, vec![e.to_string()]].concat(),
        };
        let found: BTreeMap<&String, String> = self.covered().map(|(path, bytes)| (path, sha256_hex(bytes))).collect();
        for (path, hash) in &listed.0 {
            match found.get(path) {
                None if self.left_out.contains_key(path) => {}
                None => damage.push(format!("{path} is missing, and {SUMS} lists it")),
                Some(other) if other != hash && self.has_converted_lines(path, hash) => {
                    damage.push(format!("{path} was changed: {CONVERTED}"));
                }
                Some(other) if other != hash => damage.push(format!(
                    "{path} was changed: its SHA-256 is {}, {SUMS} has {}",
                    short(other),
                    short(hash)
                )),
                Some(_) => {}
            }
        }
        let extra = found.keys().filter(|path| !listed.0.contains_key(**path));
        let advice = |path: &str| if path.ends_with(".pyc") { ": Python wrote it, remove it" } else { "" };
        damage.extend(extra.map(|path| format!("{path} is not in {SUMS}{}", advice(path))));
        damage
    }

    /// Whether only the line ends of a text differ from those of the file with this hash.
    fn has_converted_lines(&self, path: &str, hash: &str) -> bool {
        let text = self.text(path).ok().filter(|text| text.contains("\r\n"));
        text.is_some_and(|text| sha256_hex(text.replace("\r\n", "\n").as_bytes()) == hash)
    }

    /// Whether nothing is wrong with the bundle but files that do not belong to it, such as a PDF that somebody put there.
    pub(crate) fn only_has_extra_files(&self, damage: &[String]) -> bool {
        let listed = self.text(SUMS).ok().and_then(|text| Sums::parse(text).ok());
        let count = listed.map(|listed| self.covered().filter(|(path, _)| !listed.0.contains_key(*path)).count());
        count.is_some_and(|count| count > 0 && count == damage.len())
    }
}
