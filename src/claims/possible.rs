//! Other results that a study could have had. A claim that matches all of them tests nothing, however its expression is written.
//!
//! They keep the names and the form of the real results, and the rules that all results follow: the reported epoch is what the confusion
//! matrix counts, the counts of a comparison are those of its two networks, the parameters of a model are those of its layers. So an
//! expression that only combines such rules, such as a number of correct images divided by the accuracy, has the same value in all of
//! them.

use minijinja::Value;

use super::values;
use crate::model::{Megabytes, Sizes};
use crate::results::{
    EpochResult, Evaluated, ModelFacts, PairCounts, Results, RunResult, SeedResult, validation_losses,
};
use crate::rng::Stream;
use crate::study::{EarlyStopping, ReportEpoch, RunSettings, Study, first_lowest};

/// How many results are made; fewer of results so large that this would take long.
const MOST: usize = 32;
const FEWEST: usize = 4;
/// Epochs, layers and pairs of all results together, about.
const BUDGET: usize = 200_000;
/// The wrong prediction of an image with the smallest loss has a loss of ln 2.
const LOSS_OF_ERROR: f64 = 0.7;

/// How many other results are tried.
fn count(results: &Results) -> usize {
    let epochs = results.runs.values().flat_map(|run| run.seeds.iter().map(|seed| seed.epochs.len()));
    let layers = results.models.values().map(|model| model.layers.len());
    let pairs = results.comparisons.values().map(|comparison| comparison.pairs.len());
    let size: usize = epochs.chain(layers).chain(pairs).sum();
    (BUDGET / size.max(1)).clamp(FEWEST, MOST)
}

/// The values of other results, as expressions use them. They are made one after the other, because each may be as large as the real
/// ones.
pub(super) fn values(study: &Study, results: &Results) -> impl Iterator<Item = Value> {
    (0..count(results)).map(|draw| values::of(study, &Draw::new(draw).results(results)))
}

/// Random numbers for one of the results.
struct Draw {
    number: usize,
    random: Stream,
}

impl Draw {
    fn new(number: usize) -> Self {
        Self { number, random: Stream::keyed(format!("possible results {number}").as_bytes()) }
    }

    /// A number from `least` to `most`.
    fn count(&mut self, least: usize, most: usize) -> usize {
        let range = u32::try_from(most.saturating_sub(least)).unwrap_or(u32::MAX - 1);
        least + self.random.below(range + 1) as usize
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        f64::from(self.random.below(1 << 24)) / f64::from(1 << 24)
    }

    /// Between `10^least` and `10^most`.
    fn magnitude(&mut self, least: f64, most: f64) -> f64 {
        libm::pow(10.0, least + (most - least) * self.share())
    }

    /// The share of images that a network gets right: in the first results none, then all, then all in every second run; later ones
    /// are of any quality, every third one good.
    fn quality(&mut self, run: usize) -> f64 {
        match self.number {
            0 => 0.0,
            1 => 1.0,
            2 | 3 => f64::from(u8::from(run % 2 == self.number % 2)),
            _ if self.number.is_multiple_of(3) => 1.0 - 0.3 * self.share(),
            _ => self.share(),
        }
    }

    /// The quality for one class.
    fn quality_of_class(&mut self, quality: f64) -> f64 {
        if quality <= 0.0 || quality >= 1.0 {
            return quality;
        }
        (quality + 0.2 * (self.share() - 0.5)).clamp(0.0, 1.0)
    }

    /// Whether trainings have one epoch more. Their seeds stay: the study names them, and one seed is its own mean.
    fn has_more_epochs(&self) -> bool {
        self.number % 2 == 1
    }

    /// Gives a training other epochs, and another one of them is reported, where its plan leaves that open. As in all results, the
    /// reported one has the lowest validation loss, and so has the one after which early stopping waited.
    fn epochs(&mut self, plan: &RunSettings, seed: &mut SeedResult) {
        let Some(last) = seed.epochs.last().cloned() else { return };
        if plan.may_stop_early() {
            let least = if plan.stop_below_train_loss.is_some() { 1 } else { least_epochs(plan) };
            let count = match self.number {
                0 => least,
                1 => plan.epochs,
                _ => self.count(least, plan.epochs),
            };
            seed.epochs.resize(count, last);
        } else if self.has_more_epochs() {
            seed.epochs.push(last);
        }
        if plan.report_epoch == ReportEpoch::BestValidation {
            let count = seed.epochs.len();
            let waited = plan.early_stopping.filter(|_| plan.stop_below_train_loss.is_none() && count < plan.epochs);
            let reported = match (waited, self.number) {
                (Some(EarlyStopping { patience }), _) => count.saturating_sub(patience).max(1),
                (None, 0) => 1,
                (None, 1) => count,
                (None, _) => self.count(1, count),
            };
            seed.reported_epoch = Some(reported);
        }
    }

