// Rescoring of a text on its frames: its exact log-probability, the span of each token, and the confidence of each
// token (confidence.hpp).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "search/confidence.hpp"

namespace ctckit {

struct Rescored {
  double log_prob;  // −∞ if the text cannot be emitted; then all spans are [0, 0) and all confidences 0
  std::vector<int64_t> starts, ends;
  std::vector<double> token_log_probs;  // mean over the token's frames
  std::vector<double> confidences;
};

// Returns the log-probability only.
double log_prob_of(const Frames& frames, std::span<const int32_t> tokens);

Rescored rescore(const Frames& frames, std::span<const int32_t> tokens);
// The same with a known log_prob_of().
Rescored rescore(const Frames& frames, std::span<const int32_t> tokens, double log_prob);

}  // namespace ctckit
