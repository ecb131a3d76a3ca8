// Products of matrices in pieces of 128 terms: see src/arithmetic/kernels/gemm.rs.
//
// Every value of a product is a sum over k. The sum is split into pieces: each is a chain of fused multiply-additions
// in the order of k that starts at 0, and is added to the sum of the pieces before it. One thread computes the whole
// chain of a value.
//
// Longer than 400 lines because a block's copies, products and sums share the sizes of its tile; they are templates of one
// kernel.

// Maximum number of terms in a chain.
#define PIECE 128
// Number of terms that a block holds in shared memory at a time. There is room for two such chunks: while the threads
// use one, they read the next.
#define CHUNK 16
// Number of rows that a thread computes.
#define THREAD_ROWS 8
// A block's part of a product: `rows` by `columns` values. Each thread computes 8 rows by `width` columns; `tile_row` and
// `tile_column` say which.
template <u32 rows, u32 columns, u32 width>
struct Tile {
    enum : u32 {
        ROWS = rows,
        COLUMNS = columns,
        WIDTH = width,
        THREADS = rows / THREAD_ROWS * (columns / width),
        // The 32 threads of a warp compute 4 groups of rows by 8 groups of columns, so that together they read few
        // different values.
        WARPS_ACROSS = columns / width / 8,
        // Number of values of `a`, and of `b`, that a thread reads for each chunk.
        A_VALUES = rows * CHUNK / THREADS,
        B_VALUES = columns * CHUNK / THREADS,
        // Floats of shared memory for a chunk of `a`, enough for both layouts (BY_ROWS); then for a chunk of `a` and `b`.
        A_LEN = rows * (CHUNK + 4),
        CHUNK_LEN = A_LEN + CHUNK * (columns + 4),
        SHARED_LEN = 2 * CHUNK_LEN,
    };
};
// 256 threads.
typedef Tile<128, 128, 8> Large;
// 128 threads. On an H100, the fastest for products with many values.
typedef Tile<128, 64, 8> Medium;
// 128 threads, for products with few values.
typedef Tile<64, 64, 4> Small;
// 128 threads, for products with few columns.
typedef Tile<128, 32, 4> Narrow;
// 64 threads, for products with few rows.
typedef Tile<32, 64, 4> Low;

// The terms of a sum: from `first` to `end`, in groups of `group` terms. A new piece begins with each group.
struct Terms {
    u32 first, end, group;
};

__device__ __forceinline__ Terms all_terms(u32 k) { return {0, k, k}; }

// The end of the piece that begins at k.
__device__ __forceinline__ u32 end_of_piece(const Terms& terms, u32 k) {
    u32 left = terms.group - (k - terms.first) % terms.group;
    return k + min(min(left, (u32)PIECE), terms.end - k);
}

// The column in the block's tile of this thread's value j of 4 or 8.
template <class T>
__device__ __forceinline__ u32 tile_column(u32 j) {
    const u32 group = threadIdx.x / 32 % T::WARPS_ACROSS * 8 + threadIdx.x % 8;
    return group * 4 + j % 4 + j / 4 * (T::COLUMNS / 2);
}
// The row in the block's tile of this thread's value i of 8. `by_rows`: see BY_ROWS below.
template <class T, bool by_rows>
__device__ __forceinline__ u32 tile_row(u32 i) {
    const u32 warp = threadIdx.x / 32 / T::WARPS_ACROSS, group = threadIdx.x % 32 / 8;
    return by_rows ? warp * 32 + group + 4 * i : (warp * 4 + group) * 4 + i % 4 + i / 4 * (T::ROWS / 2);
}

// For `c[m, n] = a[m, k] b[k, n]`, two ways to bring a chunk of `a` and `b` into shared memory: SingleValues and
// FourValues. `fetch(k, end, chunk)` starts to read this thread's values of terms k to end - 1; after `put(chunk)` they
// are in `chunk`. SingleValues keeps them in registers until `put`. In `chunk`, `a` is [rows][A_STRIDE] if BY_ROWS,
// otherwise [CHUNK][A_STRIDE]; `b` follows at A_LEN as [CHUNK][B_STRIDE]. Values outside the matrices or the terms are 0.
// The strides are such that the threads of a warp use different banks.

