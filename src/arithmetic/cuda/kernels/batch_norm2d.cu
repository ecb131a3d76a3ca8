// Batch normalisation. Sums over an image are f32, sums over the images f64: see
// src/arithmetic/kernels/layers/batch_norm2d.rs.

// A value before ReLU, from its deviation from the mean.
__device__ float scaled(float deviation, float scale, float bias) { return __fmaf_rn(deviation, scale, bias); }

// For each image: the mean of each channel, then the sum of squared deviations from that mean. `count` is the number of
// pixels. Blocks: images, groups of `lanes` channels.
extern "C" __global__ void __launch_bounds__(256)
batch_norm2d_image_moments(const float* __restrict__ x, float* __restrict__ per_image, u32 channels, u32 pixels, float count,
                           u32 lanes) {
    __shared__ float chains[SHARED_SUMS];
    __shared__ float means[32];
    u32 lane = threadIdx.x % lanes, channel = blockIdx.y * lanes + lane;
    bool inside = channel < channels, writes = inside && threadIdx.x < lanes;
    const float* image = x + (u64)blockIdx.x * pixels * channels + channel;
    float* out = per_image + (u64)blockIdx.x * 2 * channels + channel;
    float total[1];
    auto plain = [=](u32 pixel, float(&sum)[1]) { sum[0] = __fadd_rn(sum[0], image[(u64)pixel * channels]); };
    channel_sums<1>(chains, pixels, lanes, inside, plain, total);
    if (threadIdx.x < lanes) {
        means[lane] = __fdiv_rn(total[0], count);
    }
    __syncthreads();
    float mean = means[lane];
    if (writes) {
        out[0] = mean;
    }
    auto square = [=](u32 pixel, float(&sum)[1]) {
        float deviation = __fsub_rn(image[(u64)pixel * channels], mean);
        sum[0] = __fmaf_rn(deviation, deviation, sum[0]);
    };
    channel_sums<1>(chains, pixels, lanes, inside, square, total);
    if (writes) {
        out[channels] = total[0];
    }
}

// The two values of image i for a channel.
struct TwoValues {
    float first, second;
};
__device__ __forceinline__ TwoValues two_values(const float* values, u32 i, u32 channels) {
    return {values[(u64)i * 2 * channels], values[(u64)i * 2 * channels + channels]};
}

// Combines the images' moments: writes each channel's mean and 1 / sqrt(variance + eps), and updates the running mean
// and variance. `pixels` is the number of pixels in an image, `count` the number of images, `all` the number of pixels
// in all images, and `unbiased` is `all` - 1.
extern "C" __global__ void __launch_bounds__(32)
batch_norm2d_moments(const float* __restrict__ per_image, u32 images, u32 channels, double pixels, double count, double all,
                     double unbiased, double eps, double momentum, double one_minus_momentum, float* __restrict__ mean_out,
                     float* __restrict__ inverse_out, float* __restrict__ running_mean, float* __restrict__ running_var) {
    u32 channel = blockIdx.x * 32 + threadIdx.x;
    if (channel >= channels) {
        return;
    }
    const float* values = per_image + channel;
    double sum = 0.0;
    in_order(0, images, [=](u32 i) { return values[(u64)i * 2 * channels]; },
             [&](float image_mean) { sum = __dadd_rn(sum, (double)image_mean); });
    double mean = __ddiv_rn(sum, count);
    auto load = [=](u32 i) { return two_values(values, i, channels); };
    double squares = 0.0;
    in_order(0, images, load, [&](TwoValues of_image) {
        double deviation = __dsub_rn((double)of_image.first, mean);
        squares = __dadd_rn(squares, (double)of_image.second);
        squares = __dadd_rn(squares, __dmul_rn(__dmul_rn(pixels, deviation), deviation));
    });
    float narrow_mean = __double2float_rn(mean);
    float variance = __double2float_rn(__ddiv_rn(squares, unbiased));
    mean_out[channel] = narrow_mean;
    inverse_out[channel] = __double2float_rn(__ddiv_rn(1.0, __dsqrt_rn(__dadd_rn(__ddiv_rn(squares, all), eps))));
    running_mean[channel] = __double2float_rn(__dadd_rn(__dmul_rn(one_minus_momentum, (double)running_mean[channel]),
                                                        __dmul_rn(momentum, (double)narrow_mean)));
    running_var[channel] = __double2float_rn(__dadd_rn(__dmul_rn(one_minus_momentum, (double)running_var[channel]),
                                                       __dmul_rn(momentum, (double)variance)));
}

// 1 / sqrt(variance + eps), for evaluations.
extern "C" __global__ void __launch_bounds__(32)
batch_norm2d_inverse(const float* __restrict__ variance, double eps, float* __restrict__ inverse, u32 channels) {
    u32 channel = blockIdx.x * 32 + threadIdx.x;
    if (channel < channels) {
        inverse[channel] = __double2float_rn(__ddiv_rn(1.0, __dsqrt_rn(__dadd_rn((double)variance[channel], eps))));
    }
}

