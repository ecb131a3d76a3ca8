// `exp`, `log`, `erf`, `tanh` and `sigmoid` of f32: the same steps as in src/arithmetic/kernels/functions.rs, which explains them.

#define ROUND __uint_as_float(0x4b400000)
#define LOG2_E __uint_as_float(0x3fb8aa3b)
#define LN_2_HIGH __uint_as_float(0x3f317200)
#define LN_2_LOW __uint_as_float(0x35bfbe8e)
#define EXP_LOWEST __uint_as_float(0xc2d00000)
#define EXP_HIGHEST __uint_as_float(0x42b20000)
#define TWO_23 __uint_as_float(0x4b000000)
#define SMALLEST_NORMAL __uint_as_float(0x00800000)
#define SQRT_HALF_BITS 0x3f3504f3
#define POSITIVE_INFINITY __uint_as_float(0x7f800000)
#define NEGATIVE_INFINITY __uint_as_float(0xff800000)
#define NOT_A_NUMBER __uint_as_float(0x7fc00000)
#define ERF_NEAR __uint_as_float(0x3f700000)
#define ERF_HIGHEST __uint_as_float(0x40800000)
#define TANH_NEAR __uint_as_float(0x3f200000)

// A step of Horner's rule: the coefficient with these bits.
__device__ float horner(float sum, float x, u32 coefficient) { return __fmaf_rn(sum, x, __uint_as_float(coefficient)); }

// 2^n for n from -126 to 127.
__device__ float power_of_two(int n) { return __uint_as_float(((u32)n + 127) << 23); }

// e^x.
__device__ float exp_f32(float x) {
    x = x < EXP_LOWEST ? EXP_LOWEST : x;
    x = x > EXP_HIGHEST ? EXP_HIGHEST : x;
    float rounded = __fmaf_rn(x, LOG2_E, ROUND);
    float integer = __fsub_rn(rounded, ROUND);
    int n = (int)(__float_as_uint(rounded) - __float_as_uint(ROUND));
    float r = __fmaf_rn(integer, -LN_2_LOW, __fmaf_rn(integer, -LN_2_HIGH, x));
    float p = __uint_as_float(0x3ab525d1);
    p = horner(p, r, 0x3c091cd0);
    p = horner(p, r, 0x3d2aac59);
    p = horner(p, r, 0x3e2aaa49);
    p = horner(p, r, 0x3efffffe);
    float power = __fadd_rn(__fmaf_rn(__fmul_rn(r, r), p, r), 1.0f);
    int lower = n >> 1;
    return __fmul_rn(__fmul_rn(power, power_of_two(lower)), power_of_two((int)((u32)n - (u32)lower)));
}

// The natural logarithm.
__device__ float log_f32(float x) {
    bool is_subnormal = x < SMALLEST_NORMAL;
    float scaled = is_subnormal ? __fmul_rn(x, TWO_23) : x;
    float shift = is_subnormal ? -23.0f : 0.0f;
    int exponent = (int)(__float_as_uint(scaled) - SQRT_HALF_BITS) >> 23;
    float f = __fsub_rn(__uint_as_float(__float_as_uint(scaled) - ((u32)exponent << 23)), 1.0f);
    float e = __fadd_rn(__int2float_rn(exponent), shift);
    float square = __fmul_rn(f, f);
    float p = __uint_as_float(0xbd9c6484);
    p = horner(p, f, 0x3e02af4b);
    p = horner(p, f, 0xbe06c125);
    p = horner(p, f, 0x3e116c99);
    p = horner(p, f, 0xbe2a3945);
    p = horner(p, f, 0x3e4cd00e);
    p = horner(p, f, 0xbe800113);
    p = horner(p, f, 0x3eaaaaaa);
    float y = __fmul_rn(__fmul_rn(p, f), square);
    y = __fmaf_rn(e, LN_2_LOW, y);
    y = __fmaf_rn(square, -0.5f, y);
    y = __fmaf_rn(e, LN_2_HIGH, __fadd_rn(f, y));
    y = x < POSITIVE_INFINITY ? y : x;
    y = x == 0.0f ? NEGATIVE_INFINITY : y;
    return x < 0.0f ? NOT_A_NUMBER : y;
}

// The error function.
__device__ float erf_f32(float x) {
    float t = __uint_as_float(__float_as_uint(x) & 0x7fffffff);
    float square = __fmul_rn(x, x);
    float p = __uint_as_float(0xba1b5e2c);
    p = horner(p, square, 0x3ba33766);
    p = horner(p, square, 0xbcdb3515);
    p = horner(p, square, 0x3de70c2e);
    p = horner(p, square, 0xbec0936e);
    p = horner(p, square, 0x3e0375d3);
    float near = __fmaf_rn(p, x, x);
    t = t > ERF_HIGHEST ? ERF_HIGHEST : t;
    float q = __uint_as_float(0x3746d658);
    q = horner(q, t, 0xb9ac82a9);
    q = horner(q, t, 0x3b706142);
    q = horner(q, t, 0xbcc319fd);
    q = horner(q, t, 0x3dd9b3c0);
    q = horner(q, t, 0x3f2296c5);
    q = horner(q, t, 0x3e03bee9);
    float far = __fsub_rn(1.0f, exp_f32(-__fmaf_rn(q, t, t)));
    far = __uint_as_float((__float_as_uint(far) & 0x7fffffff) | (__float_as_uint(x) & 0x80000000));
    return t < ERF_NEAR ? near : far;
}

// The hyperbolic tangent.
__device__ float tanh_f32(float x) {
    float t = __uint_as_float(__float_as_uint(x) & 0x7fffffff);
    float square = __fmul_rn(t, t);
    float p = __uint_as_float(0xbbba8672);
    p = horner(p, square, 0x3ca8fc67);
    p = horner(p, square, 0xbd5c1ad2);
    p = horner(p, square, 0x3e08837b);
    p = horner(p, square, 0xbeaaaa99);
    float near = __fmaf_rn(__fmul_rn(p, square), t, t);
    float far = __fsub_rn(1.0f, __fdiv_rn(2.0f, __fadd_rn(exp_f32(__fmul_rn(2.0f, t)), 1.0f)));
    float y = t < TANH_NEAR ? near : far;
    return __uint_as_float((__float_as_uint(y) & 0x7fffffff) | (__float_as_uint(x) & 0x80000000));
}

// The logistic function.
__device__ float sigmoid_f32(float x) {
    float power = exp_f32(__uint_as_float(__float_as_uint(x) | 0x80000000));
    return __fdiv_rn(x < 0.0f ? power : 1.0f, __fadd_rn(1.0f, power));
}

// All of them, for comparisons with the CPU.
extern "C" __global__ void __launch_bounds__(256)
functions(const float* __restrict__ x, float* __restrict__ exps, float* __restrict__ logs, float* __restrict__ erfs,
          float* __restrict__ tanhs, float* __restrict__ sigmoids, u64 n) {
    FOR_EACH_VALUE(i, n) {
        exps[i] = exp_f32(x[i]);
        logs[i] = log_f32(x[i]);
        erfs[i] = erf_f32(x[i]);
        tanhs[i] = tanh_f32(x[i]);
        sigmoids[i] = sigmoid_f32(x[i]);
    }
}
