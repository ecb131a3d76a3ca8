//! Which training images a run sees, as indices into the file.
//!
//! Owns the choice; the order within an epoch is `engine::batches`'s, but for orders that never change.

use crate::model::CLASSES;
use crate::rng::{Purpose, Stream};
use crate::study;

/// The indices of a run's training images, in the order that the study asks for: as stored, or class by
/// class (stored order within a class). A shuffled run starts from stored order.
pub fn choose(labels: &[u8], images: &study::Images, order: study::Order, seed: u64) -> Vec<u32> {
    let all = || (0..labels.len() as u32).collect::<Vec<_>>();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::{Images, Nothing, Order};

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
}
