//! `exp`, `log`, `erf`, `tanh` and `sigmoid` of f32 as fixed sequences of additions, multiplications, divisions and fused
//! multiply-additions, so every CPU and GPU gives the same bits. A C library's functions differ between versions in the
//! last bit.
//!
//! The functions have no branches: they compute both alternatives and select one. A loop inside `vectorised!` computes
//! them for 8 or 16 values at a time. The polynomials are minimax fits (Lawson's algorithm) whose coefficients were
//! rounded to f32 one after the other, from the lowest power up.

/// Constants as bit patterns, so that they do not depend on how a compiler parses decimals. The comments give the
/// decimals.
mod constants {
    const fn f(bits: u32) -> f32 {
        f32::from_bits(bits)
    }

    /// 1.5 * 2^23. Adding it to a value between -2^22 and 2^22 rounds the value to an integer, half to even.
    pub(super) const ROUND: f32 = f(0x4b40_0000);
    /// 1 / ln 2 = 1.44269502.
    pub(super) const LOG2_E: f32 = f(0x3fb8_aa3b);
    /// The first 16 bits of ln 2, 0.693145752. Its product with an exponent is exact.
    pub(super) const LN_2_HIGH: f32 = f(0x3f31_7200);
    /// The rest of ln 2, 1.42860677e-6.
    pub(super) const LN_2_LOW: f32 = f(0x35bf_be8e);
    /// `exp` is computed between these values, -104 and 89; below, the result is 0, and above, infinity.
    pub(super) const EXP_RANGE: [f32; 2] = [f(0xc2d0_0000), f(0x42b2_0000)];
    /// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2: 0.49999994, 0.166665211, 0.0416682698, 0.00836868584, 0.00138204743.
    pub(super) const EXP: [f32; 5] = [f(0x3eff_fffe), f(0x3e2a_aa49), f(0x3d2a_ac59), f(0x3c09_1cd0), f(0x3ab5_25d1)];
    /// 2^23, which makes every subnormal number normal.
    pub(super) const TWO_23: f32 = f(0x4b00_0000);
    /// sqrt(1/2) = 0.707106769.
    pub(super) const SQRT_HALF: u32 = 0x3f35_04f3;
    /// (log(1 + f) - f + f^2 / 2) / f^3 for sqrt(1/2) <= 1 + f <= sqrt(2): 0.333333313, -0.250008196, 0.200012416,
    /// -0.166234091, 0.14201583, -0.131596163, 0.127621815, -0.0763635933.
    pub(super) const LOG: [f32; 8] = [
        f(0x3eaa_aaaa),
        f(0xbe80_0113),
        f(0x3e4c_d00e),
        f(0xbe2a_3945),
        f(0x3e11_6c99),
        f(0xbe06_c125),
        f(0x3e02_af4b),
        f(0xbd9c_6484),
    ];
    /// `erf` is computed by one formula below 15/16 and by another above it; from 4 on, it is 1.
    pub(super) const ERF_RANGE: [f32; 2] = [f(0x3f70_0000), f(0x4080_0000)];
    /// erf(x) / x - 1 as a polynomial in x^2, for |x| <= 15/16: 0.128379151, -0.376124799, 0.1128162, -0.0267587099,
    /// 0.00498096924, -0.000592681346.
    pub(super) const ERF: [f32; 6] =
        [f(0x3e03_75d3), f(0xbec0_936e), f(0x3de7_0c2e), f(0xbcdb_3515), f(0x3ba3_3766), f(0xba1b_5e2c)];
    /// -log(1 - erf(x)) / x - 1 for 15/16 <= x <= 4: 0.128657952, 0.63511306, 0.106299877, -0.0238161031,
    /// 0.00366790639, -0.000329037459, 1.18516255e-5.
    pub(super) const ERF_TAIL: [f32; 7] = [
        f(0x3e03_bee9),
        f(0x3f22_96c5),
        f(0x3dd9_b3c0),
        f(0xbcc3_19fd),
        f(0x3b70_6142),
        f(0xb9ac_82a9),
        f(0x3746_d658),
    ];
    /// `tanh` is computed by one formula below 5/8 and by another above it.
    pub(super) const TANH_RANGE: f32 = f(0x3f20_0000);
    /// (tanh(x) / x - 1) / x^2 as a polynomial in x^2, for |x| <= 5/8: -0.333332807, 0.133314058, -0.0537365153,
    /// 0.0206281673, -0.00569229666.
    pub(super) const TANH: [f32; 5] = [f(0xbeaa_aa99), f(0x3e08_837b), f(0xbd5c_1ad2), f(0x3ca8_fc67), f(0xbbba_8672)];
}
use constants::{
    ERF, ERF_RANGE, ERF_TAIL, EXP, EXP_RANGE, LN_2_HIGH, LN_2_LOW, LOG, LOG2_E, ROUND, SQRT_HALF, TANH, TANH_RANGE,
    TWO_23,
};

