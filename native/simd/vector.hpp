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

// from[index[k]] in lane k.
template <class T, class From>
CTCKIT_INLINE Vector<T> gather_at(const From* from, const int32_t* index) {
  Vector<T> result = {};
  for (int k = 0; k < lanes<T>; ++k) result[k] = static_cast<T>(from[index[k]]);
  return result;
}

// The counterpart: the upper lanes go to the end of the row. Where the row is long enough the other lanes are written too,
// over values that were written before: `value` has to hold them.
template <class T>
CTCKIT_INLINE void store_rest(T* row, int64_t length, int64_t rest, Vector<T> value) {
  if (length >= lanes<T>) return store(row + length - lanes<T>, value);
  for (int64_t k = 0; k < rest; ++k) row[length - rest + k] = value[lanes<T> - rest + k];
}

// The same where only the upper lanes of `value` hold anything: the others are left as they are.
template <class T>
CTCKIT_INLINE void store_masked_rest(T* row, int64_t length, int64_t rest, Vector<T> value) {
  if (length >= lanes<T>) value = last_lanes<T>(rest) ? value : load(row + length - lanes<T>);
  store_rest(row, length, rest, value);
}

#if defined(__x86_64__)
template <class T>
CTCKIT_INLINE void stream(T* to, Vector<T> value) {
  typedef long long Chunk __attribute__((vector_size(16), may_alias));
  Chunk parts[vector_bytes / 16];
  std::memcpy(parts, &value, vector_bytes);
  for (int k = 0; k < vector_bytes / 16; ++k)
#if defined(__clang__)
    __builtin_nontemporal_store(parts[k], reinterpret_cast<Chunk*>(to) + k);
#else
    __builtin_ia32_movntdq(reinterpret_cast<Chunk*>(to) + k, parts[k]);
#endif
}
#endif

// to = scale · from, past the caches, for what is too large to be still there when it is read: no line is fetched before it is
// overwritten. Call finish_streaming() before another thread may read.
template <class T>
CTCKIT_INLINE void stream_row(T* to, const T* from, int64_t count, T scale) {
  int64_t k = 0;
#if defined(__x86_64__)
  for (; k < count && reinterpret_cast<uintptr_t>(to + k) % vector_bytes != 0; ++k) to[k] = from[k] * scale;
  for (; k + lanes<T> <= count; k += lanes<T>) stream(to + k, load(from + k) * scale);
#endif
  for (; k < count; ++k) to[k] = from[k] * scale;
}

CTCKIT_INLINE void finish_streaming() {
#if defined(__x86_64__)
  __builtin_ia32_sfence();
#endif
}

template <class V>
CTCKIT_INLINE V maximum(V a, V b) {
  return a > b ? a : b;
}

template <class V>
CTCKIT_INLINE V minimum(V a, V b) {
  return a < b ? a : b;
}

template <class T, int Bytes>
struct VectorOfBytes {
  typedef T type __attribute__((vector_size(Bytes)));
};

// Folds a vector to one value, halves on halves, so that the order is fixed and the error of sums small.
template <class T, int Bytes = vector_bytes, class Fold>
CTCKIT_INLINE T fold(typename VectorOfBytes<T, Bytes>::type v, Fold&& two) {
  if constexpr (Bytes > 16) {
    typename VectorOfBytes<T, Bytes / 2>::type low, high;
    std::memcpy(&low, &v, Bytes / 2);
    std::memcpy(&high, reinterpret_cast<const char*>(&v) + Bytes / 2, Bytes / 2);
    return fold<T, Bytes / 2>(two(low, high), two);
  } else if constexpr (sizeof(T) == 4) {
    return two(two(v[0], v[2]), two(v[1], v[3]));
  } else {
    return two(v[0], v[1]);
  }
}

template <class T>
CTCKIT_INLINE T horizontal_max(Vector<T> v) {
  return fold<T>(v, [](auto a, auto b) __attribute__((always_inline)) { return a > b ? a : b; });
}

template <class T>
CTCKIT_INLINE T horizontal_min(Vector<T> v) {
  return fold<T>(v, [](auto a, auto b) __attribute__((always_inline)) { return a < b ? a : b; });
}

template <class T>
CTCKIT_INLINE T horizontal_sum(Vector<T> v) {
  return fold<T>(v, [](auto a, auto b) __attribute__((always_inline)) { return a + b; });
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
