// GELU: see src/arithmetic/kernels/layers/gelu.rs.

#define GELU_SQRT_HALF __uint_as_float(0x3f3504f3)
#define GELU_DENSITY_AT_0 __uint_as_float(0x3ecc422a)

extern "C" __global__ void __launch_bounds__(256)
gelu(const float* __restrict__ x, float* __restrict__ y, u64 n) {
    FOR_EACH_VALUE(i, n) {
        float value = x[i];
        y[i] = __fmul_rn(__fmul_rn(value, 0.5f), __fadd_rn(1.0f, erf_f32(__fmul_rn(value, GELU_SQRT_HALF))));
    }
}

extern "C" __global__ void __launch_bounds__(256)
gelu_input_gradient(const float* __restrict__ x, const float* __restrict__ gradient, float* __restrict__ dx, u64 n) {
    FOR_EACH_VALUE(i, n) {
        float value = x[i];
        float cdf = __fmul_rn(0.5f, __fadd_rn(1.0f, erf_f32(__fmul_rn(value, GELU_SQRT_HALF))));
        float density = __fmul_rn(exp_f32(__fmul_rn(__fmul_rn(value, value), -0.5f)), GELU_DENSITY_AT_0);
        dx[i] = __fmul_rn(gradient[i], __fmaf_rn(value, density, cdf));
    }
}
