//! Logits, losses, gradients and running statistics, compared with PyTorch's.

use mnist_report::arithmetic::Network;
use mnist_report::model::{Model, ModelSpec};
use mnist_report::results::Evaluation;
use mnist_report::tensors::NamedTensor;
use serde::Deserialize;

use super::{BATCH, Case, GRADIENT, INPUT, PIXELS, VALUE, assert_close, case, cases, fixture, images, u};

#[derive(Deserialize)]
struct Gradients {
    batch: usize,
    labels: Vec<u8>,
    networks: Vec<Passes>,
    dropout_masks: MaskedStep,
}

#[derive(Deserialize)]
struct Passes {
    network: String,
    #[serde(flatten)]
    step: Step,
    eval_logits: Vec<[f64; 10]>,
    running_statistics: Vec<Fingerprint>,
}

#[derive(Deserialize)]
struct MaskedStep {
    network: String,
    kept: Kept,
    #[serde(flatten)]
    step: Step,
}

#[derive(Deserialize)]
struct Kept {
    dropout1: usize,
    dropout2: usize,
}

/// One training step. The errors are those of PyTorch's own float32, against float64.
#[derive(Deserialize)]
struct Step {
    logits: Vec<[f64; 10]>,
    logits_float32_error: f64,
    loss: f64,
    loss_float64: f64,
    gradients: Vec<Gradient>,
}

#[derive(Deserialize)]
struct Gradient {
    float64_l2: f64,
    float32_error_l2: f64,
    #[serde(flatten)]
    fingerprint: Fingerprint,
}

/// A large tensor summarised in a few numbers.
#[derive(Deserialize)]
struct Fingerprint {
    name: String,
    l2: f64,
    sum: f64,
    max_abs: f64,
    projections: [f64; 8],
    entries: Vec<f64>,
}

/// Cross entropy of given logits.
#[derive(Deserialize)]
struct Losses {
    cases: Vec<LossCase>,
}

#[derive(Deserialize)]
struct LossCase {
    name: String,
    logits: Vec<[f32; 10]>,
    labels: Vec<u8>,
    mean: f64,
    sum: f64,
    each: Vec<f64>,
    gradient_of_mean: Vec<[f64; 10]>,
    smoothed: Vec<SmoothedLoss>,
}

/// The same with smoothed labels.
#[derive(Deserialize)]
struct SmoothedLoss {
    label_smoothing: f64,
    mean: f64,
    gradient_of_mean: Vec<[f64; 10]>,
}

impl Fingerprint {
    fn of(tensor: &NamedTensor) -> Self {
        let x = wide(&tensor.values);
        let n = x.len();
        let sign = |i: usize, k: usize| if u(i as u64, 7000 + k as u64) < 0.5 { 1.0 } else { -1.0 };
        Self {
            name: tensor.name.clone(),
            l2: l2(&x),
            sum: x.iter().sum(),
            max_abs: x.iter().fold(0.0, |max, v| v.abs().max(max)),
            projections: std::array::from_fn(|k| x.iter().enumerate().map(|(i, v)| sign(i, k) * v).sum()),
            entries: if n < 64 { x } else { (0..64).map(|j| x[j * n / 64]).collect() },
        }
    }

