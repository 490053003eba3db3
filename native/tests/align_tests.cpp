// Random alignments on every instruction set, compared with Viterbi's recursion over the whole table in plain float64
// loops. The spans are the same for all checkpoints, all pruning, and with or without a first pass in float32.
//
// Runs under the sanitizers: every array has exactly the promised size.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "align/align.hpp"
#include "core/threads.hpp"
#include "simd/dispatch.hpp"

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nothing = -infinity;

std::mt19937 random_bits;
int seed = 0;

int integer(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_bits); }
double real(double least, double most) { return std::uniform_real_distribution<double>(least, most)(random_bits); }
bool chance(double probability) { return real(0, 1) < probability; }

void expect(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "FAILED: %s (align_tests, round %d, %s)\n", what.c_str(), seed,
               ctckit::instruction_set().c_str());
  std::exit(1);
}

template <class Real>
struct Problem {
  int64_t items, frames, width;  // T and N of the batch
  int classes, blank;
  std::vector<Real> log_probs;
  std::vector<int32_t> tokens;
  std::vector<int64_t> input_lengths, token_lengths;
  std::vector<double> weights, empty;  // none: plain CTC

  int64_t states() const { return 2 * width + 1; }
  double emission(int64_t b, int64_t t, int64_t s) const {
    const int c = s % 2 ? tokens[static_cast<size_t>(b * width + s / 2)] : blank;
    return c == classes ? 0 : static_cast<double>(log_probs[static_cast<size_t>((b * frames + t) * classes + c)]);
  }
  double weight(int64_t b, int kind, int64_t s) const {
    if (!weights.empty()) return weights[static_cast<size_t>((b * ctckit::graph_weights + kind) * states() + s)];
    const int64_t last = 2 * token_lengths[static_cast<size_t>(b)];
    const auto token = [&](int64_t state) { return tokens[static_cast<size_t>(b * width + state / 2)]; };
    if (kind == ctckit::start_weight) return s <= 1 ? 0 : nothing;
    if (kind == ctckit::final_weight) return s >= last - 1 ? 0 : nothing;
    if (kind == ctckit::skip_weight) return s % 2 && s > 1 && token(s) != token(s - 2) ? 0 : nothing;
    return kind <= ctckit::advance_weight ? 0 : nothing;
  }
};

struct Paths {
  std::vector<double> log_probs;
  std::vector<int64_t> starts, ends, cells;

  bool operator==(const Paths& other) const {
    return log_probs == other.log_probs && starts == other.starts && ends == other.ends;
  }
};

// Fills the whole table of one item, and its spans.
template <class Real>
double whole_table(const Problem<Real>& problem, int64_t b, int64_t* starts, int64_t* ends) {
  const int64_t frames = problem.input_lengths[static_cast<size_t>(b)],
                count = problem.token_lengths[static_cast<size_t>(b)];
  const int64_t states = 2 * count + 1;
  std::vector<int64_t> path(static_cast<size_t>(frames));
  double result = problem.empty.empty() ? (count ? nothing : 0) : problem.empty[static_cast<size_t>(b)];
  if (frames > 0) {
    std::vector<double> before(static_cast<size_t>(states)), here(before);
    std::vector<int8_t> transition(static_cast<size_t>(frames * states), 0);
    for (int64_t s = 0; s < states; ++s)
      before[static_cast<size_t>(s)] = problem.weight(b, ctckit::start_weight, s) + problem.emission(b, 0, s);
    for (int64_t t = 1; t < frames; ++t) {
      for (int64_t s = 0; s < states; ++s) {
        double best = nothing;
        for (int kind = 0; kind < ctckit::transition_weights && kind <= s; ++kind) {
          const double value = before[static_cast<size_t>(s - kind)] + problem.weight(b, kind, s);
          if (value > best) best = value, transition[static_cast<size_t>(t * states + s)] = static_cast<int8_t>(kind);
        }
        here[static_cast<size_t>(s)] = best + problem.emission(b, t, s);
      }
      std::swap(before, here);
    }
    int64_t state = 0;
    result = nothing;
    for (int64_t s = 0; s < states; ++s) {
      const double value = before[static_cast<size_t>(s)] + problem.weight(b, ctckit::final_weight, s);
      if (value >= result) result = value, state = s;
    }
    for (int64_t t = frames - 1; t >= 0; --t) {
      path[static_cast<size_t>(t)] = state;
      state -= transition[static_cast<size_t>(t * states + state)];
    }
  }
  if (result == nothing) return result;
  for (int64_t i = 0; i < count; ++i) {
    starts[i] = std::lower_bound(path.begin(), path.end(), 2 * i + 1) - path.begin();
    ends[i] = std::upper_bound(path.begin(), path.end(), 2 * i + 1) - path.begin();
  }
  return result;
}

template <class Real>
Paths no_paths(const Problem<Real>& problem) {
  const auto spans = static_cast<size_t>(problem.items * problem.width), items = static_cast<size_t>(problem.items);
  return {std::vector<double>(items, 1), std::vector<int64_t>(spans, -7), std::vector<int64_t>(spans, -7),
          std::vector<int64_t>(items, -1)};
}

