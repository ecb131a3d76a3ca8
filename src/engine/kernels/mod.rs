//! The operators of a training step that the program does itself on a CPU: forward and backward, as plain functions on
//! slices. Activations are `[image, row, column, channel]` (PyTorch's channels_last), values f32.
//!
//! Owns how they are spread over vectors and threads. Every result is a fixed sequence of additions and fused
//! multiply-additions: neither the width of the vectors nor the number of threads changes a bit of it, so the widest
//! vectors and all cores at hand can be used without leaving the portable class. libtorch does everything else.

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

pub(crate) use batch_norm::{BatchNorm, Moments};
pub(crate) use direct::Direct;
pub(crate) use linear::Linear;
pub(crate) use pool::MaxPool;
pub(crate) use update::{Adadelta, Adam, Sgd};
pub(crate) use winograd::Winograd;

/// Channels are handled in groups of as many; buffers that only a kernel sees are filled up to a multiple.
const LANES: usize = 16;
/// Sums over a batch are made of at most so many partial sums, each over neighbouring images: their number is the same
/// on every machine, and more threads than that are not used for them.
const PARTS: usize = 8;

/// Height, width and channels of an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Shape {
    /// Values of one image.
    pub(crate) const fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values of one pixel times pixels, without the channels.
    const fn pixels(self) -> usize {
        self.height * self.width
    }
}

/// The widest vectors of this CPU that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// 8 values of f32.
    Avx2,
    /// 16 values of f32.
    Avx512,
}

static VECTORS: OnceLock<Option<Vectors>> = OnceLock::new();

/// The vectors to use; none where the CPU has no fused multiply-add, and libtorch does everything.
pub(crate) fn vectors() -> Option<Vectors> {
    *VECTORS.get_or_init(|| {
        let narrow = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
        let wide = wide && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512bw");
        narrow.then_some(if wide { Vectors::Avx512 } else { Vectors::Avx2 })
    })
}

/// Uses narrower vectors than the widest, or none: for measurements. False where some are in use already, or missing.
pub fn choose(vectors: Option<Vectors>) -> bool {
    let there = match vectors {
        None => true,
        Some(Vectors::Avx2) => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        Some(Vectors::Avx512) => false,
    };
    there && VECTORS.set(vectors).is_ok()
}

/// Multiply-adds a second, as plain sums count them, of a typical convolution by these kernels.
pub(crate) fn convolution_rate() -> f64 {
    const IMAGES: usize = 32;
    let conv = Winograd { input: Shape { height: 26, width: 26, channels: 64 }, outputs: 128, padding: 0 };
    let (x, weight) = (vec![1.0; IMAGES * conv.input.len()], vec![1.0; 128 * 64 * 9]);
    let mut y = vec![0.0; IMAGES * conv.output().len()];
    let mut run = || {
        let start = std::time::Instant::now();
        conv.forward(&x, &weight, None, &mut y);
        start.elapsed().as_secs_f64()
    };
    let fastest = (0..4).map(|_| run()).fold(f64::MAX, f64::min);
    (y.len() * 64 * 9) as f64 / fastest
}

/// Cores that this process may use.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Threads that wait for work beside the caller's: starting as many anew for each operator would cost what they save.
/// None where there is nothing to share, or the system gives no threads.
fn helpers() -> Option<&'static rayon::ThreadPool> {
    static HELPERS: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    let start = || match cores() {
        1 => None,
        cores => rayon::ThreadPoolBuilder::new().num_threads(cores - 1).build().ok(),
    };
    HELPERS.get_or_init(start).as_ref()
}

/// Does every job, each whole on one thread; `scratch` is made once a thread.
fn each<J: Send, S>(
    jobs: impl Iterator<Item = J> + Send,
    count: usize,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(J, &mut S) + Sync,
) {
    let jobs = Mutex::new(jobs);
    let run = || {
        let mut own = scratch();
        loop {
            // In a statement of its own, so that the lock is free again before the work.
            let job = jobs.lock().expect("no job panics while it is taken").next();
            match job {
                Some(job) => work(job, &mut own),
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

/// How many images each part of a batch holds, but the last: as even as can be.
fn part(images: usize) -> usize {
    images.div_ceil(PARTS).max(1)
}

/// Compiles a function for both kinds of vectors, and calls the one that this CPU has.
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
                // SAFETY: the CPU has these vectors.
                Some($crate::engine::kernels::Vectors::Avx512) => unsafe { avx512($($argument),*) },
                Some($crate::engine::kernels::Vectors::Avx2) => unsafe { avx2($($argument),*) },
                None => scalar($($argument),*),
            }
        }
    };
}
use vectorised;

/// A group of channels.
type Lane = [f32; LANES];

#[inline(always)]
fn lane(values: &[f32]) -> Lane {
    values[..LANES].try_into().expect("as many")
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
