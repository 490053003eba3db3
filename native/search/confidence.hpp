// The confidence of each token of an alignment.
//
// The confidence of token k is its posterior among all changes of this one token. Its neighbors keep their frames of
// the most probable alignment. Between them there is token k, another token, or none:
//
//     confidence = mass(y_k) / (Σ_c mass(c) + mass(none)),
//
// where each mass is the sum over all alignments of these frames.
#pragma once
#include <cstdint>
#include <span>

#include "search/frames.hpp"

namespace ctckit {

// The frames [starts[k], ends[k]) of each token.
struct Spans {
  std::span<const int64_t> starts, ends;
};

// Writes the confidence of each token to `result`. A token of class −1 is a wildcard: its confidence is NaN, and as a
// neighbor it keeps its frames, whatever they emit.
void confidences(const Frames& frames, std::span<const int32_t> tokens, const Spans& spans, std::span<double> result);
// The same for many tokens, on several threads.
void confidences_of_many(const Frames& frames, std::span<const int32_t> tokens, const Spans& spans,
                         std::span<double> result);

}  // namespace ctckit
