//! libtorch as a witness: what `build`, `verify` and `witness` print about it.

#![cfg(feature = "tch")]

use std::fs;

use mnist_report::compute::LIBTORCH_PROGRAM;
use mnist_report::tensors::{from_safetensors, to_safetensors};
use mnist_report::witness::HOW_TO_GET;
use serde_json::Value;

use crate::check_py::check;
use crate::settings::bundle_of;
use crate::support::*;

/// The line of the witness on standard error.
fn witness(done: &Done) -> Option<&str> {
    done.err.lines().find(|line| line.starts_with("witness: "))
}

#[test]
fn build_and_verify_say_how_far_libtorch_agrees() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let study = tiny();
    let arguments = ["build", "--device", "cpu", "--out", out.to_str().unwrap(), study.to_str().unwrap()];
    let done = run(program(arguments).env_remove("MNIST_REPORT_WITNESS")).exits(0);
    let line = witness(&done).unwrap_or_else(|| panic!("{}", done.err)).to_owned();
    assert!(line.contains("evaluated 4 networks: 0 of 40,000 predictions differ"), "{line}");
    let layers: usize = shared().0.json("results.json")["models"]
        .as_object()
        .unwrap()
        .values()
        .map(|model| model["layers"].as_array().unwrap().len())
        .sum();
    assert!(line.ends_with(&format!(", shapes of {layers} layers agree")), "{line}");
    assert_eq!(done.report_id(), shared().1.report_id(), "the bundle does not depend on the witness");
    let log: Value = serde_json::from_slice(&fs::read(out.join("run-log.json")).unwrap()).unwrap();
    assert_eq!((&log["witness"]["networks"], &log["witness"]["differing_predictions"]), (&4.into(), &0.into()));
    assert!(log["witness"]["loss"].as_f64().unwrap() < 1e-6, "{log}");
    assert_eq!((&log["witness"]["layers"], &log["witness"]["different_shape"]), (&layers.into(), &Value::Null));
    assert!(["scalar", "avx2", "avx512"].contains(&log["vectors"].as_str().unwrap()), "{log}");
    assert_eq!((&log["driver"], &log["nvrtc"]), (&Value::Null, &Value::Null), "the CPU trained");
    // The second verifier knows every key of it.
    check(&[], &out).exits(0);

    let verified = run(program(["verify", out.to_str().unwrap()]).env_remove("MNIST_REPORT_WITNESS")).exits(0);
    assert_eq!(witness(&verified), Some(&*line));
    assert_eq!(verified.out, run(&mut program(["verify", out.to_str().unwrap()])).out, "only standard error says it");
    // Variables that would change what libtorch computes, or make it wait forever.
    let set = run(program(["verify", out.to_str().unwrap()])
        .env_remove("MNIST_REPORT_WITNESS")
        .envs([("OMP_MAX_ACTIVE_LEVELS", "0"), ("ATEN_CPU_CAPABILITY", "default")]))
    .exits(0);
    assert_eq!(witness(&set), Some(&*line));
}

#[test]
fn other_weights_are_an_error_of_the_program() {
    let bundle = copy();
    let path = bundle.path.join("weights/small-bn.safetensors");
    let mut weights = from_safetensors(&fs::read(&path).unwrap()).unwrap();
    for tensor in &mut weights {
        tensor.values.iter_mut().for_each(|w| *w *= 1.5);
    }
    fs::write(&path, to_safetensors(&weights)).unwrap();
    let done = bundle.run("witness", &[]).exits(2);
    assert!(
        done.out.contains("libtorch 2.11.0 evaluated 4 networks: ") && done.err.contains("report this bug"),
        "{}",
        done.err
    );
}

#[test]
fn other_shapes_are_an_error_of_the_program() {
    let bundle = copy();
    let mut results = bundle.json("results.json");
    let layer = &mut results["models"]["small-bn"]["layers"][1];
    let (name, channels) = (layer["name"].as_str().unwrap().to_owned(), &mut layer["output_shape"][1]);
    *channels = (channels.as_u64().unwrap() + 1).into();
    fs::write(bundle.path.join("results.json"), serde_json::to_string_pretty(&results).unwrap() + "\n").unwrap();
    let done = bundle.run("witness", &[]).exits(2);
    assert!(done.out.contains(&format!("; shapes differ: small-bn: {name} turns [")), "{}", done.out);
    assert!(done.err.contains("report this bug"), "{}", done.err);
}

#[test]
fn without_the_program_that_has_libtorch_nothing_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let alone = home.path().join("mnist-report");
    fs::copy(env!("CARGO_BIN_EXE_mnist-report"), &alone).unwrap();
    let path = shared().0.path.to_str().unwrap();
    let of = |arguments: &[&str]| {
        run(in_known_environment(std::process::Command::new(&alone), arguments).env_remove("MNIST_REPORT_WITNESS"))
    };
    let data = root().join("data/mnist");
    std::os::unix::fs::symlink(root().join("data"), home.path().join("data")).unwrap();
    assert!(data.is_dir());
    let verified = of(&["verify", path, "--upto", "metrics"]);
    assert_eq!(witness(&verified), None);
    of(&["witness", path]).refused(&[LIBTORCH_PROGRAM, HOW_TO_GET]);
    of(&["build", "--device", "cuda", "--out", "b", tiny().to_str().unwrap()])
        .refused(&["GPU 0 cannot be used: ", "--device cpu"]);
}

#[test]
fn residual_blocks_agree_with_libtorch() {
    let home = tempfile::tempdir().unwrap();
    let layers = "[{conv2d: {out_channels: 4, kernel_size: 5, stride: 3}}, {residual: {layers: [batch_norm2d, relu, \
                  {conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}, {dropout: {p: 0.2}}]}}, relu, {residual: {layers: \
                  [tanh]}}, flatten, {linear: {out_features: 10}}]";
    let study = MINI.replace("[flatten, {linear: {out_features: 10}}]", layers);
    assert_ne!(study, MINI);
    let bundle = bundle_of(&study, home.path());
    let done = bundle.run("witness", &[]).exits(0);
    assert!(done.out.contains("evaluated 1 network: 0 of 10,000 predictions differ"), "{}", done.out);
    // What the report shows of them.
    let report = bundle.text("report.md");
    let sum = report.lines().find(|line| line.starts_with("| residual1 |")).expect("the row of the sum");
    assert!(sum.ends_with("| `residual` | `layers=4` |  |"), "{sum}");
    let code = bundle.text("pytorch/only.py");
    assert!(code.contains("x = F.relu(x + branch)  # ") && code.contains("branch = torch.tanh(x)  # "), "{code}");
    bundle.run("verify", &[]).exits(0);
}
