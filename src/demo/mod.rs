//! A forger at work: ways to make a bundle say what did not happen, each with the rung that catches it.
//!
//! Owns the forgeries; `mnist-report demo` shows them to people, the tests hold every one against `verify`.
//! Each is made as well as its story allows: hashes, report and manifest are redone wherever a forger could.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::bundle::{self, Files, Manifest, Sums};
use crate::dataset::{Mnist, read_labels, write_labels};
use crate::engine::{DeviceChoice, DeviceDataset, Engine, Network, Trainer};
use crate::paths;
use crate::report::{Rendition, Templates};
use crate::results::{Results, SeedResult, confusion, misread, stem};
use crate::study::{Plan, RunPlan, Source};
use crate::tensors::{from_safetensors, to_safetensors};
use crate::training::Prepared;
use crate::training::evidence;
use crate::verify::{Opened, Rung};

/// One way to cheat.
pub struct Forgery {
    pub name: &'static str,
    pub story: &'static str,
    pub caught_by: Rung,
    forge: fn(&mut Forger) -> Result<()>,
}

/// Every forgery, by the rung that catches it.
pub const FORGERIES: &[Forgery] = &[
    forgery("byte", "one byte of the weights is changed", Rung::Files, |f| {
        let path = f.path("weights", "safetensors");
        let bytes = f.file(&path)?;
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        Ok(())
    }),
    forgery("missing", "a figure is taken out", Rung::Files, |f| {
        f.files.remove("figures/parameters.svg").map(drop).context("no figure")
    }),
    forgery("extra", "a file is put in beside the others", Rung::Files, |f| {
        f.files.insert("notes.txt".into(), b"really".to_vec());
        Ok(())
    }),
    forgery("link", "a file is replaced by a link to one with the same content", Rung::Files, |f| {
        f.link = Some("report.md".into());
        Ok(())
    }),
    forgery("study", "the study is changed after the fact, and SHA256SUMS redone", Rung::Inputs, |f| {
        let study = f.file(bundle::STUDY)?;
        study.extend(b"# trained with care\n");
        f.redo_sums()
    }),
    forgery("data", "the manifest names other data, and SHA256SUMS is redone", Rung::Inputs, |f| {
        let text = String::from_utf8(f.file(bundle::MANIFEST)?.clone())?;
        let labels = Mnist::hashes().find(|(name, _)| name.starts_with("t10k-labels")).context("no labels")?.1;
        let other = text.replace(labels, &labels.chars().rev().collect::<String>());
        *f.file(bundle::MANIFEST)? = other.into_bytes();
        f.redo_sums()
    }),
    forgery("parameters", "a model is said to be smaller, everywhere alike", Rung::Exact, |f| {
        let model = f.results.models.values_mut().next().context("no model")?;
        model.parameters -= 1000;
        f.redo_all()
    }),
    forgery("epochs", "the study says fewer epochs than were trained, everywhere alike", Rung::Exact, |f| {
        // The plan in results.json must follow the study, but what was trained does not.
        let name = f.run.name.clone();
        f.results.runs.get_mut(&name).context("no run")?.plan.epochs += 1;
        f.redo_all()
    }),
    forgery("report", "a number in report.html alone is changed, and SHA256SUMS redone", Rung::Render, |f| {
        let html = String::from_utf8(f.file("report.html")?.clone())?;
        let right = crate::text::numbers::points(f.seed().accuracy(), 2);
        if !html.contains(&right) {
            bail!("the report does not print {right}");
        }
        *f.file("report.html")? = html.replace(&right, "99.99").into_bytes();
        f.redo_sums()
    }),
    forgery("accuracy", "accuracy in results.json is raised, report and hashes redone to match", Rung::Metrics, |f| {
        let seed = f.seed_mut()?;
        for class in 0..10 {
            let wrong = (0..10).find(|other| *other != class && seed.confusion[class][*other] > 0);
            if let Some(other) = wrong {
                seed.confusion[class][other] -= 1;
                seed.confusion[class][class] += 1;
            }
        }
        let correct = seed.correct();
        seed.epochs.last_mut().context("no epoch")?.test.correct = correct;
        f.redo_all()
    }),
    forgery("label", "the networks were judged by a test set with one label changed", Rung::Metrics, |f| {
        let predictions = read_labels(f.files.get(&f.path("predictions", "idx1-ubyte")).context("no predictions")?)?;
        let mut labels = f.data.test.labels.clone();
        let at = (0..labels.len()).find(|i| labels[*i] != predictions[*i]).context("nothing is wrong")?;
        labels[at] = predictions[at];
        let seed = f.seed_mut()?;
        seed.confusion = confusion(&predictions, &labels);
        let correct = seed.correct();
        seed.epochs.last_mut().context("no epoch")?.test.correct = correct;
        f.redo_all()
    }),
    forgery(
        "predictions",
        "predictions are improved, figures, report and hashes redone to match",
        Rung::Weights,
        |f| {
            let path = f.path("predictions", "idx1-ubyte");
            let mut predictions = read_labels(f.file(&path)?)?;
            let labels = f.data.test.labels.clone();
            // Not those that the report shows as misread.
            let listed = |i: &usize| f.seed().misread.iter().any(|m| m.image == *i);
            let wrong = (0..labels.len()).filter(|i| labels[*i] != predictions[*i] && !listed(i));
            let wrong: Vec<usize> = wrong.take(50).collect();
            wrong.iter().for_each(|i| predictions[*i] = labels[*i]);
            f.set_predictions(&predictions)?;
            f.redo_all()
        },
    ),
    forgery("weights", "the weights are another network's, hashes redone", Rung::Weights, |f| {
        let network = Network::new(f.engine, &f.plan.models[&f.run.model], 12345);
        f.set_weights(&network)?;
        f.redo_all()
    }),
    forgery("chain", "the chain of hashes is invented", Rung::Replay, |f| {
        for (i, segment) in f.seed_mut()?.chain.iter_mut().enumerate() {
            segment.end_sha256 = crate::digest::sha256_hex(format!("invented {i}").as_bytes());
        }
        f.redo_all()
    }),
    forgery("chosen", "the kept segments are chosen by hand", Rung::Replay, |f| {
        let path = f.path("evidence", "safetensors");
        let mut file = evidence::from_file(f.file(&path)?)?;
        let kept: Vec<usize> = file.keys().copied().collect();
        let [_, drawn, _] = kept[..] else { bail!("the run keeps no single drawn segment") };
        let other = f.seed().chain.iter().map(|s| s.step).find(|s| !kept.contains(s)).context("no other candidate")?;
        let moved = file.shift_remove(&drawn).context("no drawn segment")?;
        file.insert(other, moved);
        file.sort_keys();
        *f.file(&path)? = evidence::to_file(&file)?;
        f.redo_all()
    }),
    forgery("longer", "the weights come from a longer training, everything else redone to match", Rung::Replay, |f| {
        let network = f.train_on()?;
        f.set_weights(&network)?;
        let prepared = Prepared::new(f.engine, f.data, &f.plan.input);
        let evaluation = prepared.test(&network);
        let (batch, own) = (f.run.batch_size, f.run.seeds[0]);
        let [train_eval, held_out] = prepared.beside_the_test(&network, f.run, own);
        let seed = f.seed_mut()?;
        seed.test_loss = evaluation.loss();
        seed.notes_loss = evaluation.notes_loss(batch);
        let last = seed.epochs.last_mut().context("no epoch")?;
        last.test.loss = evaluation.loss();
        (last.train_eval, last.held_out) = (train_eval, held_out);
        f.set_predictions(&evaluation.predictions)?;
        f.seed_mut()?.misread = misread(&evaluation, &f.data.test.labels);
        f.redo_all()
    }),
    forgery("history", "a loss in the middle of training is prettier than it was", Rung::Rerun, |f| {
        f.seed_mut()?.epochs.first_mut().context("no epoch")?.train_loss *= 0.9;
        f.redo_all()
    }),
];

