#include "search/refinement.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "simd/beam_kernel.hpp"
#include "simd/dispatch.hpp"

namespace ctckit {

namespace {

// The frames between two neighbors: blanks, one token, blanks.
class TokenSlot {
 public:
  explicit TokenSlot(const Frames& frames)
      : frames_(frames),
        probs_(static_cast<size_t>(whole_blocks(frames.classes))),
        on_(probs_.size()),
        after_(probs_.size()) {}

  // Returns the class with the most mass in frames [from, to) between the classes `left` and `right` (−1: none). The
  // blank means no token. Ties: the present `token` wins.
  int32_t best(int32_t token, int32_t left, int32_t right, int64_t from, int64_t to) {
    std::fill(on_.begin(), on_.end(), 0.0);
    std::fill(after_.begin(), after_.end(), 0.0);
    before_ = 1;
    for (int64_t t = from; t < to; ++t) {
      step(frames_.frame(t, frame_));
      if (t == from && left >= 0) on_[static_cast<size_t>(left)] = 0;  // it would only prolong the left neighbor
    }
    if (right >= 0) on_[static_cast<size_t>(right)] = 0;
    int32_t best = token;
    for (int32_t c = 0; c < frames_.classes; ++c)
      if (mass(c) > mass(best)) best = c;
    return best;
  }

 private:
  double mass(int32_t c) const {
    const auto k = static_cast<size_t>(c);
    return c == frames_.blank ? before_ : on_[k] + after_[k];
  }

  void step(const float* frame) {
    beam_kernels().exponentials(frame, frames_.classes, probs_.data());
    const double blank = static_cast<double>(probs_[static_cast<size_t>(frames_.blank)]);
    double most = 0;
    for (size_t c = 0; c < probs_.size(); ++c) {
      after_[c] = (after_[c] + on_[c]) * blank;
      on_[c] = (on_[c] + before_) * static_cast<double>(probs_[c]);
      most = std::max({most, after_[c], on_[c]});
    }
    before_ *= blank;
    if (most > small) return;
    before_ *= large;
    for (size_t c = 0; c < probs_.size(); ++c) {
      after_[c] *= large;
      on_[c] *= large;
    }
  }

  static constexpr double small = 1e-150, large = 1e150;  // for scaling: only ratios matter
  const Frames& frames_;
  std::vector<float> frame_;  // a buffer
  std::vector<float> probs_;
  std::vector<double> on_, after_;  // masses by class: of the class itself, of the blanks after it
  double before_ = 1;               // blanks only
};

}  // namespace

std::vector<Refinement> find_refinements(const Frames& frames, std::span<const int32_t> tokens,
                                         const Rescored& rescored) {
  std::vector<Refinement> refinements;
  if (tokens.empty() || rescored.ends.back() == 0) return refinements;  // there is no alignment
  std::unique_ptr<TokenSlot> slot;
  for (size_t k = tokens.size(); k-- > 0;) {
    if (rescored.confidences[k] > 0.5) continue;  // the token has most of the mass
    if (!slot) slot = std::make_unique<TokenSlot>(frames);
    const bool first = k == 0, last = k + 1 == tokens.size();
    const int32_t best = slot->best(tokens[k], first ? -1 : tokens[k - 1], last ? -1 : tokens[k + 1],
                                    first ? 0 : rescored.ends[k - 1], last ? frames.count : rescored.starts[k + 1]);
    if (best != tokens[k]) refinements.push_back({static_cast<int64_t>(k), best});
  }
  return refinements;
}

}  // namespace ctckit
