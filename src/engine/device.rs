//! Starts libtorch on a CPU or GPU with settings that make results reproducible (instruction set, threads, deterministic
//! algorithms), and describes the environment in which results are comparable.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tch::Device;

use super::{Error, ffi, kernels};
use crate::study::{Compute, CpuClass};
use crate::text::numbers::plural;

/// The device that `--device` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "self-evident")]
pub enum DeviceChoice {
    /// GPU 0 if there is one, otherwise the CPU.
    Auto,
    Cpu,
    /// The GPU of this number, counted from 0.
    Cuda(usize),
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
                .ok_or_else(|| Error::UnknownDevice(other.to_owned())),
        }
    }
}

/// The version of the arithmetic that the program does itself: random streams, schedules, optimizers, losses, kernels.
/// Increment it with every change that gives other bits for the same study. Results of different versions are compared within
/// tolerances, not for equality.
const ARITHMETIC: u32 = 2;

/// The environment of a training: results of two equal environments are comparable bit for bit. It holds no time, path or
/// host name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "self-evident")]
pub struct Environment {
    /// `portable`, `native` or `cuda`.
    pub class: String,
    pub libtorch: String,
    /// The version of the program's own arithmetic.
    pub arithmetic: u32,
    /// `float32` or `tf32`.
    pub precision: String,
    /// CPU threads of one operator; absent on a GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// The CPU model, if the class depends on it (`native`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cuda: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cudnn: Option<String>,
}

impl Environment {
    /// How this environment contradicts a study's `compute` section; `None` if the study allows it.
    pub fn contradiction(&self, compute: &Compute) -> Option<String> {
        let gpu = self.class == "cuda";
        let class = if gpu { "cuda" } else { cpu_class_name(compute) };
        let precision = precision(gpu, compute);
        let threads = (!gpu).then_some(compute.threads);
        let stated = [&self.cpu, &self.gpu, &self.cuda, &self.cudnn].map(Option::is_some);
        if self.class != class {
            Some(format!("the class is {}, but the study needs {class}", self.class))
        } else if self.precision != precision {
            Some(format!("the precision is {}, but the study needs {precision}", self.precision))
        } else if self.threads != threads {
            Some(format!("threads are {:?}, but the study needs {threads:?}", self.threads))
        } else if stated != [class == "native", gpu, gpu, gpu] {
            Some(format!("the class {class} must name exactly its own CPU or GPU facts"))
        } else {
            None
        }
    }

    /// Whether the arithmetic is this program's version.
    pub fn is_this_arithmetic(&self) -> bool {
        self.arithmetic == ARITHMETIC
    }

    /// Whether this program computes with the same arithmetic and the same version of libtorch.
    pub fn is_of_this_program(&self) -> bool {
        self.is_this_arithmetic() && self.libtorch == ffi::torch_version()
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "libtorch {}, arithmetic {}, {}", self.libtorch, self.arithmetic, self.precision)?;
        match (self.class.as_str(), &self.gpu, &self.cpu) {
            ("cuda", Some(gpu), _) => {
                write!(f, ", {gpu}")?;
                if let (Some(cuda), Some(cudnn)) = (&self.cuda, &self.cudnn) {
                    write!(f, ", CUDA {cuda}, cuDNN {cudnn}")?;
                }
            }
            ("native", _, Some(cpu)) => write!(f, ", {cpu}")?,
            _ => write!(f, ", any x86-64 CPU with AVX2")?,
        }
        match self.threads {
            Some(threads) => write!(f, ", {}", plural(threads, "thread")),
            None => Ok(()),
        }
    }
}

/// A started libtorch. Holding one proves that the settings for reproducible results are in place.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) device: Device,
    /// The environment of the results that it computes.
    pub environment: Environment,
}

/// The CPU class that libtorch was started for; it cannot change within a process.
static STARTED: OnceLock<CpuClass> = OnceLock::new();

impl Engine {
    /// Starts libtorch for a study's `compute` section. The first call in a process fixes the CPU class.
    ///
    /// # Errors
    /// The device does not exist, the CPU has no AVX2 for the portable class, the process already computes for the other
    /// CPU class, or libtorch or CUDA refuse a setting.
    pub fn start(choice: DeviceChoice, compute: &Compute) -> Result<Self, Error> {
        if *STARTED.get_or_init(|| fix_settings(compute.class)) != compute.class {
            return Err(Error::SecondCpuClass);
        }
        let gpu = match choice {
            DeviceChoice::Cpu => None,
            DeviceChoice::Auto if !Self::gpu_in_sight() => None,
            DeviceChoice::Auto => cuda(0).ok(),
            DeviceChoice::Cuda(index) => {
                Some(cuda(index).map_err(|reason| Error::NoGpu { index, reason: Box::new(reason) })?)
            }
        };
        if !ffi::configure(compute.threads, compute.tf32) {
            return Err(Error::Threads(compute.threads));
        }
        if let Some(Err(reason)) = gpu.map(ffi::use_own_stream) {
            return Err(Error::NoStream(Box::new(reason)));
        }
        let device = gpu.map_or(Device::Cpu, Device::Cuda);
        let environment = environment(gpu, compute);
        if gpu.is_none() && compute.class == CpuClass::Portable {
            check_portable()?;
        }
        Ok(Self { device, environment })
    }

    /// Whether the device is a GPU.
    pub fn is_gpu(&self) -> bool {
        self.device.is_cuda()
    }

    /// The version of libtorch that the program was built for.
    pub fn libtorch_version() -> String {
        ffi::torch_version()
    }

    /// Whether this CPU can compute in the portable class: it has AVX2 and FMA.
    pub fn has_portable_cpu() -> bool {
        kernels::has_avx2()
    }

