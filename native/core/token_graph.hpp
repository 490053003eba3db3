// Token graphs: the states of a target, and the weights of the transitions between them (see topology.py).
//
// A target of N tokens has S = 2N + 1 states. Even states emit the blank, odd states emit the tokens. Plain CTC needs
// no weights. Other variants of CTC are given by seven weights for each state s, natural logarithms in arrays of shape
// (7, S).
#pragma once
#include <cstdint>

namespace ctckit {

// The first axis of the weights.
enum GraphWeight : int {
  stay_weight,          // s → s
  advance_weight,       // s − 1 → s
  skip_weight,          // s − 2 → s, over a blank
  hop_to_blank_weight,  // s − 3 → s, over a whole token
  hop_to_label_weight,  // s − 4 → s, over a whole token
  start_weight,         // a path starts in s
  final_weight,         // a path ends in s
  graph_weights,
};
constexpr int transition_weights = start_weight;  // how many of them belong to transitions s − k → s, k = 0, 1, …

// The kernels keep labels (odd states) and blanks (even states) apart, so they tell these transitions apart.
enum TransitionKind : int {
  label_stay,
  label_advance,
  label_skip,
  label_hop,
  blank_stay,
  blank_advance,
  blank_hop,
  start_label,
  start_blank,
  final_label,
  final_blank,
  transition_kinds,
};
constexpr int inner_transitions = start_label;  // how many of them lead from one frame to the next

// The weight of each kind of transition.
constexpr GraphWeight weight_of[transition_kinds] = {
    stay_weight,         advance_weight, skip_weight,  hop_to_label_weight, stay_weight, advance_weight,
    hop_to_blank_weight, start_weight,   start_weight, final_weight,        final_weight};

// The token graph of one item.
struct TokenGraph {
  const double* weights;  // (7, states)
  double* counts;         // (7, states): how often a path takes each transition, given the target; or null
  int64_t states;

  // Always inlined: a copy compiled for a newer instruction set must not be shared with an older one.
  __attribute__((always_inline)) const double* of(GraphWeight kind) const { return weights + kind * states; }
};

// The token graphs of a batch.
struct TokenGraphs {
  const double* weights;  // (B, 7, states)
  double* counts;         // the same shape; or null
  int64_t states;

  __attribute__((always_inline)) TokenGraph item(int64_t b) const {
    const int64_t start = b * graph_weights * states;
    return {weights + start, counts ? counts + start : nullptr, states};
  }
};

}  // namespace ctckit
