//! The devices that compute: the CPU, and a GPU with the program's own arithmetic or with libtorch.

use std::path::Path;
use std::rc::Rc;
use std::sync::OnceLock;

use super::cpu::Cpu;
use super::gpu::NvidiaGpu;
use super::{Backend, DeviceChoice, Environment, Error, GpuSoftware, Libtorch, Network, libtorch_program};
use crate::arithmetic::instruction_set;
use crate::failure::caught;
use crate::model::Model;
use crate::study::Compute;
use crate::text::error_chain;

/// The environment variable that makes GPUs compute with libtorch if it is set to `libtorch`, or to `libtorch: ` and a
/// reason, as this program sets it when it starts `mnist-report-libtorch`. By default a GPU computes with the program's
/// own arithmetic.
pub const GPU_VARIABLE: &str = "MNIST_REPORT_GPU";

/// A device that is ready to compute.
#[derive(Clone)]
pub struct Device {
    pub(super) backend: Rc<dyn Backend>,
    /// The environment that its results record.
    pub environment: Environment,
    /// Notes for the user on why a better device is not used.
    pub notes: Vec<String>,
}

static LIBTORCH: OnceLock<&'static dyn Libtorch> = OnceLock::new();

/// Makes libtorch available to this process. Call it before anything is computed; later calls have no effect.
pub fn provide_libtorch(libtorch: &'static dyn Libtorch) {
    let _ = LIBTORCH.set(libtorch);
}

/// libtorch, if this process has it.
pub fn libtorch() -> Option<&'static dyn Libtorch> {
    LIBTORCH.get().copied()
}

impl Device {
    fn of(backend: Rc<dyn Backend>, notes: Vec<String>) -> Self {
        Self { environment: backend.environment(), backend, notes }
    }

    /// This machine's CPU.
    pub fn cpu() -> Self {
        Self::of(Rc::new(Cpu), Vec::new())
    }

    /// Starts a device to train a study's runs: a GPU if one is requested, with the program's own arithmetic, which
    /// computes the same bits as on the CPU. If that fails, or `accept` refuses the GPU, libtorch computes on the GPU.
    /// If that fails too, `auto` falls back to the CPU.
    ///
    /// # Errors
    /// The requested GPU cannot be used; or [`Error::NeedsLibtorch`] if the executable with libtorch can try to use it.
    pub fn start(
        choice: DeviceChoice,
        compute: &Compute,
        accept: impl FnOnce(&Self) -> Result<(), String>,
    ) -> Result<Self, Error> {
        let Some(index) = choice.gpu() else { return Ok(Self::cpu()) };
        let why = match Self::own_on_gpu(index, compute, accept) {
            Ok(device) => return Ok(device),
            Err(why) => why,
        };
        match Self::libtorch_on_gpu(index, compute) {
            Ok(device) => {
                let note = format!(
                    "libtorch computes on GPU {index}, so other machines get results that differ slightly: {why}"
                );
                Ok(Self { notes: vec![note], ..device })
            }
            Err(Error::NeedsLibtorch { .. }) => Err(Error::NeedsLibtorch { index, why }),
            Err(error) => {
                let why = if libtorch().is_some() { format!("{why}; libtorch: {error}") } else { why };
                Self::without_gpu(choice, index, why)
            }
        }
    }

    /// Starts a device to check results from this environment. Results of the program's own arithmetic are checked with
    /// that arithmetic, on a GPU or a CPU; libtorch's results are checked with libtorch on a GPU, or with the program's
    /// own arithmetic on the CPU if no GPU is requested.
    ///
    /// # Errors
    /// Same as [`Device::start`].
    pub fn start_for(
        environment: &Environment,
        choice: DeviceChoice,
        compute: &Compute,
        accept: impl FnOnce(&Self) -> Result<(), String>,
    ) -> Result<Self, Error> {
        let Some(index) = choice.gpu() else { return Ok(Self::cpu()) };
        let started = match environment.gpu {
            None => Self::own_on_gpu(index, compute, accept),
            Some(_) => match Self::libtorch_on_gpu(index, compute) {
                Err(error @ Error::NeedsLibtorch { .. }) => return Err(error),
                started => started.map_err(error_chain),
            },
        };
        started.or_else(|why| Self::without_gpu(choice, index, why))
    }

    /// The CPU with a note, or an error if a GPU was requested with `cuda:N`.
    fn without_gpu(choice: DeviceChoice, index: usize, why: String) -> Result<Self, Error> {
        match choice {
            DeviceChoice::Cuda(_) => Err(Error::NoGpu { index, why }),
            _ => Ok(Self {
                notes: vec![format!("the CPU computes, because GPU {index} cannot be used: {why}")],
                ..Self::cpu()
            }),
        }
    }

    /// The program's own arithmetic on a GPU that the CPU emulates.
    #[cfg(test)]
    pub(crate) fn emulated() -> Self {
        let software = GpuSoftware { driver: "none".to_owned(), nvrtc: None };
        Self::of(
            Rc::new(NvidiaGpu { gpu: crate::arithmetic::cuda::emulated(), name: "emulated".to_owned(), software }),
            Vec::new(),
        )
    }

    /// The program's own arithmetic on a GPU. The error is the reason why it cannot be used.
    fn own_on_gpu(
        index: usize,
        compute: &Compute,
        accept: impl FnOnce(&Self) -> Result<(), String>,
    ) -> Result<Self, String> {
        if let Some(why) = libtorch_is_asked_for() {
            return Err(why);
        }
        if compute.tf32 {
            return Err("the study requires tf32, which only libtorch supports".to_owned());
        }
        // A GPU may fail at any time, with a panic.
        caught(|| {
            let device = Self::of(Rc::new(NvidiaGpu::open(index)?), Vec::new());
            accept(&device).map(|()| device)
        })
        .unwrap_or_else(Err)
    }

