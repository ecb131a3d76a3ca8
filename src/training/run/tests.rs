//! A training that is stopped and resumed ends like one that was never stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::*;
use crate::compute::Device;
use crate::dataset::PIXELS;
use crate::study::{Plan, Source};

/// Three steps for each epoch, so that segments of candidates cross the ends of epochs. `compute` is the default, as in
/// the other tests of this process, which share libtorch.
const STUDY: &str = "\
title: T
models:
  m:
    layers:
      - conv2d: {out_channels: 4, kernel_size: 5, stride: 3}
      - batch_norm2d
      - relu
      - dropout: {p: 0.3}
      - flatten
      - linear: {out_features: 10}
defaults: {model: m, epochs: 16, batch_size: 20, train: {images: {first: 55}, hold_out: 30}, evaluate_train: true, seeds: [3]}
runs:
  adam: {optimizer: {adam: {lr: 0.01}}, schedule: one_cycle, evidence: {candidates: 6, keep: 2}}
  sgd: {optimizer: {sgd: {lr: 0.05, momentum: 0.9}}, evidence: {candidates: 3, keep: 3}}
  plateau: {optimizer: {sgd: {lr: 0.3}}, schedule: {reduce_on_plateau: {patience: 0}}, evidence: {candidates: 6, keep: 2}}
  plain: {optimizer: {sgd: {lr: 0.05}}, evidence: {candidates: 1, keep: 0}}
  adadelta: {optimizer: {adadelta: {lr: 1.0}}, stop_below_train_loss: 2.0}
  best: {optimizer: {adam: {lr: 0.02}}, report_epoch: best_validation, evaluate_every: 4, evidence: {candidates: 6, keep: 2}}
";

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let mut plan = Plan::resolve(&Source::from_text(Path::new("s.yaml"), STUDY).unwrap()).unwrap();
        // So that its last steps are stored by default, whichever epoch is the last.
        plan.runs["adadelta"].cost = f64::INFINITY;
        plan
    })
}

fn with_prepared(test: impl FnOnce(&Prepared)) {
    let device = Device::cpu();
    let mut data =
        TrainAndTest::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist"), &DataSet::mnist()).unwrap();
    // Evaluating all test images would take most of the time.
    data.test.labels.truncate(300);
    data.test.pixels.truncate(300 * PIXELS);
    test(&Prepared::new(&device, &data, plan()));
}

/// Stops the training by a panic after some steps, and remembers after which epoch it was resumed.
struct Stopping {
    steps: usize,
    resumed: Option<usize>,
}

impl TrainingObserver for Stopping {
    fn step(&mut self, _: usize, _: usize, _: usize) {
        if self.steps == 0 {
            // A panic that prints nothing.
            std::panic::resume_unwind(Box::new("stopped"));
        }
        self.steps -= 1;
    }
    fn epoch(&mut self, _: &EpochResult) {}
    fn resumed(&mut self, epochs: &[EpochResult], _: usize) {
        self.resumed = Some(epochs.len());
    }
    fn not_stored(&mut self, why: &std::io::Error) {
        panic!("{why}");
    }
}

/// Trains a run for at most some steps. Returns the outcome, `None` if it was stopped, and the epoch after which it was
/// resumed.
fn trained(
    prepared: &Prepared,
    run: &str,
    folder: Option<&Path>,
    steps: usize,
) -> (Option<TrainedSeed>, Option<usize>) {
    let run = &plan().runs[run];
    let unfinished = folder.map(|folder| Unfinished::open(folder, &run.name).unwrap().eager());
    let mut progress = Stopping { steps, resumed: None };
    let outcome = prepared.run(&plan().models["m"], run, 3, unfinished.as_ref(), &mut progress);
    let finished = |outcome| match outcome {
        SeedOutcome::Finished(trained) => *trained,
        SeedOutcome::Diverged(seed) => panic!("diverged: {}", seed.not_finite),
    };
    (outcome.ok().map(finished), progress.resumed)
}

fn same(a: &TrainedSeed, b: &TrainedSeed) -> bool {
    let files = |t: &TrainedSeed| (t.predictions.clone(), t.weights.clone(), t.evidence.clone(), t.losses.clone());
    a.result == b.result && files(a) == files(b)
}

#[test]
fn a_training_stopped_at_any_step_ends_as_if_it_had_not_been_stopped() {
    with_prepared(|prepared| {
        for run in plan().runs.keys() {
            let whole = trained(prepared, run, None, usize::MAX).0.unwrap();
            let epochs = whole.result.epochs.len();
            assert!(if run == "adadelta" { (2..16).contains(&epochs) } else { epochs == 16 }, "{run}: {epochs} epochs");
            // Stops at every step of an epoch, since 4 and 3 have no common factor.
            for stop in (0..3 * epochs).step_by(4) {
                let folder = tempfile::tempdir().unwrap();
                let place = Some(folder.path());
                assert!(trained(prepared, run, place, stop).0.is_none(), "{run} was stopped after {stop} steps");
                let (again, resumed) = trained(prepared, run, place, usize::MAX);
                assert_eq!(resumed, (stop >= 3).then_some(stop / 3), "{run}: stopped after {stop} steps");
                assert!(same(&again.unwrap(), &whole), "{run}: stopped after {stop} steps");
            }
        }
    });
}

