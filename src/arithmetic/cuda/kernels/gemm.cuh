// Products of matrices in pieces of 128 terms: see gemm.rs.
//
// Every value of a product is a sum over k. It is split into pieces: each is a chain of fused multiply-additions that starts at 0,
// in the order of k, and is added to the sum of those before it. A thread computes all of a piece's chain for its values.

// Most terms in a chain.
#define PIECE 128
// Terms that a block has in shared memory at a time. There is room for two such chunks: while the threads use one, they read
// the next.
#define CHUNK 16
// Rows that a thread computes: 4 in the upper half of its block's tile, 4 in the lower half.
#define THREAD_ROWS 8
// Values of `a`, and of `b`, that a thread reads for each chunk.
#define FETCHED 8

// A block's part of a product: `rows` by `columns` values. Each thread computes 8 rows by `width` columns, 4 in each half.
template <u32 rows, u32 columns, u32 width>
struct Tile {
    enum : u32 {
        ROWS = rows,
        COLUMNS = columns,
        WIDTH = width,
        ACROSS = columns / width,
        THREADS = rows / THREAD_ROWS * (columns / width),
        // 4 more, so that the values of a row of `a`, which lie in different rows of the chunk, are in different banks.
        A_STRIDE = rows + 4,
        B_STRIDE = columns + 4,
        CHUNK_LEN = CHUNK * (rows + 4 + columns + 4),
        SHARED_LEN = 2 * CHUNK_LEN,
    };
};
// 256 threads.
typedef Tile<128, 128, 8> Large;
// 128 threads, for products with few values.
typedef Tile<64, 64, 4> Small;

// The terms of a sum: from `first` to `end`, in groups of `group`. Pieces begin with each group.
struct Terms {
    u32 first, end, group;
};

__device__ __forceinline__ Terms all_terms(u32 k) { return {0, k, k}; }

// Where the piece ends that begins at k.
__device__ __forceinline__ u32 end_of_piece(const Terms& terms, u32 k) {
    u32 left = terms.group - (k - terms.first) % terms.group;
    return k + min(min(left, (u32)PIECE), terms.end - k);
}

// Where this thread's value i of 8 (or j of 4 or 8) is in its block's tile.
template <class T>
__device__ __forceinline__ u32 tile_row(u32 i) {
    return threadIdx.x / T::ACROSS * 4 + i % 4 + i / 4 * (T::ROWS / 2);
}
template <class T>
__device__ __forceinline__ u32 tile_column(u32 j) {
    return threadIdx.x % T::ACROSS * 4 + j % 4 + j / 4 * (T::COLUMNS / 2);
}

// Which of a chunk's values this thread reads: number i of 8. Consecutive threads read consecutive terms of one line if
// `by_terms`, and else one term of consecutive lines: as they lie in memory. A line is a row of `a` or a column of `b`.
template <bool by_terms, u32 lines, u32 threads>
__device__ __forceinline__ u32 fetched_line(u32 i) {
    return by_terms ? threadIdx.x / CHUNK + i * (threads / CHUNK) : threadIdx.x % lines;
}
template <bool by_terms, u32 lines, u32 threads>
__device__ __forceinline__ u32 fetched_term(u32 i) {
    return by_terms ? threadIdx.x % CHUNK : threadIdx.x / lines + i * (threads / lines);
}

