//! libtorch as an independent witness of the program's own arithmetic: it evaluates a bundle's networks with its own operators.
//!
//! It shares no code with the kernels in `arithmetic`, so an error in one of them would show. Its result goes
//! neither into the bundle nor into the rungs of `verify`, because neither may depend on libtorch.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::arithmetic::LayerShapes;
pub use crate::bundle::Agreement;
use crate::bundle::{Bundle, Contents, WEIGHTS, seed_files};
use crate::compute::{self, Device, LIBTORCH_PROGRAM, Libtorch, libtorch, libtorch_program};
use crate::failure::caught;
use crate::results::LayerFacts;
use crate::tensors::from_safetensors;
use crate::text::error_chain;
use crate::training::Prepared;

/// What to do without libtorch, which an installed copy and the wheel do not have.
pub const HOW_TO_GET: &str = "use target/release/mnist-report of the repository after `make build`";

/// Switches the witness off if it is `no`.
const VARIABLE: &str = "MNIST_REPORT_WITNESS";

/// Prefixes of environment variables that change what libtorch computes, or make it slow or hang.
const OVERRIDES: [&str; 9] = ["OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "ATEN_", "TORCH_", "PYTORCH_"];

/// Evaluates a bundle's networks with libtorch, in this process. `data` is the folder of the data, if the user names one.
///
/// # Errors
/// No libtorch in this process, a bundle that cannot be read, weights that are missing, or missing data.
pub fn evaluate(path: &Path, data: Option<&Path>) -> Result<Agreement, String> {
    let device = Device::libtorch_on_cpu().map_err(|error| match error {
        compute::Error::NoLibtorch => format!("{LIBTORCH_PROGRAM} is not beside this program; {HOW_TO_GET}"),
        other => error_chain(other),
    })?;
    let bundle = Bundle::open(path).map_err(error_chain)?;
    let contents = bundle.contents().map_err(error_chain)?;
    let data = contents.data(data).map_err(error_chain)?;
    let Contents { plan, results, .. } = contents;
    let prepared = Prepared::new(&device, &data, &plan);
    let mut found =
        Agreement { libtorch: libtorch().map(Libtorch::version).unwrap_or_default(), ..Agreement::default() };
    for (name, facts) in &results.models {
        let (Some(model), Some(libtorch)) = (plan.models.get(name), libtorch()) else { continue };
        let traced = caught(|| libtorch.trace_shapes(model))?.map_err(error_chain)?;
        let different = different_shape(name, &traced, &facts.layers);
        found.layers += facts.layers.len();
        found.different_shape = found.different_shape.or(different);
    }
    for (run, result, files) in seed_files(&results) {
        let Some(run) = plan.runs.get(run) else { continue };
        let mut network = device.network(&plan.models[&run.settings.model], 0);
        let weights = from_safetensors(bundle.bytes(&files.weights()).map_err(error_chain)?).map_err(error_chain)?;
        network.load(&weights).map_err(|why| format!("{}: {why}", files.weights()))?;
        let evaluation = caught(|| prepared.test(&*network))?;
        let stated = bundle.predictions(&files).map_err(error_chain)?;
        let others = stated.iter().zip(&evaluation.predictions).filter(|(a, b)| a != b).count();
        let loss = (evaluation.loss() - result.test_loss).abs() / result.test_loss.abs().max(f64::MIN_POSITIVE);
        found.networks += 1;
        found.predictions += stated.len();
        found.differing_predictions += others;
        found.most_in_one_network = found.most_in_one_network.max(others);
        // A loss that is not finite is the largest difference; JSON has no infinity.
        found.loss = found.loss.max(if loss.is_finite() { loss } else { f64::MAX });
    }
    Ok(found)
}

/// The first layer of a network whose shapes with libtorch's operators are not those of the bundle, in words.
fn different_shape(model: &str, traced: &[LayerShapes], stated: &[LayerFacts]) -> Option<String> {
    if traced.len() != stated.len() {
        return Some(format!("{model} has {} layers instead of {}", traced.len(), stated.len()));
    }
    // The first number is the batch, which is one image for libtorch.
    let of_image = |shape: &[usize]| shape.get(1..).unwrap_or_default().to_owned();
    traced.iter().zip(stated).find_map(|(traced, stated)| {
        let found = (&traced.layer, of_image(&traced.input), of_image(&traced.output));
        let expected = (&stated.name, of_image(&stated.input_shape), of_image(&stated.output_shape));
        (found != expected).then(|| {
            let (layer, input, output) = found;
            let (other, from, to) = expected;
            format!(
                "{model}: {layer} turns {input:?} into {output:?}, but in the bundle {other} turns {from:?} into {to:?}"
            )
        })
    })
}

/// As [`evaluate`], in a process of the program that has libtorch. `None` if that program is not installed, if the witness is
/// switched off, or if the bundle was published without its weights.
pub fn ask(path: &Path, data: Option<&Path>) -> Option<Result<Agreement, String>> {
    let program = libtorch_program().filter(|_| std::env::var_os(VARIABLE).is_none_or(|value| value != "no"))?;
    if Bundle::open(path).is_ok_and(|bundle| bundle.leaves_out(WEIGHTS)) {
        return None;
    }
    let mut command = Command::new(&program);
    command.arg("witness").arg(path).arg("--json").stdin(Stdio::null());
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    for (name, _) in std::env::vars_os() {
        if OVERRIDES.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    Some(answer(command))
}

fn answer(mut command: Command) -> Result<Agreement, String> {
    let output = command.output().map_err(|error| format!("cannot start {LIBTORCH_PROGRAM}: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let line = stderr.lines().last().unwrap_or_default();
        if line.is_empty() { output.status.to_string() } else { line.trim_start_matches("error: ").to_owned() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_is_close_within_the_tolerances() {
        let found = Agreement {
            libtorch: "2.11.0".into(),
            networks: 2,
            predictions: 20_000,
            differing_predictions: 6,
            most_in_one_network: 5,
            loss: 3.14e-7,
            layers: 9,
            different_shape: None,
        };
        assert!(found.is_close());
        assert_eq!(
            found.to_string(),
            "libtorch 2.11.0 evaluated 2 networks: 6 of 20,000 predictions differ, losses by at most 3.1e-7 of their value, \
             shapes of 9 layers agree"
        );
        assert!(!Agreement { most_in_one_network: 6, ..found.clone() }.is_close());
        assert!(!Agreement { loss: 1.1e-4, ..found.clone() }.is_close());
        assert!(!Agreement { loss: f64::NAN, ..found.clone() }.is_close());
        let other = Agreement { different_shape: Some("slim: conv1 turns [1] into [2]".into()), ..found };
        assert!(!other.is_close());
        assert!(other.to_string().ends_with("; shapes differ: slim: conv1 turns [1] into [2]"), "{other}");
    }

    #[test]
    fn the_first_layer_with_other_shapes_is_found() {
        let traced = |layer: &str, output: usize| LayerShapes {
            layer: layer.into(),
            input: vec![1, 4],
            output: vec![1, output],
        };
        let stated = |name: &str, output: usize| LayerFacts {
            name: name.into(),
            kind: "linear".into(),
            parameters: 0,
            buffers: 0,
            formula: String::new(),
            window: None,
            inner_layers: None,
            mult_adds: 0,
            input_shape: vec![128, 4],
            output_shape: vec![128, output],
        };
        let layers = [stated("fc1", 4), stated("fc2", 3)];
        let different = |traced: &[LayerShapes]| different_shape("small", traced, &layers);
        assert_eq!(different(&[traced("fc1", 4), traced("fc2", 3)]), None);
        assert_eq!(
            different(&[traced("fc1", 4), traced("fc2", 2)]).unwrap(),
            "small: fc2 turns [4] into [2], but in the bundle fc2 turns [4] into [3]"
        );
        assert!(different(&[traced("fc1", 4), traced("fc3", 3)]).is_some());
        assert_eq!(different(&[traced("fc1", 4)]).unwrap(), "small has 1 layers instead of 2");
    }

    #[test]
    fn a_program_that_gives_no_answer_is_quoted() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            answer(command)
        };
        assert_eq!(shell("echo error: no weights >&2; exit 2"), Err("no weights".into()));
        assert_eq!(shell("exit 3"), Err("exit status: 3".into()));
    }
}
