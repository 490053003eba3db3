// Rescoring of a text on its frames: its exact log-probability, the span of each token, and the confidence of each
// token (confidence.hpp).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "search/confidence.hpp"

namespace ctckit {

// The most probable alignment of a text: token k has the frames [starts[k], ends[k]). All zeros if none exists.
struct Alignment {
  std::vector<int64_t> starts, ends;
};

struct Rescored {
  double log_prob;  // −∞ if the text cannot be emitted; then all spans are [0, 0) and all confidences 0
  std::vector<int64_t> starts, ends;
  std::vector<double> token_log_probs;  // mean over the token's frames
  std::vector<double> confidences;
};

// Returns the log-probability only.
double log_prob_of(const Frames& frames, std::span<const int32_t> tokens);

// The same for many texts on the same frames, or on windows of them: the classes of a frame are read once.
class TextScorer {
 public:
  explicit TextScorer(const Frames& frames) : frames_(frames) {}

  const Frames& frames() const { return frames_; }
  double log_prob_of(std::span<const int32_t> tokens) { return log_prob_of(tokens, 0, frames_.count); }
  // On the frames [start, end).
  double log_prob_of(std::span<const int32_t> tokens, int64_t start, int64_t end);

 private:
  const Frames& frames_;
  std::vector<float> normalizers_;  // of all frames, once these were read
};

Alignment no_alignment(size_t tokens);

// Returns the alignment only.
Alignment align(const Frames& frames, std::span<const int32_t> tokens);

Rescored rescore(const Frames& frames, std::span<const int32_t> tokens);
// The same with known results of log_prob_of() and align().
Rescored rescore(const Frames& frames, std::span<const int32_t> tokens, double log_prob, Alignment alignment);

}  // namespace ctckit
