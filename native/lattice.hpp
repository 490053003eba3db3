// One frame of the CTC recursion, forward and backward, for all states of an item at once.
//
// The states of a target y_0 … y_{N−1} are kept in two arrays of unit stride:
//
//     label[i], i = 0 … N−1    emits y_i              (state 2i + 1 of topology.py)
//     blank[i], i = 0 … N      emits the blank        (state 2i)
//
// and the three arrows of topology.py become, for what arrives in a state,
//
//     label[i]  ←  label[i] (stay),  blank[i] (advance),  label[i−1] (skip, where y_i ≠ y_{i−1})
//     blank[i]  ←  blank[i] (stay),  label[i−1] (advance)
//
// Forward, α_t(s) is the probability of all partial paths that are in s at frame t, frame t's emission included.
// Backward, the rows hold u_t(s) = β_t(s) · emission_t(s), where β_t(s) is the probability of the rest of the path after
// frame t; β itself exists only inside backward_step, where α_t(s) · β_t(s) / P is the occupancy of s at t.
#pragma once
#include "number.hpp"

namespace ctckit::CTCKIT_ISA {

constexpr int block = 16;    // states are handled in blocks of 16, whatever the vector's width
constexpr int padding = 16;  // on both sides of each array: what a step reads beside its band

constexpr int round_down(int n) { return n & ~(block - 1); }
constexpr int round_up(int n) { return round_down(n + block - 1); }

// All states of one frame: four arrays, each with padding on both sides, in one stretch of memory.
template <class Number>
struct Row {
  typename Number::Mantissa *label, *blank;
  typename Number::Exponent *label_exponent, *blank_exponent;

  static constexpr int64_t length(int width) { return 2 * (width + 2 * padding); }

  static Row at(typename Number::Mantissa* mantissas, typename Number::Exponent* exponents, int width, int64_t index) {
    mantissas += index * length(width) + padding;
    exponents += index * length(width) + padding;
    const int to_blank = width + 2 * padding;
    return {mantissas, mantissas + to_blank, exponents, exponents + to_blank};
  }

  void clear(int from, int to) const {
    for (int i = from; i < to; ++i) {
      label[i] = blank[i] = 0;
      label_exponent[i] = blank_exponent[i] = Number::zero_exponent;
    }
  }

  void copy_from(const Row& other, int from, int to) const {
    for (int i = from; i < to; ++i) {
      label[i] = other.label[i], blank[i] = other.blank[i];
      label_exponent[i] = other.label_exponent[i], blank_exponent[i] = other.blank_exponent[i];
    }
  }

