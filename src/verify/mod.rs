//! Verification: a bundle read, and what holds of it, rung by rung.
//!
//! Owns the ladder, its order and its verdict; each rung has a file of its own. "Passed", "failed" and "not
//! checked" are different words: a rung that was not checked never counts as passed.

mod about;
mod batch;
mod exact;
mod files;
mod inputs;
mod machine;
mod metrics;
mod open;
mod open_zip;
mod render;
mod replay;
mod rerun;
mod weights;

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

pub use about::About;
pub use batch::{Record, find_copies, worst};
use machine::Machine;
pub use open::Opened;

use crate::bundle::{self, Manifest};
use crate::changes::{Change, changes};
use crate::dataset::Mnist;
use crate::engine::{DeviceChoice, caught};
use crate::paths;
use crate::results::Results;
pub use crate::rung::Rung;
use crate::study::{Compute, Plan, Source};

/// The folders that a rung needs, of those that a lean zip leaves out.
fn needs(rung: Rung) -> &'static [&'static str] {
    match rung {
        Rung::Weights => &["weights/"],
        Rung::Replay => &["weights/", "evidence/"],
        _ => &[],
    }
}

/// What a rung came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Passed,
    Failed,
    NotChecked,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::NotChecked => "not checked",
        })
    }
}

/// One rung's outcome: what holds, or every difference found.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub rung: Rung,
    pub status: Status,
    pub details: Vec<String>,
}

/// A bundle's verification.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    pub path: String,
    /// Absent where there is no SHA256SUMS.
    pub report_id: Option<String>,
    /// The last rung asked for.
    pub upto: Rung,
    #[serde(flatten)]
    pub about: About,
    pub steps: Vec<Step>,
}

impl Verification {
    /// 0: every rung asked for passed; 1: one failed; 2: none failed, but one could not be checked.
    pub fn exit_code(&self) -> u8 {
        if self.asked(Status::Failed).next().is_some() {
            1
        } else if self.asked(Status::NotChecked).next().is_some() {
            2
        } else {
            0
        }
    }

    /// The rungs asked for that came to `status`, in their order.
    pub fn asked(&self, status: Status) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.rung <= self.upto && step.status == status)
    }
}

/// What a rung says: `Ok` with what holds, or why it was not checked, or the differences.
enum Outcome {
    Passed(Vec<String>),
    Failed(Vec<String>),
    NotChecked(String),
}

impl Outcome {
    /// Passed with a statement where no difference was found.
    fn of(differences: Vec<String>, holds: impl Into<String>) -> Self {
        match differences.is_empty() {
            true => Self::Passed(vec![holds.into()]),
            false => Self::Failed(differences),
        }
    }
}

/// A bundle whose files are sound, read into types.
struct Read<'a> {
    opened: &'a Opened,
    manifest: Manifest,
    results: Results,
    source: Source,
    plan: Plan,
    /// The data on this machine, or why there are none.
    data: Result<Mnist>,
}

impl<'a> Read<'a> {
    fn new(opened: &'a Opened) -> Result<Self> {
        let text = |name: &str| -> Result<&str> {
            let bytes = opened.files.get(name).with_context(|| format!("{name} is missing"))?;
            std::str::from_utf8(bytes).with_context(|| format!("{name} is not text"))
        };
        let manifest = Manifest::from_json(text(bundle::MANIFEST)?).context(bundle::MANIFEST)?;
        let results = Results::from_json(text(bundle::RESULTS)?).context(bundle::RESULTS)?;
        let source = Source::from_text(Path::new(bundle::STUDY), text(bundle::STUDY)?)?;
        let plan = Plan::resolve(&source)?;
        let data = Mnist::load(&paths::data_dir(Path::new(""), source.study.data.as_deref()))
            .or_else(|_| Mnist::load(&paths::of_repository("data/mnist")));
        Ok(Self { opened, manifest, results, source, plan, data })
    }
}

/// Climbs the ladder up to a rung, by default to `replay`.
///
/// # Errors
/// A path that is no bundle, or cannot be read: nothing was checked.
pub fn verify(path: &Path, upto: Option<Rung>, device: DeviceChoice) -> Result<Verification> {
    verify_with(path, upto, device, None)
}

