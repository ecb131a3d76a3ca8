//! Chooses the training images and the validation images of a run, as indices into the training set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MAX_CLASSES;
use crate::one_of::{Nothing, one_of};
use crate::rng::{Purpose, Stream};

one_of! {
    /// Which of the training images.
    pub enum Subset ("a choice of images") {
        "all" => All(Nothing),
        /// The first n of the file.
        "first" => First(usize),
        /// n drawn without replacement by the study's stream.
        "random" => Random(usize),
        /// n of each class, drawn in the same way.
        "per_class" => PerClass(usize),
    }
}

impl Default for Subset {
    fn default() -> Self {
        Self::All(Nothing {})
    }
}

impl Subset {
    /// Whether another seed chooses other images.
    pub fn depends_on_seed(&self) -> bool {
        matches!(self, Self::Random(_) | Self::PerClass(_))
    }
}

/// The order of the training images in an epoch.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ImageOrder {
    /// A new permutation each epoch, as `DataLoader(shuffle=True)` does.
    #[default]
    Shuffled,
    /// All of class 0, then all of class 1, ...: the same each epoch.
    ByClass,
    /// As in the file.
    AsStored,
}

/// The indices of a run's training images, without the validation images: class by class if `order` is `ByClass`,
/// otherwise in the order of the file. Shuffled runs start from that order, too.
pub fn choose(labels: &[u8], images: &Subset, hold_out: usize, order: ImageOrder, seed: u64) -> Vec<u32> {
    Chooser::new(labels).without_validation(hold_out).choose(images, order, seed)
}

/// Chooses images as [`choose`], for many runs and seeds of one data set: what does not depend on them is made once.
#[derive(Debug)]
pub struct Chooser<'a> {
    labels: &'a [u8],
    validation_order: Vec<u32>,
}

impl<'a> Chooser<'a> {
    /// For a training set with these labels.
    pub fn new(labels: &'a [u8]) -> Self {
        Self { labels, validation_order: validation_order(labels.len()) }
    }

    /// The images that remain if so many of them are the validation set.
    ///
    /// # Panics
    /// If the validation set is larger than the training set.
    pub fn without_validation(&self, hold_out: usize) -> Candidates<'a> {
        Candidates { labels: self.labels, images: sorted(&self.validation_order[hold_out..], self.labels.len()) }
    }
}

/// The images that the seeds of a run choose from.
#[derive(Debug)]
pub struct Candidates<'a> {
    labels: &'a [u8],
    /// In stored order.
    images: Vec<u32>,
}

impl Candidates<'_> {
    /// As [`choose`].
    pub fn choose(&self, images: &Subset, order: ImageOrder, seed: u64) -> Vec<u32> {
        let mut stream = Stream::new(seed, Purpose::Subset);
        let chosen = match images {
            Subset::All(_) => self.images.clone(),
            Subset::First(n) => self.images[..self.images.len().min(*n)].to_vec(),
            Subset::Random(n) => drawn(self.images.clone(), *n, &mut stream),
            Subset::PerClass(n) => {
                self.by_class().into_iter().flat_map(|of_class| drawn(of_class, *n, &mut stream)).collect()
            }
        };
        let mut chosen = sorted(&chosen, self.labels.len());
        if order == ImageOrder::ByClass {
            // Stable: each class stays in stored order.
            chosen.sort_by_key(|i| self.labels[*i as usize]);
        }
        chosen
    }

    fn by_class(&self) -> Vec<Vec<u32>> {
        let mut classes = vec![Vec::new(); MAX_CLASSES];
        for i in &self.images {
            if let Some(of_class) = classes.get_mut(usize::from(self.labels[*i as usize])) {
                of_class.push(*i);
            }
        }
        classes
    }
}

/// Draws `n` of these images, or all if there are fewer.
fn drawn(mut images: Vec<u32>, n: usize, stream: &mut Stream) -> Vec<u32> {
    stream.shuffle(&mut images);
    images.truncate(n);
    images
}

/// Different indices below `images` in ascending order. Faster than a sort, where most of the images are chosen.
fn sorted(chosen: &[u32], images: usize) -> Vec<u32> {
    let mut is_chosen = vec![false; images];
    for i in chosen {
        is_chosen[*i as usize] = true;
    }
    (0..images as u32).filter(|i| is_chosen[*i as usize]).collect()
}

/// The `n` training images of the validation set, in stored order. They do not depend on the seed.
pub fn validation_images(images: usize, n: usize) -> Vec<u32> {
    let mut chosen = validation_order(images);
    chosen.truncate(n);
    chosen.sort_unstable();
    chosen
}