    /// libtorch on a GPU.
    ///
    /// # Errors
    /// The GPU cannot be used. If another program has libtorch, [`Error::NeedsLibtorch`].
    pub fn libtorch_on_gpu(index: usize, compute: &Compute) -> Result<Self, Error> {
        match libtorch() {
            Some(libtorch) => Ok(Self::of(libtorch.start(Some(index), compute.tf32)?.into(), Vec::new())),
            None if libtorch_program().is_some() => Err(Error::NeedsLibtorch { index, why: String::new() }),
            None => Err(Error::NoLibtorch),
        }
    }

    /// libtorch on the CPU, to measure how far its results are from the program's own. Its environment has a
    /// placeholder instead of a GPU's name.
    ///
    /// # Errors
    /// This process has no libtorch, or libtorch rejects a setting.
    pub fn libtorch_on_cpu() -> Result<Self, Error> {
        let libtorch = libtorch().ok_or(Error::NoLibtorch)?;
        Ok(Self::of(libtorch.start(None, false)?.into(), Vec::new()))
    }

    /// Whether the device is a GPU.
    pub fn is_gpu(&self) -> bool {
        self.gpu_name().is_some()
    }

    /// The GPU's name; `None` if the device is not a GPU.
    pub fn gpu_name(&self) -> Option<String> {
        self.backend.gpu_name()
    }

    /// The versions of the GPU's software; `None` if the device is not a GPU.
    pub fn gpu_software(&self) -> Option<GpuSoftware> {
        self.backend.gpu_software()
    }

    /// Whether libtorch computes.
    pub fn is_libtorch(&self) -> bool {
        self.environment.gpu.is_some()
    }

    /// A short description of the device and the arithmetic.
    pub fn in_words(&self) -> String {
        let arithmetic = self.environment.arithmetic;
        match self.gpu_name() {
            _ if self.is_libtorch() => self.environment.to_string(),
            Some(name) => format!("{name} (arithmetic {arithmetic}, with the bits of a CPU)"),
            None => format!("this CPU (arithmetic {arithmetic})"),
        }
    }

    /// A network with initial weights drawn from the seed's streams (PyTorch's default initialisation).
    pub fn network(&self, model: &Model, seed: u64) -> Box<dyn Network> {
        self.backend.network(model, seed)
    }

    /// Whether this machine seems to have a GPU. Looks for the driver's device files and does not load CUDA.
    pub fn gpu_in_sight() -> bool {
        let files = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version"];
        files.iter().any(|file| Path::new(file).exists())
    }

    /// The CPU's name with its family, model and stepping, from /proc/cpuinfo; empty if the system does not report it.
    pub fn cpu_model() -> String {
        let Ok(info) = std::fs::read_to_string("/proc/cpuinfo") else { return String::new() };
        let field = |name: &str| {
            info.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_once(':')).map_or("", |(_, v)| v.trim())
        };
        let (family, model, stepping) = (field("cpu family"), field("model\t"), field("stepping"));
        format!("{} (family {family}, model {model}, stepping {stepping})", field("model name"))
    }

    /// The version of NVIDIA's driver, for example 580.95.05; `unknown` if the system does not report it.
    pub fn gpu_driver() -> String {
        let text = std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
        version_in(&text).unwrap_or("unknown").to_owned()
    }

    /// The instruction set that the kernels use on the CPU, in a word.
    pub fn cpu_vectors() -> String {
        format!("{:?}", instruction_set()).to_lowercase()
    }

    /// Measures the speed of a large operator, in multiply-adds per second: of a matrix product with libtorch,
    /// otherwise of a convolution. `build` uses it to estimate its running time.
    pub fn mult_add_rate(&self) -> f64 {
        self.backend.mult_add_rate()
    }
}

/// The first word with the form of a version: digits and dots.
fn version_in(text: &str) -> Option<&str> {
    let is_version = |word: &&str| word.contains('.') && word.split('.').all(|part| part.parse::<u32>().is_ok());
    text.split_whitespace().find(is_version)
}

/// The reason why a GPU must compute with libtorch, if [`GPU_VARIABLE`] demands it.
fn libtorch_is_asked_for() -> Option<String> {
    let value = std::env::var(GPU_VARIABLE).ok()?;
    let why = value.strip_prefix("libtorch")?.strip_prefix(": ").unwrap_or_default();
    Some(if why.is_empty() { format!("{GPU_VARIABLE} is libtorch") } else { why.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_has_a_version() {
        let text = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (a@b)  2025\n\
                    GCC version:  gcc version 12.3.0\n";
        assert_eq!(version_in(text), Some("580.95.05"));
        assert_eq!(version_in("no.version 1"), None);
    }

    #[test]
    fn without_a_gpu_a_gpu_is_refused_and_auto_takes_the_cpu() {
        if Device::gpu_in_sight() {
            return;
        }
        let compute = Compute::default();
        let never = |_: &Device| -> Result<(), String> { unreachable!("there is no GPU") };
        let started = |choice| Device::start(choice, &compute, never).map(|device| device.is_gpu());
        assert_eq!(started(DeviceChoice::Auto), Ok(false));
        let error = started(DeviceChoice::Cuda(1)).unwrap_err();
        assert!(matches!(error, Error::NoGpu { index: 1, .. } | Error::NeedsLibtorch { index: 1, .. }), "{error}");
        let own = Environment::own();
        let error = Device::start_for(&own, DeviceChoice::Cuda(0), &compute, never).err().unwrap();
        assert!(
            matches!(error, Error::NoGpu { index: 0, .. }),
            "libtorch cannot check the program's own results: {error}"
        );
    }
}
