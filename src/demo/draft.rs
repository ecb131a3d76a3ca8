//! A bundle that is being forged: change its files, then redo as much of the rest as the forger likes.

use std::path::Path;

use serde_json::Value;

use super::{Cause, Honest, Lacking};
use crate::bundle::{Bundle, Contents, RESULTS, Rerender, SUMS, SeedFiles, Sums, replace_folder, reserve};
use crate::compute::Device;
use crate::dataset::TrainAndTest;
use crate::report::Templates;
use crate::results::{AnyRun, Results, SeedResult};
use crate::study::{Plan, RunPlan};
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};
use crate::text::error_chain;
use crate::training::check_first_steps;

/// How far a forger goes after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redo {
    /// No further.
    Nothing,
    /// SHA256SUMS lists the changed files.
    Sums,
    /// Report, figures, manifest and sums follow from the changed results and study, as after `mnist-report render`.
    Report,
    /// What results.json derives from the changed predictions, losses and weights follows from them too: comparisons, digits,
    /// curves.
    Everything,
}

/// A copy of an honest bundle, in memory.
pub struct Draft<'a> {
    pub(super) honest: &'a Honest,
    /// Whether it forges a run that `replay` only samples.
    pub(super) of_sampled_run: bool,
    /// The bundle as it is after the changes.
    pub bundle: Bundle,
    /// A file to be replaced by a link to its content.
    pub(super) link: Option<&'static str>,
}