/// The polynomial with these coefficients, lowest power first, by Horner's rule with fused multiply-additions.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        sum = sum.mul_add(x, coefficients[i]);
    }
    sum
}

/// 2^n for n from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// e^x. The largest measured error is 0.998 ulp. The result is infinity from 88.72284 on and 0 below -103.97208.
/// Subnormal results are rounded, not flushed to 0. NaN gives NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Both comparisons are false for NaN, which stays NaN.
    let x = if x < EXP_RANGE[0] { EXP_RANGE[0] } else { x };
    let x = if x > EXP_RANGE[1] { EXP_RANGE[1] } else { x };
    // x = n ln 2 + r, and n is the integer nearest to x / ln 2, half to even. When n grows by 1, the bits of `rounded`
    // grow by 1.
    let rounded = x.mul_add(LOG2_E, ROUND);
    let integer = rounded - ROUND;
    let n = rounded.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let r = integer.mul_add(-LN_2_LOW, integer.mul_add(-LN_2_HIGH, x));
    let power = (r * r).mul_add(polynomial(r, EXP), r) + 1.0;
    // In two steps, because 2^n itself may be too large or too small for an f32. Only the last multiplication can
    // round.
    let half = n >> 1;
    power * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// The natural logarithm. The largest measured error is 0.842 ulp. Subnormal arguments are as precise as others. 0 and
/// -0 give minus infinity, negative numbers and NaN give NaN, infinity gives infinity.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let is_subnormal = x < f32::MIN_POSITIVE;
    let scaled = if is_subnormal { x * TWO_23 } else { x };
    let shift = if is_subnormal { -23.0 } else { 0.0 };
    // x = 2^e (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).
    let e = (scaled.to_bits().wrapping_sub(SQRT_HALF) as i32) >> 23;
    let f = f32::from_bits(scaled.to_bits().wrapping_sub((e as u32) << 23)) - 1.0;
    let e = e as f32 + shift;
    let square = f * f;
    let y = polynomial(f, LOG) * f * square;
    let y = e.mul_add(LN_2_LOW, y);
    let y = square.mul_add(-0.5, y);
    let y = e.mul_add(LN_2_HIGH, f + y);
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 { f32::NAN } else { y }
}

/// The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x. The largest measured error is 1.086
/// ulp. erf(-x) = -erf(x), also in the sign of 0. NaN gives NaN.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let t = x.abs();
    let near = polynomial(x * x, ERF).mul_add(x, x);
    let t = if t > ERF_RANGE[1] { ERF_RANGE[1] } else { t };
    let far = 1.0 - exp(-polynomial(t, ERF_TAIL).mul_add(t, t));
    if t < ERF_RANGE[0] { near } else { far.copysign(x) }
}

/// The hyperbolic tangent. The largest measured error is 1.326 ulp. tanh(-x) = -tanh(x), also in the sign of 0. NaN
/// gives NaN.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let t = x.abs();
    let square = t * t;
    let near = (polynomial(square, TANH) * square).mul_add(t, t);
    // tanh(t) = 1 - 2 / (e^2t + 1)
    let far = 1.0 - 2.0 / (exp(2.0 * t) + 1.0);
    let y = if t < TANH_RANGE { near } else { far };
    y.copysign(x)
}