    /// Asserts that a tensor has this fingerprint, with a difference of at most `allowed` times the l2 norm.
    fn assert_matches(&self, network: &str, tensor: &NamedTensor, allowed: f64) {
        let got = Self::of(tensor);
        let what = format!("{network}: {}", self.name);
        assert_eq!(got.name, self.name, "{network}");
        // A projection on random signs differs by about the l2 norm of the whole tensor's difference.
        let figures = |f: &Self| [&[f.l2, f.sum, f.max_abs], f.projections.as_slice()].concat();
        assert_close(&what, &figures(&got), &figures(self), 0.0, allowed * self.l2);
        // The entries are a sample: scaled up, their difference is about that of the whole tensor.
        assert_eq!(got.entries.len(), self.entries.len(), "{what}");
        let difference: Vec<f64> = got.entries.iter().zip(&self.entries).map(|(g, e)| g - e).collect();
        let scale = (tensor.values.len() as f64 / difference.len() as f64).sqrt();
        let part = scale * l2(&difference) / self.l2;
        assert!(part <= allowed, "{what}: entries differ by {part:e} of the norm");
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn l2(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// How many values of a training step were compared.
#[derive(Debug, Default, PartialEq)]
struct Compared {
    gradients: usize,
    zero_gradients: usize,
}

impl Step {
    /// Absolute difference allowed for logits, because some terms cancel to almost nothing: PyTorch's float32 may have
    /// an error of `logits_float32_error`, and ours the same error in the other direction. Also used for evaluation,
    /// for which the fixture gives no error.
    fn slack(&self) -> f64 {
        2.0 * self.logits_float32_error
    }

    /// Executes the step and compares every value. Returns the network with its gradients.
    fn assert_taken(&self, case: &Case, labels: &[u8], masks: &[(String, Vec<f32>)], seen: &mut Compared) -> Network {
        let logits = wide(&case.network().logits(&images(1), INPUT, Some(masks)));
        assert_close(&format!("{}: logits", case.name), &logits, self.logits.as_flattened(), VALUE, self.slack());

        let mut network = case.network();
        let loss = f64::from(network.loss_and_backward(&images(1), INPUT, labels, masks));
        assert_close(&format!("{}: loss", case.name), &[loss; 2], &[self.loss, self.loss_float64], VALUE, 0.0);

        let gradients = network.gradients();
        assert_eq!(gradients.len(), self.gradients.len(), "{}", case.name);
        for (gradient, expected) in gradients.iter().zip(&self.gradients) {
            if expected.float64_l2 < 1e-12 {
                // A bias before a batch norm: the true gradient is zero. PyTorch's float32 gives rounding errors, and
                // this program gives zero.
                let (name, entries) = (&expected.fingerprint.name, expected.fingerprint.entries.len());
                assert_eq!((&gradient.name, gradient.values.len().min(64)), (name, entries), "{}", case.name);
                let zero = gradient.values.iter().all(|v| *v == 0.0);
                assert!(zero, "{}: {} should be zero: {:?}", case.name, gradient.name, gradient.values);
                seen.zero_gradients += 1;
            } else {
                assert!(expected.float32_error_l2 < GRADIENT * expected.float64_l2, "the fixture's own error");
                expected.fingerprint.assert_matches(&case.name, gradient, GRADIENT);
                seen.gradients += 1;
            }
        }
        network
    }
}

#[test]
fn every_network_passes_forward_and_back_as_in_pytorch() {
    let expected: Gradients = fixture("gradients.json");
    assert_eq!((expected.batch, expected.labels.len()), (BATCH, BATCH));
    let names: Vec<_> = expected.networks.iter().map(|p| p.network.clone()).collect();
    assert_eq!(names, cases().into_iter().map(|c| c.name).collect::<Vec<_>>());

    let (mut compared, mut statistics) = (Compared::default(), 0);
    for passes in &expected.networks {
        let mut network = passes.step.assert_taken(&case(&passes.network), &expected.labels, &[], &mut compared);

        let what = format!("{}: evaluation logits", passes.network);
        let logits = wide(&network.logits(&images(1), INPUT, None));
        assert_close(&what, &logits, passes.eval_logits.as_flattened(), VALUE, passes.step.slack());

        for tag in [2, 3] {
            network.logits(&images(tag), INPUT, Some(&[]));
        }
        let tensors = network.tensors();
        let buffers = &tensors[passes.step.gradients.len()..];
        assert_eq!(buffers.len(), passes.running_statistics.len(), "{}", passes.network);
        for (buffer, expected) in buffers.iter().zip(&passes.running_statistics) {
            // Relative to the norm, because a channel's mean may cancel to almost nothing.
            expected.assert_matches(&passes.network, buffer, VALUE);
            statistics += 1;
        }
    }
    assert_eq!(compared, Compared { gradients: 177, zero_gradients: 12 });
    assert_eq!(statistics, 38);
}

#[test]
fn dropout_multiplies_by_the_mask_it_is_given() {
    let expected: Gradients = fixture("gradients.json");
    let MaskedStep { network, kept, step } = expected.dropout_masks;
    let mask = |layer: &str, width: usize, p: f64, tag: u64| {
        let keep = |i: usize| if u(i as u64, tag) >= p { (1.0 / (1.0 - p)) as f32 } else { 0.0 };
        (layer.to_owned(), (0..BATCH * width).map(keep).collect::<Vec<f32>>())
    };
    let masks = [mask("dropout1", 2048, 0.25, 501), mask("dropout2", 128, 0.5, 502)];
    let ones = masks.each_ref().map(|(_, mask)| mask.iter().filter(|v| **v > 0.0).count());
    assert_eq!(ones, [kept.dropout1, kept.dropout2]);

    let mut compared = Compared::default();
    step.assert_taken(&case(&network), &expected.labels, &masks, &mut compared);
    assert_eq!(compared, Compared { gradients: 10, zero_gradients: 2 });
    let unmasked = case(&network).network().logits(&images(1), INPUT, Some(&[]));
    assert_ne!(unmasked[0], step.logits[0][0] as f32, "the masks change the logits");
}

/// A network of layers in JSON. Every parameter is zero unless `fill` sets it.
fn network_of(layers: &str, fill: impl Fn(&mut NamedTensor)) -> Network {
    let layers = serde_json::from_str(layers).expect("layers");
    let model = Model::resolve("own", &ModelSpec { title: None, layers }, INPUT, 10).expect("layers that fit");
    let mut network = Network::new(&model, 1);
    let mut tensors = network.tensors();
    for tensor in &mut tensors[..model.parameters().count()] {
        tensor.values.fill(0.0);
        fill(tensor);
    }
    network.load(&tensors).expect("its own tensors");
    network
}

#[test]
fn relu_and_leaky_relu_have_pytorchs_slope_at_zero() {
    // Black images leave the batch norm as exact zeros, so the gradient contains the activation's slope at zero. The
    // weights of class 0 are 1 and all logits are equal, so each pixel's gradient is 0.1 - 1 times that slope.
    for (activation, slope) in [(r#""relu""#, 0.0), (r#"{"leaky_relu": {"negative_slope": 0.25}}"#, 0.25)] {
        let layers = format!(r#"["batch_norm2d", {activation}, "flatten", {{"linear": {{"out_features": 10}}}}]"#);
        let mut network = network_of(&layers, |tensor| match tensor.name.as_str() {
            "bn1.weight" => tensor.values.fill(1.0),
            "fc1.weight" => tensor.values[..PIXELS].fill(1.0),
            _ => {}
        });
        network.loss_and_backward(&[0.0; PIXELS], INPUT, &[0], &[]);
        let gradient = network.gradients().into_iter().find(|g| g.name == "bn1.bias").expect("a bias");
        assert_close(activation, &wide(&gradient.values), &[slope * -0.9 * PIXELS as f64], VALUE, 0.0);
    }
}

#[test]
fn a_pointwise_convolution_with_a_stride_sees_every_other_pixel() {
    // In another memory order libtorch's backward pass writes out of bounds here, and hangs or crashes.
    let gradients = |channels: usize, layers: &str| {
        let layers = format!(
            r#"[{{"conv2d": {{"out_channels": {channels}, "kernel_size": 5}}}}, {layers}, "flatten", {{"linear": {{"out_features": 10}}}}]"#
        );
        let mut network = network_of(&layers, |tensor| {
            let tag = tensor.name.bytes().map(u64::from).sum();
            (0..).zip(&mut tensor.values).for_each(|(i, v)| *v = (0.2 * u(i, tag) - 0.1) as f32);
        });
        network.loss_and_backward(&images(1)[..5 * PIXELS], INPUT, &[0, 1, 2, 3, 4], &[]);
        network.gradients()
    };
    for channels in [1, 4] {
        let pointwise = r#"{"conv2d": {"out_channels": 8, "kernel_size": 1, "stride": 2, "bias": false}}"#;
        let strided = gradients(channels, pointwise);
        let of_every_other = format!(
            r#"{{"avg_pool2d": {{"kernel_size": 1, "stride": 2}}}}, {}"#,
            pointwise.replace(r#""stride": 2"#, r#""stride": 1"#)
        );
        let every_other = gradients(channels, &of_every_other);
        assert_eq!(strided.len(), every_other.len());
        for (a, b) in strided.iter().zip(&every_other) {
            let (a, b, norm) = (wide(&a.values), wide(&b.values), l2(&wide(&b.values)));
            assert_close("gradients", &a, &b, 0.0, VALUE * norm);
            assert!(norm > 0.0);
        }
    }
}

#[test]
fn evaluation_has_pytorchs_cross_entropy() {
    let cases = fixture::<Losses>("loss.json").cases;
    for case in &cases {
        let judged = Evaluation::of(case.logits.as_flattened(), &case.labels);
        assert_close(&case.name, &judged.losses, &case.each, VALUE, 0.0);
        let sum: f64 = judged.losses.iter().sum();
        assert_close(&case.name, &[judged.loss(), sum], &[case.mean, case.sum], VALUE, 0.0);
    }
    assert_eq!((cases.len(), cases.iter().map(|c| c.each.len()).sum::<usize>()), (7, 41));
}

#[test]
fn training_has_pytorchs_cross_entropy_and_its_gradient() {
    // The weights make the first ten pixels the logits. Each image also has a 1 in a pixel of its own, whose weights
    // are 0. The column of that pixel in the weight's gradient is then the gradient of the image's logits.
    const MARK: usize = 100;
    let cases = fixture::<Losses>("loss.json").cases;
    for case in &cases {
        let mut network = network_of(r#"["flatten", {"linear": {"out_features": 10}}]"#, |tensor| {
            if tensor.name == "fc1.weight" {
                (0..10).for_each(|class| tensor.values[class * PIXELS + class] = 1.0);
            }
        });
        let mut images = vec![0f32; case.logits.len() * PIXELS];
        for (i, (image, logits)) in images.chunks_exact_mut(PIXELS).zip(&case.logits).enumerate() {
            image[..10].copy_from_slice(logits);
            image[MARK + i] = 1.0;
        }
        let mut compare = |smoothing: f64, mean: f64, gradient_of_mean: &[[f64; 10]], rounding: f64| {
            network.set_label_smoothing(smoothing);
            let loss = network.loss_and_backward(&images, INPUT, &case.labels, &[]);
            assert_close(&case.name, &[f64::from(loss)], &[mean], VALUE, 0.0);

            let weight = &network.gradients()[0].values;
            let gradient = |i: usize| (0..10).map(move |class| f64::from(weight[class * PIXELS + MARK + i]));
            let got: Vec<f64> = (0..case.logits.len()).flat_map(gradient).collect();
            assert_close(&case.name, &got, gradient_of_mean.as_flattened(), VALUE, rounding);
        };
        for SmoothedLoss { label_smoothing, mean, gradient_of_mean } in &case.smoothed {
            // A probability near its target: the difference is a rounding error.
            compare(*label_smoothing, *mean, gradient_of_mean, 1e-8);
        }
        compare(0.0, case.mean, &case.gradient_of_mean, 0.0);
        assert_eq!(case.smoothed.len(), 2);
    }
    assert_eq!(cases.len(), 7);
}
