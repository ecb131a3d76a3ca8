//! Other results that a study could have had. A claim that matches all of them tests nothing, however its expression is written.
//!
//! They keep the names and the form of the real results, and the rules that all results follow: the reported epoch is what the
//! confusion matrix counts, the counts of a comparison are those of its two networks, the parameters of a model are those of its
//! layers, equal trainings have equal results. So an expression that only combines such rules, such as a number of correct
//! images divided by the accuracy, has the same value in all of them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use minijinja::Value;

use super::values;
use crate::model::{Megabytes, Sizes};
use crate::results::{EpochResult, Evaluated, ModelFacts, PairCounts, Results, RunResult, SeedResult};
use crate::rng::Stream;
use crate::study::{EarlyStopping, ReportEpoch, RunSettings, Study};

/// How many results are made; fewer of results so large that this would take long.
const MOST: usize = 32;
const FEWEST: usize = 12;
/// Epochs, layers and pairs of all results together, about.
const BUDGET: usize = 200_000;
/// The wrong prediction of an image with the smallest loss has a loss of ln 2.
const LOSS_OF_ERROR: f64 = 0.7;

/// The values of other results, as expressions use them.
pub(super) struct Possible {
    pub(super) values: Value,
    /// Whether what follows from the study alone, such as counts of parameters, images and planned epochs, is as in the real
    /// results. A claim on what was measured must differ from some of these: with other counts, an expression that only divides
    /// by them would seem to test something.
    pub(super) keeps_study: bool,
}

/// How many other results are tried.
fn count(results: &Results) -> usize {
    let longest = longest(results);
    let possible = |run: &RunResult| run.seeds.iter().map(|seed| longest(&run.plan, seed)).sum::<usize>();
    let epochs = results.runs.values().map(possible);
    let layers = results.models.values().map(|model| model.layers.len());
    let pairs = results.comparisons.values().map(|comparison| comparison.pairs.len());
    let size: usize = epochs.chain(layers).chain(pairs).sum();
    (BUDGET / size.max(1)).clamp(FEWEST, MOST)
}

/// The epochs after which a training ends as soon as its rules allow. The plan may be the bundle's own statement and ask for billions.
fn longest(results: &Results) -> impl Fn(&RunSettings, &SeedResult) -> usize {
    let seeds: usize = results.runs.values().map(|run| run.seeds.len()).sum();
    let each = BUDGET / FEWEST / seeds.max(1);
    move |plan, seed| {
        let real = seed.epochs.len();
        if plan.may_stop_early() { plan.epochs.min(each.max(real + 20)).max(1) } else { real + 1 }
    }
}

/// Other results, made one after the other, because each may be as large as the real ones.
pub(super) fn results(study: &Study, results: &Results) -> impl Iterator<Item = Possible> {
    let keys = study.digests_of_epochs();
    (0..count(results)).map(move |number| {
        let draw = Draw::new(number, "");
        Possible { values: values::of(study, &draw.results(results, &keys)), keeps_study: draw.keeps_study() }
    })
}

/// Random numbers for a part of one of the results.
struct Draw {
    number: usize,
    random: Stream,
}

/// What decides the results of a training, except how long it takes.
struct Training<'a> {
    plan: &'a RunSettings,
    /// Equal for equal trainings, also if one of them has more epochs.
    key: String,
    /// The first run of an equal training.
    number: usize,
    images: usize,
    classes: &'a [usize],
}

impl Draw {
    /// Equal parts of the results have equal keys.
    fn new(number: usize, key: &str) -> Self {
        Self { number, random: Stream::keyed(format!("possible results {number} {key}").as_bytes()) }
    }

    /// Random numbers of the same results for another part.
    fn of(&self, key: &str) -> Self {
        Self::new(self.number, key)
    }

    fn keeps_study(&self) -> bool {
        self.number.is_multiple_of(2)
    }

    /// Numbered alike whether the study is kept or not.
    fn pattern(&self) -> usize {
        self.number / 2
    }

