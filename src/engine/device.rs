//! Starting libtorch on a device, so that what it computes there can be had again.
//!
//! Owns the pins (instruction set, threads, deterministic algorithms), the search for CUDA and the
//! environment class; trains nothing.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tch::Device;

use super::{ffi, kernels};
use crate::study::{Compute, CpuClass};

/// `--device`, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A GPU if there is one, else the CPU.
    Auto,
    Cpu,
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("`{other}`: one of auto, cpu, cuda, cuda:N")),
        }
    }
}

/// The program's own share of the arithmetic: random streams, schedules, optimizers, losses, kernels. One more with every
/// change after which the same study gives other bits, so that such results are held to tolerances, not to equality.
const ARITHMETIC: u32 = 2;

/// Where results are comparable bit for bit: nothing in here is a time, a path or a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// `portable`, `native` or `cuda`.
    pub class: String,
    pub libtorch: String,
    /// The version of the program's own share of the arithmetic.
    pub arithmetic: u32,
    pub precision: String,
    /// CPU threads of one operator; absent on a GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// The CPU model, where the class depends on it (`native`).
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
    /// What a study's `compute` leaves no choice of, where these are said to be its results; none if it may be so.
    pub fn contradiction(&self, compute: &Compute) -> Option<String> {
        let gpu = self.class == "cuda";
        let class = if gpu { "cuda" } else { class(compute) };
        let precision = precision(gpu, compute);
        let threads = (!gpu).then_some(compute.threads);
        let stated = [&self.cpu, &self.gpu, &self.cuda, &self.cudnn].map(Option::is_some);
        if self.class != class {
            Some(format!("class {}, where the study's is {class}", self.class))
        } else if self.precision != precision {
            Some(format!("precision {}, where the study's is {precision}", self.precision))
        } else if self.threads != threads {
            Some(format!("threads {:?}, where the study's are {threads:?}", self.threads))
        } else if stated != [class == "native", gpu, gpu, gpu] {
            Some(format!("facts that do not make up the class {class}"))
        } else {
            None
        }
    }

    /// Whether the arithmetic is that of this program's source.
    pub fn is_this_arithmetic(&self) -> bool {
        self.arithmetic == ARITHMETIC
    }

    /// Whether a build of this program's source can have said so: its arithmetic, with the libtorch that it is built for.
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
            Some(threads) => write!(f, ", {threads} threads"),
            None => Ok(()),
        }
    }
}

/// A started libtorch: proof that the pins are set.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) device: Device,
    pub environment: Environment,
}

/// The settings that libtorch was started with; they cannot change within a process.
static STARTED: OnceLock<CpuClass> = OnceLock::new();

impl Engine {
    /// Starts libtorch for a study's arithmetic. The first call in a process decides the CPU class.
    ///
    /// # Errors
    /// No such device, a CPU without AVX2 for the portable class, or a second CPU class in one process.
    pub fn start(choice: DeviceChoice, compute: &Compute) -> Result<Self> {
        if *STARTED.get_or_init(|| pin(compute.class)) != compute.class {
            bail!("one process computes for one CPU class; start the program again for the other");
        }
        let gpu = match choice {
            DeviceChoice::Cpu => None,
            DeviceChoice::Auto if !gpu_in_sight() => None,
            DeviceChoice::Auto => cuda(0).ok(),
            DeviceChoice::Cuda(n) => Some(cuda(n).map_err(|why| {
                anyhow::anyhow!("no GPU {n} for --device cuda: {why}; use --device cpu, or `make libtorch CUDA=1`")
            })?),
        };
        if !ffi::configure(compute.threads, compute.tf32) {
            bail!("libtorch would not use {} threads", compute.threads);
        }
        if let Some(Err(why)) = gpu.map(ffi::use_own_stream) {
            bail!("the GPU gives no stream: {why}; use --device cpu");
        }
        let device = gpu.map_or(Device::Cpu, Device::Cuda);
        let environment = environment(gpu, compute);
        if gpu.is_none() && compute.class == CpuClass::Portable {
            check_portable()?;
        }
        Ok(Self { device, environment })
    }

    /// Whether training happens on a GPU.
    pub fn is_gpu(&self) -> bool {
        self.device.is_cuda()
    }

    /// The version of libtorch that the program was built for.
    pub fn libtorch_version() -> String {
        ffi::torch_version()
    }

    /// Whether this CPU can be of the portable class.
    pub fn has_portable_cpu() -> bool {
        std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
    }

    /// The CPU's model, from the system.
    pub fn cpu_model() -> String {
        cpu_model()
    }

    /// Whether this machine seems to have a GPU; asks the system, not libtorch, so it costs nothing.
    pub fn gpu_in_sight() -> bool {
        gpu_in_sight()
    }

