//! run-log.json: facts about one build, such as times and the host. The Report ID does not cover it.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;

use super::Job;
use crate::compute::Device;
use crate::witness::Agreement;

/// How long one seed of a run took.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Timing {
    /// The run's name, with the seed if it has several.
    pub run: String,
    pub seed: u64,
    pub seconds: f64,
    /// Seconds of each epoch that this build trained, evaluation included; empty if the run came from the run cache.
    pub epoch_seconds: Vec<f64>,
    /// The epochs that an earlier build had trained, if it was stopped.
    #[serde(skip_serializing_if = "is_zero")]
    pub resumed_after: usize,
    /// Whether the run came from the run cache.
    #[serde(rename = "kept")]
    pub cached: bool,
}

#[derive(Serialize)]
struct RunLog<'a> {
    started: String,
    finished: String,
    seconds: f64,
    host: String,
    cpu: String,
    cpu_count: usize,
    /// The GPU that trained; absent if the CPU did.
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<String>,
    /// The most memory that the process used; absent if the system does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_memory_mib: Option<u64>,
    study: String,
    out: String,
    runs: &'a [Timing],
    /// What libtorch says of the networks; absent if it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<&'a Agreement>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The bytes of a build's run-log.json.
pub(super) fn bytes(job: &Job, seconds: f64, runs: &[Timing], witness: Option<&Agreement>) -> Vec<u8> {
    let log = RunLog {
        started: job.started.0.to_rfc3339_opts(SecondsFormat::Secs, true),
        finished: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        seconds,
        host: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
        cpu: Device::cpu_model(),
        cpu_count: std::thread::available_parallelism().map_or(0, usize::from),
        gpu: job.device.gpu_name(),
        peak_memory_mib: peak_memory_mib(),
        study: job.study.display().to_string(),
        out: job.place.display().to_string(),
        runs,
        witness,
    };
    (serde_json::to_string_pretty(&log).expect("finite numbers and strings") + "\n").into_bytes()
}

/// Seconds, to three decimals.
pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    kib.parse::<u64>().ok().map(|kib| kib / 1024)
}
