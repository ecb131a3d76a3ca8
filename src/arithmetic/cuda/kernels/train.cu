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

// Ends a step: the next launches belong to the next step.
extern "C" __global__ void end_step(u32* step) { *step += 1; }