    /// The CPU's name with its family, model and stepping, from /proc/cpuinfo.
    pub fn cpu_model() -> String {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            info.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_once(':')).map_or("", |(_, v)| v.trim())
        };
        let (family, model, stepping) = (field("cpu family"), field("model\t"), field("stepping"));
        format!("{} (family {family}, model {model}, stepping {stepping})", field("model name"))
    }

    /// Whether this machine seems to have a GPU. Looks for the driver's device files and does not load CUDA.
    pub fn gpu_in_sight() -> bool {
        let files = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version"];
        files.iter().any(|file| Path::new(file).exists())
    }

    /// Measures the speed of a large operator, in multiply-adds per second: a convolution on a CPU with the program's
    /// kernels, otherwise a matrix product. `build` estimates its duration from it.
    pub fn mult_add_rate(&self) -> f64 {
        if !self.is_gpu() && kernels::vectors().is_some() {
            return kernels::convolution_rate();
        }
        let n = 1024;
        let a = tch::Tensor::ones([n, n], (tch::Kind::Float, self.device));
        let seconds = |times: i32| {
            let start = std::time::Instant::now();
            let mut sum = a.matmul(&a);
            (1..times).for_each(|_| sum = a.matmul(&a));
            let _ = sum.double_value(&[0, 0]);
            start.elapsed().as_secs_f64() / f64::from(times)
        };
        seconds(1);
        (n * n * n) as f64 / seconds(if self.is_gpu() { 50 } else { 4 })
    }
}

/// Restarts the program without the environment variables that change libtorch's arithmetic or threads, if any is set.
/// Unsetting them in this process would be too late: libgomp, MKL and oneDNN read theirs before `main`. Returns if none is
/// set.
///
/// # Errors
/// The program cannot be started again.
pub fn restart_without_overrides() -> std::io::Result<()> {
    use std::os::unix::process::CommandExt;
    const PREFIXES: [&str; 13] = [
        "OMP_",
        "GOMP_",
        "KMP_",
        "MKL_",
        "ONEDNN_",
        "DNNL_",
        "ATEN_",
        "TORCH_",
        "PYTORCH_",
        "CUBLAS_",
        "CUBLASLT_",
        "CUDNN_",
        "NVIDIA_TF32_OVERRIDE",
    ];
    // How threads wait for each other changes no bits, but can change the speed a lot on a busy machine.
    const HARMLESS: [&str; 2] = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"];
    let overrides = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        PREFIXES.iter().any(|p| name.starts_with(p)) && !HARMLESS.contains(&&*name)
    };
    let set: Vec<_> = std::env::vars_os().map(|(name, _)| name).filter(overrides).collect();
    if set.is_empty() {
        return Ok(());
    }
    let mut restart = std::process::Command::new(std::env::current_exe()?);
    restart.args(std::env::args_os().skip(1));
    for name in &set {
        restart.env_remove(name);
    }
    Err(restart.exec())
}

/// Sets everything that must be set before libtorch's first use. Returns the class that it was given.
fn fix_settings(class: CpuClass) -> CpuClass {
    if class == CpuClass::Portable {
        ffi::set_env("ATEN_CPU_CAPABILITY", "avx2");
        ffi::set_env("ONEDNN_MAX_CPU_ISA", "AVX2");
        ffi::set_env("MKL_CBWR", "COMPATIBLE");
    }
    // cuBLAS is deterministic only with a workspace of fixed size.
    ffi::set_env("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
    ffi::keep_freed_memory();
    class
}

/// Checks that the CPU has the instructions of the portable class, and that libtorch uses them and no others.
fn check_portable() -> Result<(), Error> {
    if !Engine::has_portable_cpu() {
        return Err(Error::NoAvx2);
    }
    let used = ffi::cpu_capability();
    if used == "AVX2" { Ok(()) } else { Err(Error::WrongKernels(used)) }
}

/// Loads CUDA once and checks that GPU `index` exists. Returns the index.
fn cuda(index: usize) -> Result<usize, Error> {
    static LOADED: OnceLock<Result<(), Error>> = OnceLock::new();
    LOADED.get_or_init(ffi::load_cuda).clone()?;
    match tch::Cuda::device_count() {
        0 => Err(Error::NoGpuFound),
        count if index as i64 >= count => Err(Error::GpuCount(count)),
        _ => Ok(index),
    }
}

/// The name of the environment class of a study on a CPU.
fn cpu_class_name(compute: &Compute) -> &'static str {
    match compute.class {
        CpuClass::Portable => "portable",
        CpuClass::Native => "native",
    }
}

fn precision(gpu: bool, compute: &Compute) -> &'static str {
    if gpu && compute.tf32 { "tf32" } else { "float32" }
}

fn environment(gpu: Option<usize>, compute: &Compute) -> Environment {
    let class = if gpu.is_some() { "cuda" } else { cpu_class_name(compute) };
    let precision = precision(gpu.is_some(), compute);
    let (cuda, cudnn) = (ffi::cuda_version(), if gpu.is_some() { ffi::cudnn_version() } else { 0 });
    Environment {
        class: class.to_owned(),
        libtorch: ffi::torch_version(),
        arithmetic: ARITHMETIC,
        precision: precision.to_owned(),
        threads: gpu.is_none().then_some(compute.threads),
        cpu: (class == "native").then(Engine::cpu_model),
        gpu: gpu.map(ffi::gpu_name),
        cuda: gpu.map(|_| format!("{}.{}", cuda / 1000, cuda % 1000 / 10)),
        cudnn: gpu.map(|_| format!("{}.{}.{}", cudnn / 10_000, cudnn % 10_000 / 100, cudnn % 100)),
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
