// Convolutions as matrix products: see src/arithmetic/kernels/layers/im2col.rs. Unlike there, the rows of values that
// output pixels read are not copied: the product reads them from the images.

// Writes two values for each output pixel of all images: the index in x at which its image begins; and the row and
// column of the image at which its kernel begins, as two 16-bit integers, negative in the padding.
extern "C" __global__ void __launch_bounds__(256)
im2col_pixels(u32* pixels, u32 count, u32 image_len, u32 out_height, u32 out_width, WINDOW) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) {
        return;
    }
    const u32 row = i / out_width % out_height * stride_y - above, column = i % out_width * stride_x - left;
    pixels[2 * i] = i / out_width / out_height * image_len;
    pixels[2 * i + 1] = row << 16 | (column & 0xffff);
}

// The value of an input channel that an output pixel reads `down` rows and `across` columns from where its kernel begins,
// or 0 outside the image. `base` and `corner` are the two values that im2col_pixels writes.
__device__ __forceinline__ float im2col_value(const float* x, u32 base, u32 corner, u32 down, u32 across, u32 channel, u32 height,
                                              u32 width, u32 channels) {
    // Above or left of the image, these unsigned numbers wrap around to huge ones.
    const u32 row = (u32)((int)corner >> 16) + down, column = (u32)(int)(short)(corner & 0xffff) + across;
    return row < height && column < width ? x[base + (row * width + column) * channels + channel] : 0.0f;
}

// Copies the weight [k, inputs, kernel height, kernel width] to [groups][terms][outputs], where the terms of an output are in the
// order of the taps, and for each tap in that of the input channels.
extern "C" __global__ void __launch_bounds__(256)
im2col_transpose_weight(const float* weight, float* transposed, u32 groups, u32 inputs, u32 outputs, u32 taps) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x, terms = inputs * taps;
    if (i >= groups * terms * outputs) {
        return;
    }
    const u32 output = i % outputs, term = i / outputs % terms, group = i / outputs / terms;
    transposed[i] = weight[(group * outputs + output) * terms + term % inputs * taps + term / inputs];
}

// Copies the weight to [k][terms].
extern "C" __global__ void __launch_bounds__(256)
im2col_weight_by_terms(const float* weight, float* by_terms, u32 inputs, u32 taps, u32 len) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x, terms = inputs * taps;
    if (i >= len) {
        return;
    }
    const u32 term = i % terms;
    by_terms[i] = weight[i / terms * terms + term % inputs * taps + term / inputs];
}

// The transpose of im2col_transpose_weight.
extern "C" __global__ void __launch_bounds__(256)
im2col_write_weight_gradient(const float* sums, float* dweight, u32 groups, u32 inputs, u32 outputs, u32 taps) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x, terms = inputs * taps;
    if (i >= groups * terms * outputs) {
        return;
    }
    const u32 output = i / terms, term = i % taps * inputs + i % terms / taps;
    dweight[i] = sums[(output / outputs * terms + term) * outputs + output % outputs];
}

// The outputs of all images' pixels: blockIdx.z counts groups, with `inputs` and `outputs` channels each. `weight` is
// [groups][terms][outputs]. `rows` has room for two values for each row of the tile.
template <class T>
__device__ __forceinline__ void im2col_multiply(float* shared, u32* rows, const float* x, const u32* pixels,
                                                const float* weight, const float* bias, float* y, u32 count, u32 inputs,
                                                u32 outputs, u32 height, u32 width, u32 channels, WINDOW) {
    const u32 group = blockIdx.z, terms = kernel_height * kernel_width * inputs, first = blockIdx.x * T::ROWS;
    for (u32 i = threadIdx.x; i < 2 * T::ROWS; i += T::THREADS) {
        rows[i] = 2 * first + i < 2 * count ? pixels[2 * first + i] : 0;
    }
    __syncthreads();
    x += group * inputs;
    weight += (u64)group * terms * outputs;
    y += group * outputs;
    const u32 stride = gridDim.z * outputs;
    if (bias != nullptr) {
        bias += group * outputs;
    }
    multiply_tile<T, true, false>(
        shared, count, outputs, all_terms(terms),
        [=](u32 row, u32 term) {
            const u32 tap = term / inputs, i = 2 * (row - first);
            const u32 down = tap / kernel_width * dilation_y, across = tap % kernel_width * dilation_x;
            return im2col_value(x, rows[i], rows[i + 1], down, across, term % inputs, height, width, channels);
        },
        [=](u32 term, u32 column) { return weight[(u64)term * outputs + column]; },
        [=](const float(&sums)[THREAD_ROWS][T::WIDTH], bool is_first, bool is_last) {
            write_tile<T>(y, stride, count, outputs, sums, is_first, is_last ? bias : nullptr);
        });
}

