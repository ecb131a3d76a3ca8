//! Other results that a study could have had. A claim that matches all of them tests nothing, however its expression is written.
//!
//! They keep the names and the form of the real results, and the rules that all results follow: the reported epoch is
//! what the confusion matrix counts, the counts of a comparison are those of its two networks, the parameters of a model are
//! those of its layers, trainings that measured the same, bit for bit, do so in all other results. So an expression that
//! only combines such rules, such as a number of correct images divided by the accuracy, has the same value in all of them.

mod draw;
mod equal;
mod training;

use minijinja::Value;

use draw::Draw;
use equal::Equal;
use training::{Network, OfSource, Training};

use super::values;
use crate::model::{Megabytes, Sizes};
use crate::results::{EpochResult, ModelFacts, PairCounts, Results, RunResult, SeedResult};
use crate::study::{EarlyStopping, ReportEpoch, RunSettings, Study};

/// How many results are made; fewer of results so large that this would take long. Two of three keep the study, so that each
/// class is once the only one that every network gives.
const MOST: usize = 48;
const FEWEST: usize = 12;
/// Epochs, layers and pairs of all results together, about.
const BUDGET: usize = 200_000;
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
    let equal = Equal::of(study, results);
    (0..count(results)).map(move |number| {
        let draw = Draw::new(number, "");
        Possible { values: values::of(study, &draw.results(results, &equal)), keeps_study: draw.keeps_study() }
    })
}

impl Draw {
    /// Other results than these.
    fn results(&self, of: &Results, equal: &Equal) -> Results {
        let mut results = of.clone();
        if !self.keeps_study() {
            let mut data = self.of("data");
            results.data.test_classes.iter_mut().for_each(|images| *images = data.count(500, 1500));
            results.data.test_images = results.data.test_classes.iter().sum();
            results.data.train_images = data.count(1000, 100_000);
            results.models.values_mut().for_each(|model| self.model(model));
        }
        let classes = results.data.test_classes.clone();
        let longest = longest(of);
        for ((name, run), origins) in results.runs.iter_mut().zip(&equal.origins) {
            if !self.keeps_study() {
                let key = equal.settings.get(name.as_str()).unwrap_or(name);
                let most = results.data.train_images.saturating_sub(run.plan.hold_out).max(10);
                run.plan.image_count = self.of(key).count(10, most);
            }
            let plan = run.plan.clone();
            for (seed, origin) in run.seeds.iter_mut().zip(origins) {
                let training = Training { plan: &plan, origin, images: plan.image_count, classes: &classes };
                let longest = longest(&plan, seed);
                self.seed(&training, seed, longest);
            }
        }
        let Results { comparisons, runs, .. } = &mut results;
        for comparison in comparisons.values_mut() {
            if let (Some(run), Some(against)) = (runs.get(&comparison.run), runs.get(&comparison.against)) {
                comparison.pairs = run.seeds.iter().zip(&against.seeds).map(|(a, b)| self.pair(a, b)).collect();
            }
        }
        results
    }

