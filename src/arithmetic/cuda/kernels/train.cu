// Makes a step's batch from the dataset on the GPU, and counts the steps.

// Writes images [images, pixels, channels] and their labels from a dataset of images [channels, pixels]. `table` gives
// the value of each byte. Image i is number `order[step * batch + i]` of the dataset, or number `first` + i if there is
// no order.
extern "C" __global__ void __launch_bounds__(256)
input_images(const u8* __restrict__ dataset, const u8* __restrict__ labels, const u32* __restrict__ order,
             const u32* __restrict__ step, u32 batch, u32 first, const float* __restrict__ table, float* __restrict__ x,
             u8* __restrict__ batch_labels, u32 images, u32 channels, u32 pixels) {
    u32 len = channels * pixels;
    FOR_EACH_VALUE(i, (u64)images * len) {
        u32 image = (u32)(i / len), at = (u32)(i - (u64)image * len);
        u32 from = order ? order[(u64)*step * batch + image] : first + image;
        x[i] = table[dataset[(u64)from * len + at % channels * pixels + at / channels]];
        if (at == 0 && batch_labels) {
            batch_labels[image] = labels[from];
        }
    }
}

// A pixel of an image of `side` x `side` bytes; 0 outside.
__device__ float pixel_at(const u8* image, u32 side, int x, int y) {
    return (u32)x < side && (u32)y < side ? __uint2float_rn(image[(u32)y * side + (u32)x]) : 0.0f;
}

// The value between two pixels of a row.
__device__ float pixels_between(const u8* image, u32 side, int x, int y, float u) {
    float left = pixel_at(image, side, x, y), right = pixel_at(image, side, x + 1, y);
    return __fadd_rn(left, __fmul_rn(u, __fsub_rn(right, left)));
}

// As input_images, for images of one channel that are rotated and shifted: `changes` has an affine map for each image in
// `order`. The same steps as in src/arithmetic/kernels/augment.rs, which explains them, and then the normalisation.
extern "C" __global__ void __launch_bounds__(256)
changed_images(const u8* __restrict__ dataset, const u8* __restrict__ labels, const u32* __restrict__ order,
               const float* __restrict__ changes, const u32* __restrict__ step, u32 batch, float mean, float std,
               float* __restrict__ x, u8* __restrict__ batch_labels, u32 images, u32 side) {
    u32 len = side * side;
    FOR_EACH_VALUE(i, (u64)images * len) {
        u32 image = (u32)(i / len), at = (u32)(i - (u64)image * len);
        u64 place = (u64)*step * batch + image;
        u32 from = order[place];
        const float* map = changes + 6 * place;
        const u8* pixels = dataset + (u64)from * len;
        float column = __uint2float_rn(at % side), row = __uint2float_rn(at / side);
        float source_x = __fadd_rn(__fmul_rn(map[0], column), __fadd_rn(__fmul_rn(map[1], row), map[2]));
        float source_y = __fadd_rn(__fmul_rn(map[3], column), __fadd_rn(__fmul_rn(map[4], row), map[5]));
        float left = floorf(source_x), upper = floorf(source_y);
        float u = __fsub_rn(source_x, left), v = __fsub_rn(source_y, upper);
        float top = pixels_between(pixels, side, (int)left, (int)upper, u);
        float bottom = pixels_between(pixels, side, (int)left, (int)upper + 1, u);
        float value = __fadd_rn(top, __fmul_rn(v, __fsub_rn(bottom, top)));
        x[i] = __fdiv_rn(__fsub_rn(__fdiv_rn(value, 255.0f), mean), std);
        if (at == 0) {
            batch_labels[image] = labels[from];
        }
    }
}

// Ends a step: the next launches belong to the next step.
extern "C" __global__ void end_step(u32* step) { *step += 1; }
