// What differs between nvcc, which makes kernels of these files, and a C++ compiler, which makes functions of them that
// compute the same on the host, thread by thread.
#pragma once

typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// Which thread of a launch this is.
struct Place {
    // Number of the thread among those with the same `row`.
    u64 index;
    // How many threads there are with the same `row`: what grid-stride loops step by.
    u64 stride;
    // The block's coordinates: kernels that reduce rows have one row in x, one strip of it in y.
    u32 row;
    u32 strip;
    // The thread in its block, and the block's threads.
    u32 thread;
    u32 threads;
};

#ifdef __CUDACC__

#define DEVICE static __device__ __forceinline__
#define CONSTANT static __device__ __constant__

// Defines a kernel: its body follows, with `args` and `at` in scope.
#define KERNEL(name, Args)                                                                                             \
    DEVICE void name##_at(const Args &args, const Place &at);                                                          \
    extern "C" __global__ void __launch_bounds__(256) name(const __grid_constant__ Args args) {                        \
        Place at;                                                                                                      \
        at.index = (u64)blockIdx.x * blockDim.x + threadIdx.x;                                                         \
        at.stride = (u64)gridDim.x * blockDim.x;                                                                       \
        at.row = blockIdx.x;                                                                                           \
        at.strip = blockIdx.y;                                                                                         \
        at.thread = threadIdx.x;                                                                                       \
        at.threads = blockDim.x;                                                                                       \
        name##_at(args, at);                                                                                           \
    }                                                                                                                  \
    DEVICE void name##_at(const Args &args, const Place &at)

DEVICE float add_rn(float a, float b) { return __fadd_rn(a, b); }
DEVICE float sub_rn(float a, float b) { return __fsub_rn(a, b); }
DEVICE float mul_rn(float a, float b) { return __fmul_rn(a, b); }
DEVICE float div_rn(float a, float b) { return __fdiv_rn(a, b); }
DEVICE float sqrt_rn(float a) { return __fsqrt_rn(a); }
DEVICE float from_i64_rn(i64 n) { return __ll2float_rn(n); }
DEVICE float float_of_bits(u32 bits) { return __uint_as_float(bits); }
DEVICE u32 bits_of_float(float x) { return __float_as_uint(x); }
DEVICE u64 high_half(u64 a, u64 b) { return __umul64hi(a, b); }
DEVICE i32 dot4(i32 a, i32 b, i32 sum) { return __dp4a(a, b, sum); }

// Reductions over a block whose threads all come here with the same address: first in each warp, then in memory.
DEVICE void reduce_add(u64 *to, u64 x) {
    for (int step = 16; step > 0; step >>= 1) x += __shfl_xor_sync(0xffffffffu, x, step);
    if ((threadIdx.x & 31) == 0 && x != 0) atomicAdd(to, x);
}
DEVICE void reduce_max(u32 *to, u32 x) {
    for (int step = 16; step > 0; step >>= 1) x = max(x, __shfl_xor_sync(0xffffffffu, x, step));
    if ((threadIdx.x & 31) == 0) atomicMax(to, x);
}
DEVICE void reduce_max(u64 *to, u64 x) {
    for (int step = 16; step > 0; step >>= 1) {
        const u64 other = __shfl_xor_sync(0xffffffffu, x, step);
        x = other > x ? other : x;
    }
    if ((threadIdx.x & 31) == 0) atomicMax(to, x);
}
DEVICE void add_to(u64 *to, u64 x) { atomicAdd(to, x); }
DEVICE void add_to(u32 *to, u32 x) { atomicAdd(to, x); }
DEVICE void min_to(u32 *to, u32 x) { atomicMin(to, x); }

#else

#include <cmath>
#include <cstring>

#define DEVICE static inline
#define CONSTANT static const

// The same on the host: the threads of a launch one after the other, or from the last to the first.
#define KERNEL(name, Args)                                                                                             \
    DEVICE void name##_at(const Args &args, const Place &at);                                                          \
    extern "C" u64 name##_size() { return sizeof(Args); }                                                              \
    extern "C" void name(const Args *args, u32 blocks, u32 strips, u32 threads, u32 backwards) {                       \
        const u64 all = (u64)blocks * strips * threads;                                                                \
        for (u64 step = 0; step < all; step++) {                                                                       \
            const u64 number = backwards ? all - 1 - step : step;                                                      \
            Place at;                                                                                                  \
            at.thread = number % threads;                                                                              \
            at.row = number / threads % blocks;                                                                        \
            at.strip = number / threads / blocks;                                                                      \
            at.threads = threads;                                                                                      \
            at.index = (u64)at.row * threads + at.thread;                                                              \
            at.stride = (u64)blocks * threads;                                                                         \
            name##_at(*args, at);                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    DEVICE void name##_at(const Args &args, const Place &at)

// Compiled with -ffp-contract=off: each is one rounded operation.
DEVICE float add_rn(float a, float b) { return a + b; }
DEVICE float sub_rn(float a, float b) { return a - b; }
DEVICE float mul_rn(float a, float b) { return a * b; }
DEVICE float div_rn(float a, float b) { return a / b; }
DEVICE float sqrt_rn(float a) { return std::sqrt(a); }
DEVICE float from_i64_rn(i64 n) { return (float)n; }
DEVICE float float_of_bits(u32 bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}
DEVICE u32 bits_of_float(float x) {
    u32 bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}
DEVICE u64 high_half(u64 a, u64 b) { return (u64)(((unsigned __int128)a * b) >> 64); }
DEVICE i32 dot4(i32 a, i32 b, i32 sum) {
    for (int byte = 0; byte < 4; byte++) sum += (i32)(i8)(a >> (8 * byte)) * (i32)(i8)(b >> (8 * byte));
    return sum;
}

DEVICE void reduce_add(u64 *to, u64 x) { *to += x; }
DEVICE void reduce_max(u32 *to, u32 x) { *to = x > *to ? x : *to; }
DEVICE void reduce_max(u64 *to, u64 x) { *to = x > *to ? x : *to; }
DEVICE void add_to(u64 *to, u64 x) { *to += x; }
DEVICE void add_to(u32 *to, u32 x) { *to += x; }
DEVICE void min_to(u32 *to, u32 x) { *to = x < *to ? x : *to; }

#endif

// A faulty element of the output: the lowest remains.
DEVICE void fault_at(u32 *fault, u64 index) { min_to(fault, (u32)index); }
