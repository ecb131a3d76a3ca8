// Layer normalisation: see src/arithmetic/kernels/layers/layer_norm.rs. Weight and bias are in the order of the
// activations in memory.

// Number of lanes, as on the CPU.
#define NORM_LANES 16
// Number of chains per lane whose sums are in shared memory together.
#define NORM_GROUPS 128
#define NORM_SUMS (NORM_GROUPS * NORM_LANES)

struct NormMoments {
    float mean, rest, inverse, unused;
};

__device__ float norm_deviation(NormMoments moments, float x) { return __fsub_rn(__fsub_rn(x, moments.mean), moments.rest); }
__device__ float normalised(NormMoments moments, float x) { return __fmul_rn(norm_deviation(moments, x), moments.inverse); }

// Sums over an image of `len` values. Value i belongs to lane i % 16. Each lane adds its values in f32, in chains of
// CHAIN values, each from 0; the chains are added in f64, in order, from 0. The lanes' sums are then added in f64, in
// order, from 0. `term(i, sums)` adds the terms of value i to a chain's sums. `chains` is shared memory of NORM_SUMS
// floats for each sum, `lanes` of NORM_LANES doubles for each sum. All threads of the block call this and get the sums.
template <int SUMS, typename Term>
__device__ void norm_sums(float* chains, double* lanes, u32 len, Term term, double (&totals)[SUMS]) {
    u32 group_len = CHAIN * NORM_LANES, groups = (len + group_len - 1) / group_len;
    double lane_totals[SUMS];
    for (int s = 0; s < SUMS; s++) {
        lane_totals[s] = 0.0;
    }
    for (u32 first = 0; first < groups; first += NORM_GROUPS) {
        u32 here = min((u32)NORM_GROUPS, groups - first);
        for (u32 chain = threadIdx.x; chain < here * NORM_LANES; chain += blockDim.x) {
            u32 start = (first + chain / NORM_LANES) * group_len, end = min(start + group_len, len);
            float sums[SUMS];
            for (int s = 0; s < SUMS; s++) {
                sums[s] = 0.0f;
            }
#pragma unroll 8
            for (u32 i = start + chain % NORM_LANES; i < end; i += NORM_LANES) {
                term(i, sums);
            }
            for (int s = 0; s < SUMS; s++) {
                chains[s * NORM_SUMS + chain] = sums[s];
            }
        }
        __syncthreads();
        if (threadIdx.x < NORM_LANES) {
            for (u32 group = 0; group < here; group++) {
                for (int s = 0; s < SUMS; s++) {
                    double chain = (double)chains[s * NORM_SUMS + group * NORM_LANES + threadIdx.x];
                    lane_totals[s] = __dadd_rn(lane_totals[s], chain);
                }
            }
        }
        __syncthreads();
    }
    if (threadIdx.x < NORM_LANES) {
        for (int s = 0; s < SUMS; s++) {
            lanes[s * NORM_LANES + threadIdx.x] = lane_totals[s];
        }
    }
    __syncthreads();
    if (threadIdx.x < SUMS) {
        double total = 0.0;
        for (u32 lane = 0; lane < NORM_LANES; lane++) {
            total = __dadd_rn(total, lanes[threadIdx.x * NORM_LANES + lane]);
        }
        lanes[threadIdx.x * NORM_LANES] = total;
    }
    __syncthreads();
    for (int s = 0; s < SUMS; s++) {
        totals[s] = lanes[s * NORM_LANES];
    }
    // The next sums may start at once: they write to `chains`, and to `lanes` only after a barrier.
}

