#include "description.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "beam_kernel.hpp"
#include "dispatch.hpp"
#include "item.hpp"
#include "path.hpp"
#include "search_plan.hpp"

namespace ctckit {

namespace {

constexpr float impossible = -std::numeric_limits<float>::infinity();

}  // namespace

double log_prob_of(const Frames& frames, std::span<const int32_t> tokens) {
  Item<float> item{};
  item.logits = frames.log_probs;
  item.frame_stride = frames.stride;
  item.frames = static_cast<int>(frames.count);
  item.classes = frames.classes;
  item.blank = frames.blank;
  item.target = tokens.data();
  item.tokens = static_cast<int>(tokens.size());
  item.rows = Rows::scores;
  return -loss_of(item);
}

namespace {

// The likeliest alignment: for each token its frames [start, end). False where there is none.
bool find_spans(const Frames& frames, std::span<const int32_t> tokens, Description& result) {
  const int count = static_cast<int>(tokens.size()), width = whole_blocks(count + 1);
  const auto size = static_cast<size_t>(width);
  std::vector<int32_t> labels(size, frames.blank);
  std::vector<float> skip(size, 0), rows(4 * (size + beam_block));
  std::copy(tokens.begin(), tokens.end(), labels.begin());
  for (size_t i = 1; i < tokens.size(); ++i)
    if (tokens[i] == tokens[i - 1]) skip[i] = impossible;
  std::vector<uint8_t> choices(static_cast<size_t>(frames.count) * size);
  PathProblem problem{frames.log_probs, frames.stride, static_cast<int>(frames.count), frames.blank, count,
                      width, labels.data(), skip.data(), {}, {}, choices.data()};
  for (size_t row = 0; row < 2; ++row) {
    problem.label[row] = rows.data() + 2 * row * (size + beam_block) + beam_block;
    problem.blank_row[row] = problem.label[row] + size + beam_block;
  }
  const PathEnd end = path_kernel().best_path(problem);
  if (!end.possible) return false;
  int i = end.in_blank ? count : count - 1;
  bool in_blank = end.in_blank;
  if (!in_blank) result.ends[static_cast<size_t>(i)] = frames.count;
  for (int64_t t = frames.count - 1; t >= 0; --t) {
    const uint8_t code = choices[static_cast<size_t>(t) * size + static_cast<size_t>(i)];
    if (in_blank) {
      if (!(code & 4)) continue;
      in_blank = false;
      result.ends[static_cast<size_t>(--i)] = t;
    } else if (code & 3) {
      result.starts[static_cast<size_t>(i)] = t;
      if ((code & 3) == 1) {
        in_blank = true;
      } else {
        result.ends[static_cast<size_t>(--i)] = t;
      }
    }
  }
  return true;
}

double mean_log_prob(const Frames& frames, int32_t token, int64_t start, int64_t end) {
  double sum = 0;
  for (int64_t t = start; t < end; ++t) sum += static_cast<double>(frames.row(t)[token]);
  return sum / static_cast<double>(end - start);
}

// The frames between the neighbours of one token. In front of the token, between it and its neighbours, stand blanks only.
class Stretch {
 public:
  explicit Stretch(const Frames& frames)
      : frames_(frames), probs_(static_cast<size_t>(whole_blocks(frames.classes)), 0), on_(probs_.size(), 0) {}

  // Of `token` in frames [from, to), between neighbours of the classes `left` and `right` (−1: none).
  double confidence(int32_t token, int32_t left, int32_t right, int64_t from, int64_t to) {
    const auto mass = [&](int32_t c) -> float& { return on_[static_cast<size_t>(c)]; };
    std::fill(on_.begin(), on_.end(), 0.0f);
    double before = 1, own = 0, other = 0;  // blanks only; the token, or another one, and blanks behind it
    for (int64_t t = from; t < to; ++t) {
      beam_kernels().exponentials(frames_.row(t), frames_.classes, probs_.data());
      const double blank = static_cast<double>(probs_[static_cast<size_t>(frames_.blank)]);
      const double own_leaving = static_cast<double>(mass(token));
      const double leaving = static_cast<double>(
          beam_kernels().pass_on(probs_.data(), frames_.classes, static_cast<float>(before), on_.data()));
      mass(frames_.blank) = 0;
      if (t == from && left >= 0) mass(left) = 0;  // it would be the left neighbour itself, lasting on
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
  // Only ratios count.
  void rescale(std::initializer_list<double*> others) {
    constexpr float small = 1e-15f, large = 1e15f;
    double most = 0;
    for (const double* each : others) most = std::max(most, *each);
    if (most > static_cast<double>(small)) return;
    if (static_cast<double>(beam_kernels().maximum(on_.data(), static_cast<int>(on_.size()))) > static_cast<double>(small)) return;
    for (double* each : others) *each *= static_cast<double>(large);
    for (float& each : on_) each *= large;
  }

  const Frames& frames_;
  std::vector<float> probs_;  // of one frame, relative to its best class
  std::vector<float> on_;     // by class: of the alignments that are on the token itself
};

}  // namespace

Description describe(const Frames& frames, std::span<const int32_t> tokens) {
  return describe(frames, tokens, log_prob_of(frames, tokens));
}

Description describe(const Frames& frames, std::span<const int32_t> tokens, double log_prob) {
  const size_t count = tokens.size();
  constexpr double none = -std::numeric_limits<double>::infinity();
  Description result{log_prob, std::vector<int64_t>(count, 0), std::vector<int64_t>(count, 0),
                     std::vector<double>(count, none), std::vector<double>(count, 0)};
  if (count == 0 || std::isinf(result.log_prob) || !find_spans(frames, tokens, result)) return result;
  Stretch stretch(frames);
  for (size_t k = 0; k < count; ++k) {
    result.token_log_probs[k] = mean_log_prob(frames, tokens[k], result.starts[k], result.ends[k]);
    const bool first = k == 0, last = k + 1 == count;
    result.confidences[k] =
        stretch.confidence(tokens[k], first ? -1 : tokens[k - 1], last ? -1 : tokens[k + 1],
                           first ? 0 : result.ends[k - 1], last ? frames.count : result.starts[k + 1]);
  }
  return result;
}

}  // namespace ctckit
