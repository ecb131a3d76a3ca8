// Convolutions whose output channels read one input channel each: see src/arithmetic/kernels/layers/direct.rs.
//
// Taps outside the input are multiplied, too: they read 0. Output channel k reads input channel k / per_input.

// The window that a convolution moves over its input, as parameters of its kernels.
#define WINDOW                                                                                                                  \
    u32 kernel_height, u32 kernel_width, u32 stride_y, u32 stride_x, u32 above, u32 left, u32 dilation_y, u32 dilation_x
#define WINDOW_ARGUMENTS kernel_height, kernel_width, stride_y, stride_x, above, left, dilation_y, dilation_x

// Number of neighbouring pixels of a row that a thread computes.
#define DIRECT_PIXELS 4

// Adds the products of one row of a kernel to DIRECT_PIXELS pixels. `from` is the input row, and `first` the first
// pixel in it that they read.
template <u32 kernel>
__device__ __forceinline__ void direct_add_row(float (&sums)[DIRECT_PIXELS], const float* from, const float* weight, u32 first,
                                               u32 width, u32 channels, bool is_inside) {
    float values[DIRECT_PIXELS + kernel - 1];
#pragma unroll
    for (u32 i = 0; i < DIRECT_PIXELS + kernel - 1; i++) {
        values[i] = is_inside && first + i < width ? from[(first + i) * channels] : 0.0f;
    }
#pragma unroll
    for (u32 kx = 0; kx < kernel; kx++) {
        const float w = weight[kx];
#pragma unroll
        for (u32 p = 0; p < DIRECT_PIXELS; p++) {
            sums[p] = __fmaf_rn(values[p + kx], w, sums[p]);
        }
    }
}

// Each thread computes DIRECT_PIXELS pixels of a row of one channel. blockIdx.x counts the rows of all images.
extern "C" __global__ void __launch_bounds__(128)
direct_forward(const float* x, const float* weight, const float* bias, float* y, u32 height, u32 width, u32 channels, u32 out_height,
               u32 out_width, u32 out_channels, WINDOW) {
    const u32 job = blockIdx.y * blockDim.x + threadIdx.x;
    const u32 channel = job % out_channels, first = job / out_channels * DIRECT_PIXELS;
    if (first >= out_width) {
        return;
    }
    const u32 image = blockIdx.x / out_height, row = blockIdx.x % out_height;
    x += (u64)image * height * width * channels + channel / (out_channels / channels);
    weight += channel * kernel_height * kernel_width;
    float sums[DIRECT_PIXELS];
#pragma unroll
    for (u32 p = 0; p < DIRECT_PIXELS; p++) {
        sums[p] = bias == nullptr ? 0.0f : bias[channel];
    }
    if (kernel_height == 3 && kernel_width == 3 && stride_y == 1 && stride_x == 1 && dilation_y == 1 && dilation_x == 1) {
#pragma unroll
        for (u32 ky = 0; ky < 3; ky++) {
            // Above or left of the image, these unsigned numbers wrap around to huge ones.
            const u32 y_in = row + ky - above;
            direct_add_row<3>(sums, x + y_in * width * channels, weight + 3 * ky, first - left, width, channels, y_in < height);
        }
    } else {
        for (u32 ky = 0; ky < kernel_height; ky++) {
            const u32 y_in = row * stride_y + ky * dilation_y - above;
            for (u32 kx = 0; kx < kernel_width; kx++) {
                const float w = weight[ky * kernel_width + kx];
#pragma unroll
                for (u32 p = 0; p < DIRECT_PIXELS; p++) {
                    const u32 x_in = (first + p) * stride_x + kx * dilation_x - left;
                    const float value = y_in < height && x_in < width ? x[(y_in * width + x_in) * channels] : 0.0f;
                    sums[p] = __fmaf_rn(value, w, sums[p]);
                }
            }
        }
    }
    y += ((u64)blockIdx.x * out_width + first) * out_channels + channel;
#pragma unroll
    for (u32 p = 0; p < DIRECT_PIXELS; p++) {
        if (first + p < out_width) {
            y[p * out_channels] = sums[p];
        }
    }
}

// Writes the contribution of a row of outputs to the gradients of `DOWN` by `ACROSS` weights of one channel, the first
// of which is [ky, kx], and to the gradient of the bias: [rows][out_channels][taps] and [rows][out_channels]. If the
// window `SLIDES`, strides and dilations are 1, and each step to the next column reads only the window's new last column.
template <u32 DOWN, u32 ACROSS, bool SLIDES>
__device__ __forceinline__ void direct_row_gradients(const float* x, const float* gradient, float* weight_rows,
                                                     float* bias_rows, u32 height, u32 width, u32 channels, u32 out_width,
                                                     u32 out_channels, WINDOW, u32 out_row, u32 row, u32 channel, u32 ky,
                                                     u32 kx) {
    float chains[DOWN][ACROSS];
#pragma unroll
    for (u32 i = 0; i < DOWN; i++) {
#pragma unroll
        for (u32 j = 0; j < ACROSS; j++) {
            chains[i][j] = 0.0f;
        }
    }
    float bias_sum = 0.0f;
    gradient += (u64)row * out_width * out_channels + channel;
    auto read = [=](u32 i, u32 x_in) {
        const u32 y_in = out_row * stride_y + (ky + i) * dilation_y - above;
        return y_in < height && x_in < width ? x[(y_in * width + x_in) * channels] : 0.0f;
    };
    float window[DOWN][ACROSS];
    if (SLIDES) {
#pragma unroll
        for (u32 i = 0; i < DOWN; i++) {
#pragma unroll
            for (u32 j = 1; j < ACROSS; j++) {
                window[i][j] = read(i, kx + j - 1 - left);
            }
        }
    }
#pragma unroll (SLIDES ? 6 : 2)
    for (u32 column = 0; column < out_width; column++) {
        const float g = gradient[column * out_channels];
        bias_sum = __fadd_rn(bias_sum, g);
#pragma unroll
        for (u32 i = 0; i < DOWN; i++) {
#pragma unroll
            for (u32 j = 0; j < ACROSS; j++) {
                const bool has_it = SLIDES && j + 1 < ACROSS;
                window[i][j] = has_it ? window[i][j + 1] : read(i, column * stride_x + (kx + j) * dilation_x - left);
                chains[i][j] = __fmaf_rn(window[i][j], g, chains[i][j]);
            }
        }
    }
    if (ky == 0 && kx == 0) {
        bias_rows[(u64)row * out_channels + channel] = bias_sum;
    }
    weight_rows += ((u64)row * out_channels + channel) * kernel_height * kernel_width;
#pragma unroll
    for (u32 i = 0; i < DOWN; i++) {
#pragma unroll
        for (u32 j = 0; j < ACROSS; j++) {
            if (kx + j < kernel_width) {
                weight_rows[(ky + i) * kernel_width + kx + j] = chains[i][j];
            }
        }
    }
}