// Reads `a(row, term)` and `b(term, column)`. Consecutive threads read consecutive terms of one line if `by_terms`,
// otherwise one term of consecutive lines, whichever is contiguous in memory. A line is a row of `a` or a column of
// `b`.
template <class T, bool a_by_terms, bool b_by_terms, class A, class B>
struct SingleValues {
    enum : bool { BY_ROWS = false };
    enum : u32 { A_STRIDE = T::ROWS + 4, B_STRIDE = T::COLUMNS + 4 };
    A a;
    B b;
    u32 m, n;
    float next_a[T::A_VALUES], next_b[T::B_VALUES];

    template <bool by_terms, u32 lines>
    static __device__ __forceinline__ u32 line(u32 i) {
        return by_terms ? threadIdx.x / CHUNK + i * (T::THREADS / CHUNK) : threadIdx.x % lines;
    }
    template <bool by_terms, u32 lines>
    static __device__ __forceinline__ u32 term(u32 i) {
        return by_terms ? threadIdx.x % CHUNK : threadIdx.x / lines + i * (T::THREADS / lines);
    }

    __device__ __forceinline__ void fetch(u32 k, u32 end, float*) {
#pragma unroll
        for (u32 i = 0; i < T::A_VALUES; i++) {
            u32 row = blockIdx.x * T::ROWS + line<a_by_terms, T::ROWS>(i), at = k + term<a_by_terms, T::ROWS>(i);
            next_a[i] = row < m && at < end ? a(row, at) : 0.0f;
        }
#pragma unroll
        for (u32 i = 0; i < T::B_VALUES; i++) {
            u32 column = blockIdx.y * T::COLUMNS + line<b_by_terms, T::COLUMNS>(i), at = k + term<b_by_terms, T::COLUMNS>(i);
            next_b[i] = column < n && at < end ? b(at, column) : 0.0f;
        }
    }

    __device__ __forceinline__ void put(float* chunk) const {
#pragma unroll
        for (u32 i = 0; i < T::A_VALUES; i++) {
            chunk[term<a_by_terms, T::ROWS>(i) * A_STRIDE + line<a_by_terms, T::ROWS>(i)] = next_a[i];
        }
        chunk += T::A_LEN;
#pragma unroll
        for (u32 i = 0; i < T::B_VALUES; i++) {
            chunk[term<b_by_terms, T::COLUMNS>(i) * B_STRIDE + line<b_by_terms, T::COLUMNS>(i)] = next_b[i];
        }
    }
};

// Copies groups of four consecutive values straight to shared memory. In memory, `a` is [m][k] if `by_rows`, otherwise
// [k][m]; `b` is [k][n]. Their rows begin at multiples of 16 bytes and have a multiple of 4 values.
template <class T, bool by_rows>
struct FourValues {
    enum : bool { BY_ROWS = by_rows };
    enum : u32 { A_STRIDE = by_rows ? CHUNK + 4 : T::ROWS + 4, B_STRIDE = by_rows ? T::COLUMNS : T::COLUMNS + 4 };
    const float* a;
    const float* b;
    u32 a_stride, b_stride, m, n;

    static __device__ __forceinline__ u32 place(u32 i) { return threadIdx.x + i * T::THREADS; }

    __device__ __forceinline__ void fetch(u32 k, u32 end, float* chunk) const {
#pragma unroll
        for (u32 i = 0; i < T::A_VALUES / 4; i++) {
            const u32 row = by_rows ? place(i) / (CHUNK / 4) : place(i) % (T::ROWS / 4) * 4;
            const u32 term = by_rows ? place(i) % (CHUNK / 4) * 4 : place(i) / (T::ROWS / 4);
            const u32 at = blockIdx.x * T::ROWS + row, from = k + term;
            const u64 offset = by_rows ? (u64)at * a_stride + from : (u64)from * a_stride + at;
            copy_four(chunk + (by_rows ? row * A_STRIDE + term : term * A_STRIDE + row), a, offset, at < m && from < end);
        }
#pragma unroll
        for (u32 i = 0; i < T::B_VALUES / 4; i++) {
            const u32 column = place(i) % (T::COLUMNS / 4) * 4, term = place(i) / (T::COLUMNS / 4);
            const u32 at = blockIdx.y * T::COLUMNS + column, from = k + term;
            copy_four(chunk + T::A_LEN + term * B_STRIDE + column, b, (u64)from * b_stride + at, at < n && from < end);
        }
    }

