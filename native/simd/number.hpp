// Probabilities as mantissa × 2^exponent, one pair for each state.
//
// A lattice of T frames multiplies T emissions. Products such as e^-5000 are common, far outside of a float's range.
// Log space would need a logarithm for each addition and lose digits to cancellation. Here the exponents are exact
// integers. Adding two numbers takes a maximum, two shifts and an addition. Multiplying takes one multiplication and
// one integer addition. The mantissas keep their full relative precision at any length.
//
// Invariants of all numbers that a kernel reads:
//   - a mantissa is 0 or lies in [2^-40, 2^40]. Every `renormalize_every` frames mantissas are brought back to [1, 2).
//     One frame changes them by a factor in [0.7, 4.3] (weighted transitions: up to 11.4, therefore every 8 frames);
//   - a mantissa of 0 has the exponent `zero_exponent`, which is below all others.
#pragma once
#include <cmath>
#include <limits>

#include "simd/vector.hpp"

namespace ctckit::CTCKIT_ISA {

constexpr int renormalize_every = 16;

// For float32 logits: 16 states in one AVX-512 vector. Valid while frames · |log2 emission| is less than `reach`.
struct Fast {
  using Mantissa = float;
  using Exponent = int32_t;
  static constexpr Exponent zero_exponent = -(1 << 29);
  static constexpr Exponent forbidden = -(1 << 28);  // added to an exponent: below all others, above zero's
  static constexpr double reach = 1 << 27;           // |exponent| of any state that is not 0
  static constexpr double emission_reach = 1 << 20;  // largest |log| of an emission, for the rounding in exp_split
  static constexpr double exact = reach;             // |exponent| of a likelihood whose occupancies are exact
  // A product of two mantissas is below 2^70. The limits below subtract 70, so comparing exponents is enough.
  static constexpr Exponent dead = -64 - 70;   // an occupancy under 2^-64 is dropped from the backward pass
  static constexpr Exponent faint = -32 - 70;  // an occupancy under 2^-32 is not added to the gradient
};

// For float64 logits, and for float32 logits out of Fast's range (a mask of -1e9, for example). The exponent is a float64
// that holds an integer. Where all paths are below 2^-exact, their differences are lost to rounding: loss/exact.cpp
// computes such an item. A path below others by that much may be wrong, but does not count.
struct Wide {
  using Mantissa = double;
  using Exponent = double;
  static constexpr Exponent zero_exponent = -1e300;
  static constexpr Exponent forbidden = -1e299;
  static constexpr double reach = 1e299;  // never reached: 1e290 · frames is below it
  static constexpr double emission_reach = 1e290;
  static constexpr double exact = 1LL << 34;  // float64 logits of this size are rounded by 2e-6
  static constexpr Exponent dead = -96 - 70;
  static constexpr Exponent faint = -80 - 70;
};

template <class Real>
struct Format;  // an IEEE number's layout, and the constants of e^x

template <>
struct Format<float> {
  using Bits = IntegerOf<4>::type;
  static constexpr int digits = 23, bias = 127, smallest_shift = -120;
  static constexpr float log2_e = 1.44269504088896341f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float rounder = 12582912.0f;  // 1.5 · 2^23: adding it rounds to an integer, left in the low bits
  static constexpr float underflow = -80.0f;     // e^x below this is written as 0
  // Minimax polynomial of (e^r − 1 − r) / r² on |r| ≤ ln 2 / 2, highest power first; e^r is correct to 1 ulp.
  static constexpr float exp_series[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                         4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
};

template <>
struct Format<double> {
  using Bits = IntegerOf<8>::type;
  static constexpr int digits = 52, bias = 1023, smallest_shift = -1000;
  static constexpr double log2_e = 1.4426950408889634, ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723e-6;
  static constexpr double rounder = 6755399441055744.0;  // 1.5 · 2^52
  static constexpr double underflow = -700.0;
  // Taylor: 1/14! … 1/2!; correct to 2e-17 on |r| ≤ ln 2 / 2.
  static constexpr double exp_series[] = {1.1470745597729725e-11,
                                          1.6059043836821613e-10,
                                          2.0876756987868099e-9,
                                          2.5052108385441719e-8,
                                          2.7557319223985891e-7,
                                          2.7557319223985888e-6,
                                          2.4801587301587302e-5,
                                          1.9841269841269841e-4,
                                          1.3888888888888889e-3,
                                          8.3333333333333332e-3,
                                          4.1666666666666664e-2,
                                          1.6666666666666666e-1,
                                          0.5};
};

// e^r for |r| ≤ ln 2 / 2.
template <class Real>
CTCKIT_INLINE Vector<Real> exp_reduced(Vector<Real> r) {
  Vector<Real> series = broadcast(Format<Real>::exp_series[0]);
  for (int k = 1; k < static_cast<int>(sizeof(Format<Real>::exp_series) / sizeof(Real)); ++k)
    series = series * r + Format<Real>::exp_series[k];
  return (series * r) * r + r + Real(1);
}

// e^z for z ≤ 0 as an ordinary float: 0 below Format::underflow and for −∞. The result for NaN is undefined.
template <class Real>
CTCKIT_INLINE Vector<Real> exp_negative(Vector<Real> z) {
  using F = Format<Real>;
  using Bits = Vector<typename F::Bits>;
  const Bits flushed = z < F::underflow;
  z = flushed ? broadcast(F::underflow) : z;
  const Vector<Real> rounded = z * F::log2_e + F::rounder;
  const Vector<Real> n = rounded - F::rounder;
  const Vector<Real> mantissa = exp_reduced<Real>((z - n * F::ln2_high) - n * F::ln2_low);
  const Bits result = reinterpret_cast<Bits>(mantissa) + (reinterpret_cast<Bits>(rounded) << F::digits);
  return reinterpret_cast<Vector<Real>>(result & ~flushed);
}

// a − b exactly: the rounded difference and its rounding error. float32 rounds a difference of 1000 by 3e-5, which
// becomes the relative error of e^z. That matters: a path may have to pass through an unlikely class.
template <class Real>
struct Difference {
  Vector<Real> value, error;
};

template <class Real>
CTCKIT_INLINE Difference<Real> subtract(Vector<Real> a, Vector<Real> b) {
  const Vector<Real> value = a - b, back = value - a;
  return {value, (a - (value - back)) - (b + back)};
}

// A vector of numbers, mantissa · 2^exponent.
template <class Number>
struct Scaled {
  Vector<typename Number::Mantissa> mantissa;
  Vector<typename Number::Exponent> exponent;
};

// Whether a class is masked: −∞, or so far below the maximum that even Wide has no exponent for it.
template <class Number>
CTCKIT_INLINE Vector<typename Format<typename Number::Mantissa>::Bits> masked(Vector<typename Number::Mantissa> z) {
  using Real = typename Number::Mantissa;
  if constexpr (sizeof(Real) == 4) return z == -std::numeric_limits<Real>::infinity();
  return z < Real(-Number::emission_reach);
}

// e^(z + error) = mantissa · 2^exponent with mantissa in [0.7, 1.42), or mantissa 0 if z is masked.
template <class Number>
CTCKIT_INLINE Scaled<Number> exp_split(Difference<typename Number::Mantissa> exact) {
  using Real = typename Number::Mantissa;
  using F = Format<Real>;
  using Bits = Vector<typename F::Bits>;
  const Bits impossible = masked<Number>(exact.value);
  const Vector<Real> z = impossible ? broadcast(Real(0)) : exact.value;
  Scaled<Number> result;
  if constexpr (sizeof(Real) == 4) {
    const Vector<Real> rounded = z * F::log2_e + F::rounder;
    const Vector<Real> n = rounded - F::rounder;
    result.mantissa = exp_reduced<Real>(((z - n * F::ln2_high) - n * F::ln2_low) + exact.error);
    result.exponent = reinterpret_cast<Bits>(rounded) - reinterpret_cast<Bits>(broadcast(F::rounder));
  } else {
    // Beyond 2^50 the remainder of the division is lost to rounding, and so are the digits of z: only n matters.
    const Vector<Real> y = z * F::log2_e;
    const Bits large = y < Real(-0x1p50);
    const Vector<Real> n = large ? y : ((y + F::rounder) - F::rounder);
    const Vector<Real> r = large ? broadcast(Real(0)) : ((z - n * F::ln2_high) - n * F::ln2_low) + exact.error;
    result.mantissa = exp_reduced<Real>(r);
    result.exponent = n;
  }
  result.mantissa = impossible ? broadcast(Real(0)) : result.mantissa;
  return result;
}

// 2^difference for a difference ≤ 0. Very small powers are raised to one that is still too small to change a sum.
template <class Number>
CTCKIT_INLINE Vector<typename Number::Mantissa> power_of_two(Vector<typename Number::Exponent> difference) {
  using Real = typename Number::Mantissa;
  using F = Format<Real>;
  using Bits = Vector<typename F::Bits>;
  const auto limited = maximum(difference, broadcast(typename Number::Exponent(F::smallest_shift)));
  if constexpr (sizeof(Real) == 4) {
    return reinterpret_cast<Vector<Real>>((limited + F::bias) << F::digits);
  } else {
    const Bits integer = reinterpret_cast<Bits>(limited + F::rounder);  // its low 12 bits hold the difference
    return reinterpret_cast<Vector<Real>>((integer + F::bias) << F::digits);
  }
}

// The exponent of a new number: zero_exponent if the mantissa is 0.
template <class Number>
CTCKIT_INLINE Vector<typename Number::Exponent> mark_zero(Vector<typename Number::Mantissa> mantissa,
                                                          Vector<typename Number::Exponent> exponent) {
  return mantissa == 0 ? broadcast(Number::zero_exponent) : exponent;
}

template <class Number>
CTCKIT_INLINE Scaled<Number> operator*(const Scaled<Number>& a, const Scaled<Number>& b) {
  return {a.mantissa * b.mantissa, a.exponent + b.exponent};
}

// The sum of several numbers, with the largest of their exponents.
template <class Number, class... More>
CTCKIT_INLINE Scaled<Number> sum(const Scaled<Number>& first, const More&... more) {
  auto shared = first.exponent;
  ((shared = maximum(shared, more.exponent)), ...);
  auto total = first.mantissa * power_of_two<Number>(first.exponent - shared);
  ((total += more.mantissa * power_of_two<Number>(more.exponent - shared)), ...);
  return {total, shared};
}

// e^x of one double as a number: mantissa in [1, 2), or 0 for −∞.
template <class Number>
void split_exp(double x, typename Number::Mantissa& mantissa, typename Number::Exponent& exponent) {
  if (x == -std::numeric_limits<double>::infinity()) {
    mantissa = 0, exponent = Number::forbidden;
    return;
  }
  const double power = x * 1.4426950408889634074, whole = std::floor(power);
  mantissa = static_cast<typename Number::Mantissa>(std::exp2(power - whole));
  exponent = static_cast<typename Number::Exponent>(whole);
}

// Brings mantissas back to [1, 2), in place.
template <class Number>
CTCKIT_INLINE void renormalize(typename Number::Mantissa* mantissas, typename Number::Exponent* exponents) {
  using Real = typename Number::Mantissa;
  using F = Format<Real>;
  using Bits = Vector<typename F::Bits>;
  const Bits bits = reinterpret_cast<Bits>(load(mantissas));
  const Bits zero = bits == 0;
  const Bits shift = (bits >> F::digits) - F::bias;
  const Bits kept = (bits & ((typename F::Bits(1) << F::digits) - 1)) | (typename F::Bits(F::bias) << F::digits);
  store(mantissas, reinterpret_cast<Vector<Real>>(kept & ~zero));
  const auto exponent = load(exponents) + __builtin_convertvector(shift, Vector<typename Number::Exponent>);
  store(exponents, zero ? broadcast(Number::zero_exponent) : exponent);
}

}  // namespace ctckit::CTCKIT_ISA
