/* What every file of the compiled core shares. Plain C11 over pixels and lists; no Python in it.

   All pictures lie row by row without gaps. Whoever calls (the .py beside) has checked shapes and types,
   so nothing here can be called out of bounds by what a camera shows. A function that needs memory gives
   -1 where there is none. */
#ifndef LEUKOSCOPE_CORE_H
#define LEUKOSCOPE_CORE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* Compiled twice on x86-64, and the processor takes the one it can run: half of the vector loops' time with
   AVX2. NEON is always there on arm64. FMA is left out: results are then the same on both. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__)
#define VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define VECTORS
#endif

#endif