const fn forgery(
    name: &'static str,
    story: &'static str,
    caught_by: Rung,
    forge: fn(&mut Forger) -> Result<()>,
) -> Forgery {
    Forgery { name, story, caught_by, forge }
}

/// An honest bundle, and what a forger needs to change it.
pub struct Honest {
    files: Files,
    results: Results,
    source: Source,
    plan: Plan,
    data: Mnist,
    engine: Engine,
    manifest: Manifest,
}

/// A bundle being forged: changes to `files` and `results`, on the run that carries the most evidence.
struct Forger<'a> {
    files: Files,
    results: Results,
    source: &'a Source,
    plan: &'a Plan,
    run: &'a RunPlan,
    data: &'a Mnist,
    engine: &'a Engine,
    manifest: &'a Manifest,
    link: Option<String>,
}

impl Honest {
    /// Reads a bundle.
    ///
    /// # Errors
    /// A folder that is no bundle or cannot be read, missing data, a device that cannot be had.
    pub fn read(path: &Path, device: DeviceChoice) -> Result<Self> {
        let files = Opened::read(path)?.files;
        let text = |name: &str| -> Result<&str> {
            Ok(std::str::from_utf8(files.get(name).with_context(|| format!("{} has no {name}", path.display()))?)?)
        };
        let results = Results::from_json(text(bundle::RESULTS)?)?;
        let manifest = Manifest::from_json(text(bundle::MANIFEST)?)?;
        let source = Source::from_text(Path::new(bundle::STUDY), text(bundle::STUDY)?)?;
        let plan = Plan::resolve(&source)?;
        let data = Mnist::load(&paths::data_dir(Path::new(""), source.study.data.as_deref()))?;
        let engine = Engine::start(device, &plan.compute)?;
        Ok(Self { files, results, source, plan, data, engine, manifest })
    }

