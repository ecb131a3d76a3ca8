//! The devices that compute: the CPU, and a GPU through libtorch.

use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::OnceLock;

use super::own::Cpu;
use super::{Backend, Environment, Error, Gpu, Libtorch, Network};
use crate::model::Model;
use crate::study::Compute;

/// The device that `--device` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub enum DeviceChoice {
    /// GPU 0 if there is one and libtorch can use it, otherwise the CPU.
    Auto,
    Cpu,
    /// The GPU of this number, counted from 0.
    Cuda(usize),
}

impl DeviceChoice {
    /// Whether this asks for a GPU: `cuda:N` always, `auto` if this machine seems to have one.
    pub fn wants_gpu(self) -> bool {
        match self {
            Self::Cuda(_) => true,
            Self::Auto => Device::gpu_in_sight(),
            Self::Cpu => false,
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| Error::UnknownDevice { typed: other.to_owned() }),
        }
    }
}

/// A device that is ready to compute.
#[derive(Clone)]
pub struct Device {
    pub(super) backend: Rc<dyn Backend>,
    /// The environment of the results that it computes.
    pub environment: Environment,
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
    /// This machine's CPU.
    pub fn cpu() -> Self {
        Self { backend: Rc::new(Cpu), environment: Environment::own() }
    }

    /// Starts a device for a study's `compute` section.
    ///
    /// # Errors
    /// The device does not exist, or libtorch or CUDA rejects a setting.
    pub fn start(choice: DeviceChoice, compute: &Compute) -> Result<Self, Error> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Auto if !Self::gpu_in_sight() => Ok(Self::cpu()),
            DeviceChoice::Auto => Ok(Self::gpu(0, compute).unwrap_or_else(|_| Self::cpu())),
            DeviceChoice::Cuda(index) => Self::gpu(index, compute),
        }
    }

    fn gpu(index: usize, compute: &Compute) -> Result<Self, Error> {
        let backend = libtorch().ok_or(Error::NoLibtorch)?.start(Some(index), compute.tf32)?;
        let environment = Environment { gpu: backend.gpu(), ..Environment::own() };
        Ok(Self { backend: backend.into(), environment })
    }

    /// libtorch on the CPU, to measure how far its results are from the program's own. Its environment has a
    /// placeholder instead of a GPU's name.
    ///
    /// # Errors
    /// This process has no libtorch, or libtorch refuses a setting.
    pub fn libtorch_on_cpu() -> Result<Self, Error> {
        let libtorch = libtorch().ok_or(Error::NoLibtorch)?;
        let backend = libtorch.start(None, false)?;
        let gpu = Gpu {
            name: "libtorch on a CPU".to_owned(),
            libtorch: libtorch.version(),
            cuda: String::new(),
            cudnn: String::new(),
            precision: "float32".to_owned(),
        };
        Ok(Self { backend: backend.into(), environment: Environment { gpu: Some(gpu), ..Environment::own() } })
    }

    /// Whether the device is a GPU.
    pub fn is_gpu(&self) -> bool {
        self.backend.gpu().is_some()
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

    /// The CPU's name with its family, model and stepping, from /proc/cpuinfo; empty if the system does not state it.
    pub fn cpu_model() -> String {
        let Ok(info) = std::fs::read_to_string("/proc/cpuinfo") else { return String::new() };
        let field = |name: &str| {
            info.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_once(':')).map_or("", |(_, v)| v.trim())
        };
        let (family, model, stepping) = (field("cpu family"), field("model\t"), field("stepping"));
        format!("{} (family {family}, model {model}, stepping {stepping})", field("model name"))
    }

    /// Measures the speed of a large operator, in multiply-adds per second: a convolution on a CPU, a matrix product on a GPU.
    /// `build` estimates its running time from it.
    pub fn mult_add_rate(&self) -> f64 {
        self.backend.mult_add_rate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_parsed() {
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        for bad in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            assert!(bad.parse::<DeviceChoice>().is_err(), "{bad}");
        }
    }
}
