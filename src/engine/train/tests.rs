//! Replayed steps must give the same bits as steps executed directly; a fake recorder takes the place of the GPU.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::graph::StepRecorder;
use super::super::{Engine, Error};
use super::*;
use mnist_report::dataset::ImageSet;
use mnist_report::dataset::{DataSet, TrainAndTest};
use mnist_report::failure::caught;
use mnist_report::study::{Plan, Source};

/// A recorder on the CPU. Its replay executes the work that is passed to it.
enum FakeRecorder {
    Correct,
    /// A replay executes the work twice.
    Doubled,
    /// A replay uses the inputs at the time of the recording. Holds the input tensors, and their old values by key.
    StaleInputs(Vec<Tensor>, BTreeMap<usize, Vec<Tensor>>),
    /// Recording fails.
    Failing,
}

impl StepRecorder for FakeRecorder {
    fn record(&mut self, key: usize, _: &mut dyn FnMut()) -> Result<(), Error> {
        match self {
            Self::Failing => return caught(|| panic!("no")).map_err(Error::Libtorch),
            Self::StaleInputs(inputs, old) => {
                old.insert(key, inputs.iter().map(Tensor::copy).collect());
            }
            Self::Correct | Self::Doubled => {}
        }
        Ok(())
    }

    fn replay(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), Error> {
        match self {
            Self::Correct => work(),
            Self::Doubled => (0..2).for_each(|_| work()),
            Self::StaleInputs(inputs, old) => {
                let now: Vec<Tensor> = inputs.iter().map(Tensor::copy).collect();
                inputs.iter_mut().zip(&old[&key]).for_each(|(to, from)| to.copy_(from));
                work();
                inputs.iter_mut().zip(&now).for_each(|(to, from)| to.copy_(from));
            }
            Self::Failing => unreachable!("nothing was recorded"),
        }
        Ok(())
    }

    fn forget(&mut self, _: usize) {}
}

#[test]
fn replayed_steps_give_the_same_bits() {
    const EPOCHS: usize = 6;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut plan = Plan::resolve(&Source::load(&root.join("src/arithmetic/portable.yaml")).unwrap()).unwrap();
    let engine = Engine::start(None, false).unwrap();
    let data = TrainAndTest::load(&root.join("data/mnist"), &DataSet::mnist()).unwrap();
    for (name, run) in &mut plan.runs {
        run.settings.epochs = EPOCHS;
        let chosen = run.choose(&data.train.labels, 1);
        let dataset = Selection::new(&data.train, &chosen);
        let count = EPOCHS * run.steps_per_epoch();
        let train = |recorder: fn(&StepInputs) -> Option<FakeRecorder>, min_remaining: usize| {
            let mut trainer = Trainer::new(&engine, &plan.models[&run.settings.model], run, &plan.input, &dataset, 1);
            let inputs = StepInputs::zeros(run, &trainer.masks, engine.device);
            let written = trainer.training.written();
            trainer.replay =
                recorder(&inputs).map(|r| (inputs, StepReplayer::with_recorder(Box::new(r), written, min_remaining)));
            let mut next_loss = || {
                trainer.step();
                trainer.last_loss().to_bits()
            };
            let losses: Vec<u32> = (0..count).map(|_| next_loss()).collect();
            (trainer.state(), losses, trainer.replay_stats())
        };
        let stale = |inputs: &StepInputs| {
            let masks = inputs.masks.iter().map(|(_, mask)| mask);
            let others = [&inputs.index, &inputs.factors].into_iter().chain(&inputs.changed);
            let all = masks.chain(others).map(Tensor::shallow_clone).collect();
            Some(FakeRecorder::StaleInputs(all, BTreeMap::new()))
        };
        let (state, losses, none) = train(|_| None, 1);
        assert_eq!(none, ReplayStats::default());
        // The first step is never recorded. After it, each batch size takes four steps: two to warm up, one to record
        // and one to check the recording. All later steps are replayed.
        let sizes = if dataset.len().is_multiple_of(run.settings.batch_size) { 1 } else { 2 };
        let replayed = ReplayStats { recordings: sizes, replayed_steps: count - 1 - 4 * sizes, failure: None };
        let failed = |why: &str| ReplayStats { failure: Some(why.to_owned()), ..ReplayStats::default() };
        let wrong = failed("a recorded step gives other bits");
        // This run has the same image at each step and a constant learning rate, so its old inputs are the current
        // ones.
        let is_constant = name == "convs-adadelta-of-one";
        for (case, trained, expected) in [
            ("correct", train(|_| Some(FakeRecorder::Correct), 1), replayed.clone()),
            ("too few steps", train(|_| Some(FakeRecorder::Correct), count + 1), ReplayStats::default()),
            ("doubled", train(|_| Some(FakeRecorder::Doubled), 1), wrong.clone()),
            ("stale inputs", train(stale, 1), if is_constant { replayed } else { wrong }),
            (
                "failing",
                train(|_| Some(FakeRecorder::Failing), 1),
                failed("a bug in mnist-report, please report it: no"),
            ),
        ] {
            let (got_state, got_losses, stats) = trained;
            assert_eq!(stats, expected, "{name}, {case}");
            assert_eq!(got_losses, losses, "{name}, {case}");
            assert!(got_state == state, "{name}, {case}: another state");
        }
    }
}