impl<'a> Draft<'a> {
    /// The study's data.
    pub fn data(&self) -> &'a TrainAndTest {
        &self.honest.data
    }

    /// What the honest study plans.
    pub(super) fn plan(&self) -> &'a Plan {
        &self.honest.contents.plan
    }

    /// The run that is forged: forgeries of a network change its first seed.
    pub(super) fn run(&self) -> Result<&'a RunPlan, Cause> {
        let run = if self.of_sampled_run { self.honest.sampled_run() } else { self.honest.run() };
        Ok(run.ok_or(Lacking("the bundle has no such run with results"))?)
    }

    /// The files of that run's first seed.
    pub(super) fn seed_files(&self) -> Result<SeedFiles, Cause> {
        let run = self.run()?;
        Ok(SeedFiles::of_plan(run, run.seeds[0]))
    }

    /// The result of that seed.
    pub(super) fn seed(&self) -> Result<SeedResult, Cause> {
        Ok(first_seed(&mut self.bundle.results()?, &self.run()?.name)?.clone())
    }

    /// Changes that result.
    pub(super) fn change_seed(&mut self, change: impl FnOnce(&mut SeedResult)) -> Result<(), Cause> {
        let mut results = self.bundle.results()?;
        change(first_seed(&mut results, &self.run()?.name)?);
        self.write(RESULTS, results.to_json());
        Ok(())
    }

    pub(super) fn change_results(&mut self, change: impl FnOnce(&mut Results)) -> Result<(), Cause> {
        let mut results = self.bundle.results()?;
        change(&mut results);
        self.write(RESULTS, results.to_json());
        Ok(())
    }

    pub(super) fn device(&self) -> Result<Device, Cause> {
        let Honest { contents: Contents { plan, results, .. }, data, device, .. } = self.honest;
        let accept = |gpu: &Device| check_first_steps(gpu, plan, data);
        Ok(Device::start_for(&results.environment, *device, &plan.compute, accept)?)
    }

    pub(super) fn tensors(&self, file: &str) -> Result<Vec<NamedTensor>, Cause> {
        Ok(from_safetensors(self.bundle.bytes(file)?).map_err(|e| format!("{file}: {}", error_chain(e)))?)
    }

    /// Writes a file, new or not.
    pub fn write(&mut self, file: &str, bytes: impl Into<Vec<u8>>) {
        self.bundle.files.insert(file.to_owned(), bytes.into());
    }

    /// Removes a file.
    ///
    /// # Errors
    /// No such file.
    pub fn remove(&mut self, file: &str) -> Result<(), Cause> {
        self.bundle.files.remove(file).ok_or_else(|| format!("{file} is missing"))?;
        Ok(())
    }

    /// Replaces the first occurrence of a text, which the file must contain.
    ///
    /// # Errors
    /// No such file, or not that text in it.
    pub fn replace(&mut self, file: &str, from: &str, to: &str) -> Result<(), Cause> {
        let text = self.bundle.text(file)?;
        if !text.contains(from) {
            return Err(format!("{file} does not contain `{from}`").into());
        }
        let changed = text.replacen(from, to, 1);
        self.write(file, changed);
        Ok(())
    }

    /// A file's content as JSON.
    ///
    /// # Errors
    /// No such file, or not JSON.
    pub fn json(&self, file: &str) -> Result<Value, Cause> {
        Ok(serde_json::from_str(self.bundle.text(file)?)?)
    }

    /// Changes a JSON file, keeping the form in which the program writes it.
    ///
    /// # Errors
    /// No such file, or not JSON.
    pub fn change_json(&mut self, file: &str, change: impl FnOnce(&mut Value)) -> Result<(), Cause> {
        let mut value = self.json(file)?;
        change(&mut value);
        self.write(file, format!("{value:#}\n"));
        Ok(())
    }

    /// Changes the tensors of a safetensors file.
    ///
    /// # Errors
    /// No such file, or not safetensors.
    pub fn change_tensors(&mut self, file: &str, change: impl FnOnce(&mut Vec<NamedTensor>)) -> Result<(), Cause> {
        let mut tensors = self.tensors(file)?;
        change(&mut tensors);
        self.write(file, to_safetensors(&tensors));
        Ok(())
    }

    /// Redoes what follows from the changes.
    ///
    /// # Errors
    /// Results or a study that the changes made unreadable.
    pub fn redo(&mut self, redo: Redo) -> Result<(), Cause> {
        if redo == Redo::Everything {
            self.recount()?;
        }
        match redo {
            Redo::Nothing => {}
            Redo::Sums => {
                let covered = self.bundle.covered().map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
                self.write(SUMS, Sums::of(&covered).to_string());
            }
            Redo::Report | Redo::Everything => {
                let (rerender, templates) = (Rerender::new(&self.bundle, None)?, Templates::built_in());
                let date = rerender.editions[0].study.date.clone();
                let files = rerender.files(&rerender.rendition(date.as_deref(), &templates))?;
                self.bundle.files = files;
            }
        }
        Ok(())
    }

    /// Derives again what follows from predictions, losses and weights.
    fn recount(&mut self) -> Result<(), Cause> {
        let mut results = self.bundle.results()?;
        let runs = results.runs.clone();
        let (study, bundle) = (self.honest.contents.study(), &self.bundle);
        let files = |run: &str, seed: u64| SeedFiles::of_result(run, AnyRun::Finished(&runs[run]), seed);
        results.add_comparisons(study, &self.data().test, |run, seed| bundle.predictions(&files(run, seed)))?;
        results.add_loss_curves(|run, seed| bundle.losses(&files(run, seed)))?;
        results.add_filters(study, |run, seed| bundle.trained_weights(&files(run, seed)))?;
        self.write(RESULTS, results.to_json());
        Ok(())
    }

    /// Writes the forged bundle into a new folder.
    ///
    /// # Errors
    /// A disk that cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Cause> {
        replace_folder(&reserve(dir)?, &self.bundle.files, None)?;
        if let Some(file) = self.link {
            let (path, elsewhere) = (dir.join(file), dir.with_extension("elsewhere"));
            std::fs::rename(&path, &elsewhere)?;
            std::os::unix::fs::symlink(&elsewhere, &path)?;
        }
        Ok(())
    }
}

fn first_seed<'r>(results: &'r mut Results, run: &str) -> Result<&'r mut SeedResult, Cause> {
    let seeds = results.runs.get_mut(run).map(|run| &mut run.seeds);
    Ok(seeds.and_then(|seeds| seeds.first_mut()).ok_or_else(|| format!("the bundle has no result of {run}"))?)
}
