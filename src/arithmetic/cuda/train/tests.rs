//! Trains the runs of src/arithmetic/portable.yaml, which have every kind of layer, optimizer and schedule, on the CPU
//! and on the emulated GPU.

use super::*;
use crate::arithmetic;
use crate::arithmetic::cuda::layers::testing::assert_equal;
use crate::arithmetic::cuda::self_test::{images, study};
use crate::arithmetic::cuda::testing::{Emulator, Order};
use crate::dataset::PIXELS;
use crate::rng::Stream;
use crate::study::Plan;

#[track_caller]
fn assert_same(what: &str, got: &[NamedTensor], expected: &[NamedTensor]) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!((&got.name, &got.shape), (&expected.name, &expected.shape), "{what}");
        assert_equal(&format!("{what}: {}", got.name), &got.values, &expected.values);
    }
}

/// Trains a run on both, and compares the losses and the state after every step.
fn assert_same_training(plan: &Plan, name: &str, gpu: Emulator) {
    let (run, gpu): (_, Rc<dyn Gpu>) = (&plan.runs[name], Rc::new(gpu));
    let (model, dataset) = (&plan.models[&run.settings.model], images(run.settings.image_count, name));
    let mut on_gpu = Trainer::new(&gpu, model, run, &plan.input, &dataset, 1);
    let mut on_cpu = arithmetic::Trainer::new(model, run, &plan.input, &dataset, 1);
    for step in 1..=run.settings.epochs * run.steps_per_epoch() {
        on_cpu.step();
        on_gpu.step();
        let what = format!("{name}, step {step}");
        assert_equal(&format!("{what}: losses"), &on_gpu.epoch_losses(), on_cpu.epoch_losses());
        let [mut got, mut expected] = [on_gpu.network().gradients(), on_cpu.network().gradients()];
        // In the order of the backward pass, so that the first difference is in the layer to look at.
        got.reverse();
        expected.reverse();
        assert_same(&format!("{what}: gradient"), &got, &expected);
        assert_same(&what, &on_gpu.state(), &on_cpu.state());
    }
    let test = images(3, "test");
    let expected = arithmetic::evaluate(on_cpu.network(), &test, &plan.input);
    assert_equal(&format!("{name}: logits"), &evaluate(on_gpu.network(), &test, &plan.input), &expected);
}

#[test]
fn a_training_has_the_bits_of_the_cpu() {
    let plan = study();
    for (i, name) in plan.runs.keys().enumerate() {
        let start = std::time::Instant::now();
        let order = Order::ALL[i % Order::ALL.len()];
        // In one case, the GPU cannot record.
        let gpu = if i == 0 { Emulator::without_recordings(order) } else { Emulator::new(order) };
        assert_same_training(&plan, name, gpu);
        println!("{name}: {:.1} s", start.elapsed().as_secs_f64());
    }
}

#[test]
fn a_training_continues_from_a_saved_state() {
    let plan = study();
    let run = &plan.runs["norms-adam-one-cycle"];
    let (model, dataset) = (&plan.models[&run.settings.model], images(run.settings.image_count, "continued"));
    let gpu: Rc<dyn Gpu> = Rc::new(Emulator::new(Order::Forward));
    let train = |trainer: &mut Trainer, steps: usize| (0..steps).for_each(|_| trainer.step());
    let mut whole = Trainer::new(&gpu, model, run, &plan.input, &dataset, 5);
    train(&mut whole, 1);
    let after_one = whole.state();
    train(&mut whole, 2);
    // Continue from within the first epoch into the second one, in another trainer and in the same one.
    let mut other = Trainer::new(&gpu, model, run, &plan.input, &dataset, 5);
    for _ in 0..2 {
        other.load_state(&after_one, 1).unwrap();
        assert!(other.epoch_losses().is_empty());
        train(&mut other, 1);
        assert_eq!(other.epoch_losses().len(), 1);
        train(&mut other, 1);
        assert_eq!(other.done(), 3);
        assert_same("continued", &other.state(), &whole.state());
        assert_equal("losses", &other.epoch_losses(), &whole.epoch_losses());
    }
    let mut state = after_one.clone();
    state.pop();
    let missing = other.load_state(&state, 1).unwrap_err().to_string();
    assert_eq!(missing, "tensor optimizer.exp_avg_sq.fc2.bias is missing");
    state.retain(|tensor| !tensor.is_optimizer_state());
    other.load_weights(&state).unwrap();
    state[0].shape.push(1);
    assert!(other.load_weights(&state).unwrap_err().to_string().contains("has shape"));
}

#[test]
fn single_batches_have_the_bits_of_the_cpu() {
    let plan = study();
    let run = &plan.runs["norms-adam-one-cycle"];
    let model = &plan.models[&run.settings.model];
    let gpu: Rc<dyn Gpu> = Rc::new(Emulator::new(Order::Reversed));
    let (mut on_gpu, mut on_cpu) = (Network::new(&gpu, model, 3, 4), arithmetic::Network::new(model, 3));
    let (images, labels) = (Stream::keyed(b"batch").uniform(4 * PIXELS, 2.0), [1, 9, 0, 4]);
    let masks: Vec<(String, Vec<f32>)> = Masks::new(model, run, 3)
        .layers
        .iter()
        .map(|layer| (layer.name.clone(), Stream::keyed(b"mask").dropout_mask(4 * layer.values_per_image, layer.p)))
        .collect();
    let input = plan.input.shape;
    for masks in [&masks[..], &masks[..1], &[]] {
        let got = on_gpu.loss_and_backward(&images, input, &labels, masks);
        let expected = on_cpu.loss_and_backward(&images, input, &labels, masks);
        assert_equal("loss", &[got], &[expected]);
        assert_same("gradients", &on_gpu.gradients(), &on_cpu.gradients());
        for masks in [None, Some(masks)] {
            let [got, expected] = [on_gpu.logits(&images, input, masks), on_cpu.logits(&images, input, masks)];
            assert_equal("logits", &got, &expected);
        }
        assert_same("tensors", &on_gpu.tensors(), &on_cpu.tensors());
    }
}
