//! Steps that repeat themselves: recorded once, then launched as one.
//!
//! Owns when a step is recorded, and the proof that its recording does what the step does; what a step is, and where it
//! finds its inputs, is the trainer's. A GPU is what this is for: there each operator costs the time to launch it.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Kind, Tensor};

use super::ffi;

/// How often a step is done as it stands before it is recorded: libraries choose their algorithms and take their memory
/// at the first, which cannot be recorded.
const WARM_UP: usize = 2;

static WANTED: AtomicBool = AtomicBool::new(true);

/// Does without recordings from now on, or with them: for measurements. The results are the same.
pub fn record_steps(wanted: bool) {
    WANTED.store(wanted, Ordering::Relaxed);
}

/// What a training did by recordings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Kinds of steps that were recorded and shown to give the same bits.
    pub kinds: usize,
    /// Steps done by them.
    pub steps: usize,
    /// Why a kind of step is not, if one is not.
    pub refused: Option<String>,
}

/// A device that can record what is launched on it. `work` launches it.
pub(super) trait Recorder {
    /// Records the work under a key, without doing it.
    fn record(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String>;
    /// Does the work recorded under a key.
    fn replay(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String>;
    /// Gives up a recording.
    fn forget(&mut self, key: usize);
}

/// The recordings of one training.
pub(super) struct Steps {
    recorder: Box<dyn Recorder>,
    /// Every tensor that a step writes to.
    written: Vec<Tensor>,
    stages: BTreeMap<usize, Stage>,
    pub recorded: Recorded,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Done(usize),
    Recorded,
    Refused,
}

impl Steps {
    /// For steps that write to these tensors and to no others that outlive them; none where a device records nothing.
    pub fn new(device: Device, written: Vec<Tensor>) -> Option<Self> {
        match device {
            Device::Cuda(gpu) if WANTED.load(Ordering::Relaxed) => {
                let recorder = Cuda { gpu, graphs: BTreeMap::new() };
                Some(Self::by(Box::new(recorder), written))
            }
            _ => None,
        }
    }

    pub(super) fn by(recorder: Box<dyn Recorder>, written: Vec<Tensor>) -> Self {
        Self { recorder, written, stages: BTreeMap::new(), recorded: Recorded::default() }
    }

    /// Does a step. All steps of a key are the same work: they launch the same operators on tensors at the same places,
    /// whose values alone differ.
    pub fn run(&mut self, key: usize, work: &mut dyn FnMut()) {
        let stage = self.stages.get(&key).copied().unwrap_or(Stage::Done(0));
        let next = match stage {
            Stage::Done(times) if times < WARM_UP => {
                work();
                Stage::Done(times + 1)
            }
            Stage::Done(_) => self.record(key, work),
            Stage::Recorded => match self.recorder.replay(key, work) {
                Ok(()) => {
                    self.recorded.steps += 1;
                    Stage::Recorded
                }
                // What it had done by then cannot be known.
                Err(why) => panic!("a recorded step cannot be done: {why}"),
            },
            Stage::Refused => {
                work();
                Stage::Refused
            }
        };
        self.stages.insert(key, next);
    }

    /// Records a step, does it by the recording, then once more as it stands, and compares: a recording that gives other
    /// bits is not used. The step counts as it stands.
    fn record(&mut self, key: usize, work: &mut dyn FnMut()) -> Stage {
        let before = self.copies();
        let recorded = self.recorder.record(key, work);
        let replayed = recorded.and_then(|()| self.recorder.replay(key, work)).map(|()| self.copies());
        tch::no_grad(|| self.written.iter_mut().zip(&before).for_each(|(to, from)| to.copy_(from)));
        work();
        let refused = match replayed {
            Ok(replayed) if self.written.iter().zip(&replayed).all(|(a, b)| has_same_bits(a, b)) => {
                self.recorded.kinds += 1;
                return Stage::Recorded;
            }
            Ok(_) => "a recorded step gives other bits".to_owned(),
            Err(why) => why,
        };
        self.recorder.forget(key);
        self.recorded.refused = Some(refused);
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

impl Recorder for Cuda {
    fn record(&mut self, key: usize, work: &mut dyn FnMut()) -> Result<(), String> {
        let mut graph = ffi::Graph::begin(self.gpu)?;
        // An operator that cannot be recorded fails, and tch panics: nothing to tell, since the step is done all the same,
        // but the recording has to be ended.
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| ()));
        let done = panic::catch_unwind(AssertUnwindSafe(work));
        panic::set_hook(hook);
        let ended = graph.end();
        done.map_err(|_| "an operator cannot be recorded".to_owned()).and(ended)?;
        self.graphs.insert(key, graph);
        Ok(())
    }

    fn replay(&mut self, key: usize, _: &mut dyn FnMut()) -> Result<(), String> {
        self.graphs.get_mut(&key).ok_or("there is no such recording")?.replay()
    }

    fn forget(&mut self, key: usize) {
        self.graphs.remove(&key);
    }
}