    fn results(&mut self, of: &Results) -> Results {
        let mut results = of.clone();
        results.data.test_classes.iter_mut().for_each(|images| *images = self.count(500, 1500));
        results.data.test_images = results.data.test_classes.iter().sum();
        results.data.train_images = self.count(1000, 100_000);
        results.models.values_mut().for_each(|model| self.model(model));
        let classes = results.data.test_classes.clone();
        for (i, run) in results.runs.values_mut().enumerate() {
            self.run(i, run, &classes);
        }
        let Results { comparisons, runs, .. } = &mut results;
        for comparison in comparisons.values_mut() {
            if let (Some(run), Some(against)) = (runs.get(&comparison.run), runs.get(&comparison.against)) {
                let pairs = run.seeds.iter().zip(&against.seeds);
                comparison.pairs = pairs.map(|(a, b)| self.pair(a, b)).collect();
            }
        }
        results
    }

    fn run(&mut self, number: usize, run: &mut RunResult, classes: &[usize]) {
        run.plan.image_count = self.count(10, 60_000);
        let plan = run.plan.clone();
        for (i, seed) in run.seeds.iter_mut().enumerate() {
            let quality = self.quality(number);
            // Seeds that gave one network would have no interval.
            seed.weights_sha256 = format!("{number} {i}");
            self.epochs(&plan, seed);
            self.seed(seed, quality, plan.image_count, classes);
        }
    }

    fn seed(&mut self, seed: &mut SeedResult, quality: f64, images: usize, classes: &[usize]) {
        let of_batches = seed.batch_mean_loss / seed.test_loss.max(f64::MIN_POSITIVE);
        seed.confusion = self.confusion(quality, classes);
        for (i, epoch) in seed.epochs.iter_mut().enumerate() {
            epoch.epoch = i + 1;
            self.epoch(epoch, images, classes.iter().sum());
        }
        if let Some(reported) = seed.reported_epoch {
            give_lowest_validation(&mut seed.epochs, reported - 1);
        }
        let (correct, all) = (seed.correct(), seed.images());
        let test = self.evaluated(all, correct);
        seed.reported_mut().test = test;
        seed.test_loss = test.loss;
        // The last batch may be smaller than the others.
        seed.batch_mean_loss = seed.test_loss * of_batches * (1.0 + 0.01 * self.share());
    }

    fn confusion(&mut self, quality: f64, classes: &[usize]) -> Vec<Vec<usize>> {
        let count = classes.len();
        let mut confusion = vec![vec![0; count]; count];
        for (class, images) in classes.iter().enumerate() {
            let quality = self.quality_of_class(quality);
            let correct = (*images as f64 * quality) as usize;
            confusion[class][class] = correct;
            let mut left = images - correct;
            for step in 1..count {
                let wrong = if step + 1 == count { left } else { self.count(0, left) };
                confusion[class][(class + step) % count] = wrong;
                left -= wrong;
            }
        }
        confusion
    }

    fn epoch(&mut self, epoch: &mut EpochResult, images: usize, test_images: usize) {
        epoch.train_loss = self.magnitude(-4.0, 1.5);
        let any = |draw: &mut Self, images: usize| {
            let correct = draw.count(0, images);
            draw.evaluated(images, correct)
        };
        epoch.train_eval = epoch.train_eval.map(|_| any(self, images));
        epoch.validation = epoch.validation.map(|validation| any(self, validation.images));
        epoch.test = any(self, test_images);
    }

    fn evaluated(&mut self, images: usize, correct: usize) -> Evaluated {
        let wrong = (images - correct) as f64 / images.max(1) as f64;
        let loss = wrong * (LOSS_OF_ERROR + self.magnitude(-2.0, 1.0)) + self.magnitude(-5.0, -1.0);
        Evaluated { images, correct, loss }
    }

