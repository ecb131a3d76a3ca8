//! The engine's error type.

/// What can go wrong in the engine.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages describe the variants")]
pub enum Error {
    #[error("unknown device `{0}`; use auto, cpu, cuda or cuda:N")]
    UnknownDevice(String),
    #[error("this process already computes for another CPU class; start the program again")]
    SecondCpuClass,
    #[error("no GPU {index} for --device cuda: {reason}; use --device cpu, or `make libtorch CUDA=1`")]
    NoGpu { index: usize, reason: Box<Error> },
    #[error("libtorch finds no GPU")]
    NoGpuFound,
    #[error("this machine has {0}, numbered from 0")]
    GpuCount(i64),
    #[error("cannot create a CUDA stream: {0}; use --device cpu")]
    NoStream(Box<Error>),
    #[error("libtorch did not accept {0} threads")]
    Threads(usize),
    #[error(
        "this CPU has no AVX2: set `compute: {{class: native}}` in the study; its results will be comparable on this CPU model only"
    )]
    NoAvx2,
    /// Libtorch read its settings before the engine could set them.
    #[error("libtorch uses {0} kernels, but the portable class needs AVX2: ATEN_CPU_CAPABILITY was set too late")]
    WrongKernels(String),
    /// Epochs and steps count from 1.
    #[error("the training loss of epoch {epoch}, step {step} is not finite")]
    Diverged { epoch: usize, step: usize },
    /// Given tensors do not fit the network or the optimizer.
    #[error("{0}")]
    Tensors(String),
    /// The first line of libtorch's or CUDA's message.
    #[error("{0}")]
    Libtorch(String),
}