    __device__ __forceinline__ void put(float*) const { wait_for_copies(); }
};

// Computes this block's tile of a product. blockIdx.x and blockIdx.y are the tile's row and column. After each piece,
// calls `finish(sums, is_first, is_last)` with this thread's chains and whether the piece is the first or the last one.
// `shared` has room for T::SHARED_LEN values. All threads of the block call this.
template <class T, class Values, class Finish>
__device__ __forceinline__ void multiply_tile(float* shared, const Terms terms, Values values, Finish finish) {
    float sums[THREAD_ROWS][T::WIDTH];
    auto clear = [&]() {
#pragma unroll
        for (u32 i = 0; i < THREAD_ROWS; i++) {
#pragma unroll
            for (u32 j = 0; j < T::WIDTH; j++) {
                sums[i][j] = 0.0f;
            }
        }
    };

    // Adds the products of one term.
    auto add_term = [&](const float (&a_values)[THREAD_ROWS], const float* b_term) {
        float b_values[T::WIDTH];
#pragma unroll
        for (u32 j = 0; j < T::WIDTH; j += 4) {
            float4 four = *reinterpret_cast<const float4*>(b_term + j / 4 * (T::COLUMNS / 2));
            b_values[j] = four.x, b_values[j + 1] = four.y, b_values[j + 2] = four.z, b_values[j + 3] = four.w;
        }
#pragma unroll
        for (u32 i = 0; i < THREAD_ROWS; i++) {
#pragma unroll
            for (u32 j = 0; j < T::WIDTH; j++) {
                sums[i][j] = __fmaf_rn(a_values[i], b_values[j], sums[i][j]);
            }
        }
    };

    // Adds the products of AT_ONCE terms, `term` and those after it. `a` and `b` point to this thread's first row and
    // column in the chunk. If BY_ROWS, k is a multiple of 4, and so are pieces: an odd number of terms would add a
    // product of zeros, which turns a sum of -0 into +0.
    constexpr u32 AT_ONCE = Values::BY_ROWS ? 2 : 1;
    auto add_terms = [&](const float* a, const float* b, u32 term) {
        float a_values[AT_ONCE][THREAD_ROWS];
        if constexpr (Values::BY_ROWS) {
#pragma unroll
            for (u32 i = 0; i < THREAD_ROWS; i++) {
                float2 two = *reinterpret_cast<const float2*>(a + 4 * i * Values::A_STRIDE + term);
                a_values[0][i] = two.x, a_values[1][i] = two.y;
            }
        } else {
#pragma unroll
            for (u32 i = 0; i < THREAD_ROWS; i += 4) {
                float4 four = *reinterpret_cast<const float4*>(a + term * Values::A_STRIDE + i / 4 * (T::ROWS / 2));
                a_values[0][i] = four.x, a_values[0][i + 1] = four.y, a_values[0][i + 2] = four.z, a_values[0][i + 3] = four.w;
            }
        }
#pragma unroll
        for (u32 l = 0; l < AT_ONCE; l++) {
            add_term(a_values[l], b + (term + l) * Values::B_STRIDE);
        }
    };

    u32 piece_end = end_of_piece(terms, terms.first);
    u32 chunk_end = min(terms.first + CHUNK, piece_end), count = chunk_end - terms.first;
    values.fetch(terms.first, chunk_end, shared);
    values.put(shared);
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
            // No thread still reads `other`: all have passed the barrier before this chunk.
            values.fetch(next, chunk_end, other);
        }
        const float* a = chunk + tile_row<T, Values::BY_ROWS>(0) * (Values::BY_ROWS ? (u32)Values::A_STRIDE : 1);
        const float* b = chunk + T::A_LEN + tile_column<T>(0);
        if (count == CHUNK) {
#pragma unroll
            for (u32 term = 0; term < CHUNK; term += AT_ONCE) {
                add_terms(a, b, term);
            }
        } else {
#pragma unroll 1
            for (u32 term = 0; term < count; term += AT_ONCE) {
                add_terms(a, b, term);
            }
        }
        count = chunk_end - next;
        if (ends) {
            finish(sums, is_first, is_last);
            is_first = false;
            clear();
        }
        if (is_last) {
            break;
        }
        values.put(other);
        __syncthreads();
        float* used = chunk;
        chunk = other;
        other = used;
    }
}

