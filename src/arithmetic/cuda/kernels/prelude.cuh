// Shared by all kernels. Arithmetic on floats uses functions that round once, such as __fadd_rn, because the compiler
// may not fuse, reorder or approximate them. Use the operators + - * / only for integers.
//
// Activations are [images, height, width, channels], as on the CPU. Blocks have up to 1024 threads along x.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

// Maximum number of terms in a chain of additions; the chains are then added.
#define CHAIN 24

// Starts to copy four consecutive floats from `from + offset` to `to` in shared memory; writes zeros unless `is_inside`.
// `to` and `from + offset` are multiples of 16 bytes. This thread's copies are complete after `wait_for_copies`, those of
// others after a barrier that follows it. GPUs before Ampere, and tests that compile this as C++, copy at once.
__device__ __forceinline__ void copy_four(float* to, const float* from, u64 offset, bool is_inside) {
#if __CUDA_ARCH__ >= 800
    const u32 shared = (u32)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(is_inside ? from + offset : from),
                 "r"(is_inside ? 16 : 0)
                 : "memory");
#else
    const float4 zeros = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    *reinterpret_cast<float4*>(to) = is_inside ? *reinterpret_cast<const float4*>(from + offset) : zeros;
#endif
}
__device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// Loops over the values of this thread in an elementwise kernel. A block of 256 threads computes 1024 consecutive
// values: thread t computes values t, t + 256, t + 512 and t + 768.
#define FOR_EACH_VALUE(i, n)                                                                                                    \
    _Pragma("unroll") for (u32 step_ = 0; step_ < 1024; step_ += 256)                                                           \
        if (u64 i = (u64)blockIdx.x * 1024 + step_ + threadIdx.x; i < (n))

// In kernels whose values depend on the channel, `lanes` consecutive threads compute the channels of a pixel, each
// every lanes-th channel. `lanes` is a power of two up to 32. A block of 256 threads computes 256 / lanes pixels.
__device__ u32 pixel_of_thread(u32 lanes) { return blockIdx.x * (256 / lanes) + threadIdx.x / lanes; }
__device__ u32 lane_of_thread(u32 lanes) { return threadIdx.x % lanes; }

// Number of values that a thread reads before it uses the first of them: many reads at a time take hardly longer than
// one.
#define AHEAD 32

// Calls `use` with load(first), load(first + 1), ... load(end - 1), in order.
template <u32 ahead = AHEAD, typename Load, typename Use>
__device__ __forceinline__ void in_order(u32 first, u32 end, Load load, Use use) {
    u32 at = first;
    for (; at + ahead <= end; at += ahead) {
        decltype(load(at)) values[ahead];
#pragma unroll
        for (u32 i = 0; i < ahead; i++) {
            values[i] = load(at + i);
        }
#pragma unroll
        for (u32 i = 0; i < ahead; i++) {
            use(values[i]);
        }
    }
#pragma unroll 4
    for (; at < end; at++) {
        use(load(at));
    }
}

// Number of floats of shared memory for the sums of chains, one for each chain and lane: see `channel_sums`.
#define SHARED_SUMS 2048

// Sums over the pixels of one image, of `lanes` channels: chains of CHAIN pixels in row-major order, each from 0, then
// the chains in order, from 0. `term(pixel, sums)` adds the terms of a pixel to a chain's sums, for the channel of this
// thread's lane. `chains` is shared memory, SHARED_SUMS floats for each sum. All 256 threads call this; the first
// `lanes` threads receive the sums in `totals`.
template <int SUMS, typename Term>
__device__ void channel_sums(float* chains, u32 pixels, u32 lanes, bool inside, Term term, float (&totals)[SUMS]) {
    u32 lane = threadIdx.x % lanes, row = threadIdx.x / lanes, rows = 256 / lanes;
    u32 count = (pixels + CHAIN - 1) / CHAIN, at_once = SHARED_SUMS / lanes;
    for (int s = 0; s < SUMS; s++) {
        totals[s] = 0.0f;
    }
    for (u32 first = 0; first < count; first += at_once) {
        u32 here = min(at_once, count - first);
        for (u32 chain = row; chain < here; chain += rows) {
            float sums[SUMS];
            for (int s = 0; s < SUMS; s++) {
                sums[s] = 0.0f;
            }
            u32 start = (first + chain) * CHAIN, end = min(start + CHAIN, pixels);
            if (inside) {
#pragma unroll 12
                for (u32 pixel = start; pixel < end; pixel++) {
                    term(pixel, sums);
                }
            }
            for (int s = 0; s < SUMS; s++) {
                chains[s * SHARED_SUMS + chain * lanes + lane] = sums[s];
            }
        }
        __syncthreads();
        if (row == 0) {
            for (u32 chain = 0; chain < here; chain++) {
                for (int s = 0; s < SUMS; s++) {
                    totals[s] = __fadd_rn(totals[s], chains[s * SHARED_SUMS + chain * lanes + lane]);
                }
            }
        }
        __syncthreads();
    }
}
