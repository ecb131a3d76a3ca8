// Conversions between channels last (this program) and channels first (PyTorch).

extern "C" __global__ void __launch_bounds__(256)
copy(const float* __restrict__ from, float* __restrict__ to, u64 n) {
    FOR_EACH_VALUE(i, n) { to[i] = from[i]; }
}

// Copies matrices [images, rows, columns] to [images, columns, rows], in tiles of 32 by 32, so that reads and writes
// are coalesced. Blocks: column tiles, row tiles, images.
extern "C" __global__ void __launch_bounds__(256)
transpose_images(const float* __restrict__ from, float* __restrict__ to, u32 rows, u32 columns) {
    // One column more than needed, so that the values of a column are in different banks.
    __shared__ float tile[32 * 33];
    u64 image = (u64)blockIdx.z * rows * columns;
    u32 x = threadIdx.x % 32, first_column = blockIdx.x * 32, first_row = blockIdx.y * 32;
    for (u32 y = threadIdx.x / 32; y < 32; y += 8) {
        u32 row = first_row + y, column = first_column + x;
        if (row < rows && column < columns) {
            tile[y * 33 + x] = from[image + (u64)row * columns + column];
        }
    }
    __syncthreads();
    for (u32 y = threadIdx.x / 32; y < 32; y += 8) {
        u32 column = first_column + y, row = first_row + x;
        if (row < rows && column < columns) {
            to[image + (u64)column * rows + row] = tile[x * 33 + y];
        }
    }
}
