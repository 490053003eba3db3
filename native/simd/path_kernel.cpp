// Viterbi's recursion over the states of one text: the transitions of lattice.hpp, with maxima instead of sums.
#include "simd/path_kernel.hpp"

#include <algorithm>
#include <limits>

#include "simd/lanes.hpp"
#include "simd/lattice.hpp"
#include "simd/table.hpp"

namespace ctckit::CTCKIT_ISA {

namespace {

constexpr int width = lanes<float>;
constexpr float impossible = -std::numeric_limits<float>::infinity();
typedef int8_t Codes __attribute__((vector_size(width)));

// The labels and blanks that lie on a complete path at frame t, in whole vectors: [from, to).
struct Band {
  int from, to;
};
Band band(const PathProblem& problem, int t) {
  const int from = std::max(problem.tokens - problem.frames + t, 0), to = std::min(t + 2, problem.width);
  return {from / width * width, (to + width - 1) / width * width};
}

// The log-probabilities of a frame, for the labels from an index on.
struct Gathered {
  const float* frame;
  CTCKIT_INLINE Vector<float> at(const int32_t* labels) const { return gather_at<float>(frame, labels); }
};

// Ties: stay wins over advance, advance wins over skip.
template <class Emissions>
CTCKIT_INLINE void step(const PathProblem& problem, int t, Band states, float blank_log_prob,
                        const Emissions& emissions) {
  const float *const label = problem.label_scores[(t + 1) & 1], *const blank = problem.blank_scores[(t + 1) & 1];
  float *const label_after = problem.label_scores[t & 1], *const blank_after = problem.blank_scores[t & 1];
  uint8_t* const codes = problem.choices + static_cast<int64_t>(t) * problem.width;
  const Vector<float> blank_emission = broadcast(blank_log_prob);
  for (int i = states.from; i < states.to; i += width) {
    const Vector<float> stay = load(label + i), advance = load(blank + i), before = load(label + i - 1);
    const Vector<float> skip = before + load(problem.skip + i);
    const Vector<int32_t> advances = advance > stay;
    const Vector<float> better = advances ? advance : stay;
    const Vector<int32_t> skips = skip > better, enters = before > advance;
    store(label_after + i, (skips ? skip : better) + emissions.at(problem.labels + i));
    store(blank_after + i, (enters ? before : advance) + blank_emission);
    const Vector<int32_t> code = (skips ? broadcast(int32_t{2}) : (advances & 1)) | (enters & 4);
    const Codes narrow = __builtin_convertvector(code, Codes);
    std::memcpy(codes + i, &narrow, sizeof narrow);
  }
}

void step(const PathProblem& problem, int t, Band states) {
  const float* const frame = problem.log_probs + t * problem.frame_stride;
#if defined(__AVX512F__)
  if (problem.classes <= Table<float>::most)
    return step(problem, t, states, frame[problem.blank], Table<float>(frame, problem.classes));
#endif
  step(problem, t, states, frame[problem.blank], Gathered{frame});
}

// Only differences of scores matter; scores near 0 keep more digits of them.
void recenter(float* label, float* blank, Band states) {
  Vector<float> best = broadcast(impossible);
  for (int i = states.from; i < states.to; i += width) best = maximum(maximum(load(label + i), load(blank + i)), best);
  const float top = horizontal_max<float>(best);
  if (top == impossible) return;
  for (int i = states.from; i < states.to; i += width) {
    store(label + i, load(label + i) - top);
    store(blank + i, load(blank + i) - top);
  }
}

PathEnd best_path(const PathProblem& problem) {
  for (int row = 0; row < 2; ++row)
    for (int i = -padding; i < problem.width; ++i) {
      problem.label_scores[row][i] = impossible;
      if (i >= 0) problem.blank_scores[row][i] = impossible;
    }
  problem.blank_scores[1][0] = 0;  // before the first frame: a path may begin in the first blank or the first label
  for (int t = 0; t < problem.frames; ++t) {
    const Band states = band(problem, t);
    step(problem, t, states);
    // The next frame reads one label before this band. No complete path leads through it.
    problem.label_scores[t & 1][states.from - 1] = impossible;
    if (t % renormalize_every == 0) recenter(problem.label_scores[t & 1], problem.blank_scores[t & 1], states);
  }
  const int last = (problem.frames + 1) & 1;
  const float blank = problem.blank_scores[last][problem.tokens];
  const float label = problem.tokens > 0 ? problem.label_scores[last][problem.tokens - 1] : impossible;
  return {maximum(blank, label) != impossible, blank >= label};
}

}  // namespace

extern const PathKernel path_kernel;
const PathKernel path_kernel = {best_path};

}  // namespace ctckit::CTCKIT_ISA