// Adds this thread's values of a tile to `c`, whose rows are `stride` values apart, or writes them if `is_first`; then
// adds each column's value of `addend`, unless it is null.
template <class T, bool by_rows = false>
__device__ __forceinline__ void write_tile(float* c, u32 stride, u32 m, u32 n, const float (&sums)[THREAD_ROWS][T::WIDTH],
                                           bool is_first, const float* addend) {
#pragma unroll
    for (u32 i = 0; i < THREAD_ROWS; i++) {
        const u32 row = blockIdx.x * T::ROWS + tile_row<T, by_rows>(i);
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

// Like multiply_tile, for matrices whose values `a(row, term)` and `b(term, column)` read.
template <class T, bool a_by_terms, bool b_by_terms, class A, class B, class Finish>
__device__ __forceinline__ void multiply_tile(float* shared, u32 m, u32 n, const Terms terms, A a, B b, Finish finish) {
    SingleValues<T, a_by_terms, b_by_terms, A, B> values{a, b, m, n, {}, {}};
    multiply_tile<T>(shared, terms, values, finish);
}

// Adds the chains of a piece, `sums`, to the totals of the pieces before it, which start at 0.
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

// Products of matrices whose rows in memory are `a_stride`, `b_stride` and `c_stride` values apart. blockIdx.z counts
// `batch` matrices, which are `a_batch`, `b_batch` and `c_batch` values apart. If there are more blocks along z, it
// also counts the pieces, and each block writes its piece's chains to `c + piece * c_piece`.
#define PRODUCT_PARAMETERS                                                                                                      \
    const float *a, const float *b, float *c, const float *addend, u32 m, u32 n, u32 k, u32 a_stride, u32 b_stride, u32 c_stride, \
        u64 a_batch, u64 b_batch, u64 c_batch, u32 batch, u64 c_piece

// Moves a, b and c to this block's matrices, and finds its terms.
#define THIS_PRODUCT                                                                                                            \
    const u32 matrix = blockIdx.z % batch, piece = blockIdx.z / batch;                                                          \
    a += matrix * a_batch;                                                                                                      \
    b += matrix * b_batch;                                                                                                      \
    c += matrix * c_batch + piece * c_piece;                                                                                    \
    const Terms terms = gridDim.z > batch ? Terms{piece * PIECE, min((piece + 1) * PIECE, k), PIECE} : all_terms(k)

// Products whose values are read one at a time.
template <class T, bool a_by_terms, bool b_by_terms>
__device__ __forceinline__ void multiply_matrices(float* shared, PRODUCT_PARAMETERS) {
    THIS_PRODUCT;
    multiply_tile<T, a_by_terms, b_by_terms>(
        shared, m, n, terms,
        [=](u32 row, u32 term) { return a_by_terms ? a[(u64)row * a_stride + term] : a[(u64)term * a_stride + row]; },
        [=](u32 term, u32 column) { return b_by_terms ? b[(u64)column * b_stride + term] : b[(u64)term * b_stride + column]; },
        [=](const float(&sums)[THREAD_ROWS][T::WIDTH], bool is_first, bool is_last) {
            write_tile<T>(c, c_stride, m, n, sums, is_first, is_last ? addend : nullptr);
        });
}

// c[m, n] = a[m, k] b[k, n], read four values at a time: n, k and all distances are multiples of 4.
template <class T>
__device__ __forceinline__ void multiply_aligned(float* shared, PRODUCT_PARAMETERS) {
    THIS_PRODUCT;
    FourValues<T, true> values{a, b, a_stride, b_stride, m, n};
    multiply_tile<T>(shared, terms, values, [=](const float(&sums)[THREAD_ROWS][T::WIDTH], bool is_first, bool is_last) {
        write_tile<T, true>(c, c_stride, m, n, sums, is_first, is_last ? addend : nullptr);
    });
}

#define PRODUCT_ARGUMENTS a, b, c, addend, m, n, k, a_stride, b_stride, c_stride, a_batch, b_batch, c_batch, batch, c_piece

extern "C" __global__ void __launch_bounds__(128, 4) product_medium(PRODUCT_PARAMETERS) {
    __shared__ __align__(16) float shared[Medium::SHARED_LEN];
    multiply_aligned<Medium>(shared, PRODUCT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(128, 5) product_small(PRODUCT_PARAMETERS) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    multiply_aligned<Small>(shared, PRODUCT_ARGUMENTS);
}

extern "C" __global__ void __launch_bounds__(128, 5) product_narrow(PRODUCT_PARAMETERS) {
    __shared__ __align__(16) float shared[Narrow::SHARED_LEN];
    multiply_aligned<Narrow>(shared, PRODUCT_ARGUMENTS);
}

// c[m, n] = a[m, k] b[k, n]
extern "C" __global__ void __launch_bounds__(128) product_plain(PRODUCT_PARAMETERS) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    multiply_matrices<Small, true, false>(shared, PRODUCT_ARGUMENTS);
}

// c[m, n] = a[k, m]ᵀ b[k, n]
extern "C" __global__ void __launch_bounds__(128) product_a_transposed(PRODUCT_PARAMETERS) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    multiply_matrices<Small, false, false>(shared, PRODUCT_ARGUMENTS);
}

// c[m, n] = a[m, k] b[n, k]ᵀ
extern "C" __global__ void __launch_bounds__(128) product_b_transposed(PRODUCT_PARAMETERS) {
    __shared__ __align__(16) float shared[Small::SHARED_LEN];
    multiply_matrices<Small, true, true>(shared, PRODUCT_ARGUMENTS);
}

// Adds pieces in order: c[i] is the sum of pieces[0][i], pieces[1][i], ... and, unless `addend` is null, of its
// column's value of `addend`. Rows have `columns` values.
extern "C" __global__ void __launch_bounds__(256)
add_pieces(const float* pieces, float* c, const float* addend, u32 count, u32 len, u32 columns) {
    const u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= len) {
        return;
    }
    float sum = pieces[i];
    in_order(1, count, [=](u32 piece) { return pieces[(u64)piece * len + i]; }, [&](float term) { sum = __fadd_rn(sum, term); });
    c[i] = addend == nullptr ? sum : __fadd_rn(sum, addend[i % columns]);
}

// Maximum number of parts of a batch: see src/arithmetic/kernels/threads.rs.
#define PARTS 8

// Adds terms, `[count][len]`, in parts of `per_part` terms: the terms of each part in order, starting at 0, then the
// parts in order. A block computes 32 sums, with a thread for each part.
extern "C" __global__ void __launch_bounds__(256)
add_in_parts(const float* terms, float* sums, u32 count, u32 per_part, u32 len) {
    __shared__ float parts[PARTS][32];
    const u32 part = threadIdx.x / 32, lane = threadIdx.x % 32, i = blockIdx.x * 32 + lane;
    const u32 first = min(part * per_part, count), end = min(first + per_part, count);
    if (i < len) {
        float sum = 0.0f;
        in_order(first, end, [=](u32 term) { return terms[(u64)term * len + i]; }, [&](float term) { sum = __fadd_rn(sum, term); });
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

// Sums each column of `[rows][columns]` over runs of `run` rows, starting at 0, and writes `[runs][columns]`. A new run
// begins with each group of `group` rows.
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
    in_order(first, end, [=](u32 row) { return values[(u64)row * columns + column]; }, [&](float term) { sum = __fadd_rn(sum, term); });
    sums[i] = sum;
}
