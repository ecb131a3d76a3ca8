//! run-log.json: facts about one build, such as times and the host. No hash covers it, so only the exact format is
//! accepted, to keep out anything else.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::TOLERANCES;
use super::limits::{MAX_RUN_LOG, MAX_RUN_LOG_TEXT};
use crate::text::numbers::{count, plural};

/// How long one seed of a run took.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Timing {
    /// The run's name, with the seed if it has several.
    pub run: String,
    pub seed: u64,
    pub seconds: f64,
    /// Seconds of each epoch that this build trained, evaluation included; empty if the run came from the run cache.
    pub epoch_seconds: Vec<f64>,
    /// The number of epochs that an earlier, stopped build had trained.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resumed_after: usize,
    /// Whether the run came from the run cache.
    #[serde(rename = "kept")]
    pub cached: bool,
}

/// Facts about one build.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunLog {
    pub(crate) started: String,
    pub(crate) finished: String,
    pub(crate) seconds: f64,
    pub(crate) host: String,
    pub(crate) cpu: String,
    pub(crate) cpu_count: usize,
    /// The GPU that trained; absent if the CPU did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gpu: Option<String>,
    /// The CPU's instruction set that the kernels used; absent in a log of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vectors: Option<String>,
    /// The versions of the GPU's driver and of NVRTC, which compiled its kernels; absent if the CPU trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) driver: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nvrtc: Option<String>,
    /// The process's peak memory; absent if the system does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peak_memory_mib: Option<u64>,
    pub(crate) study: String,
    pub(crate) out: String,
    pub(crate) runs: Vec<Timing>,
    /// How far libtorch's evaluation of the networks agrees; absent if libtorch was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) witness: Option<Agreement>,
}

/// How far libtorch's evaluation of a bundle's networks agrees with the bundle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// libtorch's version.
    pub libtorch: String,
    /// Networks evaluated.
    pub networks: usize,
    /// Predictions compared, over all networks.
    pub predictions: usize,
    /// Predictions that differ.
    pub differing_predictions: usize,
    /// The largest number of differing predictions of one network.
    pub most_in_one_network: usize,
    /// The largest relative difference of a test loss.
    pub loss: f64,
    /// Layers whose shapes were compared, over all models; 0 in a log of an earlier version.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub layers: usize,
    /// The first layer whose shapes differ, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub different_shape: Option<String>,
}

impl RunLog {
    /// The file's bytes. The times of epochs are left out if they do not fit.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let bytes = self.json().into_bytes();
        if bytes.len() as u64 <= MAX_RUN_LOG {
            return bytes;
        }
        let without = |timing: &Timing| Timing { epoch_seconds: Vec::new(), ..timing.clone() };
        let short = Self { runs: self.runs.iter().map(without).collect(), ..self.clone() };
        short.json().into_bytes()
    }

    fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("finite numbers and strings") + "\n"
    }
}

/// Refuses a run log that differs from the format that this program writes. Fails with the reason.
pub(super) fn check_run_log(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() as u64 > MAX_RUN_LOG {
        return Err(format!("is larger than {} MiB", MAX_RUN_LOG >> 20));
    }
    let log: RunLog = serde_json::from_slice(bytes).map_err(|e| format!("is not a run log: {e}"))?;
    let texts = [&log.started, &log.finished, &log.host, &log.cpu, &log.study, &log.out];
    let texts = texts.into_iter().chain(log.runs.iter().map(|timing| &timing.run));
    let texts = texts.chain(&log.gpu);
    let texts = texts.chain(log.witness.iter().flat_map(|w| [&w.libtorch].into_iter().chain(&w.different_shape)));
    if texts
        .chain([&log.vectors, &log.driver, &log.nvrtc].into_iter().flatten())
        .any(|text| text.len() > MAX_RUN_LOG_TEXT)
    {
        return Err(format!("has a text of more than {MAX_RUN_LOG_TEXT} bytes"));
    }
    // Even white space between the values could carry a message.
    if log.json().as_bytes() != bytes {
        return Err("is not in the form that mnist-report writes".to_owned());
    }
    Ok(())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Agreement {
    /// Whether rounding can explain the differences: shapes agree, and the rest is within the tolerances of the rung `weights`.
    pub fn is_close(&self) -> bool {
        self.most_in_one_network <= TOLERANCES.weights_images
            && self.loss <= TOLERANCES.weights_loss
            && self.different_shape.is_none()
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { libtorch, networks, predictions, differing_predictions, loss, layers, .. } = self;
        write!(
            f,
            "libtorch {libtorch} evaluated {}: {} of {} predictions differ, losses by at most {loss:.1e} of their value",
            plural(*networks, "network"),
            count(*differing_predictions as u64),
            count(*predictions as u64),
        )?;
        match &self.different_shape {
            Some(layer) => write!(f, "; shapes differ: {layer}"),
            None => write!(f, ", shapes of {} agree", plural(*layers, "layer")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> RunLog {
        let timing =
            Timing { run: "a".into(), seed: 1, seconds: 0.125, epoch_seconds: vec![0.1, 3.0], ..Timing::default() };
        let witness = Some(Agreement {
            libtorch: "2.11.0".into(),
            loss: 1e-9,
            different_shape: Some("fc1".into()),
            ..Agreement::default()
        });
        let text = |text: &str| text.to_owned();
        RunLog {
            started: text("2026-01-31T00:00:00Z"),
            finished: text("2026-01-31T00:00:01Z"),
            seconds: 1.0,
            host: text("h\"ö"),
            cpu: String::new(),
            cpu_count: 2,
            gpu: None,
            vectors: Some(text("avx2")),
            driver: None,
            nvrtc: Some(text("13.0")),
            peak_memory_mib: None,
            study: text("s.yaml"),
            out: text("s"),
            runs: vec![timing],
            witness,
        }
    }

    #[test]
    fn only_the_form_that_is_written_is_accepted() {
        let good = String::from_utf8(log().to_bytes()).unwrap();
        assert_eq!(check_run_log(good.as_bytes()), Ok(()));
        let refused = |bad: &str, part: &str| {
            let why = check_run_log(bad.as_bytes()).unwrap_err();
            assert!(why.contains(part), "{why}");
        };
        refused("anything", "is not a run log: expected");
        refused(&good.replace("\"cpu\"", "\"note\""), "unknown field `note`");
        refused(&good.replace("\"host\"", "\"cpu\": \"hidden\",\n  \"host\""), "duplicate field");
        refused(&good.replace("\"kept\": false", "\"kept\": false, \"more\": 1"), "unknown field `more`");
        refused(&good.replace("\"cpu\":", "\"cpu\": "), "not in the form");
        refused(&(good.clone() + "PK"), "trailing characters");
        refused(&(good.clone() + "\n"), "not in the form");
        refused(&good.replace("s.yaml", &"x".repeat(5000)), "a text of more than");
        for key in ["13.0", "avx2", "fc1"] {
            refused(&good.replace(key, &"x".repeat(5000)), "a text of more than");
        }
        refused(&" ".repeat(MAX_RUN_LOG as usize + 1), "is larger than 4 MiB");
    }

    #[test]
    fn the_times_of_many_epochs_are_left_out() {
        let mut log = log();
        log.runs[0].epoch_seconds = vec![0.125; 500_000];
        let bytes = log.to_bytes();
        assert!(bytes.len() < 2000);
        assert_eq!(check_run_log(&bytes), Ok(()));
    }
}