/// The indices of all training images in a random order; the first ones are the validation set. The seed is fixed, so
/// that all runs and seeds have the same validation images.
fn validation_order(images: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..images as u32).collect();
    Stream::new(0, Purpose::HoldOut).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::{Chooser, ImageOrder, Subset, validation_images};
    use crate::one_of::Nothing;
    use crate::rng::{Purpose, Stream};

    fn choose(labels: &[u8], images: &Subset, order: ImageOrder, seed: u64) -> Vec<u32> {
        super::choose(labels, images, 0, order, seed)
    }

    fn labels() -> Vec<u8> {
        (0..1000u32).map(|i| ((i * 7 + i / 10) % 10) as u8).collect()
    }

    #[test]
    fn per_class_takes_as_many_of_each_and_by_class_orders_them() {
        let labels = labels();
        let chosen = choose(&labels, &Subset::PerClass(5), ImageOrder::ByClass, 3);
        let classes: Vec<u8> = chosen.iter().map(|i| labels[*i as usize]).collect();
        assert_eq!(classes, (0..50).map(|i| i / 5).collect::<Vec<u8>>());
        let mut shuffled = choose(&labels, &Subset::PerClass(5), ImageOrder::Shuffled, 3);
        let mut same = chosen.clone();
        shuffled.sort_unstable();
        same.sort_unstable();
        assert_eq!(shuffled, same, "the order changes nothing about which images are chosen");
        assert_ne!(chosen, choose(&labels, &Subset::PerClass(5), ImageOrder::ByClass, 4));
    }

    #[test]
    fn random_draws_without_replacement() {
        let chosen = choose(&labels(), &Subset::Random(500), ImageOrder::AsStored, 1);
        assert!(chosen.windows(2).all(|w| w[0] < w[1]) && chosen.len() == 500);
        assert_eq!(choose(&labels(), &Subset::All(Nothing {}), ImageOrder::AsStored, 1).len(), 1000);
        assert_eq!(choose(&labels(), &Subset::First(3), ImageOrder::Shuffled, 1), [0, 1, 2]);
    }

    #[test]
    fn validation_images_are_never_trained_on() {
        let held = validation_images(1000, 100);
        assert!(held.windows(2).all(|w| w[0] < w[1]) && held.len() == 100);
        let everything = Subset::All(Nothing {});
        for (images, n) in [
            (everything.clone(), 900),
            (Subset::First(50), 50),
            (Subset::Random(850), 850),
            (Subset::PerClass(60), 600),
        ] {
            let chosen = super::choose(&labels(), &images, 100, ImageOrder::Shuffled, 7);
            assert_eq!(chosen.len(), n);
            assert!(chosen.iter().all(|i| !held.contains(i)), "{images:?}");
        }
        let both = [held, super::choose(&labels(), &everything, 100, ImageOrder::ByClass, 1)].concat();
        assert_eq!(both.into_iter().collect::<std::collections::BTreeSet<_>>().len(), 1000);
    }

    /// The choice as it was made for each seed before; its bits must never change.
    fn choose_alone(labels: &[u8], images: &Subset, hold_out: usize, order: ImageOrder, seed: u64) -> Vec<u32> {
        let mut chosen = super::validation_order(labels.len()).split_off(hold_out);
        chosen.sort_unstable();
        let mut stream = Stream::new(seed, Purpose::Subset);
        match images {
            Subset::All(_) => {}
            Subset::First(n) => chosen.truncate(*n),
            Subset::Random(n) => {
                stream.shuffle(&mut chosen);
                chosen.truncate(*n);
            }
            Subset::PerClass(n) => {
                let mut draw = |class: u8| {
                    let mut of_class: Vec<u32> = chosen.clone();
                    of_class.retain(|i| labels[*i as usize] == class);
                    stream.shuffle(&mut of_class);
                    of_class.truncate(*n);
                    of_class
                };
                chosen = (0..10).flat_map(&mut draw).collect();
            }
        }
        match order {
            ImageOrder::ByClass => chosen.sort_unstable_by_key(|i| (labels[*i as usize], *i)),
            ImageOrder::Shuffled | ImageOrder::AsStored => chosen.sort_unstable(),
        }
        chosen
    }

    #[test]
    fn one_chooser_chooses_for_every_seed_as_one_for_each() {
        let labels = labels();
        let chooser = Chooser::new(&labels);
        let subsets = [0, 1, 7, 95, 2000].map(|n| [Subset::First(n), Subset::Random(n), Subset::PerClass(n)]);
        for images in subsets.into_iter().flatten().chain([Subset::All(Nothing {})]) {
            for hold_out in [0, 1, 100, 999, 1000] {
                let candidates = chooser.without_validation(hold_out);
                let choices = |order| {
                    [0, 1, 2, 3, u64::MAX].map(|seed| {
                        let chosen = candidates.choose(&images, order, seed);
                        let alone = choose_alone(&labels, &images, hold_out, order, seed);
                        assert_eq!(chosen, alone, "{images:?}, {hold_out} held out, {order:?}, seed {seed}");
                        chosen
                    })
                };
                for order in [ImageOrder::Shuffled, ImageOrder::ByClass, ImageOrder::AsStored] {
                    let differ = choices(order).windows(2).any(|pair| pair[0] != pair[1]);
                    assert!(images.depends_on_seed() || !differ, "{images:?}");
                }
            }
        }
    }
}
