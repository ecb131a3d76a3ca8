// The hyperbolic tangent: see src/arithmetic/kernels/layers/tanh.rs. CUDA has a function `tanh` of its
// own, so the kernel is `tanh_output`.

extern "C" __global__ void __launch_bounds__(256)
tanh_output(const float* __restrict__ x, float* __restrict__ y, u64 n) {
    FOR_EACH_VALUE(i, n) {
        y[i] = tanh_f32(x[i]);
    }
}

extern "C" __global__ void __launch_bounds__(256)
tanh_input_gradient(const float* __restrict__ y, const float* __restrict__ gradient, float* __restrict__ dx, u64 n) {
    FOR_EACH_VALUE(i, n) {
        float value = y[i];
        dx[i] = __fmul_rn(gradient[i], __fmaf_rn(-value, value, 1.0f));
    }
}
