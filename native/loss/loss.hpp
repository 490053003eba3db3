// The CTC loss of a batch and its gradient with respect to the logits.
#pragma once
#include <cstdint>
#include <stdexcept>

namespace ctckit {

// What a row of logits x means, and what the gradient of its frame is (γ: occupancy of the classes).
enum class Rows {
  logits,     // emissions are the log-softmax of x;  gradient softmax(x) − γ
  scores,     // emissions are x;                     gradient −γ
  log_probs,  // emissions are x;                     gradient e^x − γ, which is torch's
};

// Logits of half the size, by their bits: IEEE's float16, and bfloat16. Computed in float32.
struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

template <class Logit>
struct ComputedIn {
  using type = float;
};
template <>
struct ComputedIn<double> {
  using type = double;
};

// The chains of a batch other than plain CTC: natural logarithms of weights, (B, 7, S). Row k < 5 holds the weights of the
// arrows s − k → s, row 5 those of starting in s, row 6 those of ending in it (see topology.py).
struct Chains {
  static constexpr int rows = 7;
  const double* weights;
  double* counts;  // (B, 7, S): how often each is taken, given the target; or null
  int64_t states;  // S
};

// All arrays are owned by the caller; lengths, labels and the blank have been checked.
template <class Logit>
struct Batch {
  const Logit* logits;  // (B, T, C), classes contiguous
  int64_t item_stride, frame_stride;
  int64_t items, frames, classes;
  const int32_t* targets;  // (B, N), padded
  int64_t target_stride;
  const int64_t *input_lengths, *target_lengths;  // (B,)
  int32_t blank;
  Rows rows;
  const double* weights;  // (B,): what the gradient of each item is multiplied by
  double* losses;         // (B,): −log p; +∞ where the target cannot be emitted
  Logit* gradient;        // (B, T, C) contiguous, or null
  // (B, 2, T): maximum and normaliser of each frame, or null. Read, not computed, where `normalized`.
  typename ComputedIn<Logit>::type* normalizers;
  bool normalized;
  const Chains* chains;  // null: plain CTC
};

template <class Logit>
void ctc_loss(const Batch<Logit>& batch);

}  // namespace ctckit