template <class Real>
Paths expected(const Problem<Real>& problem) {
  Paths paths = no_paths(problem);
  for (int64_t b = 0; b < problem.items; ++b)
    paths.log_probs[static_cast<size_t>(b)] =
        whole_table(problem, b, paths.starts.data() + b * problem.width, paths.ends.data() + b * problem.width);
  return paths;
}

template <class Real>
Paths found(const Problem<Real>& problem, const ctckit::AlignOptions& options) {
  Paths paths = no_paths(problem);
  ctckit::AlignBatch<Real> batch{};
  batch.log_probs = problem.log_probs.data();
  batch.item_stride = problem.frames * problem.classes;
  batch.frame_stride = problem.classes;
  batch.items = problem.items;
  batch.classes = problem.classes;
  batch.blank = problem.blank;
  batch.tokens = problem.tokens.data();
  batch.token_stride = problem.width;
  batch.input_lengths = problem.input_lengths.data();
  batch.token_lengths = problem.token_lengths.data();
  batch.weights = problem.weights.empty() ? nullptr : problem.weights.data();
  batch.states = problem.states();
  batch.empty = problem.empty.empty() ? nullptr : problem.empty.data();
  ctckit::align_batch(batch, options,
                      {paths.log_probs.data(), paths.starts.data(), paths.ends.data(), paths.cells.data()});
  return paths;
}

// Sizes around those of passes, blocks, vectors and register tables.
template <class Real>
Problem<Real> random_problem(bool large) {
  Problem<Real> problem{};
  problem.items = large ? 1 : integer(1, 3);
  problem.frames =
      large ? integer(300, 900) : std::vector{0, 1, 2, 5, 16, 17, 33, 80, 150}[static_cast<size_t>(integer(0, 8))];
  problem.width = large ? integer(100, 400) : integer(0, static_cast<int>(problem.frames) + 2);
  problem.classes = std::vector{2, 3, 5, 16, 17, 33, 63, 64, 65, 66, 300}[static_cast<size_t>(integer(0, 10))];
  problem.blank = integer(0, problem.classes - 1);
  const double scale = std::vector{0.5, 3.0, 30.0}[static_cast<size_t>(integer(0, 2))];
  // Many equal sums; sums that differ in the last digits only.
  const double grid = std::vector{0.0, 0.0, 0.25, 0.1}[static_cast<size_t>(integer(0, 3))];
  const bool masks = chance(0.3), peaks = chance(0.5);
  problem.log_probs.resize(static_cast<size_t>(problem.items * problem.frames * problem.classes));
  for (Real& each : problem.log_probs) {
    const double value = -scale * -std::log(real(1e-6, 1));
    each = static_cast<Real>(masks && chance(0.1) ? nothing : grid > 0 ? std::round(value) * grid : value);
  }
  if (peaks)  // one likely class in each frame, as from a trained network
    for (size_t t = 0; t < problem.log_probs.size(); t += static_cast<size_t>(problem.classes))
      problem.log_probs[t + static_cast<size_t>(integer(0, problem.classes - 1))] = 0;
  const int few = chance(0.3) ? std::min(problem.classes - 1, 2) : problem.classes - 1;
  for (int64_t i = 0; i < problem.items * problem.width; ++i) {
    const int c = integer(0, few - 1);
    problem.tokens.push_back(c + (c >= problem.blank));
  }
  for (int64_t b = 0; b < problem.items; ++b) {
    const auto some = [&](int64_t most) { return chance(0.6) ? most : integer(0, static_cast<int>(most)); };
    problem.input_lengths.push_back(some(problem.frames));
    problem.token_lengths.push_back(some(problem.width));
  }
  return problem;
}

// Random weights for all transitions that the kernels know, some of them −∞; wildcards.
template <class Real>
void add_weights(Problem<Real>& problem) {
  const bool hops = chance(0.6), ties = chance(0.3);
  problem.weights.assign(static_cast<size_t>(problem.items * ctckit::graph_weights * problem.states()), nothing);
  for (int64_t b = 0; b < problem.items; ++b) {
    const int64_t count = problem.token_lengths[static_cast<size_t>(b)];
    problem.empty.push_back(chance(0.5) ? 0.5 : nothing);
    for (int kind = 0; kind < ctckit::graph_weights; ++kind)
      for (int64_t s = 0; s < 2 * count + 1; ++s) {
        const bool known =
            kind <= ctckit::advance_weight || kind >= ctckit::start_weight ||
            (kind == ctckit::hop_to_blank_weight ? hops && s % 2 == 0 : s % 2 && (kind == ctckit::skip_weight || hops));
        const double present = kind == ctckit::final_weight   ? (s > 2 * count - 5 ? 0.8 : 0)
                               : kind == ctckit::start_weight ? (s < 5 ? 0.8 : 0)
                                                              : 0.9;
        if (!known || kind > s + (kind >= ctckit::start_weight ? ctckit::graph_weights : 0) || !chance(present))
          continue;
        problem.weights[static_cast<size_t>((b * ctckit::graph_weights + kind) * problem.states() + s)] =
            ties ? -integer(0, 3) * 0.5 : real(-4, 2);
      }
  }
  for (int32_t& each : problem.tokens)
    if (chance(0.1)) each = problem.classes;
}

