//! Verifies a bundle: a ladder of checks, cheapest first, each rung in a file of its own.

mod about;
mod batch;
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
mod weights;

use std::path::Path;

pub use about::About;
pub use batch::{Common, Group, Record, groups, verify_all};
pub use outcome::{Status, Step, Verification};

use crate::bundle::{self, Bundle, EVIDENCE, WEIGHTS};
use crate::engine::{DeviceChoice, caught};
pub use crate::rung::Rung;
use crate::study::Compute;
use machine::Machine;
use outcome::Outcome;
use subject::Subject;

/// A rung's check, by what it needs.
enum Check {
    /// The files as they are.
    Files(fn(&Bundle) -> Outcome),
    /// What the files say.
    Contents(fn(&Subject) -> Outcome),
    /// Networks trained or evaluated on this machine, from folders that a lean zip leaves out.
    Machine(&'static [&'static str], fn(&Subject, &Machine) -> Outcome),
}

fn check_of(rung: Rung) -> Check {
    match rung {
        Rung::Files => Check::Files(files::check),
        Rung::Inputs => Check::Contents(inputs::check),
        Rung::Exact => Check::Contents(exact::check),
        Rung::Render => Check::Contents(render::check),
        Rung::Metrics => Check::Contents(metrics::check),
        Rung::Weights => Check::Machine(&[WEIGHTS], weights::check),
        Rung::Replay => Check::Machine(&[WEIGHTS, EVIDENCE], replay::check),
        Rung::Rerun => Check::Machine(&[], rerun::check),
    }
}

/// Checks every rung up to `upto`, by default up to `replay`.
///
/// # Errors
/// A path that cannot be read or is not a bundle.
pub fn verify(path: &Path, upto: Option<Rung>, device: DeviceChoice) -> Result<Verification, bundle::Error> {
    verify_with(path, upto, device, None)
}

/// As [`verify`], with another arithmetic than the study's: this is how the tolerances were measured.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(
    path: &Path,
    upto: Option<Rung>,
    device: DeviceChoice,
    compute: Option<Compute>,
) -> Result<Verification, bundle::Error> {
    let bundle = Bundle::open(path)?;
    // Not what the bundle offers: its author must not choose how much is checked.
    let upto = upto.unwrap_or(Rung::Replay);
    let files = files::check(&bundle).step(Rung::Files);
    let subject = (files.status == Status::Passed && upto > Rung::Files).then(|| Subject::new(&bundle));
    let mut steps = vec![files];
    steps.extend(match &subject {
        None => climb(upto, |_| Outcome::NotChecked("`files` failed".into())),
        // The hashes are right, but the content cannot be parsed: made by hand or by another program.
        Some(Err(e)) => climb(upto, |rung| match rung {
            Rung::Inputs => Outcome::Failed(vec![e.clone()]),
            _ => Outcome::NotChecked("`inputs` failed".into()),
        }),
        Some(Ok(subject)) => {
            let engine =
                if upto >= Rung::Weights { machine::start(subject, device, compute) } else { Err("not needed".into()) };
            let machine = engine.as_ref().map_err(Clone::clone).and_then(|engine| Machine::new(subject, engine));
            // A failure of this machine is not a difference in the bundle.
            climb(upto, |rung| caught(|| check(rung, subject, &machine)).unwrap_or_else(Outcome::NotChecked))
        }
    });
    let contents = subject.as_ref().and_then(|subject| Some(&subject.as_ref().ok()?.contents));
    let about = About::of(&bundle, contents);
    Ok(Verification::new(path, &bundle, about, upto, steps))
}

/// The rungs above `files`, checked as far as they were asked for.
fn climb(upto: Rung, check: impl Fn(Rung) -> Outcome) -> Vec<Step> {
    let rungs = Rung::ALL.into_iter().filter(|rung| *rung > Rung::Files);
    let outcome = |rung| {
        if rung > upto { Outcome::NotChecked(format!("beyond --upto {}", upto.name())) } else { check(rung) }
    };
    rungs.map(|rung| outcome(rung).step(rung)).collect()
}

fn check(rung: Rung, subject: &Subject, machine: &Result<Machine, String>) -> Outcome {
    match check_of(rung) {
        Check::Files(check) => check(subject.bundle),
        Check::Contents(check) => check(subject),
        Check::Machine(folders, check) => match (folders.iter().find(|f| subject.bundle.leaves_out(f)), machine) {
            (Some(folder), _) => Outcome::NotChecked(format!("left out: this zip was published without {folder}")),
            (None, Ok(machine)) => check(subject, machine),
            (None, Err(why)) => Outcome::NotChecked(why.clone()),
        },
    }
}
