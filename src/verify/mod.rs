//! Verifies a bundle: a ladder of checks, cheapest first, each rung in a file of its own.

mod about;
mod batch;
mod diverged;
mod exact;
mod files;
mod inputs;
mod machine;
mod metrics;
mod outcome;
mod render;
mod replay;
mod rerun;
mod subject;
mod verdicts;
mod weights;

use std::path::Path;

pub use about::About;
pub(crate) use batch::{Common, Record, groups, verify_all};
pub use outcome::{RungResult, Status, Verification};

use crate::bundle::{self, Bundle, EVIDENCE, WEIGHTS};
use crate::compute::{Device, DeviceChoice};
use crate::failure::caught;
pub use crate::rung::Rung;
use machine::Machine;
use outcome::Outcome;
use subject::Subject;

/// Checks every rung up to `upto`, by default up to `replay`.
///
/// # Errors
/// A path that cannot be read or is not a bundle.
pub fn verify(path: &Path, upto: Option<Rung>, device: DeviceChoice) -> Result<Verification, bundle::Error> {
    verify_on(path, upto, |subject| machine::start(subject, device))
}

/// As [`verify`], on a device that was started before: this is how the tolerances were measured.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(path: &Path, upto: Option<Rung>, device: &Device) -> Result<Verification, bundle::Error> {
    verify_on(path, upto, |_| Ok(device.clone()))
}

fn verify_on(
    path: &Path,
    upto: Option<Rung>,
    start: impl FnOnce(&Subject) -> Result<Device, String>,
) -> Result<Verification, bundle::Error> {
    let bundle = Bundle::open(path)?;
    // Not as far as the bundle's files allow: its author must not choose how much is checked.
    let upto = upto.unwrap_or(Rung::Replay);
    let files = files::check(&bundle).into_result(Rung::Files);
    let subject = (files.status == Status::Passed && upto > Rung::Files).then(|| Subject::new(&bundle));
    let mut steps = vec![files];
    steps.extend(match &subject {
        None => climb(upto, |_| Outcome::NotChecked("`files` failed".into())),
        Some(Err(e)) if e.is_of_another_version => climb(upto, |rung| match rung {
            Rung::Inputs => Outcome::NotChecked(e.reason.clone()),
            _ => Outcome::NotChecked("another version of mnist-report wrote this bundle".into()),
        }),
        // The hashes are right, but the content cannot be parsed: made by hand.
        Some(Err(e)) => climb(upto, |rung| match rung {
            Rung::Inputs => Outcome::Failed(vec![e.reason.clone()]),
            _ => Outcome::NotChecked("`inputs` failed".into()),
        }),
        Some(Ok(subject)) => {
            let device = if upto >= Rung::Weights { start(subject) } else { Err("not needed".into()) };
            let machine = device.as_ref().map_err(Clone::clone).and_then(|device| Machine::new(subject, device));
            // A failure of this machine is not a difference in the bundle.
            climb(upto, |rung| caught(|| check(rung, subject, &machine)).unwrap_or_else(Outcome::NotChecked))
        }
    });
    let path = path.display().to_string();
    Ok(Verification { path, report_id: bundle.report_id(), upto, about: About::of(&bundle), steps })
}

/// The rungs above `files`, checked as far as they were asked for.
fn climb(upto: Rung, check: impl Fn(Rung) -> Outcome) -> Vec<RungResult> {
    let rungs = Rung::ALL.into_iter().filter(|rung| *rung > Rung::Files);
    let outcome = |rung| {
        if rung > upto { Outcome::NotChecked(format!("beyond --upto {}", upto.name())) } else { check(rung) }
    };
    rungs.map(|rung| outcome(rung).into_result(rung)).collect()
}

fn check(rung: Rung, subject: &Subject, machine: &Result<Machine, String>) -> Outcome {
    // Rungs that compute need this machine, and folders that a lean zip leaves out.
    let compute = |folders: &[&str], check: fn(&Subject, &Machine) -> Outcome| {
        let left_out = folders.iter().find(|folder| subject.bundle.leaves_out(folder));
        match (left_out, machine) {
            (Some(folder), _) => Outcome::NotChecked(format!("left out: this zip was published without {folder}")),
            (None, Ok(machine)) => check(subject, machine),
            (None, Err(why)) => Outcome::NotChecked(why.clone()),
        }
    };
    match rung {
        Rung::Files => files::check(subject.bundle),
        Rung::Inputs => inputs::check(subject),
        Rung::Exact => exact::check(subject),
        Rung::Render => render::check(subject),
        Rung::Metrics => metrics::check(subject),
        Rung::Weights => compute(&[WEIGHTS], weights::check),
        Rung::Replay => compute(&[WEIGHTS, EVIDENCE], replay::check),
        Rung::Rerun => compute(&[], rerun::check),
    }
}
