//! Verifies a bundle: a ladder of checks, cheapest first, each rung in a file of its own.

mod about;
mod again;
mod assignment;
mod batch;
mod child;
mod closing;
mod differing;
mod diverged;
mod draw;
mod exact;
mod files;
mod found;
mod inputs;
mod likeness;
mod losses;
mod machine;
mod metrics;
mod outcome;
mod progress;
mod record;
mod render;
mod replay;
mod rerun;
mod subject;
mod verdicts;
mod weights;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

pub use about::{About, KeyModel, KeyNetwork, KeyRun};
pub use assignment::AssignmentResult;
pub(crate) use batch::{checked_in_time, verify_all};
pub use child::{COMMAND, Limits, answer, verify_in_child};
pub use closing::{Closing, Statement};
pub use draw::Draw;
pub(crate) use likeness::{Common, Group, SharedNetwork, groups};
pub use outcome::{DrawnRuns, Mark, Proof, RungResult, Status, Verification};
pub use progress::Listener;
pub(crate) use record::{Judgement, Record, sorted};

use crate::build::seconds_of;
use crate::bundle::{self, Bundle, EVIDENCE, WEIGHTS};
use crate::compute::{Device, DeviceChoice};
use crate::failure::caught;
use crate::results::Results;
pub use crate::rung::Rung;
use crate::text::error_chain;
use machine::Machine;
use outcome::{Outcome, Rated};
use subject::{Subject, Unreadable};

/// Gets a line before the rungs that take long.
type Say<'a> = &'a dyn Fn(&str);
/// Gets what was found before the rungs that compute.
type SoFar<'a> = &'a dyn Fn(Verification);

/// What is to be verified, and on which device.
#[derive(Clone, Debug)]
pub struct Request {
    /// The last rung; by default `replay`.
    pub upto: Option<Rung>,
    /// The device of the rungs that compute.
    pub device: DeviceChoice,
    /// The runs that `rerun` trains again.
    pub runs: Draw,
    /// The study that the bundle's must be, except for the keys that it leaves free.
    pub assignment: Option<PathBuf>,
    /// The folder of the data; by default that with MNIST.
    pub data: Option<PathBuf>,
    /// Runs whose trainings `replay` does not do again, as if they took long. For tests: real ones take minutes.
    pub as_if_long: Vec<String>,
}

impl Request {
    /// Checks every rung up to `upto`, and compares with no assignment.
    pub fn up_to(upto: Option<Rung>, device: DeviceChoice) -> Self {
        Self { upto, device, runs: Draw::All, assignment: None, data: None, as_if_long: Vec::new() }
    }
}

/// Checks every rung up to `upto`, by default up to `replay`.
///
/// # Errors
/// A path that cannot be read or is not a bundle.
pub fn verify(path: &Path, upto: Option<Rung>, device: DeviceChoice) -> Result<Verification, bundle::Error> {
    verify_request(path, &Request::up_to(upto, device), &|_| {})
}

/// Checks what a request asks for. `say` gets a line before the rungs that take long.
///
/// # Errors
/// As [`verify`].
pub fn verify_request(path: &Path, request: &Request, say: &dyn Fn(&str)) -> Result<Verification, bundle::Error> {
    Ok(verify_on(&Bundle::open(path)?, request, (say, &|_| {}), |subject| machine::start(subject, request.device)))
}

/// As [`verify_request`]. `so_far` gets what was found before the rungs that compute, which may take long or use up the memory.
/// Fails with the reason, also if the request names a run that the bundle does not have: that is refused before the first rung.
fn verify_in_parts(
    path: &Path,
    request: &Request,
    say: &dyn Fn(&str),
    so_far: &dyn Fn(Verification),
) -> Result<Verification, String> {
    let bundle = Bundle::open(path).map_err(error_chain)?;
    // A bundle without readable results fails at its rungs.
    if let Ok(results) = bundle.results() {
        request.runs.check(&names(&results))?;
    }
    Ok(verify_on(&bundle, request, (say, so_far), |subject| machine::start(subject, request.device)))
}

/// The names of all runs.
fn names(results: &Results) -> Vec<&String> {
    results.all_runs().map(|(name, _)| name).collect()
}

/// As [`verify`], on a device that was started before: this is how the tolerances were measured.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(path: &Path, upto: Option<Rung>, device: &Device) -> Result<Verification, bundle::Error> {
    let request = Request::up_to(upto, DeviceChoice::Auto);
    Ok(verify_on(&Bundle::open(path)?, &request, (&|_| {}, &|_| {}), |_| Ok(device.clone())))
}

