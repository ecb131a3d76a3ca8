//! Parameters, shapes, sizes, cost and initial weights of the networks, compared with PyTorch's.

use std::collections::HashMap;

use mnist_report::arithmetic::{Network, trace_shapes};
use mnist_report::model::{Init, LayerKind, Megabytes};
use serde::Deserialize;

use super::{Case, INPUT, Printed, case, cases, fixture};

#[test]
fn parameters_have_pytorchs_names_shapes_and_counts() {
    let mut compared = 0;
    for case in cases() {
        let model = case.model();
        let expected: Vec<_> = case.parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice())).collect();
        let planned: Vec<_> = model.parameters().map(|p| (p.name.as_str(), p.shape.as_slice())).collect();
        assert_eq!(planned, expected, "{}", case.name);

        let tensors = Network::new(&model, 1).tensors();
        let live: Vec<_> = tensors.iter().map(|t| (t.name.as_str(), t.shape.as_slice())).collect();
        assert_eq!(live[..expected.len()], expected, "{}", case.name);
        assert_eq!(tensors.len() - expected.len(), model.buffers().count(), "{}", case.name);

        let values: usize = tensors[..expected.len()].iter().map(|t| t.values.len()).sum();
        assert_eq!(values as u64, case.total_parameters, "{}", case.name);
        assert_eq!(model.parameter_count(), case.total_parameters, "{}", case.name);
        compared += expected.len();
    }
    assert_eq!(compared, 189);
    let counts = ["baseline", "slim", "slim-bn"].map(|name| case(name).model().parameter_count());
    assert_eq!(counts, [1_200_074, 338_058, 338_442]);
}

#[test]
fn every_layer_gives_pytorchs_shape() {
    let mut compared = 0;
    for case in cases() {
        let model = case.model();
        let planned: Vec<Vec<usize>> = model.layers.iter().map(|l| [&[128], l.output.as_slice()].concat()).collect();
        assert_eq!(planned, case.output_shapes_at_batch_128, "{}", case.name);

        let trace = trace_shapes(&model, 128);
        let mut input = [&[128], INPUT.as_slice()].concat();
        assert_eq!(trace.len(), model.layers.len(), "{}", case.name);
        for ((live, layer), shape) in trace.into_iter().zip(&model.layers).zip(&case.output_shapes_at_batch_128) {
            assert_eq!((&live.layer, &live.input, &live.output), (&layer.name, &input, shape), "{}", case.name);
            input = live.output;
            compared += 1;
        }
    }
    assert_eq!(compared, 199);
}

/// Compares sizes with the two decimals that a summary prints.
fn assert_prints(case: &Case, summary: &str, sizes: Megabytes, printed: &Printed) {
    let got = [sizes.input, sizes.forward_backward, sizes.params, sizes.total].map(|mb| format!("{mb:.2}"));
    let expected = [
        &printed.input_size_mb,
        &printed.forward_backward_pass_size_mb,
        &printed.params_size_mb,
        &printed.estimated_total_size_mb,
    ];
    assert_eq!(got.each_ref(), expected, "{}: {summary}", case.name);
    let count = case.model().parameter_count();
    assert_eq!([count; 2], [printed.total_params, printed.trainable_params], "{}: {summary}", case.name);
}

#[test]
fn sizes_are_those_that_torchsummary_prints() {
    for c in cases() {
        assert_prints(&c, "torchsummary", c.model().sizes().torchsummary, &c.torchsummary);
    }
}

#[test]
fn sizes_and_cost_are_torchinfos_to_the_byte() {
    for case in cases() {
        let (model, sizes) = (case.model(), case.model().sizes().torchinfo);
        let batches: Vec<u64> = case.torchinfo.iter().map(|t| t.batch).collect();
        assert_eq!(batches, [1, 128], "{}", case.name);
        for found in &case.torchinfo {
            // The model's sizes are for one image; all except the parameters grow with the batch.
            let bytes =
                [found.input_data_bytes / found.batch, found.total_output_bytes / found.batch, found.total_param_bytes];
            let megabytes = [sizes.input, sizes.forward_backward, sizes.params];
            assert_eq!(megabytes, bytes.map(|b| b as f64 / 1e6), "{}", case.name);
            assert_eq!(model.mult_adds() * found.batch, found.total_mult_adds, "{}", case.name);
            assert_eq!(model.parameter_count(), found.total_params, "{}", case.name);
        }
        assert_prints(&case, "torchinfo", sizes, &case.torchinfo[0].printed);
    }
}