  void renormalize(int from, int to) const {
    for (int i = from; i < to; i += lanes<typename Number::Mantissa>) {
      CTCKIT_ISA::renormalize<Number>(label + i, label_exponent + i);
      CTCKIT_ISA::renormalize<Number>(blank + i, blank_exponent + i);
    }
  }
};

// Which skips exist: label[i−1] → label[i] at position i, as a factor and as its exponent.
template <class Number>
struct Skips {
  const typename Number::Mantissa* allowed;  // 1 or 0
  const typename Number::Exponent* penalty;  // 0 or Number::forbidden
};

// e^z of one frame, for each label of the target and for the blank.
template <class Number>
struct Emission {
  const typename Number::Mantissa* label;
  const typename Number::Exponent* label_exponent;
  typename Number::Mantissa blank;
  typename Number::Exponent blank_exponent;
};

// α of the next frame: (sum over the arrows that arrive) · emission, for states [from, to).
template <class Number>
__attribute__((noinline)) void forward_step(const Row<Number> before, const Row<Number> after,
                                            const Emission<Number>& emission, const Skips<Number> skips, int from,
                                            int to) {
  for (int i = from; i < to; i += lanes<typename Number::Mantissa>) {
    const auto stay_exponent = load(before.label_exponent + i);
    const auto blank_exponent = load(before.blank_exponent + i);
    const auto left_exponent = load(before.label_exponent + i - 1);
    const auto skip_exponent = left_exponent + load(skips.penalty + i);
    const auto blank = load(before.blank + i), left = load(before.label + i - 1);

    auto shared = maximum(stay_exponent, maximum(blank_exponent, skip_exponent));
    auto sum = load(before.label + i) * power_of_two<Number>(stay_exponent - shared) +
               blank * power_of_two<Number>(blank_exponent - shared) +
               left * load(skips.allowed + i) * power_of_two<Number>(skip_exponent - shared);
    sum *= load(emission.label + i);
    store(after.label + i, sum);
    store(after.label_exponent + i, mark_zero<Number>(sum, shared + load(emission.label_exponent + i)));

    shared = maximum(blank_exponent, left_exponent);
    sum = blank * power_of_two<Number>(blank_exponent - shared) + left * power_of_two<Number>(left_exponent - shared);
    sum *= emission.blank;
    store(after.blank + i, sum);
    store(after.blank_exponent + i, mark_zero<Number>(sum, shared + emission.blank_exponent));
  }
}

// P = mantissa · 2^exponent, mantissa in [0.5, 1).
template <class Number>
struct Likelihood {
  double mantissa;
  typename Number::Exponent exponent;
};

struct Window {
  int from, to;
};

// u of this frame from u of the next; −weight · occupancy goes to the gradient's row on the way.
// Returns the blocks in which any state is still alive, or an empty window.
template <class Number, class Logit>
__attribute__((noinline)) Window backward_step(const Row<Number> next, const Row<Number> here, const Row<Number> alpha,
                                               const Emission<Number>& emission, const Skips<Number> skips,
                                               const Likelihood<Number> likelihood, const int32_t* labels, int tokens,
                                               int blank_class, double weight, Logit* gradient, int from, int to) {
  using Real = typename Number::Mantissa;
  using Exponent = typename Number::Exponent;
  const Real scale = static_cast<Real>(weight / likelihood.mantissa);
  Vector<Real> blank_sum{};
  Window alive{to, from};
  for (int i = from; i < to; i += lanes<Real>) {
    const auto stay_exponent = load(next.label_exponent + i);
    const auto blank_exponent = load(next.blank_exponent + i);
    const auto right_exponent = load(next.blank_exponent + i + 1);
    const auto skip_exponent = load(next.label_exponent + i + 1) + load(skips.penalty + i + 1);
    const auto label = load(next.label + i);

    const auto label_shared = maximum(stay_exponent, maximum(right_exponent, skip_exponent));
    const auto label_beta =
        label * power_of_two<Number>(stay_exponent - label_shared) +
        load(next.blank + i + 1) * power_of_two<Number>(right_exponent - label_shared) +
        load(next.label + i + 1) * load(skips.allowed + i + 1) * power_of_two<Number>(skip_exponent - label_shared);
    const auto label_u = label_beta * load(emission.label + i);
    store(here.label + i, label_u);
    store(here.label_exponent + i, mark_zero<Number>(label_u, label_shared + load(emission.label_exponent + i)));

    const auto blank_shared = maximum(blank_exponent, stay_exponent);
    const auto blank_beta = load(next.blank + i) * power_of_two<Number>(blank_exponent - blank_shared) +
                            label * power_of_two<Number>(stay_exponent - blank_shared);
    const auto blank_u = blank_beta * emission.blank;
    store(here.blank + i, blank_u);
    store(here.blank_exponent + i, mark_zero<Number>(blank_u, blank_shared + emission.blank_exponent));

    const auto label_gap = load(alpha.label_exponent + i) + label_shared - likelihood.exponent;
    const auto blank_gap = load(alpha.blank_exponent + i) + blank_shared - likelihood.exponent;
    if (!any(maximum(label_gap, blank_gap) > Number::dead)) continue;
    alive.from = i < alive.from ? i : alive.from;
    alive.to = i + lanes<Real>;

    // No occupancy exceeds 1: where the gap is above what small mantissas explain, one of them is 0.
    const auto most = broadcast(Exponent(100));
    blank_sum += load(alpha.blank + i) * blank_beta * power_of_two<Number>(minimum(blank_gap, most));
    if (!any(label_gap > Number::faint)) continue;
    Real occupancy[lanes<Real>];
    store(occupancy, load(alpha.label + i) * label_beta * power_of_two<Number>(minimum(label_gap, most)) * scale);
    const int count = tokens - i < lanes<Real> ? tokens - i : lanes<Real>;
    for (int k = 0; k < count; ++k) gradient[labels[i + k]] -= static_cast<Logit>(occupancy[k]);
  }
  gradient[blank_class] -= static_cast<Logit>(horizontal_sum<Real>(blank_sum) * scale);
  return alive.from < alive.to ? Window{round_down(alive.from), round_up(alive.to)} : Window{from, from};
}

}  // namespace ctckit::CTCKIT_ISA
