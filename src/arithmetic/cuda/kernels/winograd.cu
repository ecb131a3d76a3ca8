// Convolutions with 3x3 kernels and stride 1 by Winograd's method: see src/arithmetic/kernels/layers/winograd.rs.
// `add_scaled` and the transforms of a line have the same names there; the others are:
//
//   winograd_weights, winograd_weights_backward            transform_kernels, transform_kernels_backward
//   winograd_inputs, winograd_outputs                      transform_inputs, transform_outputs
//   winograd_outputs_backward                              transform_outputs_backward
//   winograd_inputs_backward, then winograd_add_tiles      transform_inputs_backward
//   winograd_weight_gradient                               gemm_points in `gradients`
//
// Images are not padded in memory: the kernels read 0 outside an image.

#define POINTS 36
#define OUT_SIDE 4
#define IN_SIDE 6

#define WINOGRAD_P 0.625f
#define WINOGRAD_Q 1.5f
#define WINOGRAD_P2 0.390625f
#define WINOGRAD_Q2 2.25f
#define WINOGRAD_SQUARES_SUM 2.640625f
#define WINOGRAD_SQUARES_PRODUCT 0.87890625f

// The matrix G: a row for each point.
#define WINOGRAD_G                                                                                                             \
    {                                                                                                                          \
        {0x1.23456789abcdfp+0, 0.0, 0.0}, {-0x1.607667c6dcce3p-1, -0x1.b89401b89401cp-2, -0x1.135c81135c812p-2},               \
            {-0x1.607667c6dcce3p-1, 0x1.b89401b89401cp-2, -0x1.135c81135c812p-2},                                              \
            {0x1.e98801e98801fp-4, 0x1.6f26016f26017p-3, 0x1.135c81135c811p-2},                                                \
            {0x1.e98801e98801fp-4, -0x1.6f26016f26017p-3, 0x1.135c81135c811p-2}, {0.0, 0.0, 1.0},                              \
    }

// Transforms the weight [outputs, inputs, 3, 3] to [POINTS][rows][columns], where a row is an input channel and a
// column an output channel, or the other way round if `transposed`. Channels that pad a group have the weight 0.
extern "C" __global__ void __launch_bounds__(128)
winograd_weights(const float* weight, float* transformed, u32 inputs, u32 outputs, u32 rows, u32 columns, u32 transposed) {
    const double g[IN_SIDE][3] = WINOGRAD_G;
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= rows * columns) {
        return;
    }
    const u32 row = i / columns, column = i % columns;
    const u32 input = transposed ? column : row, output = transposed ? row : column;
    double taps[9];
#pragma unroll
    for (u32 tap = 0; tap < 9; tap++) {
        taps[tap] = input < inputs && output < outputs ? (double)weight[((u64)output * inputs + input) * 9 + tap] : 0.0;
    }
#pragma unroll
    for (u32 y = 0; y < IN_SIDE; y++) {
        double g_w[3];
#pragma unroll
        for (u32 x = 0; x < 3; x++) {
            g_w[x] = 0.0;
#pragma unroll
            for (u32 tap = 0; tap < 3; tap++) {
                g_w[x] = __dadd_rn(g_w[x], __dmul_rn(g[y][tap], taps[3 * tap + x]));
            }
        }
#pragma unroll
        for (u32 x = 0; x < IN_SIDE; x++) {
            double sum = 0.0;
#pragma unroll
            for (u32 tap = 0; tap < 3; tap++) {
                sum = __dadd_rn(sum, __dmul_rn(g[x][tap], g_w[tap]));
            }
            transformed[(u64)(y * IN_SIDE + x) * rows * columns + i] = __double2float_rn(sum);
        }
    }
}