    /// A number from `least` to `most`.
    fn count(&mut self, least: usize, most: usize) -> usize {
        let range = u32::try_from(most.saturating_sub(least)).unwrap_or(u32::MAX).min(u32::MAX - 1);
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
        match self.pattern() {
            0 => 0.0,
            1 => 1.0,
            pattern @ (2 | 3) => f64::from(u8::from(run % 2 == pattern % 2)),
            pattern if pattern.is_multiple_of(3) => 1.0 - 0.3 * self.share(),
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

    /// Validation losses by the number of the epoch: in most results they fall until some epoch and rise after it, as losses do;
    /// in others they are any.
    fn validation_losses(&self, key: &str) -> impl Fn(usize) -> f64 {
        let mut draw = self.of(&format!("{key} validation"));
        let (lowest, slope) = (draw.magnitude(-3.0, 0.0), draw.magnitude(-3.0, -0.5));
        let turn = match self.pattern() {
            0 => Some(1.0),
            1 => Some(f64::INFINITY),
            pattern if pattern % 4 == 3 => None,
            pattern if pattern.is_multiple_of(2) => Some(draw.magnitude(0.0, 1.3).floor()),
            _ => Some(draw.magnitude(0.0, 3.0).floor()),
        };
        move |number| {
            let epoch = number as f64;
            match turn {
                None => self.of(&format!("{key} validation {number}")).magnitude(-3.0, 0.5),
                Some(f64::INFINITY) => lowest * (1.0 + slope / epoch),
                Some(turn) => lowest * (1.0 + slope * (epoch - turn).abs()),
            }
        }
    }

    /// Other results than these. `trainings` has the same key for runs of the same training.
    fn results(&self, of: &Results, trainings: &IndexMap<&str, String>) -> Results {
        let mut results = of.clone();
        if !self.keeps_study() {
            let mut data = self.of("data");
            results.data.test_classes.iter_mut().for_each(|images| *images = data.count(500, 1500));
            results.data.test_images = results.data.test_classes.iter().sum();
            results.data.train_images = data.count(1000, 100_000);
            results.models.values_mut().for_each(|model| self.model(model));
        }
        let classes = results.data.test_classes.clone();
        let mut numbers = BTreeMap::new();
        let mut keys = BTreeMap::new();
        let longest = longest(of);
        for (i, (name, run)) in results.runs.iter_mut().enumerate() {
            let key = trainings.get(name.as_str()).unwrap_or(name).clone();
            let number = *numbers.entry(key.clone()).or_insert(i);
            keys.insert(name.clone(), key.clone());
            if !self.keeps_study() {
                run.plan.image_count =
                    self.of(&key).count(10, results.data.train_images.saturating_sub(run.plan.hold_out).max(10));
            }
            let plan = run.plan.clone();
            let training = Training { plan: &plan, key, number, images: plan.image_count, classes: &classes };
            for seed in &mut run.seeds {
                let longest = longest(&plan, seed);
                self.seed(&training, seed, longest);
            }
        }
        let Results { comparisons, runs, .. } = &mut results;
        for comparison in comparisons.values_mut() {
            if let (Some(run), Some(against)) = (runs.get(&comparison.run), runs.get(&comparison.against)) {
                let [key, other] = [&comparison.run, &comparison.against].map(|name| keys[name].as_str());
                let pairs = run.seeds.iter().zip(&against.seeds);
                comparison.pairs = pairs.map(|(a, b)| self.pair([key, other], a, b)).collect();
            }
        }
        results
    }

    fn seed(&self, training: &Training, seed: &mut SeedResult, longest: usize) {
        let Training { plan, key, .. } = training;
        let key = format!("{key} seed {}", seed.seed);
        let of_batches = seed.batch_mean_loss / seed.test_loss.max(f64::MIN_POSITIVE);
        // Seeds that gave one network would have no interval.
        seed.weights_sha256.clone_from(&key);
        let Some(last) = seed.epochs.last().cloned() else { return };
        let validation_loss = self.validation_losses(&key);
        let draw_epoch = |number: usize| {
            let mut epoch = EpochResult { epoch: number, ..last.clone() };
            let counts = self.of(&format!("{key} epoch {number}")).epoch(training, &mut epoch);
            if let Some(validation) = &mut epoch.validation {
                validation.loss = validation_loss(number);
                let wrong =
                    (validation.loss / LOSS_OF_ERROR).min(1.0) * self.of(&format!("{key} errors {number}")).share();
                validation.correct = validation.images - (validation.images as f64 * wrong) as usize;
            }
            (epoch, counts)
        };
        // A training that would be longer than `longest` ends as its rule says, not in the middle.
        let most = match plan.early_stopping {
            _ if !plan.may_stop_early() => seed.epochs.len() + usize::from(!self.keeps_study()),
            Some(EarlyStopping { patience }) => plan.epochs.min(longest.saturating_add(patience.min(longest))),
            None => plan.epochs.min(longest),
        };
        seed.epochs.clear();
        let (mut best, mut lowest) = (0, f64::INFINITY);
        let mut correct = Vec::new();
        while seed.epochs.len() < most {
            let number = seed.epochs.len() + 1;
            let (mut epoch, counts) = draw_epoch(number);
            if number >= longest && number < plan.epochs {
                if plan.early_stopping.is_some() {
                    if let Some(validation) = &mut epoch.validation {
                        validation.loss = validation.loss.max(lowest);
                    }
                } else if let Some(limit) = plan.stop_below_train_loss {
                    epoch.train_loss = epoch.train_loss.min(0.9 * limit);
                }
            }
            if let Some(loss) = epoch.validation.map(|validation| validation.loss).filter(|loss| *loss < lowest) {
                (best, lowest) = (seed.epochs.len(), loss);
            }
            let stops = plan.stops(epoch.train_loss, seed.epochs.len() - best);
            seed.epochs.push(epoch);
            if plan.report_epoch.is_last() || seed.epochs.len() == best + 1 {
                correct = counts;
            }
            if stops {
                break;
            }
        }
        seed.reported_epoch = (plan.report_epoch == ReportEpoch::BestValidation).then_some(best + 1);
        let reported = seed.reported_epoch() - 1;
        seed.confusion = self.of(&format!("{key} confusion {reported}")).confusion(&correct, training.classes);
        seed.test_loss = seed.epochs[reported].test.loss;
        // The last batch may be smaller than the others.
        let are_full = training.classes.iter().sum::<usize>().is_multiple_of(plan.batch_size.max(1));
        let noise = if are_full { 0.0 } else { 0.01 * self.of(&key).share() };
        seed.batch_mean_loss = seed.test_loss * of_batches * (1.0 + noise);
    }

    /// Draws what an epoch measured, and returns how many images of each class were classified correctly.
    fn epoch(&mut self, training: &Training, epoch: &mut EpochResult) -> Vec<usize> {
        let quality = self.quality(training.number);
        let correct = |draw: &mut Self, images: &usize| (*images as f64 * draw.quality_of_class(quality)) as usize;
        let counts: Vec<usize> = training.classes.iter().map(|images| correct(self, images)).collect();
        epoch.test = self.evaluated(training.classes.iter().sum(), counts.iter().sum());
        let least = least_loss(training.plan.label_smoothing, training.classes.len());
        // A study may end a training below any loss.
        let lowest = if self.pattern() % 4 == 1 { -12.0 } else { -4.0 };
        epoch.train_loss = least + self.magnitude(lowest, 1.5);
        let any = |draw: &mut Self, images: usize| {
            let correct = draw.count(0, images);
            draw.evaluated(images, correct)
        };
        epoch.train_eval = epoch.train_eval.map(|_| any(self, training.images));
        counts
    }

    /// A confusion matrix with these numbers of correct images.
    fn confusion(&mut self, correct: &[usize], classes: &[usize]) -> Vec<Vec<usize>> {
        let count = classes.len();
        let mut confusion = vec![vec![0; count]; count];
        for (class, (images, correct)) in classes.iter().zip(correct).enumerate() {
            confusion[class][class] = *correct;
            let mut left = images - correct;
            for step in 1..count {
                let wrong = if step + 1 == count { left } else { self.count(0, left) };
                confusion[class][(class + step) % count] = wrong;
                left -= wrong;
            }
        }
        confusion
    }

    fn evaluated(&mut self, images: usize, correct: usize) -> Evaluated {
        let wrong = (images - correct) as f64 / images.max(1) as f64;
        let loss = wrong * (LOSS_OF_ERROR + self.magnitude(-2.0, 1.0)) + self.magnitude(-5.0, -1.0);
        Evaluated { images, correct, loss }
    }

    /// The test image with which those begin that a network gets right: they are taken to stand in a row, the first one after the
    /// last. So the counts of three networks compared with one another fit together.
    fn first_right(&self, key: &str, seed: &SeedResult) -> usize {
        let mut draw = self.of(&format!("{key} {} {} right", seed.seed, seed.reported_epoch()));
        // Many begin near the same image, so that networks also have errors in common.
        (draw.share() * draw.share() * seed.images() as f64) as usize
    }

    /// The pair of two networks: the same whichever of them is named first. Equal networks predict the same.
    fn pair(&self, keys: [&str; 2], run: &SeedResult, against: &SeedResult) -> PairCounts {
        let (a, b, images) = (run.correct(), against.correct(), run.images());
        let one = (self.first_right(keys[0], run), a);
        let other = (self.first_right(keys[1], against), b);
        let both = common(one, other, images);
        PairCounts {
            seeds: [run.seed, against.seed],
            both,
            only_run: a - both,
            only_against: b - both,
            neither: images + both - a - b,
            disagreements: Vec::new(),
        }
    }

    /// Gives a model other counts and shapes. Layers without parameters stay so, and a layer gets what the layer before it returns.
    fn model(&self, model: &mut ModelFacts) {
        let mut draw = self.of(&serde_json::to_string(&model.layers).expect("layers are plain data"));
        let mut before = (Vec::new(), Vec::new());
        for layer in &mut model.layers {
            let mut other = |count: &mut u64, most| {
                if *count > 0 {
                    *count = draw.count(1, most) as u64;
                }
            };
            other(&mut layer.parameters, 1_000_000);
            other(&mut layer.buffers, 1000);
            other(&mut layer.mult_adds, 1_000_000_000);
            let output = layer.output_shape.clone();
            let (real, drawn) = &before;
            if layer.input_shape == *real {
                layer.input_shape.clone_from(drawn);
            } else {
                layer.input_shape.iter_mut().for_each(|size| *size = draw.count(1, 1000));
            }
            layer.output_shape.iter_mut().for_each(|size| *size = draw.count(1, 1000));
            before = (output, layer.output_shape.clone());
            "another".clone_into(&mut layer.kind);
            "another".clone_into(&mut layer.formula);
        }
        model.parameters = model.layers.iter().map(|layer| layer.parameters).sum();
        model.buffers = model.layers.iter().map(|layer| layer.buffers).sum();
        model.mult_adds = model.layers.iter().map(|layer| layer.mult_adds).sum();
        let Sizes { torchsummary, torchinfo } = &mut model.sizes;
        for (sizes, megabyte) in [(torchsummary, 1_048_576.0), (torchinfo, 1e6)] {
            let forward_backward = draw.magnitude(-2.0, 3.0);
            let params = 4.0 * model.parameters as f64 / megabyte;
            let total = sizes.input + forward_backward + params;
            *sizes = Megabytes { input: sizes.input, forward_backward, params, total };
        }
    }
}

/// How many images two rows in a circle have in common, each given by its first image and its length.
fn common((first, length): (usize, usize), (other, other_length): (usize, usize), images: usize) -> usize {
    let overlap = |shift: usize, other_shift: usize| {
        let end = (first + shift + length).min(other + other_shift + other_length);
        end.saturating_sub((first + shift).max(other + other_shift))
    };
    overlap(0, 0) + overlap(images, 0) + overlap(0, images)
}

/// The lowest possible training loss, the entropy of smoothed labels.
/// PyTorch: `label_smoothing` of `torch.nn.CrossEntropyLoss`.
fn least_loss(label_smoothing: f64, classes: usize) -> f64 {
    let other = label_smoothing / classes.max(1) as f64;
    let right = 1.0 - label_smoothing + other;
    let part = |share: f64| if share > 0.0 { -share * libm::log(share) } else { 0.0 };
    part(right) + classes.saturating_sub(1) as f64 * part(other)
}

#[cfg(test)]
mod tests;
