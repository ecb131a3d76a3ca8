//! Products of small matrices, `c = a b` or `c += a b`, on one thread. Every value of `a b` is a chain of fused
//! multiply-additions in the order of `k` (in [`product`], a sum of such chains), so all instruction sets give the same
//! bits.

use super::simd::{InstructionSet, LANES, instruction_set};

/// A matrix in memory with its strides.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// The memory that holds the matrix.
    pub values: &'a [f32],
    /// Distance between consecutive rows.
    pub row_stride: usize,
    /// Distance between consecutive columns.
    pub column_stride: usize,
}

/// Computes `c[m, n] = a[m, k] b[k, n]`, or adds the product to `c` if `add`. `b` and `c` are row-major without gaps,
/// and `n` is a multiple of 16.
///
/// # Panics
/// `n` is not a multiple of 16, or a slice is too short.
pub fn gemm(a: Matrix, b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3], add: bool) {
    gemm_in_rows(a, b, c, n, [m, n, k], add);
}

/// Like [`gemm`]; `c_stride` is the distance between rows of `c`.
fn gemm_in_rows(a: Matrix, b: &[f32], c: &mut [f32], c_stride: usize, [m, n, k]: [usize; 3], add: bool) {
    assert!(n.is_multiple_of(LANES) && b.len() >= k * n && (m == 0 || c.len() >= (m - 1) * c_stride + n));
    assert!(m == 0 || k == 0 || a.values.len() > (m - 1) * a.row_stride + (k - 1) * a.column_stride);
    let mut row = 0;
    while row < m {
        let rows = (m - row).min(6);
        let mut column = 0;
        while column < n {
            let width = match n - column {
                64.. if instruction_set() == InstructionSet::Avx512 => 64,
                32.. if instruction_set() == InstructionSet::Avx512 => 32,
                _ => LANES,
            };
            // SAFETY: the assertions above keep every access inside the slices, and the CPU has the instruction set
            // that `instruction_set` returned.
            unsafe {
                let first = a.values.as_ptr().add(row * a.row_stride);
                let tile = TileInputs {
                    a: first,
                    row_stride: a.row_stride,
                    column_stride: a.column_stride,
                    b: b.as_ptr().add(column),
                    n,
                    c_stride,
                    k,
                    add,
                };
                let to = c.as_mut_ptr().add(row * c_stride + column);
                match instruction_set() {
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx512 if width == 64 => by_rows!(rows, avx512_64, tile, to),
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx512 if width == 32 => by_rows!(rows, avx512_32, tile, to),
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx512 => by_rows!(rows, avx512_16, tile, to),
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx2 => by_rows!(rows, avx2_16, tile, to),
                    _ => scalar_16(rows, &tile, to),
                }
            }
            column += width;
        }
        row += rows;
    }
}

/// Maximum number of terms in a chain of fused multiply-additions of a [`product`].
pub const PIECE: usize = 128;

/// Like [`gemm`], but a sum of more than [`PIECE`] terms is split into pieces. Each is a chain that starts at 0, and
/// the pieces are added in order. A piece's part of `b` fits into the caches, and short chains keep rounding errors
/// small.
pub fn product(a: Matrix, b: &[f32], c: &mut [f32], [m, n, k]: [usize; 3], add: bool) {
    let mut panel = if n > WIDE { vec![0.0; PIECE * PANEL] } else { Vec::new() };
    for start in (0..k).step_by(PIECE) {
        let (piece, count) = (Matrix { values: &a.values[start * a.column_stride..], ..a }, (k - start).min(PIECE));
        let (b, add) = (&b[start * n..][..count * n], add || start > 0);
        if n <= WIDE {
            gemm(piece, b, c, [m, n, count], add);
            continue;
        }
        for column in (0..n).step_by(PANEL) {
            let width = (n - column).min(PANEL);
            let panel = &mut panel[..count * width];
            for (to, from) in panel.chunks_exact_mut(width).zip(b.chunks_exact(n)) {
                to.copy_from_slice(&from[column..column + width]);
            }
            gemm_in_rows(piece, panel, &mut c[column..], n, [m, width, count], add);
        }
    }
}

/// If `b` has more columns than this, its rows are so far apart in memory that they evict each other from the caches.
/// Then [`product`] copies [`PANEL`] columns at a time into contiguous memory.
const WIDE: usize = 512;
/// Number of columns of `b` that are copied together.
const PANEL: usize = 64;

/// The inputs of a kernel that computes a tile of `c` from some rows of `a` and some columns of `b`.
struct TileInputs {
    /// The first value of these rows.
    a: *const f32,
    row_stride: usize,
    column_stride: usize,
    /// The first value of these columns.
    b: *const f32,
    /// Distance between consecutive rows of `b`.
    n: usize,
    /// Distance between consecutive rows of `c`.
    c_stride: usize,
    k: usize,
    add: bool,
}

/// Calls the kernel for this number of rows.
#[cfg(target_arch = "x86_64")]
macro_rules! by_rows {
    ($rows:expr, $kernel:ident, $tile:expr, $to:expr) => {
        match $rows {
            6 => $kernel::<6>(&$tile, $to),
            5 => $kernel::<5>(&$tile, $to),
            4 => $kernel::<4>(&$tile, $to),
            3 => $kernel::<3>(&$tile, $to),
            2 => $kernel::<2>(&$tile, $to),
            _ => $kernel::<1>(&$tile, $to),
        }
    };
}
#[cfg(target_arch = "x86_64")]
use by_rows;

