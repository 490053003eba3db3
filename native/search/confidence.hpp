// How sure each token of an alignment is.
//
// The confidence of token k is its posterior among single refinements: its neighbors keep their frames of the likeliest alignment,
// and between them stands token k, another one, or none:
//
//     confidence = mass(y_k) / (Σ_c mass(c) + mass(none)),
//
// each mass being the sum over all alignments of these frames.
#pragma once
#include <cstdint>
#include <span>

namespace ctckit {

struct Frames {
  const float* log_probs;  // (count, classes), classes side by side
  int64_t stride, count;
  int classes, blank;

  const float* frame(int64_t t) const { return log_probs + t * stride; }
};

// The frames [starts[k], ends[k]) of each token.
struct Spans {
  std::span<const int64_t> starts, ends;
};

// Of each token, written to `result`. A token of class −1 is a wildcard: it has no confidence (NaN), and as a neighbor it
// holds its frames, whatever they emit.
void confidences(const Frames& frames, std::span<const int32_t> tokens, const Spans& spans, std::span<double> result);
// The same, many tokens shared out over the threads.
void confidences_of_many(const Frames& frames, std::span<const int32_t> tokens, const Spans& spans,
                         std::span<double> result);

}  // namespace ctckit
