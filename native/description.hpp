// Everything about one text and the frames it was read from: its exact log-probability, where each token is, and how sure
// each token is.
//
// The confidence of token k is its posterior among single edits: its neighbours keep their frames of the likeliest alignment,
// and between them stands token k, another one, or none:
//
//     confidence = mass(y_k) / (Σ_c mass(c) + mass(none)),
//
// each mass being the sum over all alignments of these frames.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace ctckit {

struct Frames {
  const float* log_probs;  // (count, classes), classes side by side
  int64_t stride, count;
  int classes, blank;

  const float* row(int64_t t) const { return log_probs + t * stride; }
};

struct Description {
  double log_prob;  // −∞: the text cannot be emitted; then all spans are [0, 0), the confidences 0
  std::vector<int64_t> starts, ends;
  std::vector<double> token_log_probs;  // mean over the token's frames
  std::vector<double> confidences;
};

// Its log-probability alone.
double log_prob_of(const Frames& frames, std::span<const int32_t> tokens);

Description describe(const Frames& frames, std::span<const int32_t> tokens);
// The same where log_prob_of() is known.
Description describe(const Frames& frames, std::span<const int32_t> tokens, double log_prob);

}  // namespace ctckit
