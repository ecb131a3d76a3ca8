//! Compares the program's own arithmetic with libtorch's operators: both train random networks for two steps.

#![cfg(feature = "tch")]

use std::path::Path;

use mnist_report::compute::{Device, Trainer, provide_libtorch};
use mnist_report::dataset::{PIXELS, Selection};
use mnist_report::rng::Stream;
use mnist_report::study::{Plan, Source};
use mnist_report::tensors::NamedTensor;

/// Number of networks that are compared.
const NETWORKS: usize = 300;
/// The largest allowed difference of the weights' displacements after two steps, relative to the displacement.
/// Measured with other draws: maximum 1.3e-4, median 4e-7.
const ALLOWED: f64 = 2e-3;

/// What follows a convolution and its normalisation.
const ACTIVATIONS: [&str; 6] =
    ["relu", "leaky_relu: {negative_slope: 0.2}", "gelu", "sigmoid", "tanh", "dropout: {p: 0.2}"];

/// The layers of a network in YAML, with every kind of layer and setting.
fn layers(draw: &mut Stream) -> String {
    let mut below = |n: u32| draw.below(n) as usize;
    let (mut layers, mut channels, mut sides) = (Vec::new(), 1usize, [28usize; 2]);
    for _ in 0..=below(3) {
        // Often the same for height and width.
        let is_square = below(3) > 0;
        let pair = |draw: &mut dyn FnMut(usize) -> usize| {
            let first = draw(0);
            [first, if is_square { first } else { draw(1) }]
        };
        let kernel = pair(&mut |axis| 1 + below(sides[axis].min(6) as u32));
        let dilation = pair(&mut |_| 1 + below(6) / 5);
        let stride = pair(&mut |_| 1 + below(3));
        let padding = pair(&mut |axis| below(kernel[axis] as u32 / 2 + 1));
        let is_same = stride == [1; 2] && below(2) == 0;
        let padding_written = if is_same { "same".to_owned() } else { format!("{padding:?}") };
        let groups = [1, channels][usize::from(below(4) == 0)];
        let outputs = groups * (1 + below(if groups > 1 { 2 } else { 20 }));
        let bias = below(3) > 0;
        layers.push(format!(
            "conv2d: {{out_channels: {outputs}, kernel_size: {kernel:?}, stride: {stride:?}, padding: {padding_written}, dilation: {dilation:?}, groups: {groups}, bias: {bias}}}"
        ));
        channels = outputs;
        if !is_same {
            for axis in [0, 1] {
                let read = (kernel[axis] - 1) * dilation[axis] + 1;
                // A network with a larger window is refused and not compared.
                sides[axis] = (sides[axis] + 2 * padding[axis]).saturating_sub(read) / stride[axis] + 1;
            }
        }
        layers.extend([None, Some("batch_norm2d"), Some("layer_norm")][below(3)].map(str::to_owned));
        layers.push(ACTIVATIONS[below(ACTIVATIONS.len() as u32)].to_owned());
        if below(3) == 0 {
            let convolution = format!("{{conv2d: {{out_channels: {channels}, kernel_size: 3, padding: 1}}}}");
            let inner = ["relu, batch_norm2d", "batch_norm2d, relu", "dropout", "batch_norm2d"][below(4)];
            let both = [format!("{convolution}, {inner}"), format!("{inner}, {convolution}"), "tanh".to_owned()];
            layers.push(format!("residual: {{layers: [{}]}}", both[below(3)]));
            layers.extend([None, Some("batch_norm2d"), Some("relu")][below(3)].map(str::to_owned));
        }
        if sides[0].min(sides[1]) > 3 && below(2) == 0 {
            let kernel = 2 + below(2);
            let (stride, padding) = (1 + below(kernel as u32), below(kernel as u32 / 2 + 1));
            let pool = ["max_pool2d", "avg_pool2d"][below(2)];
            layers.push(format!("{pool}: {{kernel_size: {kernel}, stride: {stride}, padding: {padding}}}"));
            sides = sides.map(|side| (side + 2 * padding - kernel) / stride + 1);
        }
    }
    layers.push(["flatten", "global_avg_pool"][below(2)].to_owned());
    if below(2) == 0 {
        layers.push(format!("linear: {{out_features: {}}}", 1 + below(70)));
        layers.extend((below(3) == 0).then(|| "batch_norm1d".to_owned()));
        layers.push(["layer_norm", "gelu", "relu", "tanh"][below(4)].to_owned());
    }
    layers.push("linear: {out_features: 10}".to_owned());
    layers.iter().map(|layer| format!("      - {layer}\n")).collect()
}

/// The difference of two displacements from `start`, relative to the second one's norm.
fn difference(start: &[NamedTensor], [own, theirs]: [&[NamedTensor]; 2]) -> f64 {
    let (mut error, mut length) = (0.0f64, 0.0f64);
    for ((start, own), theirs) in start.iter().zip(own).zip(theirs) {
        for ((start, own), theirs) in start.values.iter().zip(&own.values).zip(&theirs.values) {
            error += f64::from(own - theirs).powi(2);
            length += f64::from(theirs - start).powi(2);
        }
    }
    (error / length).sqrt()
}

#[test]
fn random_networks_train_as_with_libtorchs_operators() {
    provide_libtorch(&crate::engine::LIBTORCH);
    let devices = [Device::cpu(), Device::libtorch_on_cpu().unwrap()];
    let mut draw = Stream::keyed(b"random networks");
    let (mut largest, mut compared) = (0.0f64, 0);
    while compared < NETWORKS {
        let layers = layers(&mut draw);
        let batch = 1 + draw.below(7);
        let text = format!(
            "title: T\nmodels:\n  m:\n    layers:\n{layers}runs:\n  r: {{model: m, epochs: 1, batch_size: {batch}, \
             train: {{images: {{first: {}}}}}, optimizer: {{sgd: {{lr: 0.01, momentum: 0.9}}}}, seeds: [1]}}\n",
            2 * batch
        );
        let source = Source::from_text(Path::new("random.yaml"), &text).unwrap();
        // Some windows are larger than the remaining image.
        let Ok(plan) = Plan::resolve(&source) else { continue };
        let (model, run) = (&plan.models["m"], &plan.runs["r"]);
        // Do not use digits: in their black regions values are equal, and rounding decides which of them is a window's
        // maximum.
        let count = 2 * batch as usize;
        let pixels = (0..count * PIXELS).map(|_| draw.below(256) as u8).collect();
        let images = Selection { pixels, labels: (0..count).map(|_| draw.below(10) as u8).collect() };
        let mut start = Vec::new();
        let ends = devices.each_ref().map(|device| {
            let mut trainer = Trainer::new(device, model, run, &plan.input, &images, 1);
            start = trainer.network().tensors();
            (0..2).for_each(|_| trainer.step());
            trainer.network().tensors()
        });
        let found = difference(&start, ends.each_ref().map(Vec::as_slice));
        // `<=`, which is false for NaN.
        assert!(found <= ALLOWED, "the displacements differ by {found:.1e}: {text}");
        (largest, compared) = (largest.max(found), compared + 1);
    }
    assert!(largest > 0.0, "two implementations never agree in every bit");
}