// The transpose of winograd_weights without `transposed`: from [POINTS][rows][columns] to the gradient of the weight.
extern "C" __global__ void __launch_bounds__(128)
winograd_weights_backward(const float* transformed, float* dweight, u32 inputs, u32 outputs, u32 rows, u32 columns) {
    const double g[IN_SIDE][3] = WINOGRAD_G;
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 input = i / columns, output = i % columns;
    if (input >= inputs || output >= outputs) {
        return;
    }
    float u[IN_SIDE][IN_SIDE];
#pragma unroll
    for (u32 point = 0; point < POINTS; point++) {
        u[point / IN_SIDE][point % IN_SIDE] = transformed[(u64)point * rows * columns + i];
    }
    float* to = dweight + ((u64)output * inputs + input) * 9;
#pragma unroll
    for (u32 y = 0; y < 3; y++) {
        double gt_u[IN_SIDE];
#pragma unroll
        for (u32 column = 0; column < IN_SIDE; column++) {
            gt_u[column] = 0.0;
#pragma unroll
            for (u32 row = 0; row < IN_SIDE; row++) {
                gt_u[column] = __dadd_rn(gt_u[column], __dmul_rn(g[row][y], (double)u[row][column]));
            }
        }
#pragma unroll
        for (u32 x = 0; x < 3; x++) {
            double sum = 0.0;
#pragma unroll
            for (u32 column = 0; column < IN_SIDE; column++) {
                sum = __dadd_rn(sum, __dmul_rn(g[column][x], gt_u[column]));
            }
            to[3 * y + x] = __double2float_rn(sum);
        }
    }
}

// a + x b, rounded once.
__device__ __forceinline__ float add_scaled(float a, float x, float b) { return __fmaf_rn(x, b, a); }

// Bᵀ d
__device__ __forceinline__ void transform_input_line(const float (&d)[IN_SIDE], float (&out)[IN_SIDE]) {
    const float even_p = add_scaled(d[4], -WINOGRAD_Q2, d[2]);
    const float odd_p = __fmul_rn(WINOGRAD_P, add_scaled(d[3], -WINOGRAD_Q2, d[1]));
    const float even_q = add_scaled(d[4], -WINOGRAD_P2, d[2]);
    const float odd_q = __fmul_rn(WINOGRAD_Q, add_scaled(d[3], -WINOGRAD_P2, d[1]));
    out[0] = add_scaled(add_scaled(d[4], -WINOGRAD_SQUARES_SUM, d[2]), WINOGRAD_SQUARES_PRODUCT, d[0]);
    out[1] = __fadd_rn(even_p, odd_p);
    out[2] = __fsub_rn(even_p, odd_p);
    out[3] = __fadd_rn(even_q, odd_q);
    out[4] = __fsub_rn(even_q, odd_q);
    out[5] = add_scaled(add_scaled(d[5], -WINOGRAD_SQUARES_SUM, d[3]), WINOGRAD_SQUARES_PRODUCT, d[1]);
}

// B d
__device__ __forceinline__ void transform_input_line_backward(const float (&d)[IN_SIDE], float (&out)[IN_SIDE]) {
    const float sum_p = __fadd_rn(d[1], d[2]), difference_p = __fsub_rn(d[1], d[2]);
    const float sum_q = __fadd_rn(d[3], d[4]), difference_q = __fsub_rn(d[3], d[4]);
    const float p_q2 = 1.40625f, q_p2 = 0.5859375f;
    out[0] = __fmul_rn(WINOGRAD_SQUARES_PRODUCT, d[0]);
    out[1] = add_scaled(add_scaled(__fmul_rn(-p_q2, difference_p), -q_p2, difference_q), WINOGRAD_SQUARES_PRODUCT, d[5]);
    out[2] = add_scaled(add_scaled(__fmul_rn(-WINOGRAD_SQUARES_SUM, d[0]), -WINOGRAD_Q2, sum_p), -WINOGRAD_P2, sum_q);
    out[3] = add_scaled(add_scaled(__fmul_rn(-WINOGRAD_SQUARES_SUM, d[5]), WINOGRAD_P, difference_p), WINOGRAD_Q, difference_q);
    out[4] = __fadd_rn(__fadd_rn(sum_p, sum_q), d[0]);
    out[5] = d[5];
}

