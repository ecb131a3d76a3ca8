//! The facts about a build that its run-log.json states.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use super::Job;
use crate::bundle::{RunLog, Timing};
use crate::compute::Device;
use crate::witness::Agreement;

/// The bytes of a build's run-log.json.
pub(super) fn bytes(job: &Job, seconds: f64, runs: &[Timing], witness: Option<&Agreement>) -> Vec<u8> {
    let gpu = job.device.gpu_software();
    let log = RunLog {
        started: job.started.0.to_rfc3339_opts(SecondsFormat::Secs, true),
        finished: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        seconds,
        host: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
        cpu: Device::cpu_model(),
        cpu_count: std::thread::available_parallelism().map_or(0, usize::from),
        gpu: job.device.gpu_name(),
        vectors: Some(Device::cpu_vectors()),
        driver: gpu.as_ref().map(|gpu| gpu.driver.clone()),
        nvrtc: gpu.and_then(|gpu| gpu.nvrtc),
        peak_memory_mib: peak_memory_mib(),
        study: job.study.display().to_string(),
        out: job.place.display().to_string(),
        runs: runs.to_vec(),
        witness: witness.cloned(),
    };
    log.to_bytes()
}

/// Seconds, rounded to three decimals.
pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    kib.parse::<u64>().ok().map(|kib| kib / 1024)
}
