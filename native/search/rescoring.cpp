#include "search/rescoring.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "scorers/plan.hpp"
#include "search/confidence.hpp"
#include "simd/beam_kernel.hpp"
#include "simd/dispatch.hpp"
#include "simd/path_kernel.hpp"

namespace ctckit {

namespace {

constexpr float impossible = -std::numeric_limits<float>::infinity();

}  // namespace

Passes TextScorer::passes(std::span<const int32_t> tokens, int64_t start, int64_t end) const {
  const Frames window = frames_.part(start, end);
  return start == 0 ? Passes(window, border_.closed(), tokens, border_.column)
                    : Passes(window, {}, tokens, Border{}.column);
}

Alignment no_alignment(size_t tokens) { return {std::vector<int64_t>(tokens, 0), std::vector<int64_t>(tokens, 0)}; }

Alignment align(const Frames& frames, std::span<const int32_t> tokens) {
  Alignment result = no_alignment(tokens.size());
  const int count = static_cast<int>(tokens.size()), width = whole_blocks(count + 1);
  const auto size = static_cast<size_t>(width);
  const TextFrames own(frames, tokens);
  const Rows<float>& rows = own.rows();
  std::vector<int32_t> labels(size, rows.blank);
  std::vector<float> skip(size, 0), scores(4 * (size + beam_block));
  std::ranges::copy(own.tokens(), labels.begin());
  for (size_t i = 1; i < tokens.size(); ++i)
    if (tokens[i] == tokens[i - 1]) skip[i] = impossible;
  // The kernel writes what is read here: much faster than to set it all to 0 before.
  const auto choices = std::make_unique_for_overwrite<uint8_t[]>(static_cast<size_t>(frames.count) * size);
  PathProblem problem{rows.log_probs,
                      rows.stride,
                      static_cast<int>(rows.count),
                      rows.classes,
                      rows.blank,
                      count,
                      width,
                      labels.data(),
                      skip.data(),
                      {},
                      {},
                      choices.get()};
  for (size_t row = 0; row < 2; ++row) {
    problem.label_scores[row] = scores.data() + 2 * row * (size + beam_block) + beam_block;
    problem.blank_scores[row] = problem.label_scores[row] + size + beam_block;
  }
  const PathEnd end = path_kernel().best_path(problem);
  if (!end.possible) return result;
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
  return result;
}

namespace {

double mean_log_prob(const Frames& frames, int32_t token, int64_t start, int64_t end) {
  double sum = 0;
  for (int64_t t = start; t < end; ++t) sum += static_cast<double>(frames.at(t, token));
  return sum / static_cast<double>(end - start);
}

}  // namespace

Rescored rescore(const Frames& frames, std::span<const int32_t> tokens, const Border& border) {
  const double log_prob = log_prob_after(border, frames, tokens);
  return rescore(frames, tokens, log_prob, std::isinf(log_prob) ? no_alignment(tokens.size()) : align(frames, tokens));
}

Rescored rescore(const Frames& frames, std::span<const int32_t> tokens, double log_prob, Alignment alignment) {
  const size_t count = tokens.size();
  constexpr double none = -std::numeric_limits<double>::infinity();
  Rescored result{log_prob, std::move(alignment.starts), std::move(alignment.ends), std::vector<double>(count, none),
                  std::vector<double>(count, 0)};
  if (count == 0 || std::isinf(log_prob) || result.ends.back() == 0) return result;
  for (size_t k = 0; k < count; ++k)
    result.token_log_probs[k] = mean_log_prob(frames, tokens[k], result.starts[k], result.ends[k]);
  confidences(frames, tokens, {result.starts, result.ends}, result.confidences);
  return result;
}

}  // namespace ctckit