// Aᵀ m
__device__ __forceinline__ void transform_output_line(const float (&m)[IN_SIDE], float (&out)[OUT_SIDE]) {
    const float sum_p = __fadd_rn(m[1], m[2]), difference_p = __fsub_rn(m[1], m[2]);
    const float sum_q = __fadd_rn(m[3], m[4]), difference_q = __fsub_rn(m[3], m[4]);
    const float p_p2 = 0.244140625f, q_q2 = 3.375f;
    out[0] = __fadd_rn(__fadd_rn(sum_p, sum_q), m[0]);
    out[1] = add_scaled(__fmul_rn(WINOGRAD_P, difference_p), WINOGRAD_Q, difference_q);
    out[2] = add_scaled(__fmul_rn(WINOGRAD_P2, sum_p), WINOGRAD_Q2, sum_q);
    out[3] = add_scaled(add_scaled(m[5], p_p2, difference_p), q_q2, difference_q);
}

// A y
__device__ __forceinline__ void transform_output_line_backward(const float (&y)[OUT_SIDE], float (&out)[IN_SIDE]) {
    const float even_p = add_scaled(y[0], WINOGRAD_P2, y[2]);
    const float odd_p = __fmul_rn(WINOGRAD_P, add_scaled(y[1], WINOGRAD_P2, y[3]));
    const float even_q = add_scaled(y[0], WINOGRAD_Q2, y[2]);
    const float odd_q = __fmul_rn(WINOGRAD_Q, add_scaled(y[1], WINOGRAD_Q2, y[3]));
    out[0] = y[0];
    out[1] = __fadd_rn(even_p, odd_p);
    out[2] = __fsub_rn(even_p, odd_p);
    out[3] = __fadd_rn(even_q, odd_q);
    out[4] = __fsub_rn(even_q, odd_q);
    out[5] = y[3];
}

// Transforms a tile: applies `LINE` to each column of load(row, column), then to each row of the result, and calls
// store(row, column, value). Loads everything before it stores anything.
template <u32 FROM, u32 TO, void (*LINE)(const float (&)[FROM], float (&)[TO]), typename Load, typename Store>
__device__ __forceinline__ void transform_tile(Load load, Store store) {
    float columns[FROM][TO];
#pragma unroll
    for (u32 j = 0; j < FROM; j++) {
        float line[FROM];
#pragma unroll
        for (u32 i = 0; i < FROM; i++) {
            line[i] = load(i, j);
        }
        LINE(line, columns[j]);
    }
#pragma unroll
    for (u32 i = 0; i < TO; i++) {
        float row[FROM], out[TO];
#pragma unroll
        for (u32 j = 0; j < FROM; j++) {
            row[j] = columns[j][i];
        }
        LINE(row, out);
#pragma unroll
        for (u32 j = 0; j < TO; j++) {
            store(i, j, out[j]);
        }
    }
}

// Transforms images [height, width, channels] to [POINTS][tiles][padded_channels]. All images together have `tiles`
// tiles, each image `down` by `across`. A thread transforms a channel of a tile.
extern "C" __global__ void __launch_bounds__(128)
winograd_inputs(const float* x, float* transformed, u32 height, u32 width, u32 channels, u32 padded_channels, u32 above,
                u32 left, u32 down, u32 across, u32 tiles) {
    const u32 job = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 tile = job / padded_channels, channel = job % padded_channels;
    if (tile >= tiles) {
        return;
    }
    const u32 first_row = tile / across % down * OUT_SIDE, first_column = tile % across * OUT_SIDE;
    x += (u64)(tile / across / down) * height * width * channels + channel;
    auto load = [=](u32 i, u32 j) {
        // Above or left of the image, these unsigned numbers wrap around to huge ones.
        const u32 row = first_row + i - above, column = first_column + j - left;
        const bool is_inside = row < height && column < width && channel < channels;
        return is_inside ? x[(row * width + column) * channels] : 0.0f;
    };
    auto store = [=](u32 i, u32 j, float value) { transformed[(u64)(i * IN_SIDE + j) * tiles * padded_channels + job] = value; };
    transform_tile<IN_SIDE, IN_SIDE, transform_input_line>(load, store);
}

