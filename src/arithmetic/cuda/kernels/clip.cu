// Gradient clipping: see src/arithmetic/kernels/clip.rs. Gradients are in one block of memory, with zeros between tensors.

// Number of values in a chunk.
#define CLIP_CHUNK 64
// Number of sums to which a chunk's squares are added in turn.
#define CLIP_LANES 16
// Number of chunks in a group.
#define CLIP_GROUP 256

// The sum of squares of each chunk.
extern "C" __global__ void __launch_bounds__(128)
square_sums(const float* __restrict__ gradients, double* __restrict__ sums, u32 chunks) {
    u32 chunk = blockIdx.x * 128 + threadIdx.x;
    if (chunk >= chunks) {
        return;
    }
    const float* x = gradients + (u64)chunk * CLIP_CHUNK;
    double lanes[CLIP_LANES];
    for (u32 lane = 0; lane < CLIP_LANES; lane++) {
        lanes[lane] = 0.0;
    }
#pragma unroll
    for (u32 i = 0; i < CLIP_CHUNK; i++) {
        double value = (double)x[i];
        lanes[i % CLIP_LANES] = __dadd_rn(lanes[i % CLIP_LANES], __dmul_rn(value, value));
    }
    double sum = 0.0;
#pragma unroll
    for (u32 lane = 0; lane < CLIP_LANES; lane++) {
        sum = __dadd_rn(sum, lanes[lane]);
    }
    sums[chunk] = sum;
}

// The factor that scales the norm of all gradients to `max_norm`, at most 1. One block.
extern "C" __global__ void __launch_bounds__(256)
clip_factor(const double* __restrict__ sums, u32 chunks, double max_norm, float* __restrict__ factor) {
    __shared__ double groups[256];
    double total = 0.0;
    u32 count = (chunks + CLIP_GROUP - 1) / CLIP_GROUP;
    for (u32 first = 0; first < count; first += 256) {
        if (first + threadIdx.x < count) {
            u32 start = (first + threadIdx.x) * CLIP_GROUP, end = min(start + CLIP_GROUP, chunks);
            double sum = 0.0;
            in_order(start, end, [&](u32 i) { return sums[i]; }, [&](double value) { sum = __dadd_rn(sum, value); });
            groups[threadIdx.x] = sum;
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            u32 here = min(256u, count - first);
            for (u32 i = 0; i < here; i++) {
                total = __dadd_rn(total, groups[i]);
            }
        }
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        double coefficient = __ddiv_rn(max_norm, __dadd_rn(__dsqrt_rn(total), 1e-6));
        *factor = coefficient > 1.0 ? 1.0f : __double2float_rn(coefficient);
    }
}

// Leaves zeros unchanged. Otherwise a factor of NaN would turn the padding between tensors into NaN.
extern "C" __global__ void __launch_bounds__(256)
scale_gradients(float* __restrict__ gradients, const float* __restrict__ factor, u64 n) {
    float scale = *factor;
    FOR_EACH_VALUE(i, n) {
        float value = gradients[i];
        gradients[i] = value == 0.0f ? value : __fmul_rn(value, scale);
    }
}

// Limits each value to the range from -limit to limit.
extern "C" __global__ void __launch_bounds__(256)
clip_values(float* __restrict__ gradients, float limit, u64 n) {
    FOR_EACH_VALUE(i, n) {
        float above = gradients[i] > limit ? limit : gradients[i];
        gradients[i] = above < -limit ? -limit : above;
    }
}
