#include "search/confidence.hpp"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <vector>

#include "core/threads.hpp"
#include "simd/beam_kernel.hpp"
#include "simd/dispatch.hpp"

namespace ctckit {

namespace {

// The frames between the neighbors of one token: blanks, the token, blanks.
class TokenGap {
 public:
  explicit TokenGap(const Frames& frames)
      : frames_(frames), probs_(static_cast<size_t>(whole_blocks(frames.classes)), 0), on_(probs_.size(), 0) {}

  // The confidence of `token` in frames [from, to), between neighbors of the classes `left` and `right` (−1: none).
  double confidence(int32_t token, int32_t left, int32_t right, int64_t from, int64_t to) {
    const auto mass = [&](int32_t c) -> float& { return on_[static_cast<size_t>(c)]; };
    std::fill(on_.begin(), on_.end(), 0.0f);
    // Masses: blanks only; the token and blanks after it; another token and blanks after it.
    double before = 1, own = 0, other = 0;
    for (int64_t t = from; t < to; ++t) {
      beam_kernels().exponentials(frames_.frame(t, frame_), frames_.classes, probs_.data());
      const double blank = static_cast<double>(probs_[static_cast<size_t>(frames_.blank)]);
      const double own_leaving = static_cast<double>(mass(token));
      const double leaving = static_cast<double>(
          beam_kernels().pass_on(probs_.data(), frames_.classes, static_cast<float>(before), on_.data()));
      mass(frames_.blank) = 0;
      if (t == from && left >= 0) mass(left) = 0;  // it would only prolong the left neighbor
      own = (own + own_leaving) * blank;
      other = (other + leaving - own_leaving) * blank;
      before *= blank;
      rescale({&before, &own, &other});
    }
    if (right >= 0) mass(right) = 0;
    const double own_now = static_cast<double>(mass(token));
    const double all_now = static_cast<double>(beam_kernels().pass_on(probs_.data(), frames_.classes, 0, on_.data()));
    own += own_now;
    const double sum = own + other + (all_now - own_now) + before;
    return sum > 0 ? std::min(own / sum, 1.0) : 0;
  }

 private:
  // Scales all masses: only their ratios matter.
  void rescale(std::initializer_list<double*> others) {
    constexpr float small = 1e-15f, large = 1e15f;
    double most = 0;
    for (const double* each : others) most = std::max(most, *each);
    if (most > static_cast<double>(small)) return;
    if (static_cast<double>(beam_kernels().maximum(on_.data(), static_cast<int>(on_.size()))) >
        static_cast<double>(small))
      return;
    for (double* each : others) *each *= static_cast<double>(large);
    for (float& each : on_) each *= large;
  }

  const Frames& frames_;
  std::vector<float> probs_;  // of one frame, relative to its best class
  std::vector<float> frame_;  // a buffer
  std::vector<float> on_;     // by class: mass of the alignments that emit this token now
};

// The confidences of the tokens from ≤ k < to.
void confidences_of_some(const Frames& frames, std::span<const int32_t> tokens, const Spans& spans, size_t from,
                         size_t to, std::span<double> result) {
  TokenGap gap(frames);
  for (size_t k = from; k < to; ++k) {
    const bool first = k == 0, last = k + 1 == tokens.size();
    result[k] = tokens[k] < 0
                    ? std::numeric_limits<double>::quiet_NaN()
                    : gap.confidence(tokens[k], first ? -1 : tokens[k - 1], last ? -1 : tokens[k + 1],
                                     first ? 0 : spans.ends[k - 1], last ? frames.count : spans.starts[k + 1]);
  }
}

}  // namespace

void confidences(const Frames& frames, std::span<const int32_t> tokens, const Spans& spans, std::span<double> result) {
  confidences_of_some(frames, tokens, spans, 0, tokens.size(), result);
}

void confidences_of_many(const Frames& frames, std::span<const int32_t> tokens, const Spans& spans,
                         std::span<double> result) {
  constexpr size_t share = 256;
  const size_t count = tokens.size();
  parallel_for(static_cast<int64_t>((count + share - 1) / share), [&](int64_t task) {
    const size_t from = static_cast<size_t>(task) * share;
    confidences_of_some(frames, tokens, spans, from, std::min(from + share, count), result);
  });
}

}  // namespace ctckit
