// A text whose log-probability is known, and from it the log-probabilities of texts that differ in a few tokens.
//
// A short text keeps its α and β (passes.hpp): then all results are exact. Of a long one only windows have them: the
// differing tokens, some tokens on both sides, and the frames of all these in the most probable alignment.
//
//     log p(other | x) ≈ log p(text | x) + log p(other's window | x's window) − log p(text's window | x's window)
//
// This assumes that the change says nothing about frames outside of the window. So a window has 16 tokens on each side,
// and then goes on to a sure token: one that has a frame with probability 0.999 or more. Where none is near, a pass over
// the whole text tells. Only for refinements, whose result is scored exactly, 16 tokens are always enough.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "search/passes.hpp"
#include "search/refinement.hpp"
#include "search/rescoring.hpp"

namespace ctckit {

class KnownText {
 public:
  KnownText(const TextScorer& scorer, std::vector<int32_t> tokens);
  // The same with a known log-probability and alignment.
  KnownText(const TextScorer& scorer, std::vector<int32_t> tokens, double log_prob, Alignment alignment);

  const std::vector<int32_t>& tokens() const { return tokens_; }
  double log_prob() const { return log_prob_; }
  // Whether all results are exact. Otherwise those of log_prob_of() may be off by some thousandths of a nat.
  bool is_short() const;
  // Computed when it is first used.
  const Alignment& alignment();

  // Changes will be within the tokens [from, to): one window may serve all.
  void expect_changes(size_t from, size_t to);
  double log_prob_of(std::span<const int32_t> other);
  // The same for the text after a refinement.
  double log_prob_after(Refinement refinement);
  // Makes that refined text the known one.
  void change(Refinement refinement, double log_prob);

 private:
  struct Window {
    size_t first, last;  // tokens
    bool is_sure;
    Passes passes;
  };
  double log_prob_with(size_t from, size_t to, std::span<const int32_t> instead, bool surely);
  Window* window_around(size_t from, size_t to, bool surely);
  bool is_sure(size_t token);
  Window& add_window(size_t first, size_t last, bool is_sure);
  int64_t start_of(size_t first);
  int64_t end_of(size_t last);

  const TextScorer& scorer_;
  std::vector<int32_t> tokens_;
  double log_prob_;
  std::optional<Alignment> alignment_;
  std::deque<Window> windows_;
};

}  // namespace ctckit