// Computes this block's tile of `c[m, n] = a[m, k] b[k, n]`. Its first row and column are those of blockIdx.x and blockIdx.y.
//
// `a(row, k)` and `b(k, column)` read a value. After each piece, `finish(sums, is_first, is_last)` gets this thread's chains and
// whether it is the first and last piece. `shared` has room for T::SHARED_LEN values. All threads of the block call this.
template <class T, bool a_by_terms, bool b_by_terms, class A, class B, class Finish>
__device__ __forceinline__ void multiply_tile(float* shared, u32 m, u32 n, const Terms terms, A a, B b, Finish finish) {
    const u32 first_row = blockIdx.x * T::ROWS, first_column = blockIdx.y * T::COLUMNS;
    float next_a[FETCHED], next_b[FETCHED], sums[THREAD_ROWS][T::WIDTH];

    // Where a chunk has no more terms, the product is -0, which changes no sum.
    auto fetch = [&](u32 k, u32 end) {
#pragma unroll
        for (u32 i = 0; i < FETCHED; i++) {
            u32 row = first_row + fetched_line<a_by_terms, T::ROWS, T::THREADS>(i);
            u32 term = k + fetched_term<a_by_terms, T::ROWS, T::THREADS>(i);
            next_a[i] = row < m && term < end ? a(row, term) : 0.0f;
        }
#pragma unroll
        for (u32 i = 0; i < FETCHED; i++) {
            u32 column = first_column + fetched_line<b_by_terms, T::COLUMNS, T::THREADS>(i);
            u32 term = k + fetched_term<b_by_terms, T::COLUMNS, T::THREADS>(i);
            next_b[i] = column < n && term < end ? b(term, column) : -0.0f;
        }
    };
    auto put = [&](float* chunk) {
#pragma unroll
        for (u32 i = 0; i < FETCHED; i++) {
            u32 row = fetched_line<a_by_terms, T::ROWS, T::THREADS>(i);
            chunk[fetched_term<a_by_terms, T::ROWS, T::THREADS>(i) * T::A_STRIDE + row] = next_a[i];
            u32 column = fetched_line<b_by_terms, T::COLUMNS, T::THREADS>(i);
            u32 term = fetched_term<b_by_terms, T::COLUMNS, T::THREADS>(i);
            chunk[CHUNK * T::A_STRIDE + term * T::B_STRIDE + column] = next_b[i];
        }
    };
    auto clear = [&]() {
#pragma unroll
        for (u32 i = 0; i < THREAD_ROWS; i++) {
#pragma unroll
            for (u32 j = 0; j < T::WIDTH; j++) {
                sums[i][j] = 0.0f;
            }
        }
    };

    u32 piece_end = end_of_piece(terms, terms.first);
    u32 chunk_end = min(terms.first + CHUNK, piece_end);
    fetch(terms.first, chunk_end);
    put(shared);
    __syncthreads();
    clear();
    bool is_first = true;
    float* chunk = shared;
    float* other = shared + T::CHUNK_LEN;
    for (;;) {
        const u32 next = chunk_end;
        const bool ends = next == piece_end, is_last = next == terms.end;
        if (!is_last) {
            if (ends) {
                piece_end = end_of_piece(terms, next);
            }
            chunk_end = min(next + CHUNK, piece_end);
            fetch(next, chunk_end);
        }
        const float* a_row = chunk + tile_row<T>(0);
        const float* b_row = chunk + CHUNK * T::A_STRIDE + tile_column<T>(0);
#pragma unroll
        for (u32 term = 0; term < CHUNK; term++) {
            float a_values[THREAD_ROWS], b_values[T::WIDTH];
#pragma unroll
            for (u32 i = 0; i < THREAD_ROWS; i += 4) {
                float4 four = *reinterpret_cast<const float4*>(a_row + i / 4 * (T::ROWS / 2));
                a_values[i] = four.x, a_values[i + 1] = four.y, a_values[i + 2] = four.z, a_values[i + 3] = four.w;
            }
#pragma unroll
            for (u32 j = 0; j < T::WIDTH; j += 4) {
                float4 four = *reinterpret_cast<const float4*>(b_row + j / 4 * (T::COLUMNS / 2));
                b_values[j] = four.x, b_values[j + 1] = four.y, b_values[j + 2] = four.z, b_values[j + 3] = four.w;
            }
#pragma unroll
            for (u32 i = 0; i < THREAD_ROWS; i++) {
#pragma unroll
                for (u32 j = 0; j < T::WIDTH; j++) {
                    sums[i][j] = __fmaf_rn(a_values[i], b_values[j], sums[i][j]);
                }
            }
            a_row += T::A_STRIDE;
            b_row += T::B_STRIDE;
        }
        if (ends) {
            finish(sums, is_first, is_last);
            is_first = false;
            clear();
        }
        if (is_last) {
            break;
        }
        // No thread reads `other` any more: all have passed the barrier before this chunk.
        put(other);
        __syncthreads();
        float* used = chunk;
        chunk = other;
        other = used;
    }
}