/// Defines a kernel that computes `ROWS` rows by `$vectors` vectors of `$width` values. Its rows of `a`, its `k` rows
/// of `b` and its tile of `c` must lie inside their slices, and the CPU must have the features.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    ($name:ident, $features:literal, $intrinsics:ident, $vectors:literal, $width:literal) => {
        #[target_feature(enable = $features)]
        unsafe fn $name<const ROWS: usize>(t: &TileInputs, to: *mut f32) {
            use $intrinsics::{add, fma, load, set, store, zero};
            // SAFETY: the caller guarantees it.
            unsafe {
                let mut sums = [[zero(); $vectors]; ROWS];
                for k in 0..t.k {
                    let b = t.b.add(k * t.n);
                    let mut b_row = [zero(); $vectors];
                    for j in 0..$vectors {
                        b_row[j] = load(b.add(j * $width));
                    }
                    for i in 0..ROWS {
                        let a_value = set(*t.a.add(i * t.row_stride + k * t.column_stride));
                        for j in 0..$vectors {
                            sums[i][j] = fma(a_value, b_row[j], sums[i][j]);
                        }
                    }
                }
                for i in 0..ROWS {
                    for j in 0..$vectors {
                        let at = to.add(i * t.c_stride + j * $width);
                        store(at, if t.add { add(load(at), sums[i][j]) } else { sums[i][j] });
                    }
                }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
kernel!(avx512_64, "avx512f", avx512, 4, 16);
#[cfg(target_arch = "x86_64")]
kernel!(avx512_32, "avx512f", avx512, 2, 16);
#[cfg(target_arch = "x86_64")]
kernel!(avx512_16, "avx512f", avx512, 1, 16);
#[cfg(target_arch = "x86_64")]
kernel!(avx2_16, "avx2,fma", avx2, 2, 8);

#[cfg(target_arch = "x86_64")]
mod avx512 {
    pub(super) use std::arch::x86_64::{
        _mm512_add_ps as add, _mm512_fmadd_ps as fma, _mm512_loadu_ps as load, _mm512_set1_ps as set,
        _mm512_setzero_ps as zero, _mm512_storeu_ps as store,
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    pub(super) use std::arch::x86_64::{
        _mm256_add_ps as add, _mm256_fmadd_ps as fma, _mm256_loadu_ps as load, _mm256_set1_ps as set,
        _mm256_setzero_ps as zero, _mm256_storeu_ps as store,
    };
}

unsafe fn scalar_16(rows: usize, t: &TileInputs, to: *mut f32) {
    for i in 0..rows {
        for j in 0..LANES {
            // SAFETY: the caller guarantees it.
            unsafe {
                let at = to.add(i * t.c_stride + j);
                let mut sum = 0.0;
                for k in 0..t.k {
                    sum = (*t.a.add(i * t.row_stride + k * t.column_stride)).mul_add(*t.b.add(k * t.n + j), sum);
                }
                *at = if t.add { *at + sum } else { sum };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::drawn;

    #[test]
    fn a_product_of_wide_matrices_adds_chains_of_128_terms_in_order() {
        let values = |n: usize, seed: u64| drawn(n, &seed.to_string());
        let [m, n, k] = [7, WIDE + 80, PIECE + 9];
        let (a, b, before) = (values(m * k, 1), values(k * n, 2), values(m * n, 3));
        for add in [false, true] {
            let (a, mut c) = (Matrix { values: &a, row_stride: k, column_stride: 1 }, before.clone());
            product(a, &b, &mut c, [m, n, k], add);
            for (i, value) in c.iter().enumerate() {
                let piece = |terms: std::ops::Range<usize>| {
                    terms.fold(0.0f32, |sum, p| a.values[i / n * k + p].mul_add(b[p * n + i % n], sum))
                };
                let (first, second) = (piece(0..PIECE), piece(PIECE..k));
                let first = if add { before[i] + first } else { first };
                assert_eq!(value.to_bits(), (first + second).to_bits(), "{i}, {add}");
            }
        }
    }

    #[test]
    fn every_value_is_a_chain_of_fused_multiply_additions() {
        let values = |n: usize, seed: u64| drawn(n, &seed.to_string());
        for [m, n, k] in [[1, 16, 1], [7, 80, 5], [36, 128, 64], [6, 64, 36], [13, 32, 9]] {
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            let before = values(m * n, 3);
            for (add, [row_stride, column_stride]) in [(false, [k, 1]), (true, [1, m])] {
                let mut c = before.clone();
                gemm(Matrix { values: &a, row_stride, column_stride }, &b, &mut c, [m, n, k], add);
                for i in 0..m {
                    for j in 0..n {
                        let sum = (0..k)
                            .fold(0.0f32, |sum, p| a[i * row_stride + p * column_stride].mul_add(b[p * n + j], sum));
                        let sum = if add { before[i * n + j] + sum } else { sum };
                        assert_eq!(sum.to_bits(), c[i * n + j].to_bits(), "{m} {n} {k} {i} {j}");
                    }
                }
            }
        }
    }
}
