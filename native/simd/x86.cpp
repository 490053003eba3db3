// The processor itself is asked: __builtin_cpu_supports needs a part of the compiler's runtime that is not linked by
// every cross compiler, nor by clang-cl. A program would then use the baseline for ever and say nothing.
#include "simd/x86.hpp"

#include <cpuid.h>

#include <cstdint>

namespace ctckit::x86 {
namespace {

struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

// All zero if the processor does not have this leaf.
Registers cpuid(uint32_t leaf) {
  Registers found;
  if (!__get_cpuid_count(leaf, 0, &found.a, &found.b, &found.c, &found.d)) return {};
  return found;
}

// Whether the system saves these registers when it switches threads.
bool system_saves(uint32_t registers) {
  constexpr uint32_t osxsave = 1u << 27;
  if (!(cpuid(1).c & osxsave)) return false;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & registers) == registers;
}

constexpr bool has(uint32_t found, uint32_t bits) { return (found & bits) == bits; }

constexpr uint32_t sse_and_avx_registers = 0b110, avx512_registers = 0b11100110;
constexpr uint32_t fma = 1u << 12, avx = 1u << 28;                                                     // leaf 1, c
constexpr uint32_t bmi = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8;                                      // leaf 7, b
constexpr uint32_t avx512f = 1u << 16, avx512dq = 1u << 17, avx512bw = 1u << 30, avx512vl = 1u << 31;  // leaf 7, b

}  // namespace

bool has_avx2() {
  return system_saves(sse_and_avx_registers) && has(cpuid(1).c, fma | avx) && has(cpuid(7).b, bmi | avx2 | bmi2);
}

bool has_avx512() {
  return system_saves(avx512_registers) && has(cpuid(7).b, avx512f | avx512dq | avx512bw | avx512vl);
}

}  // namespace ctckit::x86
