// Leaky ReLU: see src/arithmetic/kernels/layers/leaky_relu.rs.

// Writes `values` where x > 0, and slope times `values` elsewhere. `x` and `values` may be the same.
extern "C" __global__ void __launch_bounds__(256)
leaky_relu(const float* x, const float* values, float slope, float* __restrict__ out, u64 n) {
    FOR_EACH_VALUE(i, n) {
        float value = values[i];
        out[i] = x[i] > 0.0f ? value : __fmul_rn(value, slope);
    }
}
