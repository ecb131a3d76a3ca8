// The sum at the end of a residual block: see src/arithmetic/kernels/layers/residual.rs.

extern "C" __global__ void __launch_bounds__(256)
residual_sum(const float* __restrict__ x, const float* __restrict__ skip, float* __restrict__ y, u64 n) {
    FOR_EACH_VALUE(i, n) { y[i] = __fadd_rn(x[i], skip[i]); }
}

extern "C" __global__ void __launch_bounds__(256)
residual_add_to(const float* __restrict__ skip_gradient, float* __restrict__ input_gradient, u64 n) {
    FOR_EACH_VALUE(i, n) { input_gradient[i] = __fadd_rn(input_gradient[i], skip_gradient[i]); }
}
