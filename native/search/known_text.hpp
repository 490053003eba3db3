// A text whose log-probability is known, and from it the log-probabilities of texts that differ little.
//
// A pass over all frames and tokens costs T · N. A text that differs in a few tokens is therefore scored on a window:
// the differing tokens, some tokens on both sides, and the frames of all these in the most probable alignment.
//
//     log p(other | x) ≈ log p(text | x) + log p(other's window | x's window) − log p(text's window | x's window)
//
// It is exact if the window is the whole text. Otherwise it assumes that the change says nothing about frames outside of
// the window. So a window ends with a sure token: one that has a frame with probability 0.999 or more. Without such
// tokens it has 16 on each side. A window that costs as much as the whole text is not used.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "search/refinement.hpp"
#include "search/rescoring.hpp"

namespace ctckit {

class KnownText {
 public:
  KnownText(TextScorer& scorer, std::vector<int32_t> tokens, double log_prob);
  // The same with a known log-probability and alignment.
  KnownText(TextScorer& scorer, std::vector<int32_t> tokens, double log_prob, Alignment alignment);

  const std::vector<int32_t>& tokens() const { return tokens_; }
  double log_prob() const { return log_prob_; }
  // Computed when it is first used.
  const Alignment& alignment();

  double log_prob_of(std::span<const int32_t> other);
  // The same for the text after a refinement.
  double log_prob_after(Refinement refinement);
  // Makes that refined text the known one.
  void change(Refinement refinement, double log_prob);

 private:
  struct Window {
    size_t first, last;  // tokens
    int64_t start, end;  // frames
    bool is_whole;
  };
  double log_prob_with(size_t from, size_t to, std::span<const int32_t> replacement);
  Window window_of(size_t first, size_t last);
  double log_prob_on(const Window& window);
  bool is_sure(size_t token);

  TextScorer& scorer_;
  std::vector<int32_t> tokens_;
  double log_prob_;
  std::optional<Alignment> alignment_;
  std::vector<std::pair<Window, double>> windows_;  // with the log-probabilities of this text on them
  std::vector<int32_t> other_;                      // a buffer
};

}  // namespace ctckit
