//! A bundle that is being forged: change its files, then redo as much of the rest as the forger likes.

use std::path::Path;

use serde_json::Value;

use super::{Error, Honest};
use crate::bundle::{self, Bundle, Cause, Files, PREDICTIONS, RESULTS, Rerender, SUMS, SeedFiles, Sums};
use crate::dataset::{Mnist, read_labels};
use crate::engine::Engine;
use crate::report::Templates;
use crate::results::{Results, SeedResult};
use crate::study::{Plan, RunPlan};
use crate::tensors::{NamedTensor, from_safetensors, to_safetensors};

/// How far a forger goes after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redo {
    /// No further.
    Nothing,
    /// SHA256SUMS lists the changed files.
    Sums,
    /// Report, figures, manifest and sums follow from the changed results and study, as after `mnist-report render`.
    Report,
    /// The comparisons and digits in results.json follow from the changed predictions too.
    Everything,
}

/// A copy of an honest bundle, in memory.
pub struct Draft<'a> {
    honest: &'a Honest,
    files: Files,
    /// A file to be replaced by a link to its content.
    link: Option<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(honest: &'a Honest) -> Self {
        Self { honest, files: honest.bundle.files.clone(), link: None }
    }

    /// MNIST.
    pub fn data(&self) -> &'a Mnist {
        &self.honest.data
    }

    /// What the honest study plans.
    pub fn plan(&self) -> &'a Plan {
        &self.honest.contents.plan
    }

    /// The run that keeps most evidence: forgeries of a network change its first seed.
    ///
    /// # Errors
    /// A study without runs.
    pub fn run(&self) -> Result<&'a RunPlan, Error> {
        let runs = self.plan().runs.values();
        runs.max_by_key(|run| run.settings.evidence.keep).ok_or_else(|| Error::Nothing("run".into()))
    }

    /// The files of that run's first seed.
    ///
    /// # Errors
    /// A study without runs.
    pub fn seed_files(&self) -> Result<SeedFiles, Error> {
        let run = self.run()?;
        Ok(SeedFiles::of_plan(run, run.seeds[0]))
    }

    /// A started engine.
    ///
    /// # Errors
    /// A device that is not available.
    pub fn engine(&self) -> Result<Engine, Error> {
        Engine::start(self.honest.device, &self.plan().compute).map_err(Error::machine)
    }

    /// A file's content.
    ///
    /// # Errors
    /// No such file.
    pub fn bytes(&self, file: &str) -> Result<&[u8], Error> {
        self.files.get(file).map(Vec::as_slice).ok_or_else(|| Error::Nothing(file.to_owned()))
    }

    /// A file's content as text.
    ///
    /// # Errors
    /// No such file, or not UTF-8.
    pub fn text(&self, file: &str) -> Result<&str, Error> {
        std::str::from_utf8(self.bytes(file)?).map_err(|e| Error::content(file, e))
    }

    /// A file's content as JSON.
    ///
    /// # Errors
    /// No such file, or not JSON.
    pub fn json(&self, file: &str) -> Result<Value, Error> {
        serde_json::from_str(self.text(file)?).map_err(|e| Error::content(file, e))
    }

    /// results.json.
    ///
    /// # Errors
    /// Results that cannot be parsed.
    pub fn results(&self) -> Result<Results, Error> {
        Results::from_json(self.text(RESULTS)?).map_err(|e| Error::content(RESULTS, e))
    }

    /// Writes a file, new or not.
    pub fn write(&mut self, file: &str, bytes: impl Into<Vec<u8>>) {
        self.files.insert(file.to_owned(), bytes.into());
    }

    /// Removes a file.
    ///
    /// # Errors
    /// No such file.
    pub fn remove(&mut self, file: &str) -> Result<(), Error> {
        self.files.remove(file).map(drop).ok_or_else(|| Error::Nothing(file.to_owned()))
    }

    /// Replaces a file by a link to one with the same content, outside the bundle.
    pub fn link(&mut self, file: &str) {
        self.link = Some(file.to_owned());
    }

    /// Replaces the first occurrence of a text, which the file must contain.
    ///
    /// # Errors
    /// No such file, or not that text in it.
    pub fn replace(&mut self, file: &str, from: &str, to: &str) -> Result<(), Error> {
        let text = self.text(file)?;
        if !text.contains(from) {
            return Err(Error::Nothing(format!("`{from}` in {file}")));
        }
        let changed = text.replacen(from, to, 1);
        self.write(file, changed);
        Ok(())
    }

    /// Changes a JSON file, keeping the form in which the program writes it.
    ///
    /// # Errors
    /// No such file, or not JSON.
    pub fn change_json(&mut self, file: &str, change: impl FnOnce(&mut Value)) -> Result<(), Error> {
        let mut value = self.json(file)?;
        change(&mut value);
        let text = serde_json::to_string_pretty(&value).map_err(|e| Error::content(file, e))?;
        self.write(file, text + "\n");
        Ok(())
    }

    /// Changes results.json.
    ///
    /// # Errors
    /// Results that cannot be parsed.
    pub fn change_results(&mut self, change: impl FnOnce(&mut Results)) -> Result<(), Error> {
        let mut results = self.results()?;
        change(&mut results);
        self.write(RESULTS, results.to_json());
        Ok(())
    }

    /// The result of the first seed of [`Draft::run`].
    ///
    /// # Errors
    /// Results without this run.
    pub fn seed(&self) -> Result<SeedResult, Error> {
        let name = &self.run()?.name;
        let seed = self.results()?.runs.get(name).and_then(|run| run.seeds.first().cloned());
        seed.ok_or_else(|| Error::Nothing(format!("result of {name}")))
    }

    /// Changes that result.
    ///
    /// # Errors
    /// Results that cannot be parsed.
    pub fn change_seed(&mut self, change: impl FnOnce(&mut SeedResult)) -> Result<(), Error> {
        let name = &self.run()?.name;
        self.change_results(|results| {
            if let Some(seed) = results.runs.get_mut(name).and_then(|run| run.seeds.first_mut()) {
                change(seed);
            }
        })
    }

    /// Changes the tensors of a safetensors file.
    ///
    /// # Errors
    /// No such file, or not safetensors.
    pub fn change_tensors(&mut self, file: &str, change: impl FnOnce(&mut Vec<NamedTensor>)) -> Result<(), Error> {
        let mut tensors = from_safetensors(self.bytes(file)?).map_err(|e| Error::content(file, e))?;
        change(&mut tensors);
        self.write(file, to_safetensors(&tensors));
        Ok(())
    }

    /// Redoes what follows from the changes.
    ///
    /// # Errors
    /// Results or a study that the changes made unreadable.
    pub fn redo(&mut self, redo: Redo) -> Result<(), Error> {
        match redo {
            Redo::Nothing => {}
            Redo::Sums => {
                let listed = Bundle { files: self.files.clone(), ..self.honest.bundle.clone() };
                let covered = listed.covered().map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
                self.write(SUMS, Sums::of(&covered).to_string());
            }
            Redo::Report => self.render()?,
            Redo::Everything => {
                self.recount()?;
                self.render()?;
            }
        }
        Ok(())
    }

    fn recount(&mut self) -> Result<(), Error> {
        let mut results = self.results()?;
        let stated = results.clone();
        let predictions = |run: &str, seed: u64| -> Result<Vec<u8>, Cause> {
            let files = SeedFiles::of_result(run, &stated.runs[run], seed);
            Ok(read_labels(self.bytes(&files.predictions())?)?)
        };
        results
            .compare(self.honest.contents.study(), &self.data().test, predictions)
            .map_err(|e| Error::content(PREDICTIONS, e))?;
        self.write(RESULTS, results.to_json());
        Ok(())
    }

    fn render(&mut self) -> Result<(), Error> {
        let bundle = Bundle { files: std::mem::take(&mut self.files), ..self.honest.bundle.clone() };
        let (rerender, templates) = (Rerender::new(&bundle)?, Templates::built_in());
        let date = rerender.source.study.date.as_deref();
        self.files = rerender.files(&rerender.rendition(None, date, &templates))?;
        Ok(())
    }

    /// Writes the forged bundle into a new folder.
    ///
    /// # Errors
    /// A disk that cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        bundle::replace_folder(dir, &self.files, None)?;
        if let Some(file) = &self.link {
            let (path, elsewhere) = (dir.join(file), dir.with_extension("elsewhere"));
            let linked = std::fs::rename(&path, &elsewhere);
            linked.and_then(|()| std::os::unix::fs::symlink(&elsewhere, &path)).map_err(|e| Error::content(file, e))?;
        }
        Ok(())
    }
}
