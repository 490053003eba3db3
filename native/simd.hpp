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

template <int Bytes>
struct IntegerOf;
template <>
struct IntegerOf<4> {
  using type = int32_t;
};
template <>
struct IntegerOf<8> {
  using type = int64_t;
};

// All bits set in the last `count` lanes.
template <class T>
CTCKIT_INLINE Vector<typename IntegerOf<sizeof(T)>::type> last_lanes(int64_t count) {
  using Integer = typename IntegerOf<sizeof(T)>::type;
  alignas(64) static constexpr struct Steps {
    Integer values[2 * lanes<T>] = {};
    constexpr Steps() {
      for (int k = lanes<T>; k < 2 * lanes<T>; ++k) values[k] = -1;
    }
  } steps;
  return load(steps.values + count);
}

// The last `rest` < lanes values of a row of `length`, in the upper lanes; the others hold `fill`. Nothing beyond the row
// is read: where it is long enough the load begins earlier and the lanes seen before are masked.
template <class T>
CTCKIT_INLINE Vector<T> load_rest(const T* row, int64_t length, int64_t rest, T fill) {
  if (length >= lanes<T>) return last_lanes<T>(rest) ? load(row + length - lanes<T>) : broadcast(fill);
  T buffer[lanes<T>];
  for (int k = 0; k < lanes<T>; ++k) buffer[k] = fill;
  for (int64_t k = 0; k < rest; ++k) buffer[lanes<T> - rest + k] = row[length - rest + k];
  return load(buffer);
}

// The counterpart: the upper lanes go to the end of the row. Where the row is long enough the other lanes are written too,
// over values that were written before: `value` has to hold them.
template <class T>
CTCKIT_INLINE void store_rest(T* row, int64_t length, int64_t rest, Vector<T> value) {
  if (length >= lanes<T>) return store(row + length - lanes<T>, value);
  for (int64_t k = 0; k < rest; ++k) row[length - rest + k] = value[lanes<T> - rest + k];
}

template <class V>
CTCKIT_INLINE V maximum(V a, V b) {
  return a > b ? a : b;
}

template <class V>
CTCKIT_INLINE V minimum(V a, V b) {
  return a < b ? a : b;
}

// Folds a vector to one value, halves on halves, so that the order is fixed and the error of sums small.
template <class T, class Fold>
CTCKIT_INLINE T fold(Vector<T> v, Fold&& two) {
  T buffer[lanes<T>];
  store(buffer, v);
  for (int half = lanes<T> / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) buffer[k] = two(buffer[k], buffer[k + half]);
  return buffer[0];
}

template <class T>
CTCKIT_INLINE T horizontal_max(Vector<T> v) {
  return fold<T>(v, [](T a, T b) { return a > b ? a : b; });
}

template <class T>
CTCKIT_INLINE T horizontal_min(Vector<T> v) {
  return fold<T>(v, [](T a, T b) { return a < b ? a : b; });
}

template <class T>
CTCKIT_INLINE T horizontal_sum(Vector<T> v) {
  return fold<T>(v, [](T a, T b) { return a + b; });
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