    /// Writes a forged copy into a new folder.
    ///
    /// # Errors
    /// A bundle without what the forgery changes (a run that keeps segments), or a disk that cannot be written.
    pub fn forge(&self, forgery: &Forgery, dir: &Path) -> Result<()> {
        let run = self.plan.runs.values().max_by_key(|r| r.evidence.keep).context("no run")?;
        let mut forger = Forger {
            files: self.files.clone(),
            results: self.results.clone(),
            source: &self.source,
            plan: &self.plan,
            run,
            data: &self.data,
            engine: &self.engine,
            manifest: &self.manifest,
            link: None,
        };
        (forgery.forge)(&mut forger).with_context(|| format!("forgery `{}`", forgery.name))?;
        bundle::replace_folder(dir, &forger.files, None)?;
        if let Some(name) = forger.link {
            let (path, elsewhere) = (dir.join(&name), dir.with_extension("elsewhere"));
            std::fs::rename(&path, &elsewhere)?;
            std::os::unix::fs::symlink(&elsewhere, &path)?;
        }
        Ok(())
    }
}

impl Forger<'_> {
    fn file(&mut self, path: &str) -> Result<&mut Vec<u8>> {
        self.files.get_mut(path).with_context(|| format!("no {path}"))
    }

    fn path(&self, folder: &str, ending: &str) -> String {
        let stem = stem(&self.run.name, self.run.seeds[0], self.run.seeds.len());
        format!("{folder}/{stem}.{ending}")
    }

    fn seed(&self) -> &SeedResult {
        &self.results.runs[&self.run.name].seeds[0]
    }

    fn seed_mut(&mut self) -> Result<&mut SeedResult> {
        self.results.runs.get_mut(&self.run.name).and_then(|r| r.seeds.first_mut()).context("no seed")
    }

    fn set_predictions(&mut self, predictions: &[u8]) -> Result<()> {
        let matrix = confusion(predictions, &self.data.test.labels);
        let path = self.path("predictions", "idx1-ubyte");
        *self.file(&path)? = write_labels(predictions);
        let seed = self.seed_mut()?;
        seed.confusion = matrix;
        let correct = seed.correct();
        seed.epochs.last_mut().context("no epoch")?.test.correct = correct;
        Ok(())
    }

    fn set_weights(&mut self, network: &Network) -> Result<()> {
        let bytes = to_safetensors(&network.tensors())?;
        let path = self.path("weights", "safetensors");
        self.seed_mut()?.weights_sha256 = crate::digest::sha256_hex(&bytes);
        *self.file(&path)? = bytes;
        Ok(())
    }

    /// The run's network, trained an epoch longer than the study says.
    fn train_on(&mut self) -> Result<Network> {
        let seed = self.run.seeds[0];
        let chosen = self.run.choose(&self.data.train.labels, seed);
        let split = DeviceDataset::new(self.engine, &self.data.train, &chosen);
        let model = &self.plan.models[&self.run.model];
        let mut trainer = Trainer::new(self.engine, model, self.run, &self.plan.input, &split, seed);
        let path = self.path("weights", "safetensors");
        let weights = from_safetensors(self.file(&path)?)?;
        trainer.load_weights(&weights)?;
        (0..self.run.steps_per_epoch()).for_each(|_| trainer.step());
        Ok(trainer.into_network())
    }

    fn redo_sums(&mut self) -> Result<()> {
        self.files.remove(bundle::SUMS);
        self.files.remove(bundle::RUN_LOG);
        let sums = Sums::of(&self.files).to_string();
        self.files.insert(bundle::SUMS.into(), sums.into_bytes());
        Ok(())
    }

    /// Everything that follows from results and study, made again.
    fn redo_all(&mut self) -> Result<()> {
        let mut primary = std::mem::take(&mut self.files);
        primary.retain(|path, _| bundle::is_primary(path));
        let seeds: Vec<(String, usize)> = self.results.runs.iter().map(|(n, r)| (n.clone(), r.seeds.len())).collect();
        let predictions = |run: &str, seed: u64| {
            let seeds = seeds.iter().find(|(name, _)| name == run).map_or(1, |(_, seeds)| *seeds);
            let path = format!("predictions/{}.idx1-ubyte", stem(run, seed, seeds));
            read_labels(primary.get(&path).with_context(|| format!("no {path}"))?)
        };
        let test = &self.data.test;
        self.results.compare(&self.source.study, &test.labels, predictions, |i| test.get(i))?;
        primary.insert(bundle::RESULTS.into(), self.results.to_json().into_bytes());
        let templates = Templates::built_in();
        let rendition =
            Rendition { lang: self.manifest.language, date: self.manifest.date.as_deref(), templates: &templates };
        self.files = bundle::complete(primary, &self.source.study, &self.results, &rendition)?;
        Ok(())
    }
}
