// Global average pooling: see src/arithmetic/kernels/layers/global_avg_pool.rs.

// The mean of each channel of each image. `count` is the number of pixels. Blocks: images, groups of `lanes` channels.
extern "C" __global__ void __launch_bounds__(256)
global_avg_pool(const float* __restrict__ x, float* __restrict__ y, u32 channels, u32 pixels, float count, u32 lanes) {
    __shared__ float chains[SHARED_SUMS];
    u32 channel = blockIdx.y * lanes + threadIdx.x % lanes;
    const float* image = x + (u64)blockIdx.x * pixels * channels + channel;
    float total[1];
    auto term = [=](u32 pixel, float(&sum)[1]) { sum[0] = __fadd_rn(sum[0], image[(u64)pixel * channels]); };
    channel_sums<1>(chains, pixels, lanes, channel < channels, term, total);
    if (threadIdx.x < lanes && channel < channels) {
        y[(u64)blockIdx.x * channels + channel] = __fdiv_rn(total[0], count);
    }
}

extern "C" __global__ void __launch_bounds__(256)
global_avg_pool_input_gradient(const float* __restrict__ gradient, float* __restrict__ dx, u32 channels, u32 pixels, float count,
                               u32 in_pixels, u32 lanes) {
    u32 in = pixel_of_thread(lanes);
    if (in >= in_pixels) {
        return;
    }
    u64 image = in / pixels;
    for (u32 channel = lane_of_thread(lanes); channel < channels; channel += lanes) {
        dx[(u64)in * channels + channel] = __fdiv_rn(gradient[image * channels + channel], count);
    }
}
