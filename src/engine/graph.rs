//! Steps that repeat themselves: recorded once, then launched as one.
//!
//! Owns when a step is recorded, and the proof that its recording does what the step does; what a step is, and where it
//! finds its inputs, is the trainer's. A GPU is what this is for: there each operator costs the time to launch it.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Kind, Tensor};

use super::failure::caught;
use super::ffi;

/// How often a step is done as it stands before it is recorded: libraries choose their algorithms and take their memory
/// at the first, which cannot be recorded.
const WARM_UP: usize = 2;
/// Steps to come for which a recording pays: it takes memory of its own, and the time of some steps.
const WORTH: usize = 20;

static WANTED: AtomicBool = AtomicBool::new(true);
/// Why this process records no more.
static REFUSED: OnceLock<String> = OnceLock::new();

/// Does without recordings from now on, or with them: for measurements. The results are the same.
pub fn record_steps(wanted: bool) {
    WANTED.store(wanted, Ordering::Relaxed);
}

/// Why this process launches a GPU's steps operator by operator, if it came to that.
pub fn recordings_refused() -> Option<&'static str> {
    REFUSED.get().map(String::as_str)
}

/// What a training did by recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Kinds of steps that were recorded and shown to give the same bits.
    pub kinds: usize,
    /// Steps done by them since.
    pub steps: usize,
    /// Why a kind of step is not, if one is not.
    pub refused: Option<String>,
}

/// A device that can record what is launched on it. `work` launches it.
pub(super) trait StepRecorder {
    /// Records the work under a key, without doing it.
    fn record(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String>;
    /// Does the work recorded under a key; a device that only plays at recording may do `work`.
    fn replay(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String>;
    /// Gives up a recording.
    fn forget(&mut self, key: usize);
}

/// The recordings of one training.
pub(super) struct Steps {
    recorder: Box<dyn StepRecorder>,
    /// Every tensor that a step writes to and another one reads.
    written: Vec<Tensor>,
    stages: BTreeMap<usize, Stage>,
    /// As `WORTH`.
    worth: usize,
    pub recorded: Recorded,
}

/// How far a kind of step has come.
#[derive(Clone, Copy)]
enum Stage {
    /// Done as it stands, so many times.
    Done(usize),
    Recorded,
    /// Recorded, and shown to give the same bits.
    Proven,
    Refused,
}

impl Steps {
    /// For steps that write to these tensors; none where a device records nothing.
    pub(super) fn new(device: Device, written: Vec<Tensor>) -> Option<Self> {
        match device {
            Device::Cuda(gpu) if WANTED.load(Ordering::Relaxed) && REFUSED.get().is_none() => {
                let recorder = Cuda { gpu, graphs: BTreeMap::new() };
                Some(Self::by(Box::new(recorder), written, WORTH))
            }
            _ => None,
        }
    }

    pub(super) fn by(recorder: Box<dyn StepRecorder>, written: Vec<Tensor>, worth: usize) -> Self {
        Self { recorder, written, stages: BTreeMap::new(), worth, recorded: Recorded::default() }
    }

    /// Does a step; `left` steps of its key are to come, this one included. All steps of a key are the same work: they
    /// launch the same operators on tensors at the same places, whose values alone differ.
    pub(super) fn run(&mut self, key: usize, left: usize, work: &mut dyn FnMut()) {
        let stage = self.stages.get(&key).copied().unwrap_or(Stage::Done(0));
        let next = match stage {
            Stage::Done(times) if times < WARM_UP || left < self.worth => {
                work();
                Stage::Done(times + 1)
            }
            Stage::Done(_) => {
                let recorded = self.recorder.record(key, work);
                work();
                match recorded {
                    Ok(()) => Stage::Recorded,
                    Err(why) => self.refuse(key, why),
                }
            }
            Stage::Recorded => match self.prove(key, work) {
                Ok(()) => {
                    self.recorded.kinds += 1;
                    Stage::Proven
                }
                Err(why) => self.refuse(key, why),
            },
            Stage::Proven => match self.recorder.replay(key, work) {
                Ok(()) => {
                    self.recorded.steps += 1;
                    Stage::Proven
                }
                // How far it came cannot be known: as with any other failure of the GPU, this training is lost.
                Err(why) => panic!("the GPU failed: {why}"),
            },
            Stage::Refused => {
                work();
                Stage::Refused
            }
        };
        self.stages.insert(key, next);
    }

    /// Does a step by its recording, then once more as it stands, and compares. The inputs are others than those at hand when
    /// it was recorded: a recording that holds any of them shows. What stays is what the step as it stands gave.
    fn prove(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String> {
        let before = self.copies();
        let replayed = self.recorder.replay(key, work).map(|()| self.copies());
        {
            let _guard = tch::no_grad_guard();
            self.written.iter_mut().zip(&before).for_each(|(to, from)| to.copy_(from));
        }
        work();
        match self.written.iter().zip(&replayed?).all(|(a, b)| has_same_bits(a, b)) {
            true => Ok(()),
            false => Err("a recorded step gives other bits".to_owned()),
        }
    }

    fn refuse(&mut self, key: usize, why: String) -> Stage {
        self.recorder.forget(key);
        let _ = REFUSED.set(why.clone());
        self.recorded.refused = Some(why);
        Stage::Refused
    }

    fn copies(&self) -> Vec<Tensor> {
        self.written.iter().map(|tensor| tensor.detach().copy()).collect()
    }
}

/// NaN and the sign of zero included.
fn has_same_bits(a: &Tensor, b: &Tensor) -> bool {
    a.detach().view_dtype(Kind::Int).equal(&b.view_dtype(Kind::Int))
}

/// CUDA graphs.
struct Cuda {
    gpu: usize,
    graphs: BTreeMap<usize, ffi::Graph>,
}

impl StepRecorder for Cuda {
    fn record(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String> {
        let graph = ffi::Graph::begin(self.gpu)?;
        let done = caught(work);
        // To be ended in any case; what failed first tells more.
        let ended = graph.end();
        done?;
        self.graphs.insert(key, ended?);
        Ok(())
    }

    fn replay(&mut self, key: usize, _: &mut dyn FnMut()) -> Result<(), String> {
        self.graphs.get_mut(&key).ok_or("there is no such recording")?.replay()
    }

    fn forget(&mut self, key: usize) {
        self.graphs.remove(&key);
    }
}