// Number of taps in a row that a thread computes if the kernel is not 3x3.
#define DIRECT_ACROSS 5

// Each thread computes all taps of a 3x3 kernel, or else up to DIRECT_ACROSS taps of a row of the kernel.
extern "C" __global__ void __launch_bounds__(128)
direct_backward_rows(const float* x, const float* gradient, float* weight_rows, float* bias_rows, u32 images, u32 height,
                     u32 width, u32 channels, u32 out_height, u32 out_width, u32 out_channels, WINDOW) {
    const u32 job = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 across = (kernel_width + DIRECT_ACROSS - 1) / DIRECT_ACROSS;
    const bool is_3x3 = kernel_height == 3 && kernel_width == 3;
    const u32 groups = is_3x3 ? 1 : kernel_height * across;
    const u32 channel = job % out_channels, group = job / out_channels % groups, row = job / out_channels / groups;
    if (row >= images * out_height) {
        return;
    }
    x += (u64)(row / out_height) * height * width * channels + channel / (out_channels / channels);
    const u32 out_row = row % out_height;
    if (is_3x3 && stride_y == 1 && stride_x == 1 && dilation_y == 1 && dilation_x == 1) {
        direct_row_gradients<3, 3, true>(x, gradient, weight_rows, bias_rows, height, width, channels, out_width, out_channels,
                                         WINDOW_ARGUMENTS, out_row, row, channel, 0, 0);
    } else if (is_3x3) {
        direct_row_gradients<3, 3, false>(x, gradient, weight_rows, bias_rows, height, width, channels, out_width, out_channels,
                                          WINDOW_ARGUMENTS, out_row, row, channel, 0, 0);
    } else {
        direct_row_gradients<1, DIRECT_ACROSS, false>(x, gradient, weight_rows, bias_rows, height, width, channels, out_width,
                                                      out_channels, WINDOW_ARGUMENTS, out_row, row, channel, group / across,
                                                      group % across * DIRECT_ACROSS);
    }
}

// The first output, along height or width, whose window includes the input at `input`, and the end of the range
// (exclusive). With a dilation, some of these outputs do not read the input.
__device__ __forceinline__ u32 first_reader(u32 input, u32 kernel, u32 stride, u32 padding, u32 dilation) {
    const u32 last = input + padding, reach = (kernel - 1) * dilation;
    return last < reach ? 0 : (last - reach + stride - 1) / stride;
}
__device__ __forceinline__ u32 end_of_readers(u32 input, u32 stride, u32 padding, u32 outputs) {
    return min((input + padding) / stride + 1, outputs);
}

extern "C" __global__ void __launch_bounds__(128)
direct_input_gradient(const float* gradient, const float* weight, float* dx, u32 images, u32 height, u32 width, u32 channels,
                      u32 out_height, u32 out_width, u32 out_channels, WINDOW) {
    const u32 job = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 channel = job % channels, column = job / channels % width, row = job / channels / width % height;
    const u32 image = job / channels / width / height;
    if (image >= images) {
        return;
    }
    const u32 per_input = out_channels / channels;
    const u32 first_y = first_reader(row, kernel_height, stride_y, above, dilation_y);
    const u32 first_x = first_reader(column, kernel_width, stride_x, left, dilation_x);
    const u32 end_y = end_of_readers(row, stride_y, above, out_height);
    const u32 end_x = end_of_readers(column, stride_x, left, out_width);
    gradient += (u64)image * out_height * out_width * out_channels;
    float total = 0.0f;
    for (u32 k = channel * per_input; k < (channel + 1) * per_input; k++) {
        float sum = 0.0f;
        for (u32 y = first_y; y < end_y; y++) {
            const u32 offset_y = row + above - y * stride_y, ky = offset_y / dilation_y;
            for (u32 x = first_x; x < end_x; x++) {
                const u32 offset_x = column + left - x * stride_x, kx = offset_x / dilation_x;
                if (ky * dilation_y != offset_y || kx * dilation_x != offset_x) {
                    continue;
                }
                const float g = gradient[(y * out_width + x) * out_channels + k];
                sum = __fmaf_rn(g, weight[(k * kernel_height + ky) * kernel_width + kx], sum);
            }
        }
        total = k == channel * per_input ? sum : __fadd_rn(total, sum);
    }
    dx[job] = total;
}
