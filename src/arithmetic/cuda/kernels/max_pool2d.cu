// Max pooling: see src/arithmetic/kernels/layers/max_pool2d.rs.

// For a window along a side of `len` pixels: its first pixel inside the image, how many of its rows or columns are in
// the padding before that, and how many are in the image.
struct WindowPixels {
    u32 first, skipped, count;
};
__device__ WindowPixels window_pixels(u32 window, u32 len, u32 kernel, u32 stride, u32 padding) {
    u32 start = window * stride;
    u32 skipped = padding > start ? padding - start : 0;
    u32 first = start + skipped - padding;
    return {first, skipped, min(kernel - skipped, len - first)};
}

// The windows, of `count` along a side, that contain `pixel`: from `first` to `end` (exclusive).
struct Containing {
    u32 first, end;
};
__device__ Containing windows_with(u32 pixel, u32 count, u32 kernel, u32 stride, u32 padding) {
    u32 at = pixel + padding;
    return {at < kernel ? 0 : (at - kernel) / stride + 1, min(count, at / stride + 1)};
}

// `positions` are those of the maxima in their windows, row by row, padding included; null if they are not needed. A
// thread computes one of `len` values.
extern "C" __global__ void __launch_bounds__(256)
max_pool2d(const float* __restrict__ x, float* __restrict__ y, u32* __restrict__ positions, u32 height, u32 width, u32 out_height,
           u32 out_width, u32 channels, u32 kernel, u32 stride, u32 padding, u32 len) {
    const u32 i = blockIdx.x * 256 + threadIdx.x;
    if (i >= len) {
        return;
    }
    const u32 channel = i % channels, out = i / channels;
    const u32 column = out % out_width, row = out / out_width % out_height, image = out / out_width / out_height;
    const WindowPixels rows = window_pixels(row, height, kernel, stride, padding);
    const WindowPixels columns = window_pixels(column, width, kernel, stride, padding);
    const float* first = x + (((u64)image * height + rows.first) * width + columns.first) * channels + channel;
    float largest = first[0];
    u32 position = rows.skipped * kernel + columns.skipped;
    for (u32 r = 0; r < rows.count; r++) {
        u32 here = (rows.skipped + r) * kernel + columns.skipped;
        in_order<8>(0, columns.count, [=](u32 c) { return first[(r * width + c) * channels]; }, [&](float value) {
            const bool larger = value > largest || value != value;
            largest = larger ? value : largest;
            position = larger ? here : position;
            here++;
        });
    }
    y[i] = largest;
    if (positions) {
        positions[i] = position;
    }
}

// The gradient of the input where no windows overlap: writes each output's gradient to its maximum. The other values of
// dx are 0 already. A thread reads one of `len` gradients.
extern "C" __global__ void __launch_bounds__(256)
max_pool2d_scatter(const u32* __restrict__ positions, const float* __restrict__ gradient, float* __restrict__ dx, u32 height,
                   u32 width, u32 out_height, u32 out_width, u32 channels, u32 kernel, u32 stride, u32 padding, u32 len) {
    const u32 i = blockIdx.x * 256 + threadIdx.x;
    if (i >= len) {
        return;
    }
    const u32 channel = i % channels, out = i / channels, position = positions[i];
    const u32 column = out % out_width, row = out / out_width % out_height, image = out / out_width / out_height;
    const u32 y = row * stride + position / kernel - padding, x = column * stride + position % kernel - padding;
    dx[(((u64)image * height + y) * width + x) * channels + channel] = gradient[i];
}

// The gradient of the input where windows overlap: each value of dx gathers from all windows that contain it.
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