    fn pair(&mut self, run: &SeedResult, against: &SeedResult) -> PairCounts {
        let (a, b, images) = (run.correct(), against.correct(), run.images());
        let both = self.count((a + b).saturating_sub(images), a.min(b));
        PairCounts {
            seeds: [run.seed, against.seed],
            both,
            only_run: a - both,
            only_against: b - both,
            neither: images + both - a - b,
            disagreements: Vec::new(),
        }
    }

    fn model(&mut self, model: &mut ModelFacts) {
        for layer in &mut model.layers {
            layer.parameters = self.count(1, 1_000_000) as u64;
            layer.buffers = self.count(1, 1000) as u64;
            layer.mult_adds = self.count(1, 1_000_000_000) as u64;
            for shape in [&mut layer.input_shape, &mut layer.output_shape] {
                for size in shape {
                    *size = self.count(1, 1000);
                }
            }
            "another".clone_into(&mut layer.kind);
            "another".clone_into(&mut layer.formula);
        }
        model.parameters = model.layers.iter().map(|layer| layer.parameters).sum();
        model.buffers = model.layers.iter().map(|layer| layer.buffers).sum();
        model.mult_adds = model.layers.iter().map(|layer| layer.mult_adds).sum();
        let Sizes { torchsummary, torchinfo } = &mut model.sizes;
        for (sizes, megabyte) in [(torchsummary, 1_048_576.0), (torchinfo, 1e6)] {
            let forward_backward = self.magnitude(-2.0, 3.0);
            let params = 4.0 * model.parameters as f64 / megabyte;
            let total = sizes.input + forward_backward + params;
            *sizes = Megabytes { input: sizes.input, forward_backward, params, total };
        }
    }
}

/// The fewest epochs after which a run with early stopping can end.
fn least_epochs(plan: &RunSettings) -> usize {
    plan.early_stopping.map_or(1, |EarlyStopping { patience }| (patience + 1).min(plan.epochs))
}