// Adds this thread's values of a tile to `c`, whose rows are `stride` values apart, or writes them if `is_first`; then adds a
// value of each column, if there is `addend`.
template <class T>
__device__ __forceinline__ void write_tile(float* c, u32 stride, u32 m, u32 n, const float (&sums)[THREAD_ROWS][T::WIDTH],
                                           bool is_first, const float* addend) {
#pragma unroll
    for (u32 i = 0; i < THREAD_ROWS; i++) {
        const u32 row = blockIdx.x * T::ROWS + tile_row<T>(i);
#pragma unroll
        for (u32 j = 0; j < T::WIDTH; j += 4) {
            const u32 column = blockIdx.y * T::COLUMNS + tile_column<T>(j);
            if (row >= m || column >= n) {
                continue;
            }
            float* at = c + (u64)row * stride + column;
            const bool whole = column + 4 <= n && reinterpret_cast<u64>(at) % 16 == 0;
            float values[4];
#pragma unroll
            for (u32 l = 0; l < 4; l++) {
                values[l] = sums[i][j + l];
            }
            if (!is_first) {
                if (whole) {
                    float4 four = *reinterpret_cast<const float4*>(at);
                    values[0] = __fadd_rn(four.x, values[0]);
                    values[1] = __fadd_rn(four.y, values[1]);
                    values[2] = __fadd_rn(four.z, values[2]);
                    values[3] = __fadd_rn(four.w, values[3]);
                } else {
#pragma unroll
                    for (u32 l = 0; l < 4; l++) {
                        if (column + l < n) {
                            values[l] = __fadd_rn(at[l], values[l]);
                        }
                    }
                }
            }
            if (addend != nullptr) {
#pragma unroll
                for (u32 l = 0; l < 4; l++) {
                    if (column + l < n) {
                        values[l] = __fadd_rn(values[l], addend[column + l]);
                    }
                }
            }
            if (whole) {
                *reinterpret_cast<float4*>(at) = make_float4(values[0], values[1], values[2], values[3]);
            } else {
#pragma unroll
                for (u32 l = 0; l < 4; l++) {
                    if (column + l < n) {
                        at[l] = values[l];
                    }
                }
            }
        }
    }
}

// Sums over pieces that begin at 0, in registers: adds the chains of a piece to `totals`.
template <class T>
__device__ __forceinline__ void add_to_totals(float (&totals)[THREAD_ROWS][T::WIDTH],
                                              const float (&sums)[THREAD_ROWS][T::WIDTH], bool is_first) {
#pragma unroll
    for (u32 i = 0; i < THREAD_ROWS; i++) {
#pragma unroll
        for (u32 j = 0; j < T::WIDTH; j++) {
            totals[i][j] = __fadd_rn(is_first ? 0.0f : totals[i][j], sums[i][j]);
        }
    }
}

// Computes this block's tile of a product of matrices whose rows (of `b`, if `b_by_terms`, columns; of `a`, if not
// `a_by_terms`, columns) are `a_stride`, `b_stride` and `c_stride` values apart. blockIdx.z counts `batch` matrices, which are
// `a_batch`, `b_batch` and `c_batch` values apart, and, if there are more blocks along z, the pieces: then each block writes
// its piece's chains to `c + piece * c_piece`.
template <class T, bool a_by_terms, bool b_by_terms>
__device__ __forceinline__ void multiply_matrices(float* shared, const float* a, const float* b, float* c,
                                                  const float* addend, u32 m, u32 n, u32 k, u32 a_stride, u32 b_stride,
                                                  u32 c_stride, u64 a_batch, u64 b_batch, u64 c_batch, u32 batch,
                                                  u64 c_piece) {
    const u32 matrix = blockIdx.z % batch, piece = blockIdx.z / batch;
    a += matrix * a_batch;
    b += matrix * b_batch;
    c += matrix * c_batch + piece * c_piece;
    Terms terms = all_terms(k);
    if (gridDim.z > batch) {
        terms = {piece * PIECE, min((piece + 1) * PIECE, k), PIECE};
    }
    multiply_tile<T, a_by_terms, b_by_terms>(
        shared, m, n, terms,
        [=](u32 row, u32 term) { return a_by_terms ? a[(u64)row * a_stride + term] : a[(u64)term * a_stride + row]; },
        [=](u32 term, u32 column) { return b_by_terms ? b[(u64)column * b_stride + term] : b[(u64)term * b_stride + column]; },
        [=](const float(&sums)[THREAD_ROWS][T::WIDTH], bool is_first, bool is_last) {
            write_tile<T>(c, c_stride, m, n, sums, is_first, is_last ? addend : nullptr);
        });
}

// c[m, n] = a[m, k] b[k, n]
extern "C" __global__ void __launch_bounds__(256)
product_large(const float* a, const float* b, float* c, const float* addend, u32 m, u32 n, u32 k, u32 a_stride, u32 b_stride,
              u32 c_stride, u64 a_batch, u64 b_batch, u64 c_batch, u32 batch, u64 c_piece) {
    __shared__ __align__(16) float shared[Large::SHARED_LEN];
    multiply_matrices<Large, true, false>(shared, a, b, c, addend, m, n, k, a_stride, b_stride, c_stride, a_batch, b_batch,
                                          c_batch, batch, c_piece);
}

