// The CTC loss of a batch, and its gradient with respect to the logits.
//
// loss.cpp checks no inputs (Python does) and runs one task for each item: simd/loss_kernel.cpp computes its loss and
// gradient. hvp.hpp has the product of the Hessian with a vector.
#pragma once
#include <cstdint>

#include "core/logits.hpp"
#include "core/token_graph.hpp"

namespace ctckit {

// The caller owns all arrays and has checked lengths, labels and the blank.
template <class Logit>
struct Batch {
  const Logit* logits;  // (B, T, C), classes contiguous
  int64_t item_stride, frame_stride;
  int64_t items, frames, classes;
  const int32_t* targets;  // (B, N), padded
  int64_t target_stride;
  const int64_t *input_lengths, *target_lengths;  // (B,)
  int32_t blank;
  InputKind input_kind;
  const double* weights;  // (B,): factor of each item's gradient
  double* losses;         // (B,): −log p; +∞ if the target cannot be emitted
  Logit* gradient;        // (B, T, C) contiguous, or null
  // (B, 2, T): maximum and normalizer of each frame, or null. An input if `normalized`, else an output.
  typename ComputedIn<Logit>::type* normalizers;
  bool normalized;
  const TokenGraphs* graphs;  // null: plain CTC
};

template <class Logit>
void ctc_loss(const Batch<Logit>& batch);

}  // namespace ctckit
