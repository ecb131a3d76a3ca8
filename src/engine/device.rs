//! Starts libtorch on a CPU or GPU with settings that make its results reproducible (deterministic algorithms).

use std::sync::OnceLock;

use mnist_report::compute::Gpu;
use tch::Device;

use super::{Error, ffi};

/// A started libtorch. If there is one, the settings for reproducible results are in effect.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub(super) device: Device,
    tf32: bool,
}

impl Engine {
    /// Starts libtorch on the GPU with this number, counted from 0, or on the CPU.
    ///
    /// # Errors
    /// The GPU does not exist, or libtorch or CUDA rejects a setting.
    pub(super) fn start(gpu: Option<usize>, tf32: bool) -> Result<Self, Error> {
        static STARTED: OnceLock<()> = OnceLock::new();
        STARTED.get_or_init(|| {
            remove_overrides();
            // cuBLAS is deterministic only with a workspace of fixed size.
            ffi::set_env("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
            ffi::keep_freed_memory();
        });
        if let Some(index) = gpu {
            cuda(index).map_err(|reason| Error::NoGpu(Box::new(reason)))?;
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if !ffi::configure(threads, tf32) {
            return Err(Error::Settings);
        }
        if let Some(Err(reason)) = gpu.map(ffi::use_own_stream) {
            return Err(Error::NoStream(Box::new(reason)));
        }
        Ok(Self { device: gpu.map_or(Device::Cpu, Device::Cuda), tf32 })
    }

    /// Whether the device is a GPU.
    pub(super) fn is_gpu(&self) -> bool {
        self.device.is_cuda()
    }

    /// The facts on which the results depend. On a CPU, the GPU's name is a placeholder.
    pub(super) fn facts(&self) -> Gpu {
        let precision = if self.tf32 { "tf32" } else { "float32" }.to_owned();
        let libtorch = ffi::torch_version();
        let Device::Cuda(index) = self.device else {
            let (name, none) = ("libtorch on a CPU".to_owned(), String::new());
            return Gpu { name, libtorch, cuda: none.clone(), cudnn: none, precision };
        };
        let (cuda, cudnn) = (ffi::cuda_version(), ffi::cudnn_version());
        Gpu {
            name: ffi::gpu_name(index),
            libtorch,
            cuda: format!("{}.{}", cuda / 1000, cuda % 1000 / 10),
            cudnn: format!("{}.{}.{}", cudnn / 10_000, cudnn % 10_000 / 100, cudnn % 100),
            precision,
        }
    }

    /// Measures the speed of a matrix product, in multiply-adds per second.
    pub(super) fn mult_add_rate(&self) -> f64 {
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

/// Unsets the variables that change the arithmetic of CUDA's libraries. The libraries read them when they are loaded,
/// which happens later.
fn remove_overrides() {
    const PREFIXES: [&str; 6] = ["CUBLAS_", "CUBLASLT_", "CUDNN_", "TORCH_", "PYTORCH_", "NVIDIA_TF32_OVERRIDE"];
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            ffi::remove_env(&name);
        }
    }
}

/// Loads CUDA once and checks that GPU `index` exists.
fn cuda(index: usize) -> Result<(), Error> {
    static LOADED: OnceLock<Result<(), Error>> = OnceLock::new();
    LOADED.get_or_init(ffi::load_cuda).clone()?;
    match tch::Cuda::device_count() {
        0 => Err(Error::NoGpuFound),
        count if index as i64 >= count => Err(Error::GpuCount(count)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use mnist_report::failure::caught;

    use super::*;

    #[test]
    fn libtorchs_own_message_is_found() {
        let failed = caught(|| tch::Tensor::from_slice(&[1.0_f32]).reshape([2])).unwrap_err();
        assert_eq!(failed, "libtorch: shape '[2]' is invalid for input of size 1");
    }

    #[test]
    fn an_operator_without_a_deterministic_form_fails() {
        Engine::start(None, false).unwrap();
        let options = (tch::Kind::Float, tch::Device::Cpu);
        let x = tch::Tensor::ones([1, 1, 2, 2], options);
        let (x, at) = x.max_pool2d_with_indices([2, 2], [2, 2], [0, 0], [1, 1], false);
        let failed = caught(|| x.max_unpool2d(&at, [2, 2])).unwrap_err();
        assert_eq!(
            failed,
            "libtorch: max_unpooling2d_forward_out does not have a deterministic implementation on this device; use another --device"
        );
    }
}
