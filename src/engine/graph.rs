//! Records the training step as a CUDA graph and replays it, because launching each operator takes time on a GPU. A
//! recording is used only after one replay has given the same bits as the step itself.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Kind, Tensor};

use super::{Error, ffi};
use mnist_report::failure::caught;

/// Number of executions of a step before it is recorded. In the first one, libraries choose algorithms and allocate
/// memory, which cannot be recorded.
const WARM_UP: usize = 2;
/// Record a step only if at least this many executions are left: recording takes memory and the time of a few steps.
const MIN_REMAINING: usize = 20;

static RECORDING_ENABLED: AtomicBool = AtomicBool::new(true);
/// Why the first failed recording failed. Once this is set, new trainings record no steps.
static FIRST_FAILURE: OnceLock<String> = OnceLock::new();

/// Switches the recording of steps on or off, for measurements. The results are the same.
#[allow(dead_code, reason = "not every program with this module uses it")]
pub(crate) fn set_step_recording(enabled: bool) {
    RECORDING_ENABLED.store(enabled, Ordering::Relaxed);
}

/// Why the first failed recording of this process failed; `None` if none did. After a failure, new trainings execute
/// every step directly.
pub(super) fn recording_failure() -> Option<&'static str> {
    FIRST_FAILURE.get().map(String::as_str)
}

/// How much of a training was replayed from recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReplayStats {
    /// Recordings in use: recorded, and checked to give the same bits.
    pub recordings: usize,
    /// Steps that were replayed, without those that only checked a recording.
    pub replayed_steps: usize,
    /// Why the last failed recording failed: it could not be made or replayed, or it gave other bits.
    pub failure: Option<String>,
}

/// Records the work launched on a device; the argument `work` launches it.
pub(super) trait StepRecorder {
    /// Records `work` under a key without executing it.
    fn record(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), Error>;
    /// Executes the recording of a key. A test double may call `work` instead.
    fn replay(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), Error>;
    /// Deletes a recording.
    fn forget(&mut self, key: usize);
}

/// Executes the steps of one training, from recordings where possible. A key identifies one kind of step: a training
/// has one for each batch size.
pub(super) struct StepReplayer {
    recorder: Box<dyn StepRecorder>,
    /// Every tensor that one step writes and another one reads.
    written: Vec<Tensor>,
    stages: BTreeMap<usize, Stage>,
    /// See `MIN_REMAINING`.
    min_remaining: usize,
    pub stats: ReplayStats,
}

/// The stage that the recording of one kind of step has reached.
#[derive(Clone, Copy)]
enum Stage {
    /// Executed directly this many times so far.
    WarmUp(usize),
    /// Recorded, but not yet checked.
    Recorded,
    /// Recorded, and checked to give the same bits.
    Verified,
    /// Executed directly for the rest of the training, because its recording failed.
    Direct,
}

impl StepReplayer {
    /// A replayer for steps that write these tensors. `None` if the device cannot record, or if recording is off or has
    /// failed before.
    pub(super) fn new(device: Device, written: Vec<Tensor>) -> Option<Self> {
        match device {
            Device::Cuda(gpu) if RECORDING_ENABLED.load(Ordering::Relaxed) && FIRST_FAILURE.get().is_none() => {
                let recorder = CudaGraphs { gpu, graphs: BTreeMap::new() };
                Some(Self::with_recorder(Box::new(recorder), written, MIN_REMAINING))
            }
            _ => None,
        }
    }

    pub(super) fn with_recorder(recorder: Box<dyn StepRecorder>, written: Vec<Tensor>, min_remaining: usize) -> Self {
        Self { recorder, written, stages: BTreeMap::new(), min_remaining, stats: ReplayStats::default() }
    }

    /// Executes one step. `remaining` is the number of steps of this key still to execute, this one included. All steps
    /// of a key must launch the same operators on tensors at the same addresses; only the values may differ.
    pub(super) fn run(&mut self, key: usize, remaining: usize, work: &mut dyn FnMut()) {
        let stage = self.stages.get(&key).copied().unwrap_or(Stage::WarmUp(0));
        let next = match stage {
            Stage::WarmUp(times) if times < WARM_UP || remaining < self.min_remaining => {
                work();
                Stage::WarmUp(times + 1)
            }
            Stage::WarmUp(_) => {
                let recorded = self.recorder.record(key, work);
                work();
                match recorded {
                    Ok(()) => Stage::Recorded,
                    Err(error) => self.give_up(key, error.to_string()),
                }
            }
            Stage::Recorded => match self.check_recording(key, work) {
                Ok(()) => {
                    self.stats.recordings += 1;
                    Stage::Verified
                }
                Err(why) => self.give_up(key, why),
            },
            Stage::Verified => match self.recorder.replay(key, work) {
                Ok(()) => {
                    self.stats.replayed_steps += 1;
                    Stage::Verified
                }
                // An unknown part of the step was executed, so the training cannot continue, as after any other GPU
                // failure.
                Err(error) => panic!("the GPU failed: {error}"),
            },
            Stage::Direct => {
                work();
                Stage::Direct
            }
        };
        self.stages.insert(key, next);
    }

    /// Replays a step, restores the tensors, executes the same step directly, and compares every written tensor. The
    /// inputs differ from those at the time of the recording, so a recording that kept an old input is detected.
    /// Afterwards the tensors have the values of the direct execution.
    fn check_recording(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String> {
        let before = self.copies();
        let replayed = self.recorder.replay(key, work).map(|()| self.copies());
        {
            let _guard = tch::no_grad_guard();
            self.written.iter_mut().zip(&before).for_each(|(to, from)| to.copy_(from));
        }
        work();
        let replayed = replayed.map_err(|error| error.to_string())?;
        if self.written.iter().zip(&replayed).all(|(a, b)| has_same_bits(a, b)) {
            Ok(())
        } else {
            Err("a recorded step gives other bits".to_owned())
        }
    }

    /// Deletes a recording that failed.
    fn give_up(&mut self, key: usize, why: String) -> Stage {
        self.recorder.forget(key);
        let _ = FIRST_FAILURE.set(why.clone());
        self.stats.failure = Some(why);
        Stage::Direct
    }

    fn copies(&self) -> Vec<Tensor> {
        self.written.iter().map(|tensor| tensor.detach().copy()).collect()
    }
}

/// Compares bits, so that NaN equals NaN and 0 differs from -0.
fn has_same_bits(a: &Tensor, b: &Tensor) -> bool {
    a.detach().view_dtype(Kind::Int).equal(&b.view_dtype(Kind::Int))
}

/// Records steps as CUDA graphs.
struct CudaGraphs {
    gpu: usize,
    graphs: BTreeMap<usize, ffi::Graph>,
}

impl StepRecorder for CudaGraphs {
    fn record(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), Error> {
        let graph = ffi::Graph::begin(self.gpu)?;
        let done = caught(work);
        // Always end the recording. If `work` failed, report its error, because it came first.
        let ended = graph.end();
        done.map_err(Error::Libtorch)?;
        self.graphs.insert(key, ended?);
        Ok(())
    }

    fn replay(&mut self, key: usize, _: &mut dyn FnMut()) -> Result<(), Error> {
        let no_recording = || Error::Libtorch("there is no such recording".to_owned());
        self.graphs.get_mut(&key).ok_or_else(no_recording)?.replay()
    }

    fn forget(&mut self, key: usize) {
        self.graphs.remove(&key);
    }
}
