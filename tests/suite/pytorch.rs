//! The program's networks compared with values from PyTorch. The README in tests/fixtures/pytorch describes the files
//! and how their inputs are made. Optimizers and schedules are compared in src/arithmetic.

mod layers;
mod passes;

use std::path::Path;

use mnist_report::arithmetic::Network;
use mnist_report::model::{LayerKind, Model, ModelSpec};
use mnist_report::tensors::NamedTensor;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Allowed relative difference of values and running statistics.
const VALUE: f64 = 1e-5;
/// Allowed difference of a gradient, relative to its l2 norm.
const GRADIENT: f64 = 1e-4;
/// Channels, height and width of every image in these tests.
const INPUT: [usize; 3] = [1, 28, 28];
const PIXELS: usize = 784;
const BATCH: usize = 6;

#[derive(Deserialize)]
struct Networks {
    hash: Vec<HashValue>,
    networks: Vec<Case>,
}

#[derive(Deserialize)]
struct HashValue {
    i: u64,
    tag: u64,
    u_times_2_to_24: u64,
}

/// A network, and what torchsummary and torchinfo print for it.
#[derive(Deserialize)]
struct Case {
    name: String,
    layers: Vec<LayerKind>,
    output_shapes_at_batch_128: Vec<Vec<usize>>,
    parameters: Vec<Filling>,
    total_parameters: u64,
    torchsummary: Printed,
    torchinfo: Vec<Torchinfo>,
}

/// A parameter, and how the hash gives its values.
#[derive(Deserialize)]
struct Filling {
    name: String,
    shape: Vec<usize>,
    tag: u64,
    centre: f64,
    bound: f64,
}

/// Figures as a summary prints them; sizes have two decimals.
#[derive(Deserialize)]
struct Printed {
    total_params: u64,
    trainable_params: u64,
    input_size_mb: String,
    forward_backward_pass_size_mb: String,
    params_size_mb: String,
    estimated_total_size_mb: String,
}

#[derive(Deserialize)]
struct Torchinfo {
    batch: u64,
    total_params: u64,
    total_mult_adds: u64,
    input_data_bytes: u64,
    total_output_bytes: u64,
    total_param_bytes: u64,
    printed: Printed,
}

impl Case {
    fn model(&self) -> Model {
        let spec = ModelSpec { title: None, layers: self.layers.clone() };
        Model::resolve(&self.name, &spec, INPUT, 10).unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The network with the fixture's weights and fresh running statistics.
    fn network(&self) -> Network {
        let mut network = Network::new(&self.model(), 1);
        let mut tensors = network.tensors();
        let (parameters, _statistics) = tensors.split_at_mut(self.parameters.len());
        for (tensor, filling) in parameters.iter_mut().zip(&self.parameters) {
            *tensor = filling.tensor();
        }
        network.load(&tensors).unwrap_or_else(|e| panic!("{}: {e}", self.name));
        network
    }
}

impl Filling {
    fn tensor(&self) -> NamedTensor {
        let values = hashed(self.shape.iter().product(), self.tag, self.centre, self.bound);
        NamedTensor { name: self.name.clone(), shape: self.shape.clone(), values }
    }
}

/// A number in [0, 1) from a counter and a tag: 24 bits of splitmix64.
fn u(i: u64, tag: u64) -> f64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut z = tag.wrapping_mul(GOLDEN).wrapping_add(i).wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24)
}

fn hashed(n: usize, tag: u64, centre: f64, bound: f64) -> Vec<f32> {
    (0..n as u64).map(|i| (centre + bound * (2.0 * u(i, tag) - 1.0)) as f32).collect()
}

fn images(tag: u64) -> Vec<f32> {
    hashed(BATCH * PIXELS, tag, 0.0, 1.0)
}

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All networks.
fn cases() -> Vec<Case> {
    let cases = fixture::<Networks>("networks.json").networks;
    assert_eq!(cases.len(), 17);
    cases
}

fn case(name: &str) -> Case {
    cases().into_iter().find(|c| c.name == name).unwrap_or_else(|| panic!("no network {name} in networks.json"))
}

/// Asserts that two lists are equal within the relative difference `allowed` plus the absolute one `slack`.
fn assert_close(what: &str, got: &[f64], expected: &[f64], allowed: f64, slack: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: how many");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        // `<=`, which is false for NaN.
        assert!((g - e).abs() <= allowed * e.abs() + slack, "{what}[{i}] is {g:e}, PyTorch's {e:e}");
    }
}

#[test]
fn the_hash_gives_the_fixtures_values() {
    let expected = fixture::<Networks>("networks.json").hash;
    assert_eq!(expected.len(), 6);
    for h in expected {
        assert_eq!(u(h.i, h.tag) * f64::from(1 << 24), h.u_times_2_to_24 as f64, "u({}, {})", h.i, h.tag);
    }
}
