// The log-probabilities of one item, or of a part of one.
#pragma once
#include <cstdint>

namespace ctckit {

template <class Logit>
struct Rows {
  const Logit* log_probs;  // (count, classes), classes contiguous
  int64_t stride, count;
  int classes;
  int32_t blank;

  const Logit* frame(int64_t t) const { return log_probs + t * stride; }
};

}  // namespace ctckit
