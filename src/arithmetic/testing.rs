//! Shared by the tests of both implementations of the optimizers and of gradient clipping: PyTorch's parameters after five
//! steps, and its clipped gradients.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use mnist_report::study::Optimizer;

#[derive(Deserialize)]
struct Fixture {
    p_before: Vec<f32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    optimizer: String,
    config: Map<String, Value>,
    p_after_step: Vec<Vec<f32>>,
}

/// An optimizer, the parameters before its first step, and what PyTorch computed.
pub(crate) struct OptimizerCase {
    pub(crate) optimizer: Optimizer,
    pub(crate) before: Vec<f32>,
    pub(crate) steps: Vec<OptimizerStep>,
}

/// One step computed by PyTorch.
pub(crate) struct OptimizerStep {
    /// Counted from 1.
    t: u64,
    after: Vec<f32>,
}

impl OptimizerStep {
    /// The gradient that the fixture gives the parameters at this step.
    pub(crate) fn gradient(&self, p: &[f32]) -> Vec<f32> {
        let factor = (0.5 + self.t as f64 / 10.0) as f32;
        p.iter().zip(hashed(p.len() as u64, 20 + self.t)).map(|(p, noise)| factor * p + noise).collect()
    }

    /// Asserts that these are PyTorch's parameters after the step.
    #[track_caller]
    pub(crate) fn assert_near(&self, optimizer: &Optimizer, got: &[f32]) {
        assert_eq!(got.len(), self.after.len());
        for (i, (got, expected)) in got.iter().zip(&self.after).enumerate() {
            // A parameter that comes near 0 is a difference of larger values, which are rounded.
            let allowed = 1e-5 * expected.abs() + f32::EPSILON / 2.0;
            let difference = (got - expected).abs();
            assert!(difference <= allowed, "{optimizer:?} step {}, p[{i}]: {got}, PyTorch gives {expected}", self.t);
        }
    }
}

/// The fixture's numbers in [-1, 1), made by a counter hash (tests/fixtures/pytorch/README.md).
pub(crate) fn hashed(n: u64, tag: u64) -> Vec<f32> {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let value = |i: u64| {
        let mut z = tag.wrapping_add(1).wrapping_mul(GOLDEN).wrapping_add(i);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (2.0 * ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24) - 1.0) as f32
    };
    (0..n).map(value).collect()
}

/// Gradients, a limit, and what PyTorch makes of them.
#[derive(Clone, Deserialize)]
pub(crate) struct ClippingCase {
    pub(crate) max_norm: Option<f64>,
    pub(crate) clip_value: Option<f64>,
    #[serde(skip)]
    pub(crate) gradients: Vec<Vec<f32>>,
    clipped: Vec<Vec<f32>>,
}

impl ClippingCase {
    /// Asserts that these are PyTorch's gradients after clipping.
    #[track_caller]
    pub(crate) fn assert_near(&self, got: &[Vec<f32>]) {
        assert_eq!(got.iter().map(Vec::len).collect::<Vec<_>>(), self.clipped.iter().map(Vec::len).collect::<Vec<_>>());
        for (i, (got, expected)) in got.iter().flatten().zip(self.clipped.iter().flatten()).enumerate() {
            let difference = (got - expected).abs();
            assert!(difference <= 1e-6 * expected.abs(), "gradient {i}: {got}, PyTorch gives {expected}");
        }
    }
}

/// All cases of tests/fixtures/pytorch/clipping.json.
pub(crate) fn clipping_cases() -> Vec<ClippingCase> {
    #[derive(Deserialize)]
    struct Clippings {
        cases: Vec<ClippingCase>,
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch/clipping.json");
    let fixture: Clippings = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(fixture.cases.len(), 5);
    let gradients: Vec<Vec<f32>> = [(3, 31), (70, 32), (40, 33)].map(|(n, tag)| hashed(n, tag)).to_vec();
    fixture.cases.into_iter().map(|case| ClippingCase { gradients: gradients.clone(), ..case }).collect()
}

/// All cases of tests/fixtures/pytorch/optimizers.json.
pub(crate) fn optimizer_cases() -> Vec<OptimizerCase> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pytorch/optimizers.json");
    let fixture: Fixture = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(fixture.p_before, hashed(40, 11));
    assert_eq!(fixture.cases.len(), 17);
    let case = |case: Case| {
        let mut config = case.config;
        assert_ne!(config.remove("amsgrad"), Some(json!(true)));
        assert_eq!(case.p_after_step.len(), 5);
        OptimizerCase {
            optimizer: serde_json::from_value(json!({case.optimizer: config})).unwrap(),
            before: fixture.p_before.clone(),
            steps: (1..).zip(case.p_after_step).map(|(t, after)| OptimizerStep { t, after }).collect(),
        }
    };
    fixture.cases.into_iter().map(case).collect()
}