fn verify_on(
    bundle: &Bundle,
    request: &Request,
    (say, so_far): (Say, SoFar),
    start: impl FnOnce(&Subject) -> Result<Device, String>,
) -> Verification {
    // Not as far as the bundle's files allow: its author must not choose how much is checked.
    let upto = request.upto.unwrap_or(Rung::Replay);
    let files = Rated::from(files::check(bundle)).into_result(Rung::Files);
    let mut steps = vec![files];
    if steps[0].status == Status::Failed {
        // All that follows may end at a limit, and must not lose a difference that was found.
        so_far(Verification {
            report_id: bundle.report_id(),
            upto,
            about: About::default(),
            steps: with_waiting(upto, &steps),
            assignment: None,
            closing: Closing::of(&steps, upto, &[], || None),
        });
    }
    let subject =
        (steps[0].status == Status::Passed && upto > Rung::Files).then(|| subject(bundle, request.data.as_deref()));
    let trainings = subject.as_ref().and_then(|s| s.as_ref().ok()).map(Subject::training_names).unwrap_or_default();
    let damaged = steps[0].status != Status::Passed;
    let assignment = request.assignment.as_ref().map(|file| assignment::check(file, bundle, damaged));
    let (about, report_id) = (About::of(bundle), bundle.report_id());
    let verification = |steps: Vec<RungResult>, rerun_seconds: Option<f64>| {
        let (report_id, about, assignment) = (report_id.clone(), about.clone(), assignment.clone());
        let closing = Closing::of(&steps, upto, &trainings, || rerun_seconds).compared(assignment.as_ref());
        Verification { report_id, upto, about, steps, assignment, closing }
    };
    let mut rerun_seconds = None;
    match &subject {
        None => steps.extend(climb(upto, above_files(), |_| Outcome::NotChecked("`files` failed".into()).into())),
        Some(Err(unreadable)) => steps.extend(not_read(upto, unreadable)),
        Some(Ok(subject)) => {
            // `metrics` takes little and needs nothing of `render`, which may take long: a limit must not hide what it finds.
            for rung in [Rung::Inputs, Rung::Exact, Rung::Metrics, Rung::Render] {
                steps.extend(climb(upto, [rung], |rung| checked(rung, subject, &Err("not needed".to_owned()))));
                so_far(verification(with_waiting(upto, &steps), None));
            }
            steps.sort_by_key(|step| step.rung);
            let done = |computed: &[RungResult]| {
                so_far(verification(with_waiting(upto, &[steps.as_slice(), computed].concat()), None));
            };
            let (computed, device) = compute(upto, subject, &steps, request, (say, start, &done));
            // Measuring the device's speed can fail, for example for want of its memory. Then the rungs still count.
            rerun_seconds = device.and_then(|device| caught(|| seconds_of(&device, subject.cost())).ok());
            steps.extend(computed);
            closing::pass_what_rerun_shows(&mut steps, &trainings);
        }
    }
    verification(steps, rerun_seconds)
}

/// A bundle with the data in the folder that the user names, if that has them.
fn subject<'a>(bundle: &'a Bundle, data: Option<&Path>) -> Result<Subject<'a>, Unreadable> {
    let mut subject = Subject::new(bundle, data)?;
    // One folder is named for all bundles of a call, and it may have the data of others.
    if let (Some(folder), Err(why)) = (data, &mut subject.data) {
        *why = format!("other data than in {}: {why}", folder.display());
    }
    Ok(subject)
}

fn above_files() -> impl Iterator<Item = Rung> {
    Rung::ALL.into_iter().filter(|rung| *rung > Rung::Files)
}

/// The rungs of a bundle whose hashes are right, but whose content cannot be read.
fn not_read(upto: Rung, unreadable: &Unreadable) -> Vec<RungResult> {
    let not_checked = |why: &str| Outcome::NotChecked(why.to_owned()).into();
    let reason = &unreadable.reason;
    if unreadable.is_of_another_version {
        return climb(upto, above_files(), |rung| match rung {
            Rung::Inputs => not_checked(reason),
            _ => not_checked("another version of mnist-report wrote this bundle"),
        });
    }
    // Made by hand.
    climb(upto, above_files(), |rung| match rung {
        Rung::Inputs => Outcome::Failed(vec![reason.clone()]).into(),
        _ => not_checked("`inputs` failed"),
    })
}

