// Max pooling: see src/arithmetic/kernels/layers/max_pool2d.rs. Each pixel of the output, and in the backward pass of the input, is
// computed by the threads of its lanes: see `pixel_of_thread`.

// Along a side of `len` pixels: the first input pixel of a window, how many rows or columns of it are before that in the padding, and
// the number of pixels.
struct WindowPixels {
    u32 first, skipped, count;
};
__device__ WindowPixels window_pixels(u32 window, u32 len, u32 kernel, u32 stride, u32 padding) {
    u32 start = window * stride;
    u32 skipped = padding > start ? padding - start : 0;
    u32 first = start + skipped - padding;
    return {first, skipped, min(kernel - skipped, len - first)};
}

// Along a side with `count` windows: the first window that contains input pixel `pixel`, and the first one after it that does not.
struct Containing {
    u32 first, end;
};
__device__ Containing windows_with(u32 pixel, u32 count, u32 kernel, u32 stride, u32 padding) {
    u32 at = pixel + padding;
    return {at < kernel ? 0 : (at - kernel) / stride + 1, min(count, at / stride + 1)};
}

// `positions` are those of the maxima in their windows, row by row, padding included; null if they are of no use.
extern "C" __global__ void __launch_bounds__(256)
max_pool2d(const float* __restrict__ x, float* __restrict__ y, u32* __restrict__ positions, u32 height, u32 width, u32 out_height,
           u32 out_width, u32 channels, u32 kernel, u32 stride, u32 padding, u32 out_pixels, u32 lanes) {
    u32 out = pixel_of_thread(lanes);
    if (out >= out_pixels) {
        return;
    }
    u32 column = out % out_width, row = out / out_width % out_height, image = out / out_width / out_height;
    WindowPixels rows = window_pixels(row, height, kernel, stride, padding);
    WindowPixels columns = window_pixels(column, width, kernel, stride, padding);
    const float* first = x + (((u64)image * height + rows.first) * width + columns.first) * channels;
    for (u32 channel = lane_of_thread(lanes); channel < channels; channel += lanes) {
        float largest = first[channel];
        u32 position = rows.skipped * kernel + columns.skipped;
        for (u32 r = 0; r < rows.count; r++) {
            for (u32 c = r == 0 ? 1 : 0; c < columns.count; c++) {
                float value = first[((u64)r * width + c) * channels + channel];
                bool larger = value > largest || value != value;
                largest = larger ? value : largest;
                position = larger ? (rows.skipped + r) * kernel + columns.skipped + c : position;
            }
        }
        y[(u64)out * channels + channel] = largest;
        if (positions) {
            positions[(u64)out * channels + channel] = position;
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
max_pool2d_input_gradient(const u32* __restrict__ positions, const float* __restrict__ gradient, float* __restrict__ dx, u32 height,
                          u32 width, u32 out_height, u32 out_width, u32 channels, u32 kernel, u32 stride, u32 padding, u32 in_pixels,
                          u32 lanes) {
    u32 in = pixel_of_thread(lanes);
    if (in >= in_pixels) {
        return;
    }
    u32 x = in % width, y = in / width % height, image = in / width / height;
    Containing rows = windows_with(y, out_height, kernel, stride, padding);
    Containing columns = windows_with(x, out_width, kernel, stride, padding);
    for (u32 channel = lane_of_thread(lanes); channel < channels; channel += lanes) {
        float sum = 0.0f;
        bool is_first = true;
        for (u32 row = rows.first; row < rows.end; row++) {
            for (u32 column = columns.first; column < columns.end; column++) {
                u32 here = (y + padding - row * stride) * kernel + x + padding - column * stride;
                u64 from = (((u64)image * out_height + row) * out_width + column) * channels + channel;
                float term = positions[from] == here ? gradient[from] : 0.0f;
                sum = is_first ? term : __fadd_rn(sum, term);
                is_first = false;
            }
        }
        dx[(u64)in * channels + channel] = sum;
    }
}
