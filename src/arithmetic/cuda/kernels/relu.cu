// ReLU: see src/arithmetic/kernels/layers/relu.rs.

extern "C" __global__ void __launch_bounds__(256)
relu(const float* __restrict__ x, float* __restrict__ y, u64 n) {
    FOR_EACH_VALUE(i, n) {
        float value = x[i];
        y[i] = value <= 0.0f ? 0.0f : value;
    }
}

extern "C" __global__ void __launch_bounds__(256)
relu_input_gradient(const float* __restrict__ y, const float* __restrict__ gradient, float* __restrict__ dx, u64 n) {
    FOR_EACH_VALUE(i, n) {
        float g = gradient[i];
        dx[i] = y[i] <= 0.0f ? 0.0f : g;
    }
}
