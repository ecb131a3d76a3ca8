//! The program's own CPU kernels for the operators of a training step: forward and backward, as functions on slices of f32.
//! Activations are `[image, row, column, channel]` (PyTorch's channels_last). libtorch does all other operators.
//!
//! Every result is a fixed sequence of additions and fused multiply-additions. Its bits depend neither on the width of the
//! vectors nor on the number of threads, so the portable class can use the widest vectors and all cores.

mod batch_norm;
mod direct;
mod gemm;
mod linear;
mod pool;
#[cfg(test)]
mod tests;
mod update;
mod winograd;

use std::sync::{Mutex, OnceLock};

pub(super) use batch_norm::{BatchNorm, Moments};
pub(super) use direct::Direct;
pub(super) use linear::Linear;
pub(super) use pool::MaxPool;
pub(super) use update::{Adadelta, Adam, Sgd};
pub(super) use winograd::Winograd;

/// Channels in a group. Kernels process channels in groups and pad their internal buffers to a multiple of this.
const LANES: usize = 16;
/// Maximum number of partial sums in a sum over a batch, each over consecutive images. It is the same on every machine, so
/// that the bits are; such a sum uses at most this many threads.
const PARTS: usize = 8;

/// Height, width and channels of an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Shape {
    /// Number of values of one image.
    pub(super) const fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Number of pixels of one image.
    const fn pixels(self) -> usize {
        self.height * self.width
    }
}

/// The instruction sets that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names of instruction sets")]
pub enum Vectors {
    Avx2,
    Avx512,
}

static VECTORS: OnceLock<Option<Vectors>> = OnceLock::new();

/// Whether the CPU has AVX2 and fused multiply-add.
pub(super) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// The instruction set to use: the widest that this CPU has, unless `choose` set another. `None` means that libtorch does
/// everything, because the CPU has no AVX2 and FMA.
pub(super) fn vectors() -> Option<Vectors> {
    *VECTORS.get_or_init(|| {
        let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
        let avx512 = avx512 && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512bw");
        has_avx2().then_some(if avx512 { Vectors::Avx512 } else { Vectors::Avx2 })
    })
}

/// Selects AVX2, or no kernels at all (`None`), for measurements. Returns false if the CPU has no such vectors, for AVX-512,
/// and after the first use of a kernel.
pub fn choose(vectors: Option<Vectors>) -> bool {
    let available = match vectors {
        None => true,
        Some(Vectors::Avx2) => has_avx2(),
        Some(Vectors::Avx512) => false,
    };
    available && VECTORS.set(vectors).is_ok()
}

/// Measures a typical convolution, in multiply-adds per second. Counts the multiply-adds of the direct algorithm, not the
/// fewer ones of Winograd's.
pub(super) fn convolution_rate() -> f64 {
    const IMAGES: usize = 32;
    let conv = Winograd { input: Shape { height: 26, width: 26, channels: 64 }, output_channels: 128, padding: 0 };
    let (x, weight) = (vec![1.0; IMAGES * conv.input.len()], vec![1.0; 128 * 64 * 9]);
    let mut y = vec![0.0; IMAGES * conv.output_shape().len()];
    let mut run = || {
        let start = std::time::Instant::now();
        conv.forward(&x, &weight, None, &mut y);
        start.elapsed().as_secs_f64()
    };
    let fastest = (0..4).map(|_| run()).fold(f64::MAX, f64::min);
    (y.len() * 64 * 9) as f64 / fastest
}

/// Number of cores that this process may use.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// A thread pool for all cores but the caller's. Starting threads for each operator would cost as much time as they save.
/// `None` if there is only one core or the system does not create threads.
fn helpers() -> Option<&'static rayon::ThreadPool> {
    static HELPERS: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    let start = || match cores() {
        1 => None,
        cores => rayon::ThreadPoolBuilder::new().num_threads(cores - 1).build().ok(),
    };
    HELPERS.get_or_init(start).as_ref()
}

/// Runs `work` on every job, each job on one thread.
fn for_each_job<J: Send>(jobs: impl ExactSizeIterator<Item = J> + Send, work: impl Fn(J) + Sync) {
    for_each_job_with(jobs, || (), |job, ()| work(job));
}

/// As `for_each_job`; `scratch` creates each thread's working memory.
fn for_each_job_with<J: Send, S>(
    jobs: impl ExactSizeIterator<Item = J> + Send,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(J, &mut S) + Sync,
) {
    let count = jobs.len();
    let jobs = Mutex::new(jobs);
    let run = || {
        let mut scratch = scratch();
        loop {
            // A statement of its own, so that the lock is released before the work.
            let job = jobs.lock().expect("`next` does not panic").next();
            match job {
                Some(job) => work(job, &mut scratch),
                None => break,
            }
        }
    };
    match helpers() {
        Some(helpers) if count > 1 => helpers.in_place_scope(|scope| {
            (1..cores().min(count)).for_each(|_| scope.spawn(|_| run()));
            run();
        }),
        _ => run(),
    }
}

/// Number of images of each part of a batch; the last part may have fewer. There are at most `PARTS` parts.
fn images_per_part(images: usize) -> usize {
    images.div_ceil(PARTS).max(1)
}

/// Compiles a function for AVX-512, AVX2 and without vectors, and calls the version that `vectors` selects.
macro_rules! vectorised {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        fn $name($($argument: $kind),*) {
            #[inline(always)]
            fn scalar($($argument: $kind),*) $body
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $kind),*) { scalar($($argument),*) }
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            fn avx512($($argument: $kind),*) { scalar($($argument),*) }
            match $crate::engine::kernels::vectors() {
                // SAFETY: the CPU has these vectors, or `vectors` would not return them.
                Some($crate::engine::kernels::Vectors::Avx512) => unsafe { avx512($($argument),*) },
                Some($crate::engine::kernels::Vectors::Avx2) => unsafe { avx2($($argument),*) },
                None => scalar($($argument),*),
            }
        }
    };
}
use vectorised;

/// Where a backward pass writes its results: gradients of the loss.
pub(super) struct Gradients<'a> {
    /// With respect to the layer's input, if it is wanted.
    pub x: Option<&'a mut [f32]>,
    pub weight: &'a mut [f32],
    pub bias: &'a mut [f32],
}

/// A group of channels.
type Lane = [f32; LANES];

#[inline(always)]
fn lane(values: &[f32]) -> Lane {
    values[..LANES].try_into().expect("the slice has LANES values")
}

#[inline(always)]
fn map(a: Lane, f: impl Fn(f32) -> f32) -> Lane {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = f(a[l]);
    }
    out
}

#[inline(always)]
fn zip(a: Lane, b: Lane, f: impl Fn(f32, f32) -> f32) -> Lane {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = f(a[l], b[l]);
    }
    out
}
