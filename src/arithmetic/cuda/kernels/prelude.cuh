// What all kernels share. The arithmetic on floats is written with functions that round once, such as __fadd_rn: a compiler may not
// fuse, reorder or approximate them. Operators + - * / are for integers alone.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

// Pixels or images that are added to one partial sum before it is added to the whole sum.
#define CHAIN 24

// Dynamic shared memory. A test that compiles this as C++ defines it in another way.
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(type, name) extern __shared__ __align__(16) type name[]
#endif