/// Exchanges validations, so that this epoch has the lowest loss.
fn give_lowest_validation(epochs: &mut [EpochResult], epoch: usize) {
    let lowest = first_lowest(&validation_losses(epochs));
    let (found, own) = (epochs[lowest].validation, epochs[epoch].validation);
    (epochs[lowest].validation, epochs[epoch].validation) = (own, found);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::claims::{Verdict, stand_in};
    use crate::study::{Plan, Source};

    const STUDY: &str = "\
title: t
models: {m: {layers: [flatten, {linear: {out_features: 10}}]}, n: {layers: [flatten, {linear: {out_features: 10, bias: false}}]}}
defaults: {train: {images: {first: 500}, hold_out: 100}, evaluate_train: true, epochs: 3, batch_size: 50, optimizer: adam, seeds: [1, 2]}
runs: {a: {model: m}, b: {model: n}}
comparisons: {c: {run: a, against: b}}
";

    fn source() -> (Source, Plan) {
        let source = Source::from_text_in(std::path::Path::new("study.yaml"), STUDY, None).unwrap();
        let plan = Plan::resolve(&source).unwrap();
        (source, plan)
    }

    #[test]
    fn other_results_follow_the_rules_of_all_results() {
        let (source, plan) = source();
        let mut results = stand_in::results(&source.study, &plan);
        let losses = |run: &str, _: u64| Ok::<_, String>(vec![0.1; plan.runs[run].total_steps()]);
        results.add_loss_curves(losses).unwrap();
        for number in 0..MOST {
            let other = Draw::new(number).results(&results);
            let text = other.to_json();
            Results::from_json(&text).unwrap_or_else(|e| panic!("{number}: {e:?}"));
            for (name, run) in &other.runs {
                for seed in &run.seeds {
                    let last = seed.epochs.last().unwrap();
                    assert_eq!(
                        (last.test.correct, last.test.images),
                        (seed.correct(), other.data.test_images),
                        "{name}"
                    );
                    assert_eq!(last.test.loss.to_bits(), seed.test_loss.to_bits());
                    let classes: Vec<usize> = seed.confusion.iter().map(|row| row.iter().sum()).collect();
                    assert_eq!(classes, other.data.test_classes);
                    assert!(seed.test_loss >= 0.69 * (1.0 - seed.accuracy()), "{number}: {}", seed.test_loss);
                }
            }
            for (pair, (a, b)) in
                other.comparisons["c"].pairs.iter().zip(other.runs["a"].seeds.iter().zip(&other.runs["b"].seeds))
            {
                assert_eq!((pair.both + pair.only_run, pair.both + pair.only_against), (a.correct(), b.correct()));
                assert_eq!(pair.images(), other.data.test_images);
            }
            let model = &other.models["m"];
            assert_eq!(model.parameters, model.layers.iter().map(|l| l.parameters).sum::<u64>());
        }
    }

    /// A study whose run may end early and reports the epoch with the lowest validation loss.
    const EARLY: &str = "\
title: t
models: {m: {layers: [flatten, {linear: {out_features: 10}}]}}
runs:
  a: {model: m, train: {images: {first: 500}, hold_out: 100}, epochs: 9, early_stopping: {patience: 2},
      report_epoch: best_validation, batch_size: 50, optimizer: adam, seeds: [1, 2, 3]}
claims:
  - {id: short, group: g, quote: q, printed: 'false', measured: runs.a.last.epoch < 8, compare: exact}
  - {id: count, group: g, quote: q, printed: 'true', measured: runs.a.epochs|length >= 9, compare: exact}
  - {id: reported, group: g, quote: q, printed: 'true', measured: runs.a.reported.epoch == runs.a.last.epoch, compare: exact}
  - {id: planned, group: g, quote: q, printed: 'true', measured: runs.a.last.epoch <= 9, compare: exact}
  - {id: patience, group: g, quote: q, printed: 'true', measured: runs.a.last.epoch >= 3, compare: exact}
  - {id: order, group: g, quote: q, printed: 'true', measured: runs.a.reported.epoch <= runs.a.last.epoch, compare: exact}
";

    #[test]
    fn a_run_that_may_end_early_has_other_epochs_and_another_reported_one() {
        let source = Source::from_text_in(std::path::Path::new("study.yaml"), EARLY, None).unwrap();
        let plan = Plan::resolve(&source).unwrap();
        let results = stand_in::results(&source.study, &plan);
        let (mut counts, mut reported) = (BTreeSet::new(), BTreeSet::new());
        for number in 0..MOST {
            let other = Draw::new(number).results(&results);
            for seed in &other.runs["a"].seeds {
                let best = first_lowest(&validation_losses(&seed.epochs)) + 1;
                assert_eq!(plan.runs["a"].reported_epoch(&validation_losses(&seed.epochs)), seed.reported_epoch);
                let (count, epoch) = (seed.epochs.len(), seed.reported_epoch());
                assert!(epoch == best && (count == 9 || epoch == count - 2), "{number}: {epoch} of {count}");
                assert_eq!(seed.epochs[epoch - 1].test.correct, seed.correct());
                counts.insert(count);
                reported.insert(epoch);
            }
        }
        assert_eq!(counts, (3..=9).collect(), "every number of epochs that the patience allows");
        assert!(reported.len() > 6 && reported.contains(&1) && reported.contains(&9), "{reported:?}");
    }

    #[test]
    fn claims_on_epochs_that_the_plan_leaves_open_test_something() {
        let source = Source::from_text_in(std::path::Path::new("study.yaml"), EARLY, None).unwrap();
        let plan = Plan::resolve(&source).unwrap();
        let mut results = stand_in::results(&source.study, &plan);
        results.runs["a"].seeds.iter_mut().for_each(|seed| seed.reported_epoch = Some(9));
        let judged = crate::claims::judge(&source.study, &results);
        let verdicts: Vec<(&str, Verdict)> = judged.iter().map(|j| (j.claim.id.as_str(), j.verdict)).collect();
        let [matches, nothing] = [Verdict::Matches, Verdict::TestsNothing];
        assert_eq!(
            verdicts,
            [
                ("short", matches),
                ("count", matches),
                ("reported", matches),
                ("planned", nothing),
                ("patience", nothing),
                ("order", nothing)
            ]
        );
    }

    #[test]
    fn other_results_are_far_from_each_other() {
        let (source, plan) = source();
        let results = stand_in::results(&source.study, &plan);
        let accuracies: Vec<f64> = (0..MOST).map(|n| Draw::new(n).results(&results).runs["a"].accuracy()).collect();
        assert_eq!(accuracies[..2], [0.0, 1.0]);
        for (from, to) in [(0.0, 0.3), (0.3, 0.7), (0.7, 1.0)] {
            assert!(accuracies.iter().filter(|a| (from..to).contains(*a)).count() >= 3, "{accuracies:?}");
        }
        assert_eq!(values(&source.study, &results).count(), MOST);
    }
}
