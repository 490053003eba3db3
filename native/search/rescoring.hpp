// Everything about one text and the frames it was read from: its exact log-probability, where each token is, and how sure
// each token is (search/confidence.hpp).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "search/confidence.hpp"

namespace ctckit {

struct Rescored {
  double log_prob;  // −∞: the text cannot be emitted; then all spans are [0, 0), the confidences 0
  std::vector<int64_t> starts, ends;
  std::vector<double> token_log_probs;  // mean over the token's frames
  std::vector<double> confidences;
};

// Its log-probability alone.
double log_prob_of(const Frames& frames, std::span<const int32_t> tokens);

Rescored rescore(const Frames& frames, std::span<const int32_t> tokens);
// The same where log_prob_of() is known.
Rescored rescore(const Frames& frames, std::span<const int32_t> tokens, double log_prob);

}  // namespace ctckit