// Transforms [POINTS][tiles][padded_channels] to outputs [height, width, channels] and adds the bias, or 0 if there is
// none.
extern "C" __global__ void __launch_bounds__(128)
winograd_outputs(const float* transformed, const float* bias, float* y, u32 height, u32 width, u32 channels,
                 u32 padded_channels, u32 down, u32 across, u32 tiles) {
    const u32 job = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 tile = job / padded_channels, channel = job % padded_channels;
    if (tile >= tiles || channel >= channels) {
        return;
    }
    const u32 first_row = tile / across % down * OUT_SIDE, first_column = tile % across * OUT_SIDE;
    y += (u64)(tile / across / down) * height * width * channels + channel;
    const float added = bias == nullptr ? 0.0f : bias[channel];
    auto load = [=](u32 i, u32 j) { return transformed[(u64)(i * IN_SIDE + j) * tiles * padded_channels + job]; };
    auto store = [=](u32 i, u32 j, float value) {
        if (first_row + i < height && first_column + j < width) {
            y[((first_row + i) * width + first_column + j) * channels] = __fadd_rn(value, added);
        }
    };
    transform_tile<IN_SIDE, OUT_SIDE, transform_output_line>(load, store);
}

// The transpose of winograd_outputs.
extern "C" __global__ void __launch_bounds__(128)
winograd_outputs_backward(const float* dy, float* transformed, u32 height, u32 width, u32 channels, u32 padded_channels,
                          u32 down, u32 across, u32 tiles) {
    const u32 job = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 tile = job / padded_channels, channel = job % padded_channels;
    if (tile >= tiles) {
        return;
    }
    const u32 first_row = tile / across % down * OUT_SIDE, first_column = tile % across * OUT_SIDE;
    dy += (u64)(tile / across / down) * height * width * channels + channel;
    auto load = [=](u32 i, u32 j) {
        const u32 row = first_row + i, column = first_column + j;
        const bool is_inside = row < height && column < width && channel < channels;
        return is_inside ? dy[(row * width + column) * channels] : 0.0f;
    };
    auto store = [=](u32 i, u32 j, float value) { transformed[(u64)(i * IN_SIDE + j) * tiles * padded_channels + job] = value; };
    transform_tile<OUT_SIDE, IN_SIDE, transform_output_line_backward>(load, store);
}

// The transpose of winograd_inputs without its sums: replaces the values of each tile by the gradients of its 6 by 6
// inputs.
extern "C" __global__ void __launch_bounds__(128)
winograd_inputs_backward(float* transformed, u32 jobs) {
    const u32 job = blockIdx.x * blockDim.x + threadIdx.x;
    if (job >= jobs) {
        return;
    }
    auto load = [=](u32 i, u32 j) { return transformed[(u64)(i * IN_SIDE + j) * jobs + job]; };
    auto store = [=](u32 i, u32 j, float value) { transformed[(u64)(i * IN_SIDE + j) * jobs + job] = value; };
    transform_tile<IN_SIDE, IN_SIDE, transform_input_line_backward>(load, store);
}

