//! Every forgery of the demo is caught by the rung that should catch it and by no earlier one; the honest bundle passes
//! all rungs.

use std::collections::HashSet;

use mnist_report::compute::DeviceChoice;
use mnist_report::demo::{FORGERIES, Honest};
use mnist_report::exit_code::ExitCode;
use mnist_report::verify::{Rung, Status, verify};

use crate::support::*;

#[test]
fn every_forgery_is_caught_by_its_rung_and_the_honest_bundle_passes_all() {
    let folder = tempfile::tempdir().unwrap();
    // Give `stops` so many epochs that `replay` only samples it. It still stops as early as before.
    let sampled = built_with(&[("epochs: 30", "epochs: 9000")]);
    let bundle = &sampled.path;
    let honest = verify(bundle, Some(Rung::Rerun), DeviceChoice::Cpu).unwrap();
    assert_eq!(honest.exit_code(), ExitCode::Success, "{honest:?}");
    assert!(honest.steps.iter().all(|s| s.status == Status::Passed), "{honest:?}");

    let forger = Honest::open(bundle, DeviceChoice::Cpu).unwrap();
    let mut rungs = HashSet::new();
    for forgery in FORGERIES {
        assert!(forger.has_run_for(forgery), "{}", forgery.name);
        let dir = folder.path().join(forgery.name);
        forger.forge(forgery, &dir).unwrap();
        let verification = verify(&dir, Some(forgery.caught_by), DeviceChoice::Cpu).unwrap();
        assert_eq!(verification.exit_code(), ExitCode::Difference, "{}: {verification:?}", forgery.name);
        for step in &verification.steps {
            let expected = match step.rung.cmp(&forgery.caught_by) {
                std::cmp::Ordering::Less => Status::Passed,
                std::cmp::Ordering::Equal => Status::Failed,
                std::cmp::Ordering::Greater => Status::NotChecked,
            };
            assert_eq!(step.status, expected, "{} at {:?}: {verification:?}", forgery.name, step.rung);
        }
        rungs.insert(forgery.caught_by.name());
    }
    assert!(FORGERIES.len() >= 12);
    assert_eq!(rungs.len(), Rung::ALL.len(), "every rung catches something: {rungs:?}");
}
