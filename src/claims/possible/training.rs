//! What other trainings could have measured: networks of any quality, those that fail among them.

use super::draw::Draw;
use super::equal::{Origin, Source};
use crate::results::{EpochResult, Evaluated};
use crate::study::RunSettings;

/// The wrong prediction of an image with the smallest loss has a loss of ln 2.
const LOSS_OF_ERROR: f64 = 0.7;
/// How much larger than the loss of guessing that of a network is that gives one class for all images.
const ABOVE_GUESSING: f64 = 1.011;

/// What decides the results of a training, except how long it takes.
pub(super) struct Training<'a> {
    pub(super) plan: &'a RunSettings,
    pub(super) origin: &'a Origin,
    pub(super) images: usize,
    pub(super) classes: &'a [usize],
}

/// What makes a training's networks give one class for every image.
#[derive(Clone, Copy)]
pub(super) struct Collapse {
    pub(super) class: usize,
    /// The number of the first such epoch.
    pub(super) since: usize,
}

/// The validation losses of a training.
#[derive(Clone, Copy)]
pub(super) struct Trend {
    lowest: f64,
    /// The change from epoch to epoch, as a multiple of the lowest loss.
    slope: f64,
    turn: Turn,
}

/// When validation losses rise.
#[derive(Clone, Copy)]
enum Turn {
    Never,
    /// After the epoch of this number.
    At(f64),
    /// They rise and fall.
    Any,
}

/// A value that was drawn for a training, kept for its other epochs.
pub(super) struct OfSource<T>(pub(super) Option<(Source, T)>);

impl<T: Copy> OfSource<T> {
    pub(super) fn get(&mut self, source: Source, draw: impl FnOnce() -> T) -> T {
        match self.0 {
            Some((drawn, value)) if drawn == source => value,
            _ => self.0.insert((source, draw())).1,
        }
    }
}

/// What a network does with the test images after an epoch.
#[derive(Default)]
pub(super) struct Network {
    /// Correct images of each class.
    correct: Vec<usize>,
    /// The class that it gives for every image, if it does so.
    only_class: Option<usize>,
}

impl Draw {
    /// The share of images that a network gets right, of a run by its number: in the first results none, then all, then all
    /// in every second run; later ones are of any quality, some good.
    fn quality(&mut self, run: usize) -> f64 {
        match self.pattern() {
            0 => 0.0,
            1 => 1.0,
            pattern @ (2 | 3) => f64::from(u8::from(run % 2 == pattern % 2)),
            pattern if pattern % 6 == 3 => 1.0 - 0.3 * self.share(),
            _ => self.share(),
        }
    }