template <class Real>
void expect_agreement(const Problem<Real>& problem) {
  const Paths right = expected(problem);
  const int64_t never = std::numeric_limits<int64_t>::max();
  for (const ctckit::AlignOptions& options :
       {ctckit::AlignOptions{}, {16, never, never}, {48, 0, never}, {0, 0, never}, {0, 0, 0}, {32, 0, 0}}) {
    const Paths paths = found(problem, options);
    const std::string how = " (" + std::to_string(options.checkpoint_frames) + ", " +
                            std::to_string(options.single_from == 0) + ", " + std::to_string(options.prune_from == 0) +
                            ")";
    for (size_t b = 0; b < right.log_probs.size(); ++b) {
      const double one = paths.log_probs[b], other = right.log_probs[b];
      expect(one == other || std::abs(one - other) <= 1e-10 * std::max(1.0, std::abs(other)), "the score" + how);
    }
    expect(paths.starts == right.starts, "starts" + how);
    expect(paths.ends == right.ends, "ends" + how);
  }
}

template <class Real>
void check_round() {
  const bool large = seed % 10 == 0;
  Problem<Real> problem = random_problem<Real>(large);
  expect_agreement(problem);
  add_weights(problem);
  expect_agreement(problem);

  ctckit::set_num_threads(3);
  const Paths together = found(problem, {});
  ctckit::set_num_threads(1);
  expect(together == found(problem, {}), "any number of threads gives the same bits");
}

// Where most states are far from the best path, most are pruned; the path stays the same, bit by bit.
void pruning_prunes() {
  Problem<float> problem = random_problem<float>(false);
  problem.items = 1, problem.frames = 12000, problem.width = 4800, problem.classes = 20, problem.blank = 0;
  problem.input_lengths = {problem.frames};
  problem.token_lengths = {problem.width};
  problem.tokens.clear();
  problem.log_probs.assign(static_cast<size_t>(problem.frames * problem.classes), -12);
  for (int64_t t = 0; t < problem.frames; ++t) {
    const bool speaks = t % 5 < 2 || t % 5 == 3;
    if (t % 5 == 1 || t % 5 == 3) problem.tokens.push_back(1 + static_cast<int32_t>(problem.tokens.size()) * 7 % 19);
    problem.log_probs[static_cast<size_t>(t * problem.classes + (speaks && t % 5 ? problem.tokens.back() : 0))] =
        -0.01f;
  }
  const Paths all = found(problem, {0, 0, std::numeric_limits<int64_t>::max()}), pruned = found(problem, {0, 0, 0});
  expect(all == pruned, "pruning changes nothing");
  expect(pruned.cells[0] < all.cells[0] / 2, "pruning prunes");
}

// The first frames are uninformative: a beam over their best states loses the path.
void pruning_keeps_what_may_turn_out_well() {
  Problem<float> problem{};
  problem.items = 1, problem.frames = 12000, problem.width = 64 * integer(40, 60), problem.classes = 12,
  problem.blank = 0;
  problem.input_lengths = {problem.frames};
  problem.token_lengths = {problem.width};
  for (int64_t i = 0; i < problem.width; ++i) problem.tokens.push_back(integer(1, problem.classes - 1));
  const int64_t spoken = integer(2000, 6000), from = problem.frames - spoken;
  for (int64_t t = 0; t < problem.frames; ++t) {
    const int64_t at = (t - from) / 2 + problem.width - spoken / 2;
    const bool token = t >= from && at >= 0 && at < problem.width && t % 2;
    for (int c = 0; c < problem.classes; ++c) {
      const bool right = c == (token ? problem.tokens[static_cast<size_t>(at)] : 0);
      problem.log_probs.push_back(static_cast<float>(t < from ? real(-3, -2) : right ? real(-0.1, 0) : real(-7, -4)));
    }
  }
  const Paths all = found(problem, {0, 0, std::numeric_limits<int64_t>::max()}), pruned = found(problem, {0, 0, 0});
  expect(all == pruned, "what is given up is not on the best path");
}

// Invalid numbers (NaN, +∞) never cause an access outside of the arrays.
void survives_nan() {
  Problem<float> problem = random_problem<float>(seed % 5 == 0);
  for (float& each : problem.log_probs)
    if (chance(0.05))
      each = chance(0.5) ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  found(problem, {0, seed % 2 ? 0 : 1 << 19, seed % 3 ? 0 : 1 << 25});
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 300;
  const int first = count > 2 ? std::atoi(arguments[2]) : 1;
  for (const std::string& set : ctckit::instruction_sets()) {
    ctckit::set_instruction_set(set);
    for (seed = first; seed < first + rounds; ++seed) {
      random_bits.seed(static_cast<unsigned>(seed));
      check_round<float>();
      check_round<double>();
      survives_nan();
    }
    pruning_prunes();
    for (seed = first; seed < first + 1 + rounds / 100; ++seed) pruning_keeps_what_may_turn_out_well();
  }
  std::printf("align_tests: %d rounds on each instruction set\n", rounds);
}