// As product_large, for few values.
extern "C" __global__ void __launch_bounds__(128)
product_small(const float* a, const float* b, float* c, const float* addend, u32 m, u32 n, u32 k, u32 a_stride, u32 b_stride,
              u32 c_stride, u64 a_batch, u64 b_batch, u64 c_batch, u32 batch, u64 c_piece) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    multiply_matrices<Small, true, false>(shared, a, b, c, addend, m, n, k, a_stride, b_stride, c_stride, a_batch, b_batch,
                                          c_batch, batch, c_piece);
}

// c[m, n] = a[k, m]ᵀ b[k, n]
extern "C" __global__ void __launch_bounds__(128)
product_a_transposed(const float* a, const float* b, float* c, const float* addend, u32 m, u32 n, u32 k, u32 a_stride,
                     u32 b_stride, u32 c_stride, u64 a_batch, u64 b_batch, u64 c_batch, u32 batch, u64 c_piece) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    multiply_matrices<Small, false, false>(shared, a, b, c, addend, m, n, k, a_stride, b_stride, c_stride, a_batch, b_batch,
                                           c_batch, batch, c_piece);
}

// c[m, n] = a[m, k] b[n, k]ᵀ
extern "C" __global__ void __launch_bounds__(128)
product_b_transposed(const float* a, const float* b, float* c, const float* addend, u32 m, u32 n, u32 k, u32 a_stride,
                     u32 b_stride, u32 c_stride, u64 a_batch, u64 b_batch, u64 c_batch, u32 batch, u64 c_piece) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    multiply_matrices<Small, true, true>(shared, a, b, c, addend, m, n, k, a_stride, b_stride, c_stride, a_batch, b_batch,
                                         c_batch, batch, c_piece);
}

// Adds pieces in order: c[i] is the sum of pieces[0][i], pieces[1][i] ... and, if there is `addend`, of the value of its column.
// Rows have `columns` values.
extern "C" __global__ void __launch_bounds__(256)
add_pieces(const float* pieces, float* c, const float* addend, u32 count, u32 len, u32 columns) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= len) {
        return;
    }
    float sum = pieces[i];
#pragma unroll 8
    for (u32 piece = 1; piece < count; piece++) {
        sum = __fadd_rn(sum, pieces[(u64)piece * len + i]);
    }
    c[i] = addend == nullptr ? sum : __fadd_rn(sum, addend[i % columns]);
}

// Most parts of a batch: see threads.rs.
#define PARTS 8

// Adds terms, `[count][len]`, in parts of `per_part`: those of a part in order, starting at 0, then the parts in order. A block
// computes 32 sums, with a thread for each part.
extern "C" __global__ void __launch_bounds__(256)
add_in_parts(const float* terms, float* sums, u32 count, u32 per_part, u32 len) {
    __shared__ float parts[PARTS][32];
    const u32 part = threadIdx.x / 32, lane = threadIdx.x % 32, i = blockIdx.x * 32 + lane;
    const u32 first = min(part * per_part, count), end = min(first + per_part, count);
    if (i < len) {
        float sum = 0.0f;
#pragma unroll 16
        for (u32 term = first; term < end; term++) {
            sum = __fadd_rn(sum, terms[(u64)term * len + i]);
        }
        parts[part][lane] = sum;
    }
    __syncthreads();
    if (part == 0 && i < len) {
        float sum = parts[0][lane];
        for (u32 other = 1; other < PARTS && other * per_part < count; other++) {
            sum = __fadd_rn(sum, parts[other][lane]);
        }
        sums[i] = sum;
    }
}

// The sums of each column of `[rows][columns]` over runs of rows that are `run` long, starting at 0: `[runs][columns]`. Runs
// begin with each group of `group` rows.
extern "C" __global__ void __launch_bounds__(128)
add_rows_in_runs(const float* values, float* sums, u32 rows, u32 columns, u32 run, u32 group) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    const u32 column = i % columns, runs_of_group = (group + run - 1) / run;
    const u32 group_first = i / columns / runs_of_group * group;
    const u32 first = group_first + i / columns % runs_of_group * run;
    if (first >= rows) {
        return;
    }
    const u32 end = min(min(first + run, group_first + group), rows);
    float sum = 0.0f;
#pragma unroll 16
    for (u32 row = first; row < end; row++) {
        sum = __fadd_rn(sum, values[(u64)row * columns + column]);
    }
    sums[i] = sum;
}