extern "C" __global__ void __launch_bounds__(256)
im2col_forward_large(const float* x, const u32* pixels, const float* weight, const float* bias, float* y, u32 count, u32 inputs,
                     u32 outputs, u32 height, u32 width, u32 channels, WINDOW) {
    __shared__ __align__(16) float shared[Large::SHARED_LEN];
    __shared__ u32 rows[2 * Large::ROWS];
    im2col_multiply<Large>(shared, rows, x, pixels, weight, bias, y, count, inputs, outputs, height, width, channels,
                           WINDOW_ARGUMENTS);
}

// Like im2col_forward_large, for few outputs.
extern "C" __global__ void __launch_bounds__(128)
im2col_forward_small(const float* x, const u32* pixels, const float* weight, const float* bias, float* y, u32 count, u32 inputs,
                     u32 outputs, u32 height, u32 width, u32 channels, WINDOW) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    __shared__ u32 rows[2 * Small::ROWS];
    im2col_multiply<Small>(shared, rows, x, pixels, weight, bias, y, count, inputs, outputs, height, width, channels,
                           WINDOW_ARGUMENTS);
}

// The gradient of the weight: for each pixel, the values that it reads times its gradient, summed over runs of `per_sum`
// pixels. A run does not cross a part of `per_part` pixels. blockIdx.z counts groups, then runs. Writes
// [runs][groups][terms][outputs].
extern "C" __global__ void __launch_bounds__(128)
im2col_weight_gradient(const float* x, const u32* pixels, const float* gradient, float* sums, u32 count, u32 per_part,
                       u32 per_sum, u32 groups, u32 inputs, u32 outputs, u32 height, u32 width, u32 channels, WINDOW) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    const u32 group = blockIdx.z % groups, sum = blockIdx.z / groups, terms = kernel_height * kernel_width * inputs;
    const u32 sums_of_part = (per_part + per_sum - 1) / per_sum, part = sum / sums_of_part * per_part;
    const u32 first = part + sum % sums_of_part * per_sum;
    const u32 end = min(min(first + per_sum, part + per_part), count);
    x += group * inputs;
    gradient += group * outputs;
    sums += (u64)blockIdx.z * terms * outputs;
    const u32 stride = groups * outputs;
    // This thread reads the same term of every pixel.
    const u32 term = blockIdx.x * Small::ROWS + threadIdx.x % Small::ROWS;
    const u32 tap = term / inputs, channel = term % inputs;
    const u32 down = tap / kernel_width * dilation_y, across = tap % kernel_width * dilation_x;
    float totals[THREAD_ROWS][Small::WIDTH];
    multiply_tile<Small, false, false>(
        shared, terms, outputs, {first, end, PIECE},
        [=](u32 row, u32 pixel) {
            const uint2 at = reinterpret_cast<const uint2*>(pixels)[pixel];
            return im2col_value(x, at.x, at.y, down, across, channel, height, width, channels);
        },
        [=](u32 pixel, u32 column) { return gradient[(u64)pixel * stride + column]; },
        [&](const float(&piece)[THREAD_ROWS][Small::WIDTH], bool is_first, bool is_last) {
            add_to_totals<Small>(totals, piece, is_first);
            if (is_last) {
                write_tile<Small>(sums, outputs, terms, outputs, totals, true, nullptr);
            }
        });
}

// Computes the gradient of the inputs from the gradients of the values that output pixels read, [images][out
// pixels][groups][terms]. Those of each input are added to 0 in the order of the output pixels.
extern "C" __global__ void __launch_bounds__(256)
im2col_add_terms(const float* gradients, float* dx, u32 images, u32 height, u32 width, u32 channels, u32 inputs, u32 out_height,
                 u32 out_width, WINDOW) {
    const u32 job = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 channel = job % channels, column = job / channels % width, row = job / channels / width % height;
    const u32 image = job / channels / width / height;
    if (image >= images) {
        return;
    }
    const u32 taps = kernel_height * kernel_width;
    // A pixel has `channels * taps` terms, ordered by group, then tap, then channel.
    gradients += (u64)image * out_height * out_width * channels * taps + channel / inputs * inputs * taps + channel % inputs;
    const u32 first_y = first_reader(row, kernel_height, stride_y, above, dilation_y);
    const u32 first_x = first_reader(column, kernel_width, stride_x, left, dilation_x);
    const u32 end_y = end_of_readers(row, stride_y, above, out_height);
    const u32 end_x = end_of_readers(column, stride_x, left, out_width);
    float sum = 0.0f;
    for (u32 y = first_y; y < end_y; y++) {
        const u32 offset_y = row + above - y * stride_y, ky = offset_y / dilation_y;
        for (u32 x = first_x; x < end_x; x++) {
            const u32 offset_x = column + left - x * stride_x, kx = offset_x / dilation_x;
            if (ky * dilation_y != offset_y || kx * dilation_x != offset_x) {
                continue;
            }
            const u32 tap = ky * kernel_width + kx;
            sum = __fadd_rn(sum, gradients[(u64)(y * out_width + x) * channels * taps + tap * inputs]);
        }
    }
    dx[job] = sum;
}
