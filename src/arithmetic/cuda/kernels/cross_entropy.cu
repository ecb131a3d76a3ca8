// Cross-entropy: see src/arithmetic/kernels/cross_entropy.rs.

__device__ bool is_finite(float x) { return (__float_as_uint(x) & 0x7f800000) != 0x7f800000; }

// Each image's loss, and the gradient of the mean loss with respect to its logits. `count` is the number of images. `kept`,
// `label_target` and `other` are the three numbers of `Targets`.
extern "C" __global__ void __launch_bounds__(64)
cross_entropy(const float* __restrict__ logits, const u8* __restrict__ labels, float* __restrict__ gradients,
              float* __restrict__ losses, u32 images, u32 classes, float count, float kept, float label_target, float other) {
    u32 image = blockIdx.x * 64 + threadIdx.x;
    if (image >= images) {
        return;
    }
    const float* x = logits + (u64)image * classes;
    float* gradient = gradients + (u64)image * classes;
    u32 label = labels[image];
    float largest = x[0];
    bool all_finite = true;
    for (u32 i = 0; i < classes; i++) {
        largest = x[i] > largest ? x[i] : largest;
        all_finite = all_finite && is_finite(x[i]);
    }
    float loss = all_finite ? -__fsub_rn(x[label], largest) : NOT_A_NUMBER;
    if (other != 0.0f) {
        float shifted_sum = __fsub_rn(x[0], largest);
        for (u32 i = 1; i < classes; i++) {
            shifted_sum = __fadd_rn(shifted_sum, __fsub_rn(x[i], largest));
        }
        loss = __fmaf_rn(other, -shifted_sum, __fmul_rn(kept, loss));
    }
    float sum = 0.0f;
    for (u32 i = 0; i < classes; i++) {
        float term = exp_f32(__fsub_rn(x[i], largest));
        gradient[i] = term;
        sum = i == 0 ? term : __fadd_rn(sum, term);
    }
    losses[image] = __fadd_rn(loss, log_f32(sum));
    for (u32 i = 0; i < classes; i++) {
        float target = i == label ? label_target : other;
        gradient[i] = __fdiv_rn(__fsub_rn(__fdiv_rn(gradient[i], sum), target), count);
    }
}

// Writes the mean of the images' losses to this step's place in `means`. `count` is the number of images. One block.
extern "C" __global__ void __launch_bounds__(256)
mean_loss(const float* __restrict__ losses, u32 images, double count, const u32* __restrict__ step, float* __restrict__ means) {
    __shared__ float some[256];
    double sum = 0.0;
    for (u32 first = 0; first < images; first += 256) {
        if (first + threadIdx.x < images) {
            some[threadIdx.x] = losses[first + threadIdx.x];
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            u32 here = min(256u, images - first);
            for (u32 i = 0; i < here; i++) {
                sum = __dadd_rn(sum, (double)some[i]);
            }
        }
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        means[*step] = __double2float_rn(__ddiv_rn(sum, count));
    }
}
