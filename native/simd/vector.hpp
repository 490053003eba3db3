// Vectors of the instruction set that this translation unit is compiled for.
//
// One source serves every instruction set. It uses the vector extensions of GCC and Clang; where it uses intrinsics, a
// comment says why. Everything lives in a namespace named after the instruction set and is always inlined. So the
// linker cannot pick code for a newer instruction set and run it on an older machine.
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

// A mask with all bits set in the last `count` lanes.
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

// Loads the last `rest` < lanes values of an array into the upper lanes; the other lanes hold `fill`. Reads nothing
// outside of the array: if it is long enough, the load begins earlier and masks the lanes that the caller has already
// seen.
template <class T>
CTCKIT_INLINE Vector<T> load_rest(const T* array, int64_t length, int64_t rest, T fill) {
  if (length >= lanes<T>) return last_lanes<T>(rest) ? load(array + length - lanes<T>) : broadcast(fill);
  T buffer[lanes<T>];
  for (int k = 0; k < lanes<T>; ++k) buffer[k] = fill;
  for (int64_t k = 0; k < rest; ++k) buffer[lanes<T> - rest + k] = array[length - rest + k];
  return load(buffer);
}

// from[index[k]] in lane k.
template <class T, class From>
CTCKIT_INLINE Vector<T> gather_at(const From* from, const int32_t* index) {
  Vector<T> result = {};
  for (int k = 0; k < lanes<T>; ++k) result[k] = static_cast<T>(from[index[k]]);
  return result;
}

// The counterpart of load_rest: stores the upper lanes at the end of an array. If the array is long enough, the other
// lanes are stored as well, over values that were already written: `value` must hold the same values there.
template <class T>
CTCKIT_INLINE void store_rest(T* array, int64_t length, int64_t rest, Vector<T> value) {
  if (length >= lanes<T>) return store(array + length - lanes<T>, value);
  for (int64_t k = 0; k < rest; ++k) array[length - rest + k] = value[lanes<T> - rest + k];
}

// The same if only the upper lanes of `value` are valid: the other values of the array do not change.
template <class T>
CTCKIT_INLINE void store_masked_rest(T* array, int64_t length, int64_t rest, Vector<T> value) {
  if (length >= lanes<T>) value = last_lanes<T>(rest) ? value : load(array + length - lanes<T>);
  store_rest(array, length, rest, value);
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

// to = scale · from, written past the caches: for results too large to stay in a cache until they are read. Saves
// reading each cache line before it is overwritten. Call finish_streaming() before another thread may read.
template <class T>
CTCKIT_INLINE void stream_array(T* to, const T* from, int64_t count, T scale) {
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

// Reduces a vector to one value, half by half: the order is fixed, and the rounding error of sums is small.
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

// Whether any lane of a comparison's result is set.
template <class Mask>
CTCKIT_INLINE bool any(Mask mask) {
#if defined(__AVX512F__)  // one instruction; the generic loop costs as much as a step of the recursion
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
