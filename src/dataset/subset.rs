//! Which training images a run sees, as indices into the file.
//!
//! Owns the choice; the order within an epoch is `engine::batches`'s, but for orders that never change.

use crate::model::CLASSES;
use crate::rng::{Purpose, Stream};
use crate::study;

/// The indices of a run's training images, in the order that the study asks for: as stored, or class by
/// class (stored order within a class). A shuffled run starts from stored order. Images that are held out are not
/// among them.
pub fn choose(labels: &[u8], images: &study::Images, hold_out: usize, order: study::Order, seed: u64) -> Vec<u32> {
    let mut kept = drawn(labels.len()).split_off(hold_out);
    kept.sort();
    let all = || kept.clone();
    let mut chosen = match images {
        study::Images::All(_) => all(),
        study::Images::First(n) => all()[..*n].to_vec(),
        study::Images::Random(n) => {
            let mut drawn = all();
            Stream::new(seed, Purpose::Subset).shuffle(&mut drawn);
            drawn.truncate(*n);
            drawn
        }
        study::Images::PerClass(n) => {
            let mut stream = Stream::new(seed, Purpose::Subset);
            let mut drawn = Vec::with_capacity(n * CLASSES);
            for class in 0..CLASSES as u8 {
                let mut of_class: Vec<u32> = all().into_iter().filter(|i| labels[*i as usize] == class).collect();
                stream.shuffle(&mut of_class);
                drawn.extend(&of_class[..*n]);
            }
            drawn
        }
    };
    match order {
        study::Order::ByClass => chosen.sort_by_key(|i| (labels[*i as usize], *i)),
        study::Order::Shuffled | study::Order::AsStored => chosen.sort(),
    }
    chosen
}

/// The `n` training images that a run holds out, in stored order: whatever the seed, the same.
pub fn held_out(images: usize, n: usize) -> Vec<u32> {
    let mut held = drawn(images);
    held.truncate(n);
    held.sort();
    held
}

/// All images in the order in which they are held out. The seed is fixed: runs of all seeds, and all runs, are judged
/// by the same images.
fn drawn(images: usize) -> Vec<u32> {
    let mut drawn: Vec<u32> = (0..images as u32).collect();
    Stream::new(0, Purpose::HoldOut).shuffle(&mut drawn);
    drawn
}

#[cfg(test)]
mod tests {
    use super::held_out;
    use crate::study::{Images, Nothing, Order};

    fn choose(labels: &[u8], images: &Images, order: Order, seed: u64) -> Vec<u32> {
        super::choose(labels, images, 0, order, seed)
    }

    fn labels() -> Vec<u8> {
        (0..1000u32).map(|i| ((i * 7 + i / 10) % 10) as u8).collect()
    }

    #[test]
    fn per_class_takes_as_many_of_each_and_by_class_orders_them() {
        let labels = labels();
        let chosen = choose(&labels, &Images::PerClass(5), Order::ByClass, 3);
        let classes: Vec<u8> = chosen.iter().map(|i| labels[*i as usize]).collect();
        assert_eq!(classes, (0..50).map(|i| i / 5).collect::<Vec<u8>>());
        let mut shuffled = choose(&labels, &Images::PerClass(5), Order::Shuffled, 3);
        let mut same = chosen.clone();
        shuffled.sort();
        same.sort();
        assert_eq!(shuffled, same, "the order changes nothing about which images are chosen");
        assert_ne!(chosen, choose(&labels, &Images::PerClass(5), Order::ByClass, 4));
    }

    #[test]
    fn random_draws_without_replacement() {
        let chosen = choose(&labels(), &Images::Random(500), Order::AsStored, 1);
        assert!(chosen.windows(2).all(|w| w[0] < w[1]) && chosen.len() == 500);
        assert_eq!(choose(&labels(), &Images::All(Nothing {}), Order::AsStored, 1).len(), 1000);
        assert_eq!(choose(&labels(), &Images::First(3), Order::Shuffled, 1), [0, 1, 2]);
    }

    #[test]
    fn what_is_held_out_is_never_trained_on() {
        let held = held_out(1000, 100);
        assert!(held.windows(2).all(|w| w[0] < w[1]) && held.len() == 100);
        let everything = Images::All(Nothing {});
        for (images, n) in [
            (everything.clone(), 900),
            (Images::First(50), 50),
            (Images::Random(850), 850),
            (Images::PerClass(60), 600),
        ] {
            let chosen = super::choose(&labels(), &images, 100, Order::Shuffled, 7);
            assert_eq!(chosen.len(), n);
            assert!(chosen.iter().all(|i| !held.contains(i)), "{images:?}");
        }
        let both = [held, super::choose(&labels(), &everything, 100, Order::ByClass, 1)].concat();
        assert_eq!(both.into_iter().collect::<std::collections::BTreeSet<_>>().len(), 1000);
    }
}
