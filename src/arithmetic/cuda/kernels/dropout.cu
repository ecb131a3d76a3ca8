// Dropout masks, drawn as src/rng.rs draws them: word i of a ChaCha8 stream decides value i, in PyTorch's order.

__device__ u32 rotated(u32 x, u32 by) { return (x << by) | (x >> (32 - by)); }

__device__ void quarter_round(u32& a, u32& b, u32& c, u32& d) {
    a += b;
    d = rotated(d ^ a, 16);
    c += d;
    b = rotated(b ^ c, 12);
    a += b;
    d = rotated(d ^ a, 8);
    c += d;
    b = rotated(b ^ c, 7);
}

// Block `counter` of the stream with this key, as 16 words.
__device__ void chacha8(const u32* key, u64 counter, u32 (&words)[16]) {
    u32 start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0], key[1], key[2], key[3],
                     key[4], key[5], key[6], key[7], (u32)counter, (u32)(counter >> 32), 0, 0};
#pragma unroll
    for (int i = 0; i < 16; i++) {
        words[i] = start[i];
    }
    for (int round = 0; round < 4; round++) {
        quarter_round(words[0], words[4], words[8], words[12]);
        quarter_round(words[1], words[5], words[9], words[13]);
        quarter_round(words[2], words[6], words[10], words[14]);
        quarter_round(words[3], words[7], words[11], words[15]);
        quarter_round(words[0], words[5], words[10], words[15]);
        quarter_round(words[1], words[6], words[11], words[12]);
        quarter_round(words[2], words[7], words[8], words[13]);
        quarter_round(words[3], words[4], words[9], words[14]);
    }
#pragma unroll
    for (int i = 0; i < 16; i++) {
        words[i] += start[i];
    }
}

// Draws a mask of n values, [images, pixels, channels] in memory: 0 where a word is less than `drop_below`, else
// `keep`. The keys of consecutive steps are `stride` words apart. Each thread draws 16 values.
extern "C" __global__ void __launch_bounds__(128)
dropout_draw(const u32* __restrict__ keys, u32 stride, const u32* __restrict__ step, u32 drop_below, float keep,
             float* __restrict__ mask, u64 n, u32 channels, u32 pixels) {
    u64 counter = (u64)blockIdx.x * 128 + threadIdx.x;
    if (counter * 16 >= n) {
        return;
    }
    u32 words[16];
    chacha8(keys + (u64)*step * stride, counter, words);
    u32 len = channels * pixels;
    u64 image = counter * 16 / len;
    u32 at = (u32)(counter * 16 - image * len);
    u32 channel = at / pixels, pixel = at % pixels;
#pragma unroll
    for (int i = 0; i < 16; i++) {
        if (counter * 16 + i < n) {
            mask[image * len + pixel * channels + channel] = words[i] < drop_below ? 0.0f : keep;
        }
        pixel++;
        if (pixel == pixels) {
            pixel = 0;
            channel++;
        }
        if (channel == channels) {
            channel = 0;
            image++;
        }
    }
}

extern "C" __global__ void __launch_bounds__(256)
dropout_multiply(const float* __restrict__ values, const float* __restrict__ mask, float* __restrict__ out, u64 n) {
    FOR_EACH_VALUE(i, n) { out[i] = __fmul_rn(values[i], mask[i]); }
}
