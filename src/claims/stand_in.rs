//! Results that stand in for measured ones before training, so that expressions and sentences can be tried.

use indexmap::IndexMap;

use crate::compute::Environment;
use crate::results::{
    ComparisonResult, Data, EpochResult, Evaluated, PairCounts, Results, RunResult, SCHEMA, SeedResult, model_facts,
};
use crate::study::{Comparison, Plan, RunPlan, Study};

/// Test images of each class, and how many of them every stand-in classifies correctly.
const IMAGES: usize = 1000;
const CORRECT: usize = 970;

/// Results with every value that the plan measures, and none that it does not.
pub(super) fn results(study: &Study, plan: &Plan) -> Results {
    let classes = plan.data.classes;
    let runs: IndexMap<String, RunResult> =
        plan.runs.iter().map(|(name, run)| (name.clone(), self::run(run, classes))).collect();
    let comparison = |(name, c): (&String, &Comparison)| {
        let seeds = |run: &String| runs.get(run).map(|r| r.seeds.iter().map(|s| s.seed));
        let pairs = seeds(&c.run)?.zip(seeds(&c.against)?).map(|(a, b)| pair([a, b], classes)).collect();
        Some((name.clone(), ComparisonResult { run: c.run.clone(), against: c.against.clone(), pairs }))
    };
    Results {
        schema: SCHEMA,
        // Expressions cannot use it.
        environment: Environment::own(),
        data: Data {
            train_images: plan.data.train_images,
            test_images: IMAGES * classes,
            test_classes: vec![IMAGES; classes],
        },
        models: model_facts(plan),
        comparisons: study.comparisons.iter().filter_map(comparison).collect(),
        runs,
        diverged: IndexMap::new(),
        digits: IndexMap::new(),
        loss_curves: IndexMap::new(),
        filters: IndexMap::new(),
    }
}

fn run(run: &RunPlan, classes: usize) -> RunResult {
    let settings = &run.settings;
    // Seeds differ, because equal ones have no interval.
    let evaluated = |i: usize| Evaluated { images: IMAGES * classes, correct: CORRECT * classes - i % 2, loss: 0.2 };
    let epoch = |i: usize, epoch: usize| EpochResult {
        epoch,
        lr: 0.1,
        train_loss: 0.1 / epoch as f64,
        train_eval: settings.evaluate_train.then(|| evaluated(i)),
        validation: (settings.hold_out > 0).then(|| evaluated(i)),
        test: evaluated(i),
    };
    let confusion = |i: usize| {
        let mut confusion = vec![vec![0; classes]; classes];
        for class in 0..classes {
            let correct = if class == 0 { CORRECT - i % 2 } else { CORRECT };
            confusion[class][class] = correct;
            confusion[class][(class + 1) % classes] = IMAGES - correct;
        }
        confusion
    };
    let seed = |(i, seed): (usize, &u64)| SeedResult {
        seed: *seed,
        subset_sha256: String::new(),
        initial_weights_sha256: String::new(),
        weights_sha256: format!("{}, seed {seed}", run.name),
        epochs: (1..=settings.epochs).map(|number| epoch(i, number)).collect(),
        reported_epoch: None,
        within_epochs: Vec::new(),
        confusion: confusion(i),
        misclassified: Vec::new(),
        test_loss: 0.2,
        batch_mean_loss: 0.002,
        chain: Vec::new(),
    };
    RunResult { plan: settings.clone(), seeds: run.seeds.iter().enumerate().map(seed).collect() }
}

fn pair(seeds: [u64; 2], classes: usize) -> PairCounts {
    let (correct, only) = (CORRECT * classes, 50);
    let neither = IMAGES * classes - correct - only;
    PairCounts { seeds, both: correct - only, only_run: only, only_against: only, neither, disagreements: Vec::new() }
}