/// As `verify`, with other arithmetic than the study's: how the tolerances were measured.
///
/// # Errors
/// As `verify`.
pub fn verify_with(
    path: &Path,
    upto: Option<Rung>,
    device: DeviceChoice,
    compute: Option<Compute>,
) -> Result<Verification> {
    let opened = Opened::read(path)?;
    // Whatever the bundle holds: else it would be its maker who says how much is asked for.
    let upto = upto.unwrap_or(Rung::Replay);
    let mut steps = vec![step(Rung::Files, files::check(&opened))];
    let sound = steps[0].status == Status::Passed;
    let read = if sound && upto > Rung::Files { Some(Read::new(&opened)) } else { None };
    let engine = match &read {
        Some(Ok(read)) if upto >= Rung::Weights => machine::start(read, device, compute),
        _ => Err("nothing to compute".into()),
    };
    let machine = match (&read, &engine) {
        (Some(Ok(read)), Ok(engine)) => match &read.data {
            Ok(data) => caught(|| Machine::new(read, engine, data)),
            Err(e) => Err(format!("needs the data: {e:#}")),
        },
        (_, Err(why)) => Err(why.clone()),
        _ => Err(String::new()),
    };
    for rung in Rung::ALL.into_iter().skip(1) {
        let outcome = match &read {
            _ if rung > upto => Outcome::NotChecked(format!("beyond --upto {}", upto.name())),
            None => Outcome::NotChecked("`files` failed".into()),
            // Sound hashes over content that cannot be read: made by hand, or by another program.
            Some(Err(e)) if rung == Rung::Inputs => Outcome::Failed(vec![format!("{e:#}")]),
            Some(Err(_)) => Outcome::NotChecked("`inputs` failed".into()),
            Some(Ok(read)) => match needs(rung).iter().find(|folder| opened.leaves_out(folder)) {
                Some(folder) => Outcome::NotChecked(format!("left out: this zip was published without {folder}")),
                // What this machine cannot do says nothing about the bundle.
                None => caught(|| check(rung, read, &machine)).unwrap_or_else(Outcome::NotChecked),
            },
        };
        steps.push(step(rung, outcome));
    }
    let report_id = opened.files.get(bundle::SUMS).map(|sums| bundle::report_id(sums));
    Ok(Verification { path: path.display().to_string(), report_id, about: About::of(&opened), upto, steps })
}

fn check(rung: Rung, read: &Read, machine: &Result<Machine, String>) -> Outcome {
    let on_machine = |check: fn(&Read, &Machine) -> Outcome| match machine {
        Ok(machine) => check(read, machine),
        Err(why) => Outcome::NotChecked(why.clone()),
    };
    match rung {
        Rung::Files => unreachable!("checked before anything is read"),
        Rung::Inputs => inputs::check(read),
        Rung::Exact => exact::check(read),
        Rung::Render => render::check(read),
        Rung::Metrics => metrics::check(read),
        Rung::Weights => on_machine(weights::check),
        Rung::Replay => on_machine(replay::check),
        Rung::Rerun => on_machine(rerun::check),
    }
}

/// What rung `files` finds wrong; empty where it passes.
pub fn files_problems(opened: &Opened) -> Vec<String> {
    match files::check(opened) {
        Outcome::Failed(differences) => differences,
        _ => Vec::new(),
    }
}

fn step(rung: Rung, outcome: Outcome) -> Step {
    let (status, details) = match outcome {
        Outcome::Passed(details) => (Status::Passed, details),
        Outcome::Failed(details) => (Status::Failed, details),
        Outcome::NotChecked(why) => (Status::NotChecked, vec![why]),
    };
    Step { rung, status, details }
}

/// Names the keys under which two JSON values differ, `models.slim.parameters`, at most a few.
fn json_differences<T: Serialize>(what: &str, stated: &T, found: &T) -> Vec<String> {
    const MOST: usize = 5;
    let changes = changes(what, stated, found);
    let said = |c: &Change| format!("{}: the bundle says {}, computed anew {}", c.what, c.a, c.b);
    let mut differences: Vec<String> = changes.iter().take(MOST).map(said).collect();
    if changes.len() > MOST {
        differences.push(format!("{what}: {} more differences", changes.len() - MOST));
    }
    differences
}
