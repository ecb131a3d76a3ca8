//! The instruction sets that the kernels are compiled for, and the choice of one of them. The choice affects the speed,
//! not the bits.

use std::sync::atomic::{AtomicU8, Ordering};

/// Number of values that kernels process together. They pad their own buffers to a multiple of it.
pub const LANES: usize = 16;

/// `LANES` values, for example of 16 channels.
pub type Vector = [f32; LANES];

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "names of instruction sets")]
pub enum InstructionSet {
    /// The architecture's baseline. On x86-64 it has no fused multiply-add instruction, so each one is a slow function
    /// call.
    Scalar = 1,
    Avx2 = 2,
    Avx512 = 3,
}

/// The environment variable that selects a narrower instruction set than the CPU's widest: `avx2` or `scalar`.
pub const VARIABLE: &str = "MNIST_REPORT_VECTORS";

/// The chosen instruction set; 0 before the first use.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The instruction set that the kernels use: the widest of this CPU, unless the environment variable
/// `MNIST_REPORT_VECTORS` or [`use_instruction_set`] chose another one.
#[inline(always)]
pub fn instruction_set() -> InstructionSet {
    match CHOSEN.load(Ordering::Relaxed) {
        1 => InstructionSet::Scalar,
        2 => InstructionSet::Avx2,
        3 => InstructionSet::Avx512,
        _ => first_choice(),
    }
}

#[cold]
fn first_choice() -> InstructionSet {
    let widest = widest();
    let chosen = match std::env::var(VARIABLE).as_deref() {
        Ok("scalar") => InstructionSet::Scalar,
        Ok("avx2") if widest != InstructionSet::Scalar => InstructionSet::Avx2,
        _ => widest,
    };
    CHOSEN.store(chosen as u8, Ordering::Relaxed);
    chosen
}

/// The widest instruction set of this CPU.
#[cfg(target_arch = "x86_64")]
pub fn widest() -> InstructionSet {
    let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let has_avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw");
    match (has_avx2, has_avx512) {
        (true, true) => InstructionSet::Avx512,
        (true, false) => InstructionSet::Avx2,
        (false, _) => InstructionSet::Scalar,
    }
}

/// The widest instruction set of this CPU. On architectures other than x86-64, the compiler chooses the instructions.
#[cfg(not(target_arch = "x86_64"))]
pub fn widest() -> InstructionSet {
    InstructionSet::Scalar
}

/// Chooses an instruction set, for measurements and tests. Returns false if the CPU does not have it.
pub fn use_instruction_set(vectors: InstructionSet) -> bool {
    let is_available = vectors as u8 <= widest() as u8;
    if is_available {
        CHOSEN.store(vectors as u8, Ordering::Relaxed);
    }
    is_available
}

/// Compiles a function for AVX-512, for AVX2 and for the baseline, and calls the version for the current
/// [`instruction_set`]. All three are compiled from the same Rust code, and Rust never contracts or reorders
/// floating-point operations, so they give the same bits.
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
            match $crate::simd::instruction_set() {
                // SAFETY: `instruction_set` returns only what the CPU has.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::InstructionSet::Avx512 => unsafe { avx512($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::InstructionSet::Avx2 => unsafe { avx2($($argument),*) },
                _ => scalar($($argument),*),
            }
        }
    };
}
pub(crate) use vectorised;

/// The first `LANES` values.
///
/// # Panics
/// There are fewer than `LANES` values.
#[inline(always)]
pub fn lane(values: &[f32]) -> Vector {
    values[..LANES].try_into().expect("the slice has LANES values")
}

/// Applies `f` to each value.
#[inline(always)]
pub fn map(a: Vector, f: impl Fn(f32) -> f32) -> Vector {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = f(a[l]);
    }
    out
}

/// Applies `f` to each pair of values.
#[inline(always)]
pub fn zip(a: Vector, b: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
    let mut out = [0.0; LANES];
    for l in 0..LANES {
        out[l] = f(a[l], b[l]);
    }
    out
}

/// Locked by a test that chooses instruction sets or threads, so that no other test does so at the same time. Tests
/// that do not choose may run at the same time, because their bits do not depend on the choice.
pub fn choosing() -> std::sync::MutexGuard<'static, ()> {
    static CHOICE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    CHOICE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
