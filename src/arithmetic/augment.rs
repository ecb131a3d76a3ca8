//! The random shifts and rotations of a training's images.

use crate::rng::{Purpose, Stream};
use crate::study::RunPlan;
use kernels::augment::AffineMap;

/// How an epoch's images are changed, in training order; `None` if the run does not augment. Epochs count from 1.
///
/// Each image takes three numbers of the epoch's stream: rotation, shift to the right, shift down. A setting that is 0 takes
/// its numbers, too, so that two runs that differ in the rotation have the same shifts.
pub fn epoch_changes(plan: &RunPlan, seed: u64, epoch: usize, images: usize) -> Option<Vec<AffineMap>> {
    let augment = plan.settings.augment?;
    // From -1 to 1, and exact: 24 random bits each.
    let drawn = Stream::new(seed, Purpose::Augment { epoch }).uniform(3 * images, 1.0);
    let change = |drawn: &[f32]| {
        let [degrees, right, down] = [drawn[0], drawn[1], drawn[2]].map(f64::from);
        AffineMap::new(augment.rotate * degrees, [augment.shift * right, augment.shift * down])
    };
    Some(drawn.chunks_exact(3).map(change).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kernels::augment::change_image;
    use serde::Deserialize;

    use super::*;
    use crate::arithmetic::testing::hashed;
    use crate::arithmetic::{Trainer, evaluate};
    use crate::dataset::{PIXELS, Selection};
    use crate::study::{Augment, Plan, Source};

    const STUDY: &str = "\
title: T
models: {m: {layers: [flatten, linear: {out_features: 10}]}}
runs:
  r: {model: m, train: {images: {first: 5}}, batch_size: 2, epochs: 3, optimizer: adam, seeds: [1],
      augment: {shift: 2, rotate: 10}}
";

    fn plan(augment: Augment) -> Plan {
        let mut plan = Plan::resolve(&Source::from_text(Path::new("s.yaml"), STUDY).unwrap()).unwrap();
        plan.runs[0].settings.augment = Some(augment);
        plan
    }

    fn changes(shift: f64, rotate: f64, seed: u64, epoch: usize) -> Vec<AffineMap> {
        epoch_changes(&plan(Augment { shift, rotate }).runs[0], seed, epoch, 1000).unwrap()
    }

    fn images() -> Selection {
        let mut random = Stream::keyed(b"augmented images");
        let pixels = (0..5 * PIXELS).map(|_| random.below(256) as u8).collect();
        Selection { pixels, labels: vec![3, 1, 4, 1, 5] }
    }

    #[test]
    fn pixels_agree_with_torchvision() {
        #[derive(Deserialize)]
        struct Cases {
            cases: Vec<Case>,
        }
        #[derive(Deserialize)]
        struct Case {
            degrees: f64,
            shift: [f64; 2],
            pixels: Vec<f32>,
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch/augmentation.json");
        let Cases { cases } = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(cases.len(), 5);
        // The README of the fixtures says how the image is made.
        let image: Vec<u8> = hashed(PIXELS as u64, 40).iter().map(|value| (128.0 * (value + 1.0)) as u8).collect();
        for Case { degrees, shift, pixels } in cases {
            let mut changed = vec![f32::NAN; PIXELS];
            change_image(&image, AffineMap::new(degrees, shift), &mut changed);
            assert_eq!(pixels.len(), PIXELS);
            for (i, (got, expected)) in changed.iter().zip(&pixels).enumerate() {
                // torchvision computes coordinates in f32, with errors of some 2^-19; the slope is at most 255 in each
                // direction.
                assert!((got - expected).abs() < 2e-3, "{degrees}, {shift:?}, pixel {i}: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn changes_depend_on_seed_epoch_and_place_alone() {
        let all = changes(2.0, 10.0, 1, 1);
        assert_eq!(changes(2.0, 10.0, 1, 1), all);
        assert_eq!(epoch_changes(&plan(Augment { shift: 2.0, rotate: 10.0 }).runs[0], 1, 1, 7).unwrap(), all[..7]);
        for other in [changes(2.0, 10.0, 2, 1), changes(2.0, 10.0, 1, 2)] {
            assert!(all.iter().zip(&other).all(|(a, b)| a != b));
        }
        assert!((1..1000).all(|i| all[i] != all[i - 1]));
    }

    #[test]
    fn changes_are_uniform_up_to_the_settings() {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let check = |values: &[f64], most: f64| {
            assert!(values.iter().all(|value| value.abs() <= most), "{values:?}");
            let largest = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            assert!(largest > 0.98 * most && mean(values).abs() < 0.06 * most, "{largest} {}", mean(values));
            let squares: Vec<f64> = values.iter().map(|value| value * value).collect();
            assert!((mean(&squares) / (most * most) - 1.0 / 3.0).abs() < 0.04, "{}", mean(&squares));
        };
        let degrees: Vec<f64> =
            changes(0.0, 30.0, 3, 1).iter().map(|map| f64::from(-map.0[3]).asin().to_degrees()).collect();
        check(&degrees, 30.0 + 1e-5);
        for at in [2, 5] {
            check(&changes(1.5, 0.0, 3, 1).iter().map(|map| f64::from(map.0[at])).collect::<Vec<_>>(), 1.5);
        }
        assert!(changes(0.0, 0.0, 3, 1).iter().all(|map| *map == AffineMap([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])));
    }

    /// The state after three epochs, and logits.
    fn trained(plan: &Plan, seed: u64, continue_after: Option<usize>) -> (Vec<u32>, Vec<f32>) {
        let (run, dataset) = (&plan.runs[0], images());
        let new = || Trainer::new(&plan.models[0], run, &plan.input, &dataset, seed);
        let mut trainer = new();
        while trainer.done() < run.total_steps() {
            trainer.step();
            if continue_after == Some(trainer.done()) {
                let state = trainer.state();
                trainer = new();
                trainer.load_state(&state, continue_after.unwrap()).unwrap();
            }
        }
        let bits = trainer.state().iter().flat_map(|tensor| &tensor.values).map(|value| value.to_bits()).collect();
        (bits, evaluate(trainer.network(), &dataset, &plan.input))
    }

    #[test]
    fn a_training_continues_with_the_same_images() {
        let plan = plan(Augment { shift: 2.0, rotate: 10.0 });
        let whole = trained(&plan, 1, None);
        for done in 1..plan.runs[0].total_steps() {
            assert_eq!(trained(&plan, 1, Some(done)), whole, "after step {done}");
        }
        assert_ne!(trained(&plan, 2, None), whole);
    }

    #[test]
    fn without_a_change_the_bits_are_those_without_augmentation() {
        let mut without = plan(Augment::default());
        let identity = trained(&without, 1, None);
        without.runs[0].settings.augment = None;
        assert_eq!(trained(&without, 1, None), identity);
        assert_ne!(trained(&plan(Augment { shift: 0.5, rotate: 0.0 }), 1, None), identity);
        assert_ne!(trained(&plan(Augment { shift: 0.0, rotate: 0.5 }), 1, None), identity);
    }

    #[test]
    fn settings_that_change_nothing_are_left_out() {
        let resolve = |augment: &str| {
            let study = STUDY.replace("{shift: 2, rotate: 10}", augment);
            let plan = Plan::resolve(&Source::from_text(Path::new("s.yaml"), &study).unwrap()).unwrap();
            plan.runs[0].settings.clone()
        };
        assert_eq!(resolve("{shift: 2}").augment, Some(Augment { shift: 2.0, rotate: 0.0 }));
        for nothing in ["{}", "{shift: 0, rotate: 0}", "null"] {
            let settings = resolve(nothing);
            assert_eq!(settings.augment, None, "{nothing}");
            assert!(!serde_json::to_string(&settings).unwrap().contains("augment"), "{nothing}");
        }
    }
}
