#include "description.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "beam.hpp"
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
  explicit Stretch(const Frames& frames)
      : frames_(frames), mass_(static_cast<size_t>(frames.classes), 0), entered_(mass_.size(), false) {
    find_likely();
  }

  // Of `token` in frames [from, to), between neighbours of the classes `left` and `right` (−1: none).
  double confidence(int32_t token, int32_t left, int32_t right, int64_t from, int64_t to) {
    double before = 1, behind_own = 0, behind_other = 0;  // blanks only; the token, or another one, and blanks
    for (int64_t t = from; t < to; ++t) {
      const double blank = prob(t, frames_.blank);
      double leaving_own = 0, leaving_other = 0;
      for (int32_t c : classes_) (c == token ? leaving_own : leaving_other) += mass(c);
      behind_own = (behind_own + leaving_own) * blank;
      behind_other = (behind_other + leaving_other) * blank;
      for (int32_t c : classes_) mass(c) *= prob(t, c);
      // Where a neighbour of the same class ends right before, the token would be the same one.
      const auto enter = [&](int32_t c) { add(c, t == from && c == left ? 0 : before * prob(t, c)); };
      bool own_is_likely = false;
      for (int32_t c : likely_[static_cast<size_t>(t)]) {
        enter(c);
        own_is_likely |= c == token;
      }
      if (!own_is_likely) enter(token);
      before *= blank;
      rescale({&before, &behind_own, &behind_other});
    }
    double own = behind_own, other = behind_other;
    for (int32_t c : classes_)
      if (c != right) (c == token ? own : other) += mass(c);
    clear();
    const double sum = own + other + before;
    return sum > 0 ? own / sum : 0;
  }

 private:
  static constexpr float least_log = -20;  // classes this far below a frame's best are not counted as alternatives

  double& mass(int32_t c) { return mass_[static_cast<size_t>(c)]; }
  double prob(int64_t t, int32_t c) const {
    return std::exp(static_cast<double>(frames_.row(t)[c]) - static_cast<double>(tops_[static_cast<size_t>(t)]));
  }

  // Of each frame: the largest value, and the classes not far below it.
  void find_likely() {
    const BeamKernels& kernels = beam_kernels();
    std::vector<int32_t> found(static_cast<size_t>(whole_blocks(frames_.classes)) + beam_block);
    for (int64_t t = 0; t < frames_.count; ++t) {
      const float* const x = frames_.row(t);
      tops_.push_back(kernels.maximum(x, frames_.classes));
      const int count =
          kernels.likely_classes(x, frames_.classes, frames_.blank, tops_.back() + least_log, found.data());
      likely_.values.insert(likely_.values.end(), found.begin(), found.begin() + count);
      likely_.offsets.push_back(static_cast<int64_t>(likely_.values.size()));
    }
  }

  void add(int32_t c, double value) {
    if (!entered_[static_cast<size_t>(c)]) classes_.push_back(c);
    entered_[static_cast<size_t>(c)] = true;
    mass(c) += value;
  }

  void clear() {
    for (int32_t c : classes_) {
      mass(c) = 0;
      entered_[static_cast<size_t>(c)] = false;
    }
    classes_.clear();
  }

  // Only ratios count.
  void rescale(std::initializer_list<double*> others) {
    double most = 0;
    for (const double* each : others) most = std::max(most, *each);
    for (int32_t c : classes_) most = std::max(most, mass(c));
    if (most == 0 || most > 1e-100) return;
    for (double* each : others) *each /= most;
    for (int32_t c : classes_) mass(c) /= most;
  }

  const Frames& frames_;
  std::vector<double> mass_;      // by class: of the alignments that are on the token
  std::vector<bool> entered_;     // whether a class is among classes_
  std::vector<int32_t> classes_;
  std::vector<float> tops_;
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
