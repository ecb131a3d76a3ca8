//! libtorch as an independent witness of the program's own arithmetic: it evaluates a bundle's networks with its own operators.
//!
//! It shares no code with the kernels in `arithmetic`, so an error in one of them would show. Its result goes
//! neither into the bundle nor into the rungs of `verify`, because neither may depend on libtorch.

use std::path::Path;
use std::process::{Command, Stdio};

pub use crate::bundle::Agreement;
use crate::bundle::{Bundle, Contents, WEIGHTS, seed_files};
use crate::compute::{Device, LIBTORCH_PROGRAM, Libtorch, libtorch, libtorch_program};
use crate::failure::caught;
use crate::tensors::from_safetensors;
use crate::text::error_chain;
use crate::training::Prepared;

/// Switches the witness off if it is `no`.
const VARIABLE: &str = "MNIST_REPORT_WITNESS";

/// Prefixes of environment variables that change what libtorch computes, or make it slow or hang.
const OVERRIDES: [&str; 9] = ["OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_", "ATEN_", "TORCH_", "PYTORCH_"];

/// Evaluates a bundle's networks with libtorch, in this process. `data` is the folder of the data, if the user names one.
///
/// # Errors
/// No libtorch in this process, a bundle that cannot be read, weights that are missing, or missing data.
pub fn evaluate(path: &Path, data: Option<&Path>) -> Result<Agreement, String> {
    let device = Device::libtorch_on_cpu().map_err(error_chain)?;
    let bundle = Bundle::open(path).map_err(error_chain)?;
    let contents = bundle.contents().map_err(error_chain)?;
    let data = contents.data(data).map_err(error_chain)?;
    let Contents { plan, results, .. } = contents;
    let prepared = Prepared::new(&device, &data, &plan);
    let mut found =
        Agreement { libtorch: libtorch().map(Libtorch::version).unwrap_or_default(), ..Agreement::default() };
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
        };
        assert!(found.is_close());
        assert_eq!(
            found.to_string(),
            "libtorch 2.11.0 evaluated 2 networks: 6 of 20,000 predictions differ, losses by at most 3.1e-7 of their value"
        );
        assert!(!Agreement { most_in_one_network: 6, ..found.clone() }.is_close());
        assert!(!Agreement { loss: 1.1e-4, ..found.clone() }.is_close());
        assert!(!Agreement { loss: f64::NAN, ..found }.is_close());
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