// Writes each image's moments and y = ((x - mean) inverse) weight + bias, the last two operations fused. One block for
// each image. `count` is `len`.
extern "C" __global__ void __launch_bounds__(512)
layer_norm(const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias, float* __restrict__ y,
           NormMoments* __restrict__ moments_out, u32 len, double count, double eps) {
    __shared__ float chains[NORM_SUMS];
    __shared__ double lanes[NORM_LANES];
    const float* image = x + (u64)blockIdx.x * len;
    double sum[1];
    norm_sums<1>(chains, lanes, len, [=](u32 i, float(&sum)[1]) { sum[0] = __fadd_rn(sum[0], image[i]); }, sum);
    double mean = __ddiv_rn(sum[0], count);
    NormMoments moments = {__double2float_rn(mean), 0.0f, 0.0f, 0.0f};
    moments.rest = __double2float_rn(__dsub_rn(mean, (double)moments.mean));
    auto square = [=](u32 i, float(&sum)[1]) {
        float deviation = norm_deviation(moments, image[i]);
        sum[0] = __fmaf_rn(deviation, deviation, sum[0]);
    };
    norm_sums<1>(chains, lanes, len, square, sum);
    moments.inverse = __double2float_rn(__ddiv_rn(1.0, __dsqrt_rn(__dadd_rn(__ddiv_rn(sum[0], count), eps))));
    if (threadIdx.x == 0) {
        moments_out[blockIdx.x] = moments;
    }
    float* out = y + (u64)blockIdx.x * len;
    for (u32 i = threadIdx.x; i < len; i += blockDim.x) {
        out[i] = __fmaf_rn(normalised(moments, image[i]), weight[i], bias[i]);
    }
}

// The gradients of the weight and bias at each position: sums over the images, in chains of CHAIN images, each from 0,
// then the chains in order, from 0.
extern "C" __global__ void __launch_bounds__(256)
layer_norm_parameter_gradients(const float* __restrict__ x, const float* __restrict__ gradient,
                               const NormMoments* __restrict__ moments, float* __restrict__ weight_gradient,
                               float* __restrict__ bias_gradient, u32 images, u32 len) {
    u32 position = blockIdx.x * 256 + threadIdx.x;
    if (position >= len) {
        return;
    }
    float weight_sum = 0.0f, bias_sum = 0.0f;
    for (u32 start = 0; start < images; start += CHAIN) {
        float product = 0.0f, plain = 0.0f;
        u32 end = min(start + CHAIN, images);
#pragma unroll 8
        for (u32 image = start; image < end; image++) {
            u64 i = (u64)image * len + position;
            float g = gradient[i];
            product = __fmaf_rn(g, normalised(moments[image], x[i]), product);
            plain = __fadd_rn(plain, g);
        }
        weight_sum = __fadd_rn(weight_sum, product);
        bias_sum = __fadd_rn(bias_sum, plain);
    }
    weight_gradient[position] = weight_sum;
    bias_gradient[position] = bias_sum;
}

// With z = (x - mean) inverse and h = gradient weight: dx = inverse ((h - mean of h) - z (mean of h z)), with a fused
// multiply-addition for the last difference. One block for each image.
extern "C" __global__ void __launch_bounds__(512)
layer_norm_input_gradient(const float* __restrict__ x, const float* __restrict__ gradient, const float* __restrict__ weight,
                          const NormMoments* __restrict__ moments_of, float* __restrict__ dx, u32 len, double count) {
    __shared__ float chains[2 * NORM_SUMS];
    __shared__ double lanes[2 * NORM_LANES];
    u64 start = (u64)blockIdx.x * len;
    const float* image = x + start;
    const float* g = gradient + start;
    NormMoments moments = moments_of[blockIdx.x];
    double totals[2];
    auto term = [=](u32 i, float(&sums)[2]) {
        float h = __fmul_rn(g[i], weight[i]);
        sums[0] = __fadd_rn(sums[0], h);
        sums[1] = __fmaf_rn(h, normalised(moments, image[i]), sums[1]);
    };
    norm_sums<2>(chains, lanes, len, term, totals);
    float plain = __double2float_rn(__ddiv_rn(totals[0], count));
    float product = __double2float_rn(__ddiv_rn(totals[1], count));
    for (u32 i = threadIdx.x; i < len; i += blockDim.x) {
        float z = normalised(moments, image[i]);
        float h = __fsub_rn(__fmul_rn(g[i], weight[i]), plain);
        dx[start + i] = __fmul_rn(moments.inverse, __fmaf_rn(-z, product, h));
    }
}
