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
    let mut chosen = validation_order(labels.len()).split_off(hold_out);
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
            let mut draw_of_class = |class: u8| {
                let mut of_class: Vec<u32> = chosen.iter().copied().filter(|i| labels[*i as usize] == class).collect();
                stream.shuffle(&mut of_class);
                of_class.truncate(*n);
                of_class
            };
            chosen = (0..MAX_CLASSES as u8).flat_map(&mut draw_of_class).collect();
        }
    }
    match order {
        ImageOrder::ByClass => chosen.sort_unstable_by_key(|i| (labels[*i as usize], *i)),
        ImageOrder::Shuffled | ImageOrder::AsStored => chosen.sort_unstable(),
    }
    chosen
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
    use super::{ImageOrder, Subset, validation_images};
    use crate::one_of::Nothing;

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
}
