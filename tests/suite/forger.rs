//! Every forgery of the demo is caught by the rung that should catch it and by no earlier one; the honest bundle passes
//! all rungs.

use std::collections::HashSet;
use std::path::Path;

use mnist_report::compute::DeviceChoice;
use mnist_report::demo::{FORGERIES, Honest};
use mnist_report::exit_code::ExitCode;
use mnist_report::verify::{Request, Rung, Status, verify_request};

use crate::support::*;

#[test]
fn every_forgery_is_caught_by_its_rung_and_the_honest_bundle_passes_all() {
    let folder = tempfile::tempdir().unwrap();
    // Give `stops` so many epochs that its last segment is stored. It still stops as early as before.
    let sampled = built_with(&[("epochs: 30", "epochs: 9000")]);
    let bundle = &sampled.path;
    let request = |upto| Request { as_if_long: vec!["stops".into()], ..Request::up_to(Some(upto), DeviceChoice::Cpu) };
    let verify = |bundle: &Path, upto| verify_request(bundle, &request(upto), &|_| {}).unwrap();
    let honest = verify(bundle, Rung::Rerun);
    assert_eq!(honest.exit_code(), ExitCode::Success, "{honest:?}");
    assert!(honest.steps.iter().all(|s| s.status == Status::Passed), "{honest:?}");

    let forger = Honest::open(bundle, DeviceChoice::Cpu, None).unwrap().as_if_long("stops");
    let mut rungs = HashSet::new();
    for forgery in FORGERIES {
        assert!(forger.has_run_for(forgery), "{}", forgery.name);
        let dir = folder.path().join(forgery.name);
        forger.forge(forgery, &dir).unwrap();
        let verification = verify(&dir, forgery.caught_by);
        assert_eq!(verification.exit_code(), ExitCode::Difference, "{}: {verification:?}", forgery.name);
        for step in &verification.steps {
            let expected = match step.rung.cmp(&forgery.caught_by) {
                std::cmp::Ordering::Less => Status::Passed,
                std::cmp::Ordering::Equal => Status::Failed,
                std::cmp::Ordering::Greater => Status::NotChecked,
            };
            assert_eq!(step.status, expected, "{} at {:?}: {verification:?}", forgery.name, step.rung);
        }
        let failed = verification.asked(Status::Failed).next().unwrap();
        let message = &failed.details[0];
        for part in told(forgery.name) {
            assert!(message.contains(part), "{}: `{part}` is not in: {message}", forgery.name);
        }
        rungs.insert(forgery.caught_by.name());
    }
    assert!(FORGERIES.len() >= 12);
    assert_eq!(rungs.len(), Rung::ALL.len(), "every rung catches something: {rungs:?}");
}

/// What the first message on a forgery must name: the file or the value, with what the bundle has and what it should have.
fn told(forgery: &str) -> &'static [&'static str] {
    const IMAGES: &[&str] =
        &["small-bn: ", " another class than predictions/ has; the first is image ", ", predictions/ has "];
    const COUNTED: &[&str] = &["small-bn: results.json counts ", " correct predictions, there are ", "confusion["];
    match forgery {
        "byte" => &["weights/small-bn.safetensors was changed: its SHA-256 is ", ", SHA256SUMS has "],
        "missing" => &["figures/parameters.svg is missing, and SHA256SUMS lists it"],
        "extra" => &["notes.txt is not in SHA256SUMS"],
        "link" => &["report.md", "link"],
        "study" => &["study.yaml is not the bundle's study: manifest.json has ", ", the bundle's study has "],
        "data" => &["t10k-labels-idx1-ubyte is not MNIST's: manifest.json has ", ", MNIST's has "],
        "parameters" => &["models.small.parameters: the bundle has 554, the recomputed value is 1554"],
        "epochs" => &["runs.small-bn.plan.epochs: the bundle has 7, the recomputed value is 6"],
        "history" => {
            &["losses/small-bn.f32: epoch 1: the mean of its batches is ", ", results.json has a training loss of "]
        }
        "drawn" => &["results.json: loss_curves.small-bn.losses[0][0]: ", ", losses/ and the plan give "],
        "report" => &["report.html says 99.99", ", results.json gives 88.15 %"],
        "accuracy" | "label" => COUNTED,
        "predictions" | "weights" | "tolerances" => IMAGES,
        "chain" => &["small-bn: the bundle's result.chain[0].end_sha256: \"", ", the training gives \""],
        "chosen" => &["small-bn: evidence/small-bn.safetensors has the SHA-256 ", ", its training gives "],
        "longer" => &["small-bn: epoch 6: ", ", the bundle has "],
        "diverged" => &["small-bn: does not diverge in 1 epoch, the bundle has: "],
        "batches" | "curve" => &["small-bn: epoch ", " loss ", " has "],
        "spliced" => &["stops: steps ", ": the loss of step ", ", the bundle has "],
        "unsampled" => &["stops: epoch ", " loss ", ", the bundle has "],
        other => panic!("{other}: what must be told of it?"),
    }
}