    /// As [`Self::quality`] for other images than those of the test: where every second run gets all of these right, it gets
    /// none of the others, so that the two are far apart.
    fn quality_elsewhere(&mut self, run: usize) -> f64 {
        match self.pattern() {
            0 => 0.0,
            1 => 1.0,
            pattern @ (2 | 3) => f64::from(u8::from(run % 2 != pattern % 2)),
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

    /// Whether a training's networks give one class for every image, and from which epoch on: all networks in every third of
    /// the results, and some in others. In every second of these, each run has another class.
    pub(super) fn collapse(&self, source: Source, classes: usize) -> Option<Collapse> {
        match self.pattern() {
            0..4 => None,
            pattern if pattern % 3 == 1 => {
                let nth = (pattern - 4) / 3;
                Some(Collapse { class: (nth + nth % 2 * 2 * source.run) % classes, since: 1 })
            }
            pattern if pattern % 3 == 2 => {
                let mut draw = self.of(&format!("{source} one class"));
                let is_one = draw.share() < 0.3;
                let collapse = Collapse { class: draw.count(0, classes - 1), since: draw.magnitude(0.0, 1.0) as usize };
                is_one.then_some(collapse)
            }
            _ => None,
        }
    }

    /// How a training's validation losses go: in most results they fall until some epoch and rise after it, as losses do; in
    /// others they are any.
    pub(super) fn trend(&self, source: Source) -> Trend {
        let mut draw = self.of(&format!("{source} validation"));
        let slope = draw.magnitude(-3.0, -0.5);
        let turn = match self.pattern() {
            0 => Turn::At(1.0),
            1 => Turn::Never,
            pattern if pattern % 4 == 3 => Turn::Any,
            pattern if pattern.is_multiple_of(2) => Turn::At(draw.magnitude(0.0, 1.3).floor()),
            _ => Turn::At(draw.magnitude(0.0, 3.0).floor()),
        };
        let is_low = match self.pattern() {
            0..4 => draw.quality_elsewhere(source.run) > 0.5,
            _ => draw.share() < 0.5,
        };
        let (least, most) = match self.pattern() {
            0 => (1.0, 3.0),
            _ if is_low => (-3.0, 0.0),
            _ => (0.0, 3.0),
        };
        let lowest = draw.magnitude(least, most);
        Trend { lowest, slope, turn }
    }

    /// The validation loss after an epoch, counted from 1.
    pub(super) fn validation_loss(
        &self,
        training: &Training,
        trend: Trend,
        epoch: usize,
        only_class: Option<usize>,
    ) -> f64 {
        let lowest = match only_class {
            Some(_) => ABOVE_GUESSING * guessing(training.classes.len()),
            None => trend.lowest,
        };
        let number = epoch as f64;
        let times = match trend.turn {
            Turn::Never => 1.0 + trend.slope / number,
            Turn::At(turn) => 1.0 + trend.slope * (number - turn).abs(),
            Turn::Any => {
                let source = training.origin.validation(epoch);
                self.of(&format!("{source} validation {epoch}")).magnitude(0.0, 2.0)
            }
        };
        lowest * times
    }

    /// A result on the validation set that can have this loss.
    pub(super) fn validation(
        &self,
        training: &Training,
        epoch: &EpochResult,
        network: &Network,
        drawn: Evaluated,
    ) -> Evaluated {
        let Evaluated { images, loss, .. } = drawn;
        let (source, classes) = (training.origin.validation(epoch.epoch), training.classes.len());
        let mut draw = self.of(&format!("{source} errors {}", epoch.epoch));
        let share = match network.only_class {
            Some(_) => 1.0 - draw.share_of_class(classes),
            None => (loss / LOSS_OF_ERROR).min(1.0) * (1.0 - draw.quality_elsewhere(source.run)),
        };
        let wrong = (images as f64 * share) as usize;
        // The loss of a correct prediction is at most that of guessing.
        let wrong = if loss > guessing(classes) { wrong.max(1) } else { wrong };
        Evaluated { images, correct: images - wrong, loss }
    }

    /// The share of images that are of one class.
    fn share_of_class(&mut self, classes: usize) -> f64 {
        (2.0 * self.share() / classes as f64).min(1.0)
    }

    /// Draws what an epoch measured.
    pub(super) fn epoch(&mut self, training: &Training, epoch: &mut EpochResult, only_class: Option<usize>) -> Network {
        let (source, classes) = (training.origin.epoch(epoch.epoch), training.classes);
        let quality = self.quality(source.run);
        let correct = |(class, images): (usize, &usize)| match only_class {
            Some(only) => images * usize::from(class == only),
            None => (*images as f64 * self.quality_of_class(quality)) as usize,
        };
        let correct: Vec<usize> = classes.iter().enumerate().map(correct).collect();
        epoch.test = self.evaluated(classes, [classes.iter().sum(), correct.iter().sum()], only_class);
        epoch.train_loss = self.train_loss(training, only_class);
        // The last one drawn: it may be missing.
        epoch.train_eval = epoch.train_eval.map(|_| {
            let images = training.images;
            let share = match only_class {
                Some(_) => self.share_of_class(classes.len()),
                None => self.quality_elsewhere(source.run),
            };
            let correct = (images as f64 * share) as usize;
            let most = images - usize::from(only_class.is_some()).min(images);
            self.evaluated(classes, [images, correct.min(most)], only_class)
        });
        Network { correct, only_class }
    }

    fn train_loss(&mut self, training: &Training, only_class: Option<usize>) -> f64 {
        let classes = training.classes.len();
        if only_class.is_some() {
            return guessing(classes) * (ABOVE_GUESSING + 0.05 * self.share());
        }
        let (lowest, highest) = match self.pattern() {
            0 => (1.5, 3.0),
            // A study may end a training below any loss.
            pattern if pattern % 4 == 1 => (-12.0, 1.5),
            pattern if pattern % 4 == 2 => (-4.0, 3.0),
            _ => (-4.0, 1.5),
        };
        least_loss(training.plan.label_smoothing, classes) + self.magnitude(lowest, highest)
    }

    /// A confusion matrix of a network.
    pub(super) fn confusion(&mut self, network: &Network, classes: &[usize]) -> Vec<Vec<usize>> {
        let count = classes.len();
        let mut confusion = vec![vec![0; count]; count];
        for (class, (images, correct)) in classes.iter().zip(&network.correct).enumerate() {
            confusion[class][class] = *correct;
            let mut left = images - correct;
            if let Some(only) = network.only_class {
                confusion[class][only] += left;
                continue;
            }
            // Most errors are of any class, not always of the next one.
            let first = self.count(0, count.saturating_sub(2));
            for step in 1..count {
                let wrong = if step + 1 == count { left } else { self.count(0, left) };
                confusion[class][(class + 1 + (first + step) % (count - 1)) % count] = wrong;
                left -= wrong;
            }
        }
        confusion
    }

    /// The result on so many images, of which so many are correct.
    fn evaluated(&mut self, classes: &[usize], [images, correct]: [usize; 2], only_class: Option<usize>) -> Evaluated {
        let wrong = (images - correct) as f64 / images.max(1) as f64;
        let loss = if only_class.is_some() {
            guessing(classes.len()) * (ABOVE_GUESSING + 0.05 * self.share())
        } else {
            let above = match self.pattern() {
                0 => self.magnitude(1.0, 3.0),
                pattern if pattern.is_multiple_of(2) => self.magnitude(-2.0, 3.0),
                _ => self.magnitude(-2.0, 1.0),
            };
            let of_correct = if self.pattern() == 1 { (-8.0, -3.0) } else { (-5.0, -1.0) };
            wrong * (LOSS_OF_ERROR + above) + self.magnitude(of_correct.0, of_correct.1)
        };
        Evaluated { images, correct, loss }
    }
}

/// The loss of a network that gives every class the same probability.
fn guessing(classes: usize) -> f64 {
    libm::log(classes as f64)
}

/// The lowest possible training loss, the entropy of smoothed labels.
/// PyTorch: `label_smoothing` of `torch.nn.CrossEntropyLoss`.
fn least_loss(label_smoothing: f64, classes: usize) -> f64 {
    let other = label_smoothing / classes.max(1) as f64;
    let right = 1.0 - label_smoothing + other;
    let part = |share: f64| if share > 0.0 { -share * libm::log(share) } else { 0.0 };
    part(right) + classes.saturating_sub(1) as f64 * part(other)
}