#[test]
fn a_training_records_the_loss_of_every_batch() {
    with_prepared(|prepared| {
        for (name, run) in &plan().runs {
            let TrainedSeed { result, losses, .. } = trained(prepared, name, None, usize::MAX).0.unwrap();
            assert_eq!(losses.len(), result.epochs.len() * 3, "{name}");
            for (epoch, batches) in result.epochs.iter().zip(losses.chunks(3)) {
                // Batches of 20, 20 and 15 images.
                let [a, b, c] = [0, 1, 2].map(|i| f64::from(batches[i]));
                let mean = (20.0 * a + 20.0 * b + 15.0 * c) / 55.0;
                assert!((epoch.train_loss - mean).abs() < 1e-12, "{name}: epoch {}", epoch.epoch);
                assert_eq!(epoch.train_loss, run.mean_loss(batches), "{name}: epoch {}", epoch.epoch);
            }
        }
    });
}

#[test]
fn of_the_ends_of_epochs_only_the_states_that_may_be_stored_stay() {
    with_prepared(|prepared| {
        let folder = tempfile::tempdir().unwrap();
        let states = || {
            let names = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.starts_with("state")).count()
        };
        let mut most = 0;
        let run = &plan().runs["adadelta"];
        let unfinished = Unfinished::open(folder.path(), &run.name).unwrap().eager();
        let progress = &mut Looking(&mut most, &states);
        let outcome = prepared.run(&plan().models["m"], run, 3, Some(&unfinished), progress).unwrap();
        let SeedOutcome::Finished(trained) = outcome else { panic!("diverged") };
        // Epochs of three steps leave no step between two ends.
        assert_eq!((most, crate::training::evidence::states_kept(run)), (2, 2));
        let last = trained.result.chain.last().unwrap();
        assert_eq!((trained.result.chain.len(), last.step + last.steps), (2, trained.losses.len()));
        drop(unfinished);
        let mut most = 0;
        let run = &plan().runs["best"];
        let unfinished = Unfinished::open(folder.path(), &run.name).unwrap().eager();
        let progress = &mut Looking(&mut most, &states);
        prepared.run(&plan().models["m"], run, 3, Some(&unfinished), progress).unwrap();
        assert!(most <= crate::training::evidence::states_kept(run), "{most}");
    });
}

#[test]
fn the_best_epoch_is_reported_and_its_last_steps_are_kept() {
    with_prepared(|prepared| {
        let run = &plan().runs["best"];
        let TrainedSeed { result, losses, weights, .. } = trained(prepared, "best", None, usize::MAX).0.unwrap();
        let validation = validation_losses(&result.epochs);
        let lowest = (0..16).min_by(|a, b| validation[*a].total_cmp(&validation[*b])).unwrap();
        assert!(lowest < 15, "the best epoch is not the last one: {validation:?}");
        assert_eq!(result.reported_epoch, Some(lowest + 1));
        assert_eq!(losses.len(), 16 * 3);
        let last = result.chain.last().unwrap();
        assert_eq!(last.step + last.steps, (lowest + 1) * 3);
        assert_eq!(result.test_loss, result.epochs[lowest].test.loss);
        assert!(result.within_epochs.iter().map(|s| s.step).eq(run.settings.evaluated_steps(16)));
        // A training of so many epochs ends with the same network.
        let mut short = run.clone();
        short.settings.epochs = lowest + 1;
        let progress = &mut Stopping { steps: usize::MAX, resumed: None };
        let outcome = prepared.run(&plan().models["m"], &short, 3, None, progress).unwrap();
        let SeedOutcome::Finished(short) = outcome else { panic!("diverged") };
        assert_eq!((short.result.reported_epoch, &short.weights), (Some(lowest + 1), &weights));
    });
}

