//! The instruction sets that the kernels are compiled for, and how one of them is chosen. The choice changes the speed, not
//! the bits.

use std::sync::atomic::{AtomicU8, Ordering};

/// Number of values that kernels process together. They pad their own buffers to a multiple of it.
pub(super) const LANES: usize = 16;

/// `LANES` values, for example of 16 channels.
pub(super) type Lane = [f32; LANES];

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "names of instruction sets")]
pub enum Vectors {
    /// What every CPU of this kind has. On x86-64 that is no fused multiply-add, so each is a call of a function: slow.
    Scalar = 1,
    Avx2 = 2,
    Avx512 = 3,
}

/// The variable that chooses a narrower instruction set than the CPU's widest: `avx2` or `scalar`.
pub(super) const VARIABLE: &str = "MNIST_REPORT_VECTORS";

/// The chosen instruction set; 0 before the first use.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The instruction set that the kernels use: the widest of this CPU, unless the environment variable
/// `MNIST_REPORT_VECTORS` or [`use_vectors`] chose another one.
#[inline(always)]
pub fn vectors() -> Vectors {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => Vectors::Scalar,
        2 => Vectors::Avx2,
        3 => Vectors::Avx512,
        _ => first_choice(),
    }
}

#[cold]
fn first_choice() -> Vectors {
    let widest = widest();
    let chosen = match std::env::var(VARIABLE).as_deref() {
        Ok("scalar") => Vectors::Scalar,
        Ok("avx2") if widest != Vectors::Scalar => Vectors::Avx2,
        _ => widest,
    };
    CHOSEN.store(chosen as u8, Ordering::Relaxed);
    chosen
}

/// The widest instruction set of this CPU.
#[cfg(target_arch = "x86_64")]
pub(super) fn widest() -> Vectors {
    let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let has_avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw");
    match (has_avx2, has_avx512) {
        (true, true) => Vectors::Avx512,
        (true, false) => Vectors::Avx2,
        (false, _) => Vectors::Scalar,
    }
}

/// The widest instruction set of this CPU. Elsewhere than on x86-64 the compiler chooses the instructions.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn widest() -> Vectors {
    Vectors::Scalar
}

/// Chooses an instruction set, for measurements and tests. Returns false if the CPU does not have it.
pub fn use_vectors(vectors: Vectors) -> bool {
    let is_available = vectors as u8 <= widest() as u8;
    if is_available {
        CHOSEN.store(vectors as u8, Ordering::Relaxed);
    }
    is_available
}

/// Compiles a function for AVX-512, for AVX2 and without vectors, and calls the version that [`vectors`] chooses. All three
/// are the same Rust code, and Rust never contracts or reorders floating-point operations, so they give the same bits.
macro_rules! vectorised {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $visibility fn $name($($argument: $kind),*) {
            #[inline(always)]
            fn scalar($($argument: $kind),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $kind),*) { scalar($($argument),*) }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            fn avx512($($argument: $kind),*) { scalar($($argument),*) }
            match $crate::arithmetic::vectors::vectors() {
                // SAFETY: the CPU has these instructions, or `vectors` would not return them.
                #[cfg(target_arch = "x86_64")]
                $crate::arithmetic::vectors::Vectors::Avx512 => unsafe { avx512($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::arithmetic::vectors::Vectors::Avx2 => unsafe { avx2($($argument),*) },
                _ => scalar($($argument),*),
            }
        }
    };
}
pub(super) use vectorised;

/// The first `LANES` values.
#[inline(always)]
pub(super) fn lane(values: &[f32]) -> Lane {
    values[..LANES].try_into().expect("the slice has LANES values")
}

/// Applies `f` to each value.
#[inline(always)]
pub(super) fn map(a: Lane, f: impl Fn(f32) -> f32) -> Lane {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = f(a[l]);
    }
    out
}

/// Applies `f` to each pair of values.
#[inline(always)]
pub(super) fn zip(a: Lane, b: Lane, f: impl Fn(f32, f32) -> f32) -> Lane {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = f(a[l], b[l]);
    }
    out
}

/// Held by a test that chooses instruction sets or threads, so that no other test does so at the same time. Tests that do not
/// choose may run meanwhile, because their bits do not depend on the choice.
#[cfg(test)]
pub(super) fn choosing() -> std::sync::MutexGuard<'static, ()> {
    static CHOICE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    CHOICE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