    fn seed(&self, training: &Training, seed: &mut SeedResult, longest: usize) {
        let Training { plan, origin, .. } = training;
        let of_batches = seed.batch_mean_loss / seed.test_loss.max(f64::MIN_POSITIVE);
        let Some(last) = seed.epochs.last().cloned() else { return };
        // Most epochs have the same origin as the one before.
        let (mut collapse, mut trend) = (OfSource(None), OfSource(None));
        let mut draw_epoch = |number: usize| {
            let mut epoch = EpochResult { epoch: number, ..last.clone() };
            let source = origin.epoch(number);
            let collapse = collapse.get(source, || self.collapse(source, training.classes.len()));
            let only_class = collapse.filter(|collapse| number >= collapse.since).map(|collapse| collapse.class);
            let network = self.of(&format!("{source} epoch {number}")).epoch(training, &mut epoch, only_class);
            if let Some(validation) = &mut epoch.validation {
                let source = origin.validation(number);
                let trend = trend.get(source, || self.trend(source));
                validation.loss = self.validation_loss(training, trend, number, only_class);
            }
            (epoch, network)
        };
        // A training that would be longer than `longest` ends as its rule says, not in the middle.
        let most = match plan.early_stopping {
            _ if !plan.may_stop_early() => seed.epochs.len() + usize::from(!self.keeps_study()),
            Some(EarlyStopping { patience }) => plan.epochs.min(longest.saturating_add(patience.min(longest))),
            None => plan.epochs.min(longest),
        };
        seed.epochs.clear();
        let (mut best, mut lowest) = (0, f64::INFINITY);
        let mut reported_network = Network::default();
        while seed.epochs.len() < most {
            let number = seed.epochs.len() + 1;
            let (mut epoch, network) = draw_epoch(number);
            if number >= longest && number < plan.epochs {
                if plan.early_stopping.is_some() {
                    if let Some(validation) = &mut epoch.validation {
                        validation.loss = validation.loss.max(lowest);
                    }
                } else if let Some(limit) = plan.stop_below_train_loss {
                    epoch.train_loss = epoch.train_loss.min(0.9 * limit);
                }
            }
            epoch.validation = epoch.validation.map(|drawn| self.validation(training, &epoch, &network, drawn));
            if let Some(loss) = epoch.validation.map(|validation| validation.loss).filter(|loss| *loss < lowest) {
                (best, lowest) = (seed.epochs.len(), loss);
            }
            let stops = plan.stops(epoch.train_loss, seed.epochs.len() - best);
            seed.epochs.push(epoch);
            if plan.report_epoch.is_last() || seed.epochs.len() == best + 1 {
                reported_network = network;
            }
            if stops {
                break;
            }
        }
        seed.reported_epoch = (plan.report_epoch == ReportEpoch::BestValidation).then_some(best + 1);
        let reported = seed.reported_epoch();
        // Equal networks have equal hashes, and only they: seeds that gave one network would have no interval.
        seed.weights_sha256 = format!("{} epoch {reported}", origin.epoch(reported));
        let mut draw = self.of(&format!("{} confusion", seed.weights_sha256));
        seed.confusion = draw.confusion(&reported_network, training.classes);
        seed.test_loss = seed.epochs[reported - 1].test.loss;
        // The last batch may be smaller than the others.
        let are_full = training.classes.iter().sum::<usize>().is_multiple_of(plan.batch_size.max(1));
        let noise = if are_full { 0.0 } else { 0.01 * self.of(&format!("{} batches", seed.weights_sha256)).share() };
        seed.batch_mean_loss = seed.test_loss * of_batches * (1.0 + noise);
    }

    /// For each class, the first of its images that a network gets right, and how many these are. The images of a class are
    /// taken to stand in a circle, and those that are right beside each other. So the counts of three networks compared with
    /// one another fit together, and fit those of the classes.
    fn right(&self, seed: &SeedResult) -> Vec<(usize, usize)> {
        let mut draw = self.of(&format!("{} right", seed.weights_sha256));
        let right = |(class, row): (usize, &Vec<usize>)| {
            let images: usize = row.iter().sum();
            // Many begin near the same image, so that networks also have errors in common.
            ((draw.share() * draw.share() * images as f64) as usize, row[class])
        };
        seed.confusion.iter().enumerate().map(right).collect()
    }

    /// The pair of two networks: the same whichever of them is named first. Equal networks predict the same.
    fn pair(&self, run: &SeedResult, against: &SeedResult) -> PairCounts {
        let (a, b, images) = (run.correct(), against.correct(), run.images());
        let of_classes = self.right(run).into_iter().zip(self.right(against)).zip(&run.confusion);
        let both: usize = of_classes.map(|((one, other), row)| common(one, other, row.iter().sum())).sum();
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

#[cfg(test)]
mod tests;
