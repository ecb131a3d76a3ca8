//! `mnist-report doctor`: what this machine has, what is missing, and what to do about it.

use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

use super::options::Doctor;
use super::version;
use crate::arithmetic::{VERSION, threads};
use crate::bundle::SOURCE_SHA256;
use crate::compute::Device;
use crate::dataset::{DataSet, find, pin};
use crate::digest::short;
use crate::exit_code::ExitCode;
use crate::paths;
use crate::text::error_chain;
use crate::training::RunCache;
use crate::witness::HOW_TO_GET;

/// One thing that the program can use.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    /// What was found, or what is missing.
    found: String,
    /// What to do, if something is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It works.
    Good,
    /// The program works without it.
    Absent,
    /// The program cannot do its work without it.
    Missing,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Absent => "absent",
            Self::Missing => "MISSING",
        }
    }
}

impl Finding {
    fn new(what: &'static str, found: Result<String, (State, String, &str)>) -> Self {
        match found {
            Ok(found) => Self { what, state: State::Good, found, advice: None },
            Err((state, found, advice)) => Self { what, state, found, advice: Some(advice.to_owned()) },
        }
    }
}

pub(super) fn run(options: &Doctor) -> Result<ExitCode> {
    let findings = [program(), cpu(), data(), gpu(), libtorch(), cache()];
    super::print(&if options.json { super::json(&findings)? } else { text(&findings) })?;
    let is_missing = findings.iter().any(|finding| finding.state == State::Missing);
    Ok(if is_missing { ExitCode::Failure } else { ExitCode::Success })
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { what, state, found, advice } in findings {
        let _ = writeln!(text, "{what:<10} {:<8} {found}", state.word());
        if let Some(advice) = advice {
            let _ = writeln!(text, "{:<19} -> {advice}", "");
        }
    }
    text
}

fn program() -> Finding {
    let path = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    let (version, source) = (env!("CARGO_PKG_VERSION"), short(SOURCE_SHA256));
    Finding::new("program", Ok(format!("{version}, hash of the source {source}, arithmetic {VERSION}; {path}")))
}

fn cpu() -> Finding {
    Finding::new("cpu", Ok(format!("{} threads, vectors {}", threads(), Device::cpu_vectors())))
}

fn data() -> Finding {
    const OTHER_SET: &str = "studies of MNIST need MNIST_REPORT_DATA unset; studies of this set have the keys that `mnist-report data --pin` prints";
    const ADVICE: &str =
        "name a folder with MNIST's four files by MNIST_REPORT_DATA, or unset it to take those inside the program";
    let dir = paths::mnist();
    let mut place = "inside the program".to_owned();
    for state in find(&dir, &DataSet::mnist()) {
        if let Err(error) = state.content {
            if let Ok(found) = pin(&dir) {
                let set = format!("not MNIST, but another data set ({}) in {}", found.set.title, dir.display());
                return Finding::new("data", Err((State::Absent, set, OTHER_SET)));
            }
            return Finding::new("data", Err((State::Missing, error_chain(error), ADVICE)));
        }
        if state.path.is_some() {
            place = dir.display().to_string();
        }
    }
    Finding::new("data", Ok(format!("MNIST, {place}")))
}

fn gpu() -> Finding {
    const ADVICE: &str = "to train on an NVIDIA GPU: its driver, and NVRTC (pip install nvidia-cuda-nvrtc-cu12 for a \
                          driver of CUDA 12, nvidia-cuda-nvrtc for CUDA 13); results are the same on a CPU";
    Finding::new("gpu", version::gpu().map_err(|why| (State::Absent, why, ADVICE)))
}

fn libtorch() -> Finding {
    let advice = format!(
        "the witness, which evaluates networks with PyTorch's operators, and the fallback on a GPU: {HOW_TO_GET}"
    );
    Finding::new("libtorch", version::libtorch().map_err(|why| (State::Absent, why, &*advice)))
}

fn cache() -> Finding {
    const ADVICE: &str = "a build keeps its trainings beside its bundle; name a folder with MNIST_REPORT_CACHE or --cache to keep them for all";
    let found = match RunCache::place_of_user() {
        Some(folder) if RunCache::at(folder.clone()).is_writable() => Ok(folder.display().to_string()),
        Some(folder) => Err((State::Absent, format!("{} cannot be written", folder.display()), ADVICE)),
        None => Err((State::Absent, "there is no home folder".to_owned(), ADVICE)),
    };
    Finding::new("run cache", found)
}
