// Vectors of the instruction set that this translation unit is compiled for.
//
// One source for every instruction set: GCC's and Clang's vector extensions, no intrinsics but where a comment says why.
// Everything lives in a namespace named after the instruction set and is always inlined, so that the linker can never
// hand code of a newer instruction set to an older machine.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#ifndef CTCKIT_ISA
#define CTCKIT_ISA baseline
#endif

#define CTCKIT_INLINE inline __attribute__((always_inline))

namespace ctckit::CTCKIT_ISA {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(vector_bytes)));
  typedef T unaligned __attribute__((vector_size(vector_bytes), aligned(alignof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;

template <class T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

template <class T>
CTCKIT_INLINE Vector<T> load(const T* from) {
  return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(from);
}

template <class T>
CTCKIT_INLINE void store(T* to, Vector<T> value) {
  *reinterpret_cast<typename VectorOf<T>::unaligned*>(to) = value;
}

template <class T>
CTCKIT_INLINE Vector<T> broadcast(T value) {
  return Vector<T>{} + value;
}

// The first `count` values of a row's ragged end, the other lanes holding `fill`.
template <class T>
CTCKIT_INLINE Vector<T> load_partial(const T* from, int64_t count, T fill) {
  T buffer[lanes<T>];
  for (int k = 0; k < lanes<T>; ++k) buffer[k] = k < count ? from[k] : fill;
  return load(buffer);
}

template <class T>
CTCKIT_INLINE void store_partial(T* to, Vector<T> value, int64_t count) {
  T buffer[lanes<T>];
  store(buffer, value);
  for (int64_t k = 0; k < count; ++k) to[k] = buffer[k];
}

template <class V>
CTCKIT_INLINE V maximum(V a, V b) {
  return a > b ? a : b;
}

template <class V>
CTCKIT_INLINE V minimum(V a, V b) {
  return a < b ? a : b;
}

template <class T>
CTCKIT_INLINE T horizontal_max(Vector<T> v) {
  T best = v[0];
  for (int k = 1; k < lanes<T>; ++k) best = v[k] > best ? v[k] : best;
  return best;
}

// Pairwise, so that the order of the additions is fixed and the error small.
template <class T>
CTCKIT_INLINE T horizontal_sum(Vector<T> v) {
  T buffer[lanes<T>];
  store(buffer, v);
  for (int half = lanes<T> / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) buffer[k] += buffer[k + half];
  return buffer[0];
}

// True where any lane of a comparison's result is set.
template <class Mask>
CTCKIT_INLINE bool any(Mask mask) {
#if defined(__AVX512F__)  // one instruction; the generic loop costs as much as the step that asks
  return _mm512_test_epi64_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask)) != 0;
#else
  uint64_t words[vector_bytes / 8];
  std::memcpy(words, &mask, vector_bytes);
  uint64_t all = 0;
  for (uint64_t word : words) all |= word;
  return all != 0;
#endif
}

}  // namespace ctckit::CTCKIT_ISA
