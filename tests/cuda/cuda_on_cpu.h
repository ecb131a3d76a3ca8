// Lets a C++ compiler read the CUDA C of src/arithmetic/cuda/kernels, so that its results can be tested without a GPU. Compile with
// -ffp-contract=off and without -ffast-math. A file of the tests includes this header, then the kernels, then cuda_on_cpu.cpp.
//
// The blocks of a launch run one after the other. The threads of a block run as fibres: one runs until it ends or waits at
// __syncthreads(), then the next one. Blocks and threads run in an order that the caller chooses.

#pragma once

#include <math.h>
#include <stddef.h>
#include <string.h>

#define __global__
#define __device__ __attribute__((unused))
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static
// All shared variables lie in one section, so that each block can begin with NaN in them.
#define __shared__ static __attribute__((section("cuda_shared"), aligned(16)))
#define DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(dynamic_shared())

struct uint3 {
    unsigned int x, y, z;
};
static uint3 threadIdx, blockIdx, blockDim, gridDim;

void* dynamic_shared();
void __syncthreads();

struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned int x, y;
};
struct alignas(16) uint4 {
    unsigned int x, y, z, w;
};
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }
static inline double __dsqrt_rn(double a) { return sqrt(a); }
static inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline float __double2float_rn(double a) { return static_cast<float>(a); }
static inline float __int2float_rn(int a) { return static_cast<float>(a); }
static inline float __uint2float_rn(unsigned a) { return static_cast<float>(a); }
static inline double __uint2double_rn(unsigned a) { return static_cast<double>(a); }

template <typename To, typename From>
static inline To same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "the types have the same size");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline unsigned __float_as_uint(float a) { return same_bits<unsigned>(a); }
static inline int __float_as_int(float a) { return same_bits<int>(a); }
static inline float __uint_as_float(unsigned a) { return same_bits<float>(a); }
static inline float __int_as_float(int a) { return same_bits<float>(a); }

template <typename T>
static inline T __ldg(const T* at) { return *at; }
// Of integers only, as in the kernels.
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