#[test]
fn initial_bounds_are_pytorchs() {
    let (mut uniform, mut norms) = (0, 0);
    for case in cases() {
        let model = case.model();
        let mut fillings = case.parameters.iter();
        for layer in model.layers.iter().filter(|l| !l.parameters.is_empty()) {
            let is_norm =
                matches!(layer.kind, LayerKind::BatchNorm2d(_) | LayerKind::BatchNorm1d(_) | LayerKind::LayerNorm(_));
            for spec in &layer.parameters {
                // The fixture fills the tensors of convolutions and linear layers with values up to PyTorch's default
                // bound.
                let filling = fillings.next().expect("a filling for each parameter");
                let expected = match (is_norm, spec.name.ends_with(".weight")) {
                    (false, _) => Init::Uniform { bound: filling.bound },
                    (true, true) => Init::Ones,
                    (true, false) => Init::Zeros,
                };
                assert_eq!((&spec.name, spec.init), (&filling.name, expected), "{}", case.name);
                *(if is_norm { &mut norms } else { &mut uniform }) += 1;
            }
        }
        for spec in model.buffers() {
            let expected = if spec.name.ends_with(".running_var") { Init::Ones } else { Init::Zeros };
            assert_eq!(spec.init, expected, "{}: {}", case.name, spec.name);
        }
    }
    assert_eq!((uniform, norms), (139, 50));
}

#[derive(Deserialize)]
struct Initialisation {
    networks: Vec<InitialNetwork>,
}

#[derive(Deserialize)]
struct InitialNetwork {
    network: String,
    modules: Vec<InitialModule>,
}

#[derive(Deserialize)]
struct InitialModule {
    name: String,
    weight: Samples,
    bias: Samples,
}

/// The bound of PyTorch's default initialisation, and the spread of its samples relative to the bound.
#[derive(Deserialize)]
struct Samples {
    bound: f64,
    #[serde(rename = "samples")]
    count: usize,
    std_over_bound: f64,
}

#[test]
fn initial_weights_spread_as_pytorchs_do() {
    // Many seeds, because the ten biases of one seed do not come close to the ends of their interval.
    const SEEDS: u64 = 20;
    let mut compared = 0;
    for expected in fixture::<Initialisation>("initialisation.json").networks {
        let model = case(&expected.network).model();
        let mut drawn = HashMap::<String, Vec<f64>>::new();
        for tensor in (1..=SEEDS).flat_map(|seed| Network::new(&model, seed).tensors()) {
            drawn.entry(tensor.name).or_default().extend(tensor.values.into_iter().map(f64::from));
        }
        let modules = expected.modules.iter();
        let tensors =
            modules.flat_map(|m| [("weight", &m.weight), ("bias", &m.bias)].map(|(part, s)| (&m.name, part, s)));
        for (module, part, theirs) in tensors {
            let name = format!("{module}.{part}");
            let x: Vec<f64> = drawn[&name].iter().map(|v| v / theirs.bound).collect();
            let (n, edge) = (x.len() as f64, 20.0 / x.len() as f64);
            let (low, high) = x.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            // A float32 may round up to just above its bound.
            assert!((-1.0 - 1e-6..-1.0 + edge).contains(&low), "{}: {name} from {low}", model.name);
            assert!(high > 1.0 - edge && high <= 1.0 + 1e-6, "{}: {name} to {high}", model.name);
            // The standard error of a uniform's standard deviation s is sqrt(1/5) s / sqrt(n).
            let mean = x.iter().sum::<f64>() / n;
            let std = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            let error = (1.0 / n + 1.0 / theirs.count as f64).sqrt() * std * 0.2f64.sqrt();
            assert!((std - theirs.std_over_bound).abs() < 4.0 * error, "{}: {name} spreads {std}", model.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * 4 * 2, "networks, layers, weight and bias");
}
