// One item of a batch, as the kernels of each instruction set receive it.
#pragma once
#include <cstddef>
#include <cstdint>

#include "loss.hpp"

namespace ctckit {

template <class Logit>
struct Item {
  const Logit* logits;  // (frames, classes)
  int64_t frame_stride;
  int frames, classes;
  int32_t blank;
  const int32_t* target;
  int tokens;
  Rows rows;
  double weight;
  Logit* gradient;  // (frames, classes) contiguous, or null
  bool stream;      // the batch's gradient is larger than the caches

  // Always inlined: a copy compiled for a newer instruction set must not be shared with an older one.
  __attribute__((always_inline)) const Logit* row(int t) const { return logits + t * frame_stride; }
  __attribute__((always_inline)) Logit* gradient_row(int t) const {
    return gradient + static_cast<int64_t>(t) * classes;
  }
};

enum class Range { fast, wide };  // the number type: see number.hpp

struct Outcome {
  double loss;        // −log p, NaN or +∞
  bool out_of_range;  // nothing is valid: solve again with Range::wide
};

// The compiled kernels of one instruction set. `workspace` is 64-byte aligned memory of at least workspace_bytes().
struct Kernels {
  const char* name;
  size_t (*workspace_bytes)(Range range, int frames, int classes, int tokens, bool gradient);
  Outcome (*solve_float)(const Item<float>& item, Range range, std::byte* workspace);
  Outcome (*solve_double)(const Item<double>& item, Range range, std::byte* workspace);
};

// Smallest number of frames that can emit the target: its length and one blank between equal neighbours.
int64_t frames_needed(const int32_t* target, int64_t tokens);

}  // namespace ctckit