    /// Multiply-adds a second of a large operator here, a convolution or a product of matrices: the yardstick for how
    /// long a study takes.
    pub fn mult_add_rate(&self) -> f64 {
        if !self.is_gpu() && kernels::vectors().is_some() {
            return kernels::convolution_rate();
        }
        let n = 1024;
        let a = tch::Tensor::ones([n, n], (tch::Kind::Float, self.device));
        let run = |times: i32| {
            let start = std::time::Instant::now();
            let mut sum = a.matmul(&a);
            (1..times).for_each(|_| sum = a.matmul(&a));
            let _ = sum.double_value(&[0, 0]);
            start.elapsed().as_secs_f64() / f64::from(times)
        };
        run(1);
        (n * n * n) as f64 / run(if self.is_gpu() { 50 } else { 4 })
    }
}

/// Starts the program again without the variables that reach into libtorch's arithmetic or threads, if any is set:
/// libgomp, MKL and oneDNN read theirs before `main`. Returns where there is none.
///
/// # Errors
/// The system's, where the program cannot be started again.
pub fn without_outside_settings() -> std::io::Result<()> {
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
    // How threads wait for each other changes no bit, but much of the time where processors are shared.
    const HARMLESS: [&str; 2] = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"];
    let reaches = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        PREFIXES.iter().any(|p| name.starts_with(p)) && !HARMLESS.contains(&&*name)
    };
    let set: Vec<_> = std::env::vars_os().map(|(name, _)| name).filter(reaches).collect();
    if set.is_empty() {
        return Ok(());
    }
    let mut again = std::process::Command::new(std::env::current_exe()?);
    again.args(std::env::args_os().skip(1));
    for name in &set {
        again.env_remove(name);
    }
    Err(again.exec())
}

fn pin(class: CpuClass) -> CpuClass {
    if class == CpuClass::Portable {
        ffi::set_env("ATEN_CPU_CAPABILITY", "avx2");
        ffi::set_env("ONEDNN_MAX_CPU_ISA", "AVX2");
        ffi::set_env("MKL_CBWR", "COMPATIBLE");
    }
    // cuBLAS repeats itself only with a workspace of fixed size.
    ffi::set_env("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
    ffi::keep_freed_memory();
    class
}

fn check_portable() -> Result<()> {
    if !Engine::has_portable_cpu() {
        bail!(
            "this CPU has no AVX2: set `compute: {{class: native}}` in the study; its results will be comparable on this CPU model only"
        );
    }
    let used = ffi::cpu_capability();
    if used != "AVX2" {
        bail!("libtorch uses {used} kernels where the portable class needs AVX2: ATEN_CPU_CAPABILITY was set too late");
    }
    Ok(())
}

fn gpu_in_sight() -> bool {
    ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version"].iter().any(|p| Path::new(p).exists())
}

fn cuda(n: usize) -> Result<usize> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(why) = LOADED.get_or_init(ffi::load_cuda) {
        bail!("{why}");
    }
    match tch::Cuda::device_count() {
        0 => bail!("libtorch finds no GPU"),
        count if n as i64 >= count => bail!("this machine has {count}, numbered from 0"),
        _ => Ok(n),
    }
}

/// The class of what a study computes on a CPU.
fn class(compute: &Compute) -> &'static str {
    match compute.class {
        CpuClass::Portable => "portable",
        CpuClass::Native => "native",
    }
}

fn precision(gpu: bool, compute: &Compute) -> &'static str {
    if gpu && compute.tf32 { "tf32" } else { "float32" }
}

fn environment(gpu: Option<usize>, compute: &Compute) -> Environment {
    let class = if gpu.is_some() { "cuda" } else { class(compute) };
    let precision = precision(gpu.is_some(), compute);
    let (cuda, cudnn) = (ffi::cuda_version(), if gpu.is_some() { ffi::cudnn_version() } else { 0 });
    Environment {
        class: class.to_owned(),
        libtorch: ffi::torch_version(),
        arithmetic: ARITHMETIC,
        precision: precision.to_owned(),
        threads: gpu.is_none().then_some(compute.threads),
        cpu: (class == "native").then(cpu_model),
        gpu: gpu.map(ffi::gpu_name),
        cuda: gpu.map(|_| format!("{}.{}", cuda / 1000, cuda % 1000 / 10)),
        cudnn: gpu.map(|_| format!("{}.{}.{}", cudnn / 10_000, cudnn % 10_000 / 100, cudnn % 100)),
    }
}

/// The CPU's model, from the system.
fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        info.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_once(':')).map_or("", |(_, v)| v.trim())
    };
    let (family, model, stepping) = (field("cpu family"), field("model\t"), field("stepping"));
    format!("{} (family {family}, model {model}, stepping {stepping})", field("model name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_typed() {
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        for bad in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            assert!(bad.parse::<DeviceChoice>().is_err(), "{bad}");
        }
    }
}
