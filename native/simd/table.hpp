// A table of a few numbers that fits in two registers: one instruction looks up 16 of them, where a gather reads 16
// times. Only with AVX-512.
#pragma once
#include "simd/vector.hpp"

#if defined(__AVX512F__)

namespace ctckit::CTCKIT_ISA {

template <class T>
class Table {
  static_assert(sizeof(T) == 4);

 public:
  static constexpr int most = 32;  // entries

  CTCKIT_INLINE Table(const T* values, int count)
      : low_(_mm512_maskz_loadu_epi32(first(count), values)),
        high_(count > 16 ? _mm512_maskz_loadu_epi32(first(count - 16), values + 16) : low_) {}

  // The entries of 16 indices.
  CTCKIT_INLINE Vector<T> at(const int32_t* indices) const {
    return (Vector<T>)_mm512_permutex2var_epi32(low_, _mm512_loadu_si512(indices), high_);
  }

 private:
  static CTCKIT_INLINE __mmask16 first(int count) { return static_cast<__mmask16>(count < 16 ? (1 << count) - 1 : -1); }

  const __m512i low_, high_;
};

}  // namespace ctckit::CTCKIT_ISA

#endif
