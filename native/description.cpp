#include "description.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "beam_kernel.hpp"
#include "dispatch.hpp"
#include "item.hpp"
#include "path.hpp"
#include "search_plan.hpp"

namespace ctckit {

namespace {

constexpr float impossible = -std::numeric_limits<float>::infinity();

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
  explicit Stretch(const Frames& frames) : frames_(frames), mass_(static_cast<size_t>(frames.classes), 0) {
    find_likely();
  }

  // Of `token` in frames [from, to), between neighbours of the classes `left` and `right` (−1: none).
  double confidence(int32_t token, int32_t left, int32_t right, int64_t from, int64_t to) {
    token_ = token;
    before_ = 1;
    behind_own_ = behind_other_ = 0;
    on_.clear();
    for (int64_t t = from; t < to; ++t) frame(t, t == from ? left : -1);
    double own = behind_own_, other = behind_other_;
    for (int32_t c : on_) {
      if (c != right) (c == token ? own : other) += mass(c);
      mass(c) = 0;
    }
    const double sum = own + other + before_;
    return sum > 0 ? own / sum : 0;
  }

 private:
  static constexpr float least_log = -17;  // classes this far below a frame's best are no alternatives

  double& mass(int32_t c) { return mass_[static_cast<size_t>(c)]; }
  float prob(int64_t t, int32_t c) const { return std::exp(frames_.row(t)[c] - tops_[static_cast<size_t>(t)]); }

  // Of each frame: the largest value, and the classes not far below it with their probabilities.
  void find_likely() {
    const BeamKernels& kernels = beam_kernels();
    std::vector<int32_t> found(static_cast<size_t>(whole_blocks(frames_.classes)) + beam_block);
    for (int64_t t = 0; t < frames_.count; ++t) {
      const float* const x = frames_.row(t);
      tops_.push_back(kernels.maximum(x, frames_.classes));
      blanks_.push_back(prob(t, frames_.blank));
      const int count = kernels.above(x, frames_.classes, tops_.back() + least_log, found.data());
      for (int k = 0; k < count; ++k) {
        const int32_t c = found[static_cast<size_t>(k)];
        if (c == frames_.blank) continue;
        likely_.values.push_back(c);
        probs_.push_back(prob(t, c));
      }
      likely_.offsets.push_back(static_cast<int64_t>(likely_.values.size()));
    }
  }

  // `touching`: the class that ends right before this frame; the same class would be the same token.
  void frame(int64_t t, int32_t touching) {
    const auto at = static_cast<size_t>(t);
    const double blank = blanks_[at];
    for (int32_t c : on_) (c == token_ ? behind_own_ : behind_other_) += mass(c);
    behind_own_ *= blank;
    behind_other_ *= blank;
    next_.clear();
    const auto go_on = [&](int32_t c, double prob) {
      const double entering = c == touching ? 0 : before_;
      next_.push_back({c, (mass(c) + entering) * prob});
    };
    const auto likely = likely_[at];
    const float* const probs = probs_.data() + likely_.offsets[at];
    bool own_is_likely = false;
    for (size_t k = 0; k < likely.size(); ++k) {
      go_on(likely[k], static_cast<double>(probs[k]));
      own_is_likely |= likely[k] == token_;
    }
    if (!own_is_likely) go_on(token_, static_cast<double>(prob(t, token_)));
    before_ *= blank;
    for (int32_t c : on_) mass(c) = 0;
    on_.clear();
    for (const auto& [c, value] : next_) {
      on_.push_back(c);
      mass(c) = value;
    }
    rescale();
  }

  // Only ratios count.
  void rescale() {
    double most = std::max({before_, behind_own_, behind_other_});
    for (int32_t c : on_) most = std::max(most, mass(c));
    if (most == 0 || most > 1e-100) return;
    for (double* each : {&before_, &behind_own_, &behind_other_}) *each /= most;
    for (int32_t c : on_) mass(c) /= most;
  }

  struct Next {
    int32_t token;
    double mass;
  };

  const Frames& frames_;
  int32_t token_ = 0;
  double before_ = 1, behind_own_ = 0, behind_other_ = 0;  // blanks only; the token, or another one, and blanks
  std::vector<double> mass_;  // by class: of the alignments that are on the token itself
  std::vector<int32_t> on_;   // the classes that have one
  std::vector<Next> next_;
  std::vector<float> tops_, blanks_, probs_;
  Ragged likely_;
};

}  // namespace

Description describe(const Frames& frames, std::span<const int32_t> tokens) {
  const size_t count = tokens.size();
  constexpr double none = -std::numeric_limits<double>::infinity();
  Description result{log_prob_of(frames, tokens), std::vector<int64_t>(count, 0), std::vector<int64_t>(count, 0),
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
