// Rescoring of a text on its frames: its exact log-probability, the span of each token, and the confidence of each
// token (confidence.hpp).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "loss/border.hpp"
#include "search/confidence.hpp"
#include "search/passes.hpp"

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

// Scores of texts in the frames after a border.
class TextScorer {
 public:
  explicit TextScorer(const Frames& frames, const Border& border = {}) : frames_(frames), border_(border) {}

  const Frames& frames() const { return frames_; }
  // The first tokens of all texts.
  size_t fixed() const { return border_.fixed; }
  double log_prob_of(std::span<const int32_t> tokens) const { return log_prob_after(border_, frames_, tokens); }
  // α and β of tokens that have the frames [start, end).
  Passes passes(std::span<const int32_t> tokens, int64_t start, int64_t end) const;

 private:
  const Frames frames_;
  const Border border_;
};

Alignment no_alignment(size_t tokens);

// Returns the alignment only.
Alignment align(const Frames& frames, std::span<const int32_t> tokens);

// After a border, the text begins with the fixed tokens of that.
Rescored rescore(const Frames& frames, std::span<const int32_t> tokens, const Border& border = {});
// The same with known results of log_prob_of() and align().
Rescored rescore(const Frames& frames, std::span<const int32_t> tokens, double log_prob, Alignment alignment);

}  // namespace ctckit