#[test]
fn a_training_stopped_again_and_again_ends_as_if_it_had_not_been_stopped() {
    with_prepared(|prepared| {
        for run in plan().runs.keys() {
            let whole = trained(prepared, run, None, usize::MAX).0.unwrap();
            let folder = tempfile::tempdir().unwrap();
            let place = Some(folder.path());
            let mut starts = (0..).map(|i| trained(prepared, run, place, 3 + i % 3)).take(100);
            let last = starts.find_map(|(outcome, _)| outcome);
            assert!(last.is_some_and(|last| same(&last, &whole)), "{run}");
        }
    });
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_ignored() {
    with_prepared(|prepared| {
        let whole = trained(prepared, "adam", None, usize::MAX).0.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let stop = |run: &str, path: &Path| assert!(trained(prepared, run, Some(path), 32).0.is_none());
        let files = |path: &Path| -> Vec<(PathBuf, Vec<u8>)> {
            let files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            files.filter(|p| !p.ends_with("lock")).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
        };
        let restart = |expected: Option<usize>, what: &str| {
            let (outcome, resumed) = trained(prepared, "adam", Some(folder.path()), usize::MAX);
            assert_eq!(resumed, expected, "{what}");
            assert!(same(&outcome.unwrap(), &whole), "{what}");
            Unfinished::open(folder.path(), "adam").unwrap().clear();
        };
        stop("adam", folder.path());
        let honest = files(folder.path());
        assert!(honest.len() >= 3, "a checkpoint and states of candidates");
        let put = |files: &[(PathBuf, Vec<u8>)]| files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        put(&honest);
        restart(Some(10), "whole");
        for (path, bytes) in &honest {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // The checkpoint after 30 steps does not need what was stored after it.
            let is_needed = name.strip_prefix("state").is_none_or(|step| step.parse::<usize>().unwrap() <= 30);
            let expected = (!is_needed).then_some(10);
            for at in [0, bytes.len() / 3, bytes.len() - 1] {
                put(&honest);
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                fs::write(path, changed).unwrap();
                restart(expected, &format!("{name}, byte {at}"));
            }
            for len in [0, 1, 65, bytes.len() / 2, bytes.len() - 1] {
                put(&honest);
                fs::write(path, &bytes[..len]).unwrap();
                restart(expected, &format!("{name}, {len} bytes"));
            }
            put(&honest);
            fs::remove_file(path).unwrap();
            restart(expected, &format!("without {name}"));
        }
        // Another run's checkpoint, whole, under this run's name.
        let other = tempfile::tempdir().unwrap();
        stop("sgd", other.path());
        for (path, bytes) in files(other.path()) {
            fs::write(folder.path().join(path.file_name().unwrap()), bytes).unwrap();
        }
        restart(None, "of another run");
    });
}

/// Calls a function at each step and remembers the largest value.
struct Looking<'a>(&'a mut usize, &'a dyn Fn() -> usize);
impl TrainingObserver for Looking<'_> {
    fn step(&mut self, _: usize, _: usize, _: usize) {
        *self.0 = (*self.0).max(self.1());
    }
    fn epoch(&mut self, _: &EpochResult) {}
}

#[test]
fn without_a_folder_nothing_is_left_in_the_folder_of_temporary_files() {
    // A file without a name is never in a folder, so even a killed process leaves none behind.
    with_prepared(|prepared| {
        let entries = || fs::read_dir(format!("/proc/{}/fd", std::process::id())).unwrap().flatten();
        let deleted = || {
            let targets = entries().filter_map(|entry| fs::read_link(entry.path()).ok());
            targets
                .filter(|path| path.starts_with(std::env::temp_dir()) && path.to_string_lossy().contains("deleted"))
                .count()
        };
        let mut most = 0;
        let run = &plan().runs["adam"];
        prepared.run(&plan().models["m"], run, 3, None, &mut Looking(&mut most, &deleted)).unwrap();
        assert!(most > 0, "the states were in a file without a name");
    });
}

#[test]
fn a_gpu_trains_and_measures_the_same() {
    const SMALL: &str = "\
title: T
models:
  m:
    layers:
      - conv2d: {out_channels: 4, kernel_size: 5, stride: 4}
      - batch_norm2d
      - relu
      - dropout: {p: 0.3}
      - flatten
      - linear: {out_features: 10}
runs:
  r:
    model: m
    epochs: 3
    batch_size: 5
    train: {images: {first: 12}, hold_out: 6}
    evaluate_train: true
    evaluate_every: 2
    report_epoch: best_validation
    optimizer: {adam: {lr: 0.01}}
    seeds: [3]
    evidence: {candidates: 6, keep: 2}
";
    let plan = Plan::resolve(&Source::from_text(Path::new("s.yaml"), SMALL).unwrap()).unwrap();
    let mut data =
        TrainAndTest::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist"), &DataSet::mnist()).unwrap();
    data.test.labels.truncate(20);
    data.test.pixels.truncate(20 * PIXELS);
    let devices = [Device::cpu(), Device::emulated()];
    assert!(devices[1].is_gpu() && devices[0].environment == devices[1].environment);
    assert_eq!(crate::training::check_first_steps(&devices[1], &plan, &data), Ok(()));
    let [on_cpu, on_gpu] = devices.each_ref().map(|device| {
        let prepared = Prepared::new(device, &data, &plan);
        let progress = &mut Stopping { steps: usize::MAX, resumed: None };
        match prepared.run(&plan.models["m"], &plan.runs["r"], 3, None, progress).unwrap() {
            SeedOutcome::Finished(trained) => *trained,
            SeedOutcome::Diverged(_) => panic!("diverged"),
        }
    });
    assert_eq!(on_gpu.result, on_cpu.result);
    assert_eq!((on_gpu.predictions, on_gpu.weights), (on_cpu.predictions, on_cpu.weights));
    assert_eq!(on_gpu.evidence, on_cpu.evidence);
}