// y = (x - mean) (inverse weight) + bias, the last two operations fused, then ReLU if `relu`.
extern "C" __global__ void __launch_bounds__(256)
batch_norm2d_normalise(const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ inverse,
                       const float* __restrict__ weight, const float* __restrict__ bias, u32 relu, float* __restrict__ y,
                       u32 channels, u32 pixels, u32 lanes) {
    u32 pixel = pixel_of_thread(lanes);
    if (pixel >= pixels) {
        return;
    }
    for (u32 channel = lane_of_thread(lanes); channel < channels; channel += lanes) {
        u64 i = (u64)pixel * channels + channel;
        float scale = __fmul_rn(weight[channel], inverse[channel]);
        float value = scaled(__fsub_rn(x[i], mean[channel]), scale, bias[channel]);
        y[i] = relu && value <= 0.0f ? 0.0f : value;
    }
}

// For each image: the sum of the gradient of each channel, then the sum of its products with x - mean. Blocks as in
// batch_norm2d_image_moments.
extern "C" __global__ void __launch_bounds__(256)
batch_norm2d_image_sums(const float* __restrict__ x, const float* __restrict__ gradient, const float* __restrict__ mean,
                        const float* __restrict__ inverse, const float* __restrict__ weight, const float* __restrict__ bias, u32 relu,
                        float* __restrict__ per_image, u32 channels, u32 pixels, u32 lanes) {
    __shared__ float chains[2 * SHARED_SUMS];
    u32 channel = blockIdx.y * lanes + threadIdx.x % lanes;
    bool inside = channel < channels;
    u64 image = (u64)blockIdx.x * pixels * channels + channel;
    float center = inside ? mean[channel] : 0.0f;
    float scale = inside ? __fmul_rn(weight[channel], inverse[channel]) : 0.0f;
    float offset = inside ? bias[channel] : 0.0f;
    float totals[2];
    auto term = [=](u32 pixel, float(&sums)[2]) {
        u64 i = image + (u64)pixel * channels;
        float deviation = __fsub_rn(x[i], center);
        float g = gradient[i];
        g = relu && scaled(deviation, scale, offset) <= 0.0f ? 0.0f : g;
        sums[0] = __fadd_rn(sums[0], g);
        sums[1] = __fmaf_rn(g, deviation, sums[1]);
    };
    channel_sums<2>(chains, pixels, lanes, inside, term, totals);
    if (inside && threadIdx.x < lanes) {
        float* out = per_image + (u64)blockIdx.x * 2 * channels + channel;
        out[0] = totals[0];
        out[channels] = totals[1];
    }
}

// Adds the images' sums: writes each channel's mean gradient and slope, and the gradients of weight and bias. `all` is
// the number of pixels in all images.
extern "C" __global__ void __launch_bounds__(32)
batch_norm2d_terms(const float* __restrict__ per_image, const float* __restrict__ inverse, u32 images, u32 channels, double all,
                   float* __restrict__ mean_gradient, float* __restrict__ slope, float* __restrict__ weight_gradient,
                   float* __restrict__ bias_gradient) {
    u32 channel = blockIdx.x * 32 + threadIdx.x;
    if (channel >= channels) {
        return;
    }
    const float* values = per_image + channel;
    double plain = 0.0, product = 0.0;
    in_order(0, images, [=](u32 i) { return two_values(values, i, channels); }, [&](TwoValues of_image) {
        plain = __dadd_rn(plain, (double)of_image.first);
        product = __dadd_rn(product, (double)of_image.second);
    });
    double wide = (double)inverse[channel];
    mean_gradient[channel] = __double2float_rn(__ddiv_rn(plain, all));
    slope[channel] = __double2float_rn(__ddiv_rn(__dmul_rn(__dmul_rn(product, wide), wide), all));
    bias_gradient[channel] = __double2float_rn(plain);
    weight_gradient[channel] = __double2float_rn(__dmul_rn(product, wide));
}

// dx = scale (gradient - mean gradient - (x - mean) slope), with a fused multiply-addition for the last difference.
extern "C" __global__ void __launch_bounds__(256)
batch_norm2d_input_gradient(const float* __restrict__ x, const float* __restrict__ gradient, const float* __restrict__ mean,
                            const float* __restrict__ inverse, const float* __restrict__ weight, const float* __restrict__ bias,
                            const float* __restrict__ mean_gradient, const float* __restrict__ slope, u32 relu, float* __restrict__ dx,
                            u32 channels, u32 pixels, u32 lanes) {
    u32 pixel = pixel_of_thread(lanes);
    if (pixel >= pixels) {
        return;
    }
    for (u32 channel = lane_of_thread(lanes); channel < channels; channel += lanes) {
        u64 i = (u64)pixel * channels + channel;
        float scale = __fmul_rn(weight[channel], inverse[channel]);
        float deviation = __fsub_rn(x[i], mean[channel]);
        float g = gradient[i];
        g = relu && scaled(deviation, scale, bias[channel]) <= 0.0f ? 0.0f : g;
        dx[i] = __fmul_rn(scale, __fmaf_rn(-deviation, slope[channel], __fsub_rn(g, mean_gradient[channel])));
    }
}
