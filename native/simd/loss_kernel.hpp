// The interface of the loss kernel: one item of a batch, its loss and gradient. loss_kernel.cpp implements it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "core/logits.hpp"
#include "core/token_graph.hpp"

namespace ctckit {

template <class Logit>
struct Item {
  using Compute = typename ComputedIn<Logit>::type;

  const Logit* logits;  // (frames, classes)
  int64_t frame_stride;
  int frames, classes;
  int32_t blank;
  const int32_t* target;
  int tokens;
  InputKind input_kind;
  double weight;
  Logit* gradient;            // (frames, classes) contiguous, or null
  bool stream;                // the batch's gradient is larger than the caches
  Compute* normalizers;       // (2, frames), or null
  int64_t normalizer_stride;  // between the maxima and the normalizers
  bool normalized;            // the normalizers are inputs
  const TokenGraph* graph;    // null: plain CTC

  // An item may be a part of a longer one. Both are for plain CTC without a gradient.
  const double* entry;  // (entry_states,) log α before the first frame; null: a path comes from the first blank
  int entry_states;     // an odd number; the other states cannot be entered from
  double* exit;         // (2 · tokens + 1,) log α after the last frame, written; then a path may end in any state

  // Always inlined: a copy compiled for a newer instruction set must not be shared with an older one.
  __attribute__((always_inline)) const Logit* frame(int t) const { return logits + t * frame_stride; }
  __attribute__((always_inline)) Logit* gradient_frame(int t) const {
    return gradient + static_cast<int64_t>(t) * classes;
  }
};

enum class Range { fast, wide };  // the type of numbers: see number.hpp

struct Outcome {
  double loss;        // −log p, NaN or +∞
  bool out_of_range;  // the result is invalid: solve again with Range::wide, and then in exact sums (loss/exact.hpp)
};

struct Size {
  int frames, classes, tokens;
  bool gradient, weighted;
};

template <class Logit>
__attribute__((always_inline)) inline Size size_of(const Item<Logit>& item) {
  return {item.frames, item.classes, item.tokens, item.gradient != nullptr, item.graph != nullptr};
}

// For logits of one type. `workspace` is 64-byte aligned memory of at least workspace_bytes().
template <class Logit>
struct LossKernel {
  size_t (*workspace_bytes)(Range range, const Size& size);
  Outcome (*solve)(const Item<Logit>& item, Range range, std::byte* workspace);
};

// The loss kernel of one instruction set.
struct LossKernels {
  const char* name;
  LossKernel<float> float32;
  LossKernel<double> float64;
  LossKernel<Half> float16;
  LossKernel<Brain> bfloat16;
};

}  // namespace ctckit
