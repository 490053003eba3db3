// One item of a batch, as the kernels of each instruction set receive it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "loss/loss.hpp"

namespace ctckit {

// One item of Chains: rows of `states` values each.
struct ChainWeights {
  const double* weights;
  double* counts;  // or null
  int64_t states;
};

template <class Logit>
struct Item {
  using Compute = typename ComputedIn<Logit>::type;

  const Logit* logits;  // (frames, classes)
  int64_t frame_stride;
  int frames, classes;
  int32_t blank;
  const int32_t* target;
  int tokens;
  Rows rows;
  double weight;
  Logit* gradient;            // (frames, classes) contiguous, or null
  bool stream;                // the batch's gradient is larger than the caches
  Compute* normalizers;       // (2, frames), or null
  int64_t normalizer_stride;  // between the maxima and the normalisers
  bool normalized;            // they are known
  const ChainWeights* chain;  // null: plain CTC

  // Always inlined: a copy compiled for a newer instruction set must not be shared with an older one.
  __attribute__((always_inline)) const Logit* row(int t) const { return logits + t * frame_stride; }
  __attribute__((always_inline)) Logit* gradient_row(int t) const {
    return gradient + static_cast<int64_t>(t) * classes;
  }
};

enum class Range { fast, wide };  // the number type: see simd/number.hpp

struct Outcome {
  double loss;        // −log p, NaN or +∞
  bool out_of_range;  // nothing is valid: solve again with Range::wide
};

struct Size {
  int frames, classes, tokens;
  bool gradient, weighted;
};

template <class Logit>
__attribute__((always_inline)) inline Size size_of(const Item<Logit>& item) {
  return {item.frames, item.classes, item.tokens, item.gradient != nullptr, item.chain != nullptr};
}

// For logits of one type. `workspace` is 64-byte aligned memory of at least workspace_bytes().
template <class Logit>
struct ItemKernel {
  size_t (*workspace_bytes)(Range range, const Size& size);
  Outcome (*solve)(const Item<Logit>& item, Range range, std::byte* workspace);
};

// The compiled kernels of one instruction set.
struct Kernels {
  const char* name;
  ItemKernel<float> float32;
  ItemKernel<double> float64;
  ItemKernel<Half> float16;
  ItemKernel<Brain> bfloat16;
};

// −log p of one item, its gradient written where it has one: +∞ where the target cannot be emitted.
template <class Logit>
double loss_of(const Item<Logit>& item);

// Smallest number of frames that can emit the target: its length and one blank between equal neighbours.
int64_t frames_needed(const int32_t* target, int64_t tokens);

}  // namespace ctckit