#[test]
fn remaining_steps_are_counted_by_batch_size() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut plan = Plan::resolve(&Source::load(&root.join("src/arithmetic/portable.yaml")).unwrap()).unwrap();
    let engine = Engine::start(None, false).unwrap();
    let run = &mut plan.runs["features-adam"];
    (run.settings.epochs, run.settings.image_count, run.settings.batch_size) = (3, 10, 4);
    let (pixels, labels) = (vec![0; 10 * PIXELS], vec![0; 10]);
    let dataset = Selection::new(&ImageSet { pixels, labels, classes: 10 }, &(0..10).collect::<Vec<_>>());
    let mut trainer = Trainer::new(&engine, &plan.models["features"], run, &plan.input, &dataset, 1);
    let counted: Vec<usize> = (0..10).map(|done| (trainer.done = done, trainer.remaining_steps()).1).collect();
    assert_eq!(counted, [6, 5, 3, 4, 3, 2, 2, 1, 1, 0]);
}

#[test]
fn inputs_have_the_same_addresses_at_every_step() {
    let engine = Engine::start(None, false).unwrap();
    let inputs = |n: i64, value: f64| {
        let full = |size: i64, kind| Tensor::full([size], value, (kind, engine.device));
        let masks = vec![("drop".to_owned(), full(3 * n, Kind::Float))];
        let changed = Some(full(n * PIXELS as i64, Kind::Float).reshape([n, PIXELS as i64]));
        StepInputs { index: full(n, Kind::Int64), changed, masks, factors: full(2, Kind::Float) }
    };
    let mut fixed = inputs(4, 0.0);
    let tensors =
        |i: &StepInputs| [&i.index, i.changed.as_ref().unwrap(), &i.masks[0].1, &i.factors].map(Tensor::shallow_clone);
    let address = |t: Tensor| t.data_ptr() as usize;
    let addresses = tensors(&fixed).map(address);
    for (n, value) in [(4, 1.0), (3, 2.0), (4, 3.0)] {
        let step = inputs(n, value);
        let copied = fixed.copy_from(&step);
        assert_eq!(tensors(&copied).map(address), addresses);
        for (copied, step) in tensors(&copied).iter().zip(&tensors(&step)) {
            assert_eq!((copied.size(), to_vec(copied)), (step.size(), to_vec(step)));
        }
    }
}

#[test]
fn augmented_images_are_those_of_the_programs_own_arithmetic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut plan = Plan::resolve(&Source::load(&root.join("src/arithmetic/portable.yaml")).unwrap()).unwrap();
    let engine = Engine::start(None, false).unwrap();
    let data = TrainAndTest::load(&root.join("data/mnist"), &DataSet::mnist()).unwrap();
    let run = &mut plan.runs["norms-adam-one-cycle"];
    let model = &plan.models[&run.settings.model];
    let dataset = Selection::new(&data.train, &run.choose(&data.train.labels, 1));
    let first_losses = |run: &RunPlan| {
        let mut own = mnist_report::arithmetic::Trainer::new(model, run, &plan.input, &dataset, 1);
        let mut trainer = Trainer::new(&engine, model, run, &plan.input, &dataset, 1);
        own.step();
        trainer.step();
        [own.epoch_losses()[0], trainer.last_loss()]
    };
    let [own, augmented] = first_losses(run);
    assert!((own - augmented).abs() < 1e-5, "{own} {augmented}");
    run.settings.augment = None;
    let [_, plain] = first_losses(run);
    assert!((augmented - plain).abs() > 1e-3, "{augmented} {plain}");
}