/// The logistic function, 1 / (1 + e^-x). The largest measured error is 2.324 ulp, also where the result is
/// subnormal. NaN gives NaN.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    // e^-|x| is at most 1, so nothing overflows. Below 0, the result is e^x / (1 + e^x).
    let power = exp(-x.abs());
    let numerator = if x < 0.0 { power } else { 1.0 };
    numerator / (1.0 + power)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::simd::{InstructionSet, choosing, use_instruction_set, vectorised, widest};

    vectorised! {
        fn all_functions(x: &[f32], y: &mut [[f32; 5]]) {
            for (x, y) in x.iter().zip(y) {
                *y = [exp(*x), log(*x), erf(*x), tanh(*x), sigmoid(*x)];
            }
        }
    }

    /// Values of every exponent and sign, and more of them where the functions vary: around 1, in [-105, 90] and in
    /// [-4.2, 4.2].
    fn sample() -> Vec<f32> {
        let every_exponent = (0..=u32::MAX).step_by(509).map(f32::from_bits);
        let near_one = (0x3f00_0000..0x4000_0000).step_by(7).map(f32::from_bits);
        let even = |from: f64, to: f64| (0..2_000_003).map(move |i| (from + (to - from) * f64::from(i) / 2e6) as f32);
        let special = [0.0, -0.0, 1.0, 88.722_84, 88.722_83, -103.972_08, -87.336_55, f32::INFINITY, f32::NEG_INFINITY];
        every_exponent.chain(near_one).chain(even(-105.0, 90.0)).chain(even(-4.2, 4.2)).chain(special).collect()
    }

    /// The difference in units in the last place of an f32 of the true value's size; infinity counts as 2^128.
    fn ulps(got: f32, exact: f64) -> f64 {
        if got.is_nan() && exact.is_nan() || f64::from(got) == exact {
            return 0.0;
        }
        let got = if got.is_infinite() { f64::from(got.signum()) * 2f64.powi(128) } else { f64::from(got) };
        let exact = if exact.abs() > 2f64.powi(128) { exact.signum() * 2f64.powi(128) } else { exact };
        let exponent = ((exact.abs().to_bits() >> 52) as i32 - 1023).clamp(-126, 127);
        (got - exact).abs() / 2f64.powi(exponent - 23)
    }

    #[test]
    fn errors_are_at_most_those_of_the_docs() {
        let x = sample();
        let mut y = vec![[0.0; 5]; x.len()];
        all_functions(&x, &mut y);
        let mut largest = [(0.0, 0.0); 5];
        let logistic = |x: f64| if x < 0.0 { libm::exp(x) / (1.0 + libm::exp(x)) } else { 1.0 / (1.0 + libm::exp(-x)) };
        let functions: [fn(f64) -> f64; 5] = [libm::exp, libm::log, libm::erf, libm::tanh, logistic];
        for (x, y) in x.iter().zip(&y) {
            let exact = functions.map(|function| function(f64::from(*x)));
            for i in 0..5 {
                let error = ulps(y[i], exact[i]);
                assert!(!error.is_nan(), "function {i} of {x}: {} instead of {}", y[i], exact[i]);
                if error > largest[i].0 {
                    largest[i] = (error, *x);
                }
            }
        }
        println!("{} values, largest errors (ulp, at): {largest:?}", x.len());
        for ((error, x), allowed) in largest.into_iter().zip([0.998, 0.842, 1.086, 1.326, 2.324]) {
            assert!(error <= allowed, "{error} ulp at {x}, allowed {allowed}");
        }
    }

    /// Published bundles depend on these bits.
    #[test]
    fn every_instruction_set_gives_the_recorded_bits() {
        let _guard = choosing();
        let x: Vec<f32> = sample().into_iter().step_by(3).collect();
        let expected: Vec<[f32; 5]> = x.iter().map(|x| [exp(*x), log(*x), erf(*x), tanh(*x), sigmoid(*x)]).collect();
        let bits = |v: f32| if v.is_nan() { u32::MAX } else { v.to_bits() };
        for vectors in [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512] {
            if use_instruction_set(vectors) {
                let mut y = vec![[0.0; 5]; x.len()];
                all_functions(&x, &mut y);
                assert!(y.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| bits(*a) == bits(*b)));
            }
        }
        use_instruction_set(widest());
        // FNV-1a of the bits of some of the functions.
        let hash = |functions: Range<usize>| {
            let values = expected.iter().flat_map(|y| &y[functions.clone()]);
            let hash = values.fold(0xcbf2_9ce4_8422_2325u64, |hash, v| {
                (hash ^ u64::from(bits(*v))).wrapping_mul(0x0000_0100_0000_01b3)
            });
            format!("{hash:016x}")
        };
        assert_eq!([hash(0..3), hash(3..5)], ["10b425b291859716", "74c90bd72be55cca"]);
    }

    #[test]
    fn special_values_are_those_of_the_mathematical_functions() {
        let (infinity, tiny) = (f32::INFINITY, f32::from_bits(1));
        assert_eq!([exp(0.0), exp(-0.0), exp(infinity), exp(-infinity)], [1.0, 1.0, infinity, 0.0]);
        assert_eq!([exp(88.722_84), exp(-103.972_08), exp(-103.972_09)], [infinity, tiny, 0.0]);
        assert!(exp(88.722_83).is_finite() && exp(f32::NAN).is_nan());
        assert_eq!([log(1.0), log(0.0), log(-0.0), log(infinity)], [0.0, -infinity, -infinity, infinity]);
        assert!(log(-tiny).is_nan() && log(-infinity).is_nan() && log(f32::NAN).is_nan());
        assert_eq!(log(tiny), -103.278_93);
        assert_eq!([erf(infinity), erf(-infinity), erf(4.0), erf(-4.0)], [1.0, -1.0, 1.0, -1.0]);
        assert_eq!([erf(-0.0).to_bits(), erf(tiny).to_bits()], [(-0.0f32).to_bits(), 1]);
        assert!(erf(f32::NAN).is_nan());
        assert_eq!([tanh(infinity), tanh(-infinity), tanh(10.0), tanh(-10.0)], [1.0, -1.0, 1.0, -1.0]);
        assert_eq!([tanh(-0.0).to_bits(), tanh(tiny).to_bits()], [(-0.0f32).to_bits(), 1]);
        assert_eq!([sigmoid(infinity), sigmoid(-infinity), sigmoid(0.0), sigmoid(-0.0)], [1.0, 0.0, 0.5, 0.5]);
        assert_eq!(sigmoid(-103.0), exp(-103.0));
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }
}
