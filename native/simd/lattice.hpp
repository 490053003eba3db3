// One frame of the CTC recursion, forward and backward, for all states of an item at once.
//
// Two arrays of unit stride hold the states of a target y_0 … y_{N−1}:
//
//     label[i], i = 0 … N−1    emits y_i              (state 2i + 1 of topology.py)
//     blank[i], i = 0 … N      emits the blank        (state 2i)
//
// The three transitions of topology.py lead into a state from these states:
//
//     label[i]  ←  label[i] (stay),  blank[i] (advance),  label[i−1] (skip, if y_i ≠ y_{i−1})
//     blank[i]  ←  blank[i] (stay),  label[i−1] (advance)
//
// transitions.hpp implements them: PlainTransitions for plain CTC, WeightedTransitions for its variants.
//
// Forward, α_t(s) is the probability of all partial paths that are in state s at frame t, including the emission of
// frame t. β_t(s) is the probability of the rest of the path after frame t. Backward, the arrays hold u_t(s) = β_t(s) ·
// emission_t(s). β itself exists only inside backward_step, where α_t(s) · β_t(s) / P is the occupancy of s at t.
#pragma once
#include "simd/number.hpp"

namespace ctckit::CTCKIT_ISA {

constexpr int block = 16;    // states are processed in blocks of 16, for any width of the vectors
constexpr int padding = 16;  // on both sides of each array: a step reads beyond its band

constexpr int round_down(int n) { return n & ~(block - 1); }
constexpr int round_up(int n) { return round_down(n + block - 1); }

// All states of one frame: four arrays, each with padding on both sides, in one block of memory.
template <class Number>
struct FrameStates {
  typename Number::Mantissa *label, *blank;
  typename Number::Exponent *label_exponent, *blank_exponent;

  static constexpr int64_t length(int width) { return 2 * (width + 2 * padding); }

  static FrameStates at(typename Number::Mantissa* mantissas, typename Number::Exponent* exponents, int width,
                        int64_t index) {
    mantissas += index * length(width) + padding;
    exponents += index * length(width) + padding;
    const int to_blank = width + 2 * padding;
    return {mantissas, mantissas + to_blank, exponents, exponents + to_blank};
  }

  CTCKIT_INLINE Scaled<Number> label_at(int i) const { return {load(label + i), load(label_exponent + i)}; }
  CTCKIT_INLINE Scaled<Number> blank_at(int i) const { return {load(blank + i), load(blank_exponent + i)}; }
  CTCKIT_INLINE void put_label(int i, const Scaled<Number>& value) const {
    store(label + i, value.mantissa);
    store(label_exponent + i, mark_zero<Number>(value.mantissa, value.exponent));
  }
  CTCKIT_INLINE void put_blank(int i, const Scaled<Number>& value) const {
    store(blank + i, value.mantissa);
    store(blank_exponent + i, mark_zero<Number>(value.mantissa, value.exponent));
  }

  void clear(int from, int to) const {
    for (int i = from; i < to; ++i) {
      label[i] = blank[i] = 0;
      label_exponent[i] = blank_exponent[i] = Number::zero_exponent;
    }
  }

  void copy_from(const FrameStates& other, int from, int to) const {
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

// e^z of one frame for each label of the target, and for the blank at the index `width`.
template <class Number>
struct Emission {
  typename Number::Mantissa* label;
  typename Number::Exponent* label_exponent;
  int width;

  static constexpr int64_t length(int width) { return width + padding; }

  CTCKIT_INLINE Scaled<Number> label_at(int i) const { return {load(label + i), load(label_exponent + i)}; }
  CTCKIT_INLINE Scaled<Number> blank() const { return {broadcast(label[width]), broadcast(label_exponent[width])}; }
  CTCKIT_INLINE void put(int i, const Scaled<Number>& value) const {
    store(label + i, value.mantissa);
    store(label_exponent + i, value.exponent);
  }
};

// α of the next frame: (sum over the incoming transitions) · emission, for states [from, to).
template <class Number, class Emissions, class Transitions>
CTCKIT_INLINE void forward_step(const FrameStates<Number>& before, const FrameStates<Number>& after,
                                const Emissions& emission, const Transitions& transitions, int from, int to) {
  const Scaled<Number> blank_emission = emission.blank();
  for (int i = from; i < to; i += lanes<typename Number::Mantissa>) {
    const Scaled<Number> label = transitions.into_label(before, i), blank = transitions.into_blank(before, i);
    after.put_label(i, label * emission.label_at(i));
    after.put_blank(i, blank * blank_emission);
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

// The gradient of one frame: backward_step subtracts weight · occupancy from it.
template <class Real>
struct Sink {
  Real* gradient;
  const int32_t* labels;  // of the target
  int tokens, blank_class;
  double weight;
};

// Computes u of this frame from u of the next, and adds −weight · occupancy to the gradient of the frame.
// Returns the blocks in which any state is still alive, or an empty window.
template <class Number, class Transitions, class Real>
CTCKIT_INLINE Window backward_step(const FrameStates<Number>& next, const FrameStates<Number>& here,
                                   const FrameStates<Number>& alpha, const Emission<Number>& emission,
                                   const Transitions& transitions, const Likelihood<Number>& likelihood,
                                   const Sink<Real>& sink, Window window) {
  using Mantissa = typename Number::Mantissa;
  using Exponent = typename Number::Exponent;
  const Scaled<Number> blank_emission = emission.blank();
  const Mantissa scale = static_cast<Mantissa>(sink.weight / likelihood.mantissa);
  Vector<Mantissa> blank_sum{};
  Window alive{window.to, window.from};
  for (int i = window.from; i < window.to; i += lanes<Mantissa>) {
    const Scaled<Number> label_beta = transitions.out_of_label(next, i), blank_beta = transitions.out_of_blank(next, i);
    here.put_label(i, label_beta * emission.label_at(i));
    here.put_blank(i, blank_beta * blank_emission);

    // Occupancies, not yet divided by P.
    const Scaled<Number> label = alpha.label_at(i) * label_beta, blank = alpha.blank_at(i) * blank_beta;
    const auto label_gap = label.exponent - likelihood.exponent, blank_gap = blank.exponent - likelihood.exponent;
    if (!any(maximum(label_gap, blank_gap) > Number::dead)) continue;
    alive.from = i < alive.from ? i : alive.from;
    alive.to = i + lanes<Mantissa>;
    if constexpr (Transitions::weighted) transitions.count(alpha, next, likelihood, i);

    // No occupancy exceeds 1. If the gap is larger than small mantissas can explain, one of the mantissas is 0.
    const auto most = broadcast(Exponent(100));
    blank_sum += blank.mantissa * power_of_two<Number>(minimum(blank_gap, most));
    if (!any(label_gap > Number::faint)) continue;
    alignas(vector_bytes) Mantissa occupancy[lanes<Mantissa>];
    store(occupancy, label.mantissa * power_of_two<Number>(minimum(label_gap, most)) * scale);
    const int count = sink.tokens - i < lanes<Mantissa> ? sink.tokens - i : lanes<Mantissa>;
    for (int k = 0; k < count; ++k) sink.gradient[sink.labels[i + k]] -= static_cast<Real>(occupancy[k]);
  }
  sink.gradient[sink.blank_class] -= static_cast<Real>(horizontal_sum<Mantissa>(blank_sum) * scale);
  return alive.from < alive.to ? Window{round_down(alive.from), round_up(alive.to)} : Window{window.from, window.from};
}

}  // namespace ctckit::CTCKIT_ISA
