// The logistic function: see src/arithmetic/kernels/layers/sigmoid.rs.

extern "C" __global__ void __launch_bounds__(256)
sigmoid(const float* __restrict__ x, float* __restrict__ y, u64 n) {
    FOR_EACH_VALUE(i, n) {
        y[i] = sigmoid_f32(x[i]);
    }
}

extern "C" __global__ void __launch_bounds__(256)
sigmoid_input_gradient(const float* __restrict__ y, const float* __restrict__ gradient, float* __restrict__ dx, u64 n) {
    FOR_EACH_VALUE(i, n) {
        float value = y[i];
        dx[i] = __fmul_rn(gradient[i], __fmul_rn(__fsub_rn(1.0f, value), value));
    }
}
