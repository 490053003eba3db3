// Selecting lanes of a vector: comparisons as bit sets, and stores of the selected lanes only.
#pragma once
#include "simd/vector.hpp"

#if defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace ctckit::CTCKIT_ISA {

using Bits = uint32_t;  // one for each lane of a vector of 32-bit values
constexpr Bits all_lanes = lanes<float> == 32 ? ~Bits{0} : (Bits{1} << lanes<float>)-1;

CTCKIT_INLINE Vector<int32_t> lane_numbers() {
  Vector<int32_t> numbers;
  for (int k = 0; k < lanes<int32_t>; ++k) numbers[k] = k;
  return numbers;
}

CTCKIT_INLINE Vector<int32_t> first_lanes(int count) { return lane_numbers() < count; }

// One bit for each lane of a comparison's result.
CTCKIT_INLINE Bits bits_of(Vector<int32_t> mask) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(mask), reinterpret_cast<__m512i>(mask));
#elif defined(__AVX2__)
  return static_cast<Bits>(_mm256_movemask_ps(reinterpret_cast<__m256>(mask)));
#elif defined(__SSE2__)
  return static_cast<Bits>(_mm_movemask_ps(reinterpret_cast<__m128>(mask)));
#else
  Bits bits = 0;
  for (int k = 0; k < lanes<int32_t>; ++k) bits |= (mask[k] ? Bits{1} : Bits{0}) << k;
  return bits;
#endif
}

// Comparisons with one result bit for each lane; AVX-512 needs no vector in between.
#if defined(__AVX512F__)
CTCKIT_INLINE Bits at_least(Vector<int32_t> value, int32_t bound) {
  return _mm512_cmpge_epi32_mask(reinterpret_cast<__m512i>(value), _mm512_set1_epi32(bound));
}
CTCKIT_INLINE Bits greater(Vector<float> value, float bound) {
  return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(value), _mm512_set1_ps(bound), _CMP_GT_OQ);
}
CTCKIT_INLINE Bits differing(Vector<int32_t> value, int32_t from) {
  return _mm512_cmpneq_epi32_mask(reinterpret_cast<__m512i>(value), _mm512_set1_epi32(from));
}
#else
CTCKIT_INLINE Bits at_least(Vector<int32_t> value, int32_t bound) { return bits_of(value >= bound); }
CTCKIT_INLINE Bits greater(Vector<float> value, float bound) { return bits_of(value > bound); }
CTCKIT_INLINE Bits differing(Vector<int32_t> value, int32_t from) { return bits_of(value != from); }
#endif

#if defined(__AVX2__) && !defined(__AVX512F__)
// For each of the 256 sets of lanes: the selected lanes in order.
struct Packing {
  alignas(32) int32_t order[256][8] = {};
  constexpr Packing() {
    for (int set = 0; set < 256; ++set)
      for (int lane = 0, place = 0; lane < 8; ++lane)
        if (set >> lane & 1) order[set][place++] = lane;
  }
};
constexpr Packing packing;
#endif

// Stores the selected lanes one after another and returns their number. Overwrites up to a whole vector.
template <class T>
CTCKIT_INLINE int store_selected(T* to, Vector<T> value, Bits selected) {
  static_assert(sizeof(T) == 4);
#if defined(__AVX512F__)  // through a register: compressing directly into memory is slow on some processors
  const __m512i packed =
      _mm512_maskz_compress_epi32(static_cast<__mmask16>(selected), reinterpret_cast<__m512i>(value));
  _mm512_storeu_si512(to, packed);
  return __builtin_popcount(selected);
#elif defined(__AVX2__)
  const __m256i order = _mm256_load_si256(reinterpret_cast<const __m256i*>(packing.order[selected & 255]));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_permutevar8x32_epi32(reinterpret_cast<__m256i>(value), order));
  return __builtin_popcount(selected);
#else
  int count = 0;
  for (Bits rest = selected & all_lanes; rest; rest &= rest - 1) to[count++] = value[__builtin_ctz(rest)];
  return count;
#endif
}

}  // namespace ctckit::CTCKIT_ISA