/// The rungs that compute with networks.
fn computing() -> impl Iterator<Item = Rung> {
    above_files().filter(|rung| rung.computes())
}

/// Checks a rung. A failure of this machine is not a difference in the bundle.
fn checked(rung: Rung, subject: &Subject, machine: &Result<Machine, String>) -> Rated {
    caught(|| check(rung, subject, machine)).unwrap_or_else(|why| Outcome::NotChecked(why).into())
}

/// The rungs that were checked, and the others as waiting.
fn with_waiting(upto: Rung, steps: &[RungResult]) -> Vec<RungResult> {
    let is_left = |rung: &Rung| steps.iter().all(|step| step.rung != *rung);
    let left = Rung::ALL.into_iter().filter(is_left);
    let mut all = [steps.to_vec(), climb(upto, left, |_| Outcome::NotChecked(String::new()).into())].concat();
    all.sort_by_key(|step| step.rung);
    all
}

/// Gets the rungs that were checked so far.
type Done<'a> = &'a dyn Fn(&[RungResult]);

/// Checks the rungs that compute with networks, after the others; `done` gets those that were. Returns the device that was started for them, too.
fn compute(
    upto: Rung,
    subject: &Subject,
    stated: &[RungResult],
    request: &Request,
    (say, start, done): (Say, impl FnOnce(&Subject) -> Result<Device, String>, Done),
) -> (Vec<RungResult>, Option<Device>) {
    // What a bundle says of its networks is not computed with if it contradicts itself.
    let is_contradiction =
        |step: &&RungResult| step.status == Status::Failed && matches!(step.rung, Rung::Inputs | Rung::Exact);
    let device = match stated.iter().find(is_contradiction) {
        Some(step) => Err(format!("`{}` failed", step.rung.name())),
        None if upto.computes() => start(subject),
        None => Err("not needed".to_owned()),
    };
    let steps = RefCell::new(Vec::new());
    let tell = |rung: Rung, difference: &str| {
        let failed = Rated::from(Outcome::Failed(vec![difference.to_owned()])).into_result(rung);
        let failed = RungResult { is_unfinished: true, ..failed };
        done(&[steps.borrow().as_slice(), &[failed]].concat());
    };
    let machine = device.as_ref().map_err(Clone::clone);
    let machine = machine.and_then(|device| Machine::new(subject, device, request, (say, &tell)));
    for rung in computing() {
        let mut checked = climb(upto, [rung], |rung| checked(rung, subject, &machine));
        for step in checked.iter_mut().filter(|step| step.rung == Rung::Rerun && step.status != Status::NotChecked) {
            step.drawn = request.runs.share(&names(&subject.contents.results));
        }
        steps.borrow_mut().extend(checked);
        done(&steps.borrow());
    }
    drop(machine);
    (steps.into_inner(), device.ok())
}

/// These rungs, checked as far as they were asked for.
fn climb(upto: Rung, rungs: impl IntoIterator<Item = Rung>, mut check: impl FnMut(Rung) -> Rated) -> Vec<RungResult> {
    let mut outcome = |rung| {
        if rung > upto { Outcome::NotChecked(format!("beyond --upto {}", upto.name())).into() } else { check(rung) }
    };
    rungs.into_iter().map(|rung| outcome(rung).into_result(rung)).collect()
}

fn check(rung: Rung, subject: &Subject, machine: &Result<Machine, String>) -> Rated {
    // Rungs that compute need this machine, and folders that a lean zip leaves out.
    let compute = |folders: &[&str], check: fn(&Subject, &Machine) -> Rated| {
        let left_out = folders.iter().find(|folder| subject.bundle.leaves_out(folder));
        match (left_out, machine) {
            (Some(folder), _) => {
                Outcome::LeftOut(format!("left out: this bundle was published without {folder}")).into()
            }
            (None, Ok(machine)) => check(subject, machine),
            (None, Err(why)) => Outcome::NotChecked(why.clone()).into(),
        }
    };
    match rung {
        Rung::Files => files::check(subject.bundle).into(),
        Rung::Inputs => inputs::check(subject).into(),
        Rung::Exact => exact::check(subject).into(),
        Rung::Render => render::check(subject).into(),
        Rung::Metrics => metrics::check(subject).into(),
        Rung::Weights => compute(&[WEIGHTS], weights::check),
        Rung::Replay => compute(&[WEIGHTS, EVIDENCE], replay::check),
        Rung::Rerun => compute(&[], rerun::check),
    }
}