// Computes dx [height, width, channels] from the output of winograd_inputs_backward: adds the values of overlapping
// tiles, in the order of the tiles. blockIdx.x counts the rows of all images; a thread computes 4 channels of a pixel.
// Groups of 4 channels begin at multiples of 16 bytes in `gradients`.
extern "C" __global__ void __launch_bounds__(128)
winograd_add_tiles(const float* gradients, float* dx, u32 height, u32 width, u32 channels, u32 padded_channels, u32 above,
                   u32 left, u32 down, u32 across, u32 tiles) {
    const u32 job = blockIdx.y * blockDim.x + threadIdx.x, groups = (channels + 3) / 4;
    const u32 channel = job % groups * 4, x_in = job / groups;
    if (x_in >= width) {
        return;
    }
    const u32 image = blockIdx.x / height, row = blockIdx.x % height + above, column = x_in + left;
    // The first tile whose 6 rows (or columns) of inputs include this one.
    const u32 first_down = row < IN_SIDE ? 0 : (row - IN_SIDE) / OUT_SIDE + 1;
    const u32 first_across = column < IN_SIDE ? 0 : (column - IN_SIDE) / OUT_SIDE + 1;
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (u32 y = first_down; y < down && y * OUT_SIDE <= row; y++) {
        for (u32 x = first_across; x < across && x * OUT_SIDE <= column; x++) {
            const u32 point = (row - y * OUT_SIDE) * IN_SIDE + column - x * OUT_SIDE;
            const u32 tile = (image * down + y) * across + x;
            const u64 at = ((u64)point * tiles + tile) * padded_channels + channel;
            const float4 terms = *reinterpret_cast<const float4*>(gradients + at);
            sums[0] = __fadd_rn(sums[0], terms.x);
            sums[1] = __fadd_rn(sums[1], terms.y);
            sums[2] = __fadd_rn(sums[2], terms.z);
            sums[3] = __fadd_rn(sums[3], terms.w);
        }
    }
    dx += ((u64)blockIdx.x * width + x_in) * channels + channel;
    if (channels % 4 == 0) {
        *reinterpret_cast<float4*>(dx) = make_float4(sums[0], sums[1], sums[2], sums[3]);
    } else {
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            if (channel + i < channels) {
                dx[i] = sums[i];
            }
        }
    }
}

// For each point: inputsᵀ outputs, where `inputs` is [tiles][m] and `outputs` is [tiles][n]. blockIdx.z counts points,
// then parts of `per_part` tiles; writes [parts][POINTS][m][n]. A new piece begins after every `group` tiles, those of
// the images that the CPU multiplies together (`images_together`).
template <class T>
__device__ __forceinline__ void transformed_weight_gradient(float* shared, const float* inputs, const float* outputs,
                                                            float* parts, u32 m, u32 n, u32 tiles, u32 per_part, u32 group) {
    const u32 point = blockIdx.z % POINTS, first = blockIdx.z / POINTS * per_part;
    inputs += (u64)point * tiles * m;
    outputs += (u64)point * tiles * n;
    parts += (u64)blockIdx.z * m * n;
    const Terms terms = {first, min(first + per_part, tiles), group};
    FourValues<T, false> values{inputs, outputs, m, n, m, n};
    float totals[THREAD_ROWS][T::WIDTH];
    multiply_tile<T>(shared, terms, values, [&](const float(&piece)[THREAD_ROWS][T::WIDTH], bool is_first, bool is_last) {
        add_to_totals<T>(totals, piece, is_first);
        if (is_last) {
            write_tile<T>(parts, n, m, n, totals, true, nullptr);
        }
    });
}

extern "C" __global__ void __launch_bounds__(128, 5)
winograd_weight_gradient(const float* inputs, const float* outputs, float* parts, u32 m, u32 n, u32 tiles, u32 per_part,
                         u32 group) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    transformed_weight_gradient<Small>(shared, inputs, outputs, parts, m, n, tiles, per_part, group);
}

// Like winograd_weight_gradient, for few input channels.
extern "C" __global__ void __launch_bounds__(64, 8)
winograd_weight_gradient_low(const float* inputs, const float* outputs, float* parts, u32 m, u32 n, u32 tiles, u32 per_part,
                             u32 group) {
    __shared__ __align__(16) float shared[Low::SHARED_LEN];
    transformed_weight_gradient<Low>(shared, inputs, outputs, parts, m, n, tiles, per_part, group);
}
