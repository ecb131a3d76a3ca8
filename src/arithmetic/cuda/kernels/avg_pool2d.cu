// Average pooling: see src/arithmetic/kernels/layers/avg_pool2d.rs.

// `count` is kernel squared.
extern "C" __global__ void __launch_bounds__(256)
avg_pool2d(const float* __restrict__ x, float* __restrict__ y, u32 height, u32 width, u32 out_height, u32 out_width, u32 channels,
           u32 kernel, u32 stride, u32 padding, float count, u32 out_pixels, u32 lanes) {
    u32 out = pixel_of_thread(lanes);
    if (out >= out_pixels) {
        return;
    }
    u32 column = out % out_width, row = out / out_width % out_height, image = out / out_width / out_height;
    WindowPixels rows = window_pixels(row, height, kernel, stride, padding);
    WindowPixels columns = window_pixels(column, width, kernel, stride, padding);
    const float* first = x + (((u64)image * height + rows.first) * width + columns.first) * channels;
    for (u32 channel = lane_of_thread(lanes); channel < channels; channel += lanes) {
        float sum = 0.0f;
        for (u32 r = 0; r < rows.count; r++) {
            const float* pixels = first + (u64)r * width * channels + channel;
            float row_sum = pixels[0];
            for (u32 c = 1; c < columns.count; c++) {
                row_sum = __fadd_rn(row_sum, pixels[c * channels]);
            }
            sum = r == 0 ? row_sum : __fadd_rn(sum, row_sum);
        }
        y[(u64)out * channels + channel] = __fdiv_rn(sum, count);
    }
}

extern "C" __global__ void __launch_bounds__(256)
avg_pool2d_input_gradient(const float* __restrict__ gradient, float* __restrict__ dx, u32 height, u32 width, u32 out_height,
                          u32 out_width, u32 channels, u32 kernel, u32 stride, u32 padding, float count, u32 in_pixels, u32 lanes) {
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
                float g = gradient[(((u64)image * out_height + row) * out_width + column) * channels + channel];
                sum = is_first ? g : __fadd_rn(sum, g);
                is_first = false;
            }
        }
        dx[(u64)in * channels + channel] = __fdiv_rn(sum, count);
    }
}
