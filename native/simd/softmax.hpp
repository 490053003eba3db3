// One frame of logits: its maximum, its normalizer, and its part of the gradient.
//
// With a large vocabulary a frame is long (26 kB for 6,625 classes), and the hardware's prefetcher stops at each page.
// So the code prefetches the next frame while it computes the exponentials of this one.
#pragma once
#include "simd/number.hpp"

namespace ctckit::CTCKIT_ISA {

template <class Real>
CTCKIT_INLINE Real frame_maximum(const Real* x, int64_t classes) {
  constexpr int width = lanes<Real>;
  constexpr Real lowest = -std::numeric_limits<Real>::infinity();
  Vector<Real> best[4] = {broadcast(lowest), broadcast(lowest), broadcast(lowest), broadcast(lowest)};
  int64_t c = 0;
  for (; c + 4 * width <= classes; c += 4 * width)
    for (int k = 0; k < 4; ++k) best[k] = maximum(load(x + c + k * width), best[k]);
  for (; c + width <= classes; c += width) best[0] = maximum(load(x + c), best[0]);
  if (c < classes) best[1] = maximum(load_rest(x, classes, classes - c, lowest), best[1]);
  return horizontal_max<Real>(maximum(maximum(best[0], best[1]), maximum(best[2], best[3])));
}

// Σ_c e^(x_c − maximum), at least 1. NaN if a logit is NaN or +∞. With Keep, stores the exponentials in `kept`.
//
// Classes at the maximum are counted separately. If the network is certain, the other terms are far below the last
// digit of 1. Added to 1 they would be lost, and with them the loss, which is the logarithm of the sum.
template <bool Keep, class Real>
CTCKIT_INLINE double frame_sum_exp(const Real* x, int64_t classes, Real maximum, const Real* next, Real* kept) {
  using Bits = Vector<typename Format<Real>::Bits>;
  constexpr int width = lanes<Real>;
  Vector<Real> rest[4] = {};
  Bits minus_count{}, unordered{};
  const auto add = [&](Vector<Real> value, Vector<Real>& sum) __attribute__((always_inline)) {
    const Vector<Real> z = value - maximum, power = exp_negative<Real>(z);
    const Bits top = z == 0;
    minus_count += top;
    unordered |= z != z;
    sum += top ? Vector<Real>{} : power;
    return power;
  };
  int64_t c = 0;
  for (; c + 4 * width <= classes; c += 4 * width)
    for (int k = 0; k < 4; ++k) {
      __builtin_prefetch(next + c + k * width);
      const Vector<Real> power = add(load(x + c + k * width), rest[k]);
      if constexpr (Keep) store(kept + c + k * width, power);
    }
  for (; c + width <= classes; c += width) {
    const Vector<Real> power = add(load(x + c), rest[0]);
    if constexpr (Keep) store(kept + c, power);
  }
  if (c < classes) {
    const Vector<Real> power = add(load_rest(x, classes, classes - c, -std::numeric_limits<Real>::infinity()), rest[1]);
    if constexpr (Keep) store_masked_rest(kept, classes, classes - c, power);
  }
  if (any(unordered)) return std::numeric_limits<double>::quiet_NaN();
  const auto count = -horizontal_sum<typename Format<Real>::Bits>(minus_count);
  return static_cast<double>(count) + horizontal_sum<Real>((rest[0] + rest[1]) + (rest[2] + rest[3]));
}

// out_c = scale · e^(x_c − maximum)
template <class Real>
CTCKIT_INLINE void frame_write_exp(const Real* x, int64_t classes, Real maximum, Real scale, const Real* next,
                                   Real* out) {
  constexpr int width = lanes<Real>;
  int64_t c = 0;
  for (; c + width <= classes; c += width) {
    __builtin_prefetch(next + c);
    store(out + c, exp_negative<Real>(load(x + c) - maximum) * scale);
  }
  if (c == classes) return;
  // The lanes before the rest repeat values that are already stored, unless the frame is shorter than a vector.
  const Vector<Real> end = classes >= width ? load(x + classes - width) : load_rest(x, classes, classes - c, maximum);
  store_rest(out, classes, classes - c, exp_negative<Real>(end - maximum) * scale);
}

template <class Real>
CTCKIT_INLINE void frame_scale(Real* frame, int64_t classes, Real scale) {
  constexpr int width = lanes<Real>;
  int64_t c = 0;
  for (; c + width <= classes; c += width) store(frame + c, load(frame + c) * scale);
  for (; c < classes; ++c) frame[c] *= scale;
}

template <class Real>
CTCKIT_INLINE bool frame_has_nan(const Real* x, int64_t classes) {
  constexpr int width = lanes<Real>;
  using Bits = Vector<typename Format<Real>::Bits>;
  Bits found{};
  int64_t c = 0;
  for (; c + width <= classes; c += width) found |= load(x + c) != load(x + c);
  if (c < classes) {
    const Vector<Real> rest = load_rest(x, classes, classes - c, Real(0));
    found |= rest != rest;
  }
  return any(found);
}

}  // namespace ctckit::CTCKIT_ISA
