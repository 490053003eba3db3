// Random problems on every instruction set, compared with float64 loops in log space that share no line with the
// kernels.
//
// Runs under the sanitizers: every array has exactly the promised size, and the padding is NaN.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/threads.hpp"
#include "loss/hvp.hpp"
#include "loss/loss.hpp"
#include "simd/dispatch.hpp"

namespace {

using ctckit::final_weight;
using ctckit::graph_weights;
using ctckit::hop_to_blank_weight;
using ctckit::hop_to_label_weight;
using ctckit::InputKind;
using ctckit::skip_weight;
using ctckit::start_weight;
using ctckit::transition_weights;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

void expect(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::exit(1);
}

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

double log_add(double a, double b) {
  const double top = std::max(a, b);
  return top == -infinity ? top : top + std::log1p(std::exp(std::min(a, b) - top));
}

struct Answer {
  double loss;
  std::vector<double> gradient;  // (T, C)
  std::vector<double> counts;    // (7, S)
};

// The token graph of plain CTC: weights of shape (7, S) as in core/token_graph.hpp.
std::vector<double> plain_graph(const std::vector<int32_t>& y) {
  const int S = 2 * static_cast<int>(y.size()) + 1;
  std::vector<double> graph(size_t{graph_weights} * S, -infinity);
  for (int s = 0; s < S; ++s) {
    graph[s] = 0;
    if (s >= 1) graph[S + s] = 0;
    if (s >= 3 && s % 2 && y[s / 2] != y[s / 2 - 1]) graph[skip_weight * S + s] = 0;
    if (s < 2) graph[start_weight * S + s] = 0;
    if (s >= S - 2) graph[final_weight * S + s] = 0;
  }
  return graph;
}

double value_of(float x) { return x; }
double value_of(double x) { return x; }
double value_of(ctckit::Brain x) {
  const uint32_t bits = uint32_t{x.bits} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
double value_of(ctckit::Half x) {
  const int exponent = x.bits >> 10 & 31, fraction = x.bits & 1023;
  const double size = exponent == 31 ? (fraction ? nan_value : infinity)
                      : exponent     ? std::ldexp(1024 + fraction, exponent - 25)
                                     : std::ldexp(fraction, -24);
  return x.bits & 0x8000 ? -size : size;
}

template <class Logit>
Logit make(double value) {
  return static_cast<Logit>(value);
}
template <>
ctckit::Brain make(double value) {  // truncated, not rounded: any value will do
  const float single = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &single, sizeof bits);
  return {static_cast<uint16_t>(std::isnan(value) ? 0x7fc0 : bits >> 16)};
}
template <>
ctckit::Half make(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double size = std::fabs(value);
  if (std::isnan(value)) return {0x7e01};
  if (size >= 65504) return {static_cast<uint16_t>(sign | (std::isinf(size) ? 0x7c00 : 0x7bff))};
  int exponent;
  const double fraction = std::frexp(size, &exponent);  // size = fraction · 2^exponent, fraction in [0.5, 1)
  if (exponent < -13) return {static_cast<uint16_t>(sign | static_cast<uint16_t>(std::ldexp(size, 24)))};
  return {static_cast<uint16_t>(sign | (exponent + 14) << 10 | (static_cast<int>(std::ldexp(fraction, 11)) & 1023))};
}

// One unit in the last place of a gradient of size 1.
template <class Logit>
constexpr double resolution = 0;
template <>
constexpr double resolution<ctckit::Half> = 1.0 / 2048;
template <>
constexpr double resolution<ctckit::Brain> = 1.0 / 256;

// −log p and softmax − occupancy of one item, state by state.
Answer definition(const std::vector<double>& x, int T, int C, const std::vector<int32_t>& y, int blank,
                  InputKind input_kind, const std::vector<double>& graph) {
  const int S = 2 * static_cast<int>(y.size()) + 1;
  std::vector<double> scores(x), base(x.size(), 0.0);
  for (int t = 0; t < T; ++t) {
    const double top = *std::max_element(x.begin() + t * C, x.begin() + (t + 1) * C);
    double sum = 0;
    for (int c = 0; c < C; ++c) sum += std::exp(x[t * C + c] - top);
    const double normalizer = std::log(sum);
    for (int c = 0; c < C; ++c) {
      if (input_kind == InputKind::logits) scores[t * C + c] = top == -infinity ? top : x[t * C + c] - top - normalizer;
      if (input_kind != InputKind::scores) base[t * C + c] = std::exp(scores[t * C + c]);
    }
  }
  const auto label = [&](int s) { return s % 2 ? y[s / 2] : blank; };
  const auto weight = [&](int kind, int s) { return graph[kind * S + s]; };
  std::vector<double> alpha(static_cast<size_t>(T + 1) * S, -infinity), beta(alpha);
  for (int t = 0; t < T; ++t)
    for (int s = 0; s < S; ++s) {
      double in = t == 0 ? weight(start_weight, s) : -infinity;
      for (int k = 0; t > 0 && k < transition_weights && k <= s; ++k)
        in = log_add(in, alpha[(t - 1) * S + s - k] + weight(k, s));
      alpha[t * S + s] = in + scores[t * C + label(s)];
    }
  std::vector<double> counts(size_t{graph_weights} * S, 0.0);
  if (T == 0) {  // a path without frames starts and ends in the same blank
    bool through = false;
    for (int s = 0; s < S; s += 2)
      through |= weight(start_weight, s) > -infinity && weight(final_weight, s) > -infinity;
    return {through ? 0 : infinity, {}, counts};
  }
  double total = -infinity;
  for (int s = 0; s < S; ++s) total = log_add(total, alpha[(T - 1) * S + s] + weight(final_weight, s));
  if (total == -infinity) return {infinity, std::vector<double>(x.size(), 0.0), counts};
  for (int t = T - 1; t >= 0; --t)
    for (int s = 0; s < S; ++s) {
      double out = t == T - 1 ? weight(final_weight, s) : -infinity;
      for (int k = 0; t < T - 1 && k < transition_weights && s + k < S; ++k) {
        const double ahead = weight(k, s + k) + scores[(t + 1) * C + label(s + k)] + beta[(t + 1) * S + s + k];
        out = log_add(out, ahead);
        counts[k * S + s + k] += std::exp(alpha[t * S + s] + ahead - total);
      }
      beta[t * S + s] = out;
      const double occupancy = std::exp(alpha[t * S + s] + out - total);
      base[t * C + label(s)] -= occupancy;
      if (t == 0) counts[start_weight * S + s] = occupancy;
      if (t == T - 1) counts[final_weight * S + s] = occupancy;
    }
  return {-total, base, counts};
}

template <class Logit>
struct Problem {
  int B, T, C, N, blank;
  InputKind input_kind;
  std::vector<Logit> logits;
  std::vector<int32_t> targets;
  std::vector<int64_t> input_lengths, target_lengths;
  std::vector<double> weights;

  std::vector<double> graphs;  // (B, 7, 2N + 1); empty for plain CTC

  std::vector<double> losses;
  std::vector<Logit> gradient;
  std::vector<double> counts;

  using Real = typename ctckit::ComputedIn<Logit>::type;
  int states() const { return 2 * N + 1; }

  ctckit::Batch<Logit> batch() const {
    ctckit::Batch<Logit> result{};
    result.logits = logits.data(), result.item_stride = int64_t{T} * C, result.frame_stride = C;
    result.items = B, result.frames = T, result.classes = C;
    result.targets = targets.data(), result.target_stride = N;
    result.input_lengths = input_lengths.data(), result.target_lengths = target_lengths.data();
    result.blank = blank, result.input_kind = input_kind, result.weights = weights.data();
    return result;
  }

  void forget() {
    losses.assign(B, nan_value);
    gradient.assign(logits.size(), make<Logit>(nan_value));
    counts.assign(graphs.size(), 0.0);
  }

  void run(ctckit::Batch<Logit> all, bool with_gradient) {
    const ctckit::TokenGraphs weighted{graphs.data(), with_gradient ? counts.data() : nullptr, states()};
    if (!graphs.empty()) all.graphs = &weighted;
    all.losses = losses.data(), all.gradient = with_gradient ? gradient.data() : nullptr;
    ctckit::ctc_loss(all);
  }

  void solve(bool with_gradient) {
    forget();
    run(batch(), with_gradient);
  }

  // First the forward pass alone, then the gradient from the stored normalizers.
  void solve_in_two_steps() {
    forget();
    std::vector<Real> normalizers(size_t{2} * B * T);
    ctckit::Batch<Logit> all = batch();
    all.normalizers = normalizers.data();
    run(all, false);
    const std::vector<double> first = losses;
    all.normalized = true;
    run(all, true);
    losses = first;
  }

  void check(const std::string& name) {
    solve(true);
    const std::vector<double> with_gradient = losses;
    for (int b = 0; b < B; ++b) check_item(b, name + ", item " + std::to_string(b));
    solve(false);
    const bool counted = !graphs.empty();  // with counts, the loss is computed in float64 too
    for (int b = 0; b < B && !counted; ++b)
      expect(losses[b] == with_gradient[b] || std::isnan(losses[b]), name + ": the loss depends on the gradient");
    solve_in_two_steps();
    for (int b = 0; b < B; ++b) check_item(b, name + ", in two steps, item " + std::to_string(b));
  }

  void check_item(int b, const std::string& name) const {
    const int frames = static_cast<int>(input_lengths[b]), tokens = static_cast<int>(target_lengths[b]);
    std::vector<double> x;
    for (int64_t k = 0; k < int64_t{frames} * C; ++k) x.push_back(value_of(logits[int64_t{b} * T * C + k]));
    const std::vector<int32_t> y(targets.begin() + int64_t{b} * N, targets.begin() + int64_t{b} * N + tokens);
    const Answer expected = definition(x, frames, C, y, blank, input_kind, graph_of(b));
    const bool single = sizeof(Real) == 4;
    // The definition works in log space: its rounding error grows with the loss.
    const double own_error = std::isinf(expected.loss) ? 0 : 1e-14 * std::fabs(expected.loss);
    const double loss_tolerance = single ? 1e-5 : 1e-11, gradient_tolerance = (single ? 1e-5 : 1e-10) + own_error;
    // Raw scores and weights have either sign and may cancel: their own size sets the tolerance.
    double size = std::max(1.0, std::fabs(expected.loss));
    for (const double score : x)
      if (input_kind != InputKind::logits && !std::isinf(score)) size = std::max(size, frames * std::fabs(score));
    for (const double weight : graphs)
      if (!std::isinf(weight)) size = std::max(size, frames * std::fabs(weight));
    if (std::isinf(expected.loss))
      expect(losses[b] == infinity, name + ": expected +inf, got " + std::to_string(losses[b]));
    else
      expect(std::fabs(losses[b] - expected.loss) <= loss_tolerance * size,
             name + ": loss " + number(losses[b]) + ", expected " + number(expected.loss));
    for (int k = 0; k < T * C; ++k) {
      const double found = value_of(gradient[int64_t{b} * T * C + k]);
      const double wanted = k < frames * C ? weights[b] * expected.gradient[k] : 0.0;
      const double tolerance =
          gradient_tolerance * std::max(1.0, std::fabs(wanted)) + resolution<Logit> * std::fabs(wanted);
      if (std::fabs(found - wanted) <= tolerance) continue;  // the message costs more than the check
      expect(false, name + ": gradient at frame " + std::to_string(k / C) + ", class " + std::to_string(k % C) +
                        " is " + number(found) + ", expected " + number(wanted));
    }
    for (int k = 0; !graphs.empty() && k < graph_weights * (2 * tokens + 1); ++k) {
      const int kind = k / (2 * tokens + 1), s = k % (2 * tokens + 1);
      const double found = counts[(int64_t{b} * graph_weights + kind) * states() + s];
      if (std::fabs(found - expected.counts[k]) <= (1e-9 + frames * own_error) * std::max(1.0, expected.counts[k]))
        continue;
      expect(false, name + ": count " + std::to_string(kind) + ", state " + std::to_string(s) + " is " + number(found) +
                        ", expected " + number(expected.counts[k]));
    }
  }

  std::vector<double> graph_of(int b) const {
    const int tokens = static_cast<int>(target_lengths[b]), mine = 2 * tokens + 1;
    if (graphs.empty())
      return plain_graph({targets.begin() + int64_t{b} * N, targets.begin() + int64_t{b} * N + tokens});
    std::vector<double> result;
    for (int kind = 0; kind < graph_weights; ++kind) {
      const auto begin = graphs.begin() + (int64_t{b} * graph_weights + kind) * states();
      result.insert(result.end(), begin, begin + mine);
    }
    return result;
  }
};

// Random weights for all transitions that the kernels know: skips and long hops into labels, short hops into blanks.
template <class Logit>
void add_graphs(Problem<Logit>& p, std::mt19937_64& random) {
  std::normal_distribution<double> normal(0, 1.5);
  const auto chance = [&](double share) { return std::uniform_real_distribution<double>()(random) < share; };
  for (int64_t& frames : p.input_lengths)  // few frames: paths reach only some of the final states
    if (chance(0.4)) frames = (frames + 3) / 4;
  p.graphs.assign(size_t{graph_weights} * p.B * p.states(), -infinity);
  for (int b = 0; b < p.B; ++b)
    for (int kind = 0; kind < graph_weights; ++kind)
      for (int s = 0; s < p.states(); ++s) {
        const bool label = s % 2, known = kind == skip_weight || kind == hop_to_label_weight
                                              ? label
                                              : kind != hop_to_blank_weight || !label;
        const bool inside = kind >= start_weight || s >= kind;
        const bool often = kind < start_weight || (kind == start_weight ? s < 4 : s >= 2 * p.target_lengths[b] - 3);
        if (known && inside && chance(often ? 0.7 : kind == start_weight ? 0.003 : 0.02))
          p.graphs[(int64_t{b} * graph_weights + kind) * p.states() + s] = normal(random);
      }
}

template <class Logit>
Problem<Logit> random_problem(std::mt19937_64& random, int most_frames) {
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  Problem<Logit> p;
  p.B = pick(1, 4), p.C = pick(2, pick(0, 3) ? 12 : 90), p.T = pick(0, most_frames);
  p.N = pick(0, pick(0, 2) ? std::min(p.T, 40) : p.T + 2), p.blank = pick(0, p.C - 1);
  p.input_kind = static_cast<InputKind>(pick(0, 2));
  const double scale = std::vector<double>{0.1, 1, 5, 40, 300}[pick(0, p.input_kind == InputKind::log_probs ? 1 : 4)];
  std::normal_distribution<double> normal(0, scale);
  p.logits.assign(static_cast<size_t>(p.B) * p.T * p.C, make<Logit>(nan_value));
  p.targets.assign(static_cast<size_t>(p.B) * p.N, -12345);
  const bool masks = pick(0, 3) == 0, huge = sizeof(Logit) > 2 && pick(0, 9) == 0;
  for (int b = 0; b < p.B; ++b) {
    p.input_lengths.push_back(pick(0, 3) ? p.T : pick(0, p.T));
    p.target_lengths.push_back(pick(0, 3) ? p.N : pick(0, p.N));
    p.weights.push_back(pick(0, 1) ? 1.0 : 0.25 * pick(-3, 5));
    for (int64_t k = 0; k < p.input_lengths[b] * p.C; ++k) {
      double value = normal(random);
      if (masks && pick(0, 5) == 0) value = -infinity;
      if (huge && pick(0, 9) == 0) value = -1e9;
      p.logits[static_cast<int64_t>(b) * p.T * p.C + k] = make<Logit>(value);
    }
    for (int n = 0; n < p.target_lengths[b]; ++n) {
      const int other = pick(0, p.C - 2);
      const bool repeat = n > 0 && pick(0, 3) == 0;
      p.targets[b * p.N + n] = repeat ? p.targets[b * p.N + n - 1] : other + (other >= p.blank);
    }
  }
  return p;
}

// Long enough for checkpoints, recomputation and a backward window far narrower than the band.
template <class Logit>
Problem<Logit> long_problem(std::mt19937_64& random, int T, int N, int C, double scale, double boost) {
  Problem<Logit> p;
  p.B = 1, p.T = T, p.N = N, p.C = C, p.blank = 0, p.input_kind = InputKind::logits, p.weights = {1.0};
  p.input_lengths = {T}, p.target_lengths = {N};
  std::normal_distribution<double> normal(0, scale);
  for (int n = 0; n < N; ++n) p.targets.push_back(1 + (n * 7 + n / 3) % (C - 1));
  for (int64_t k = 0; k < int64_t{T} * C; ++k) p.logits.push_back(static_cast<Logit>(normal(random)));
  for (int t = 0; t < T; ++t)  // peaks as from a trained network: each token once, blanks elsewhere
    p.logits[int64_t{t} * C + (t % (T / N) == 0 && t / (T / N) < N ? p.targets[t / (T / N)] : 0)] += boost;
  return p;
}

// The second derivative along a direction, by central differences of the definition's gradient.
void check_hvp(std::mt19937_64& random, const std::string& name) {
  Problem<double> p = random_problem<double>(random, 12);
  std::normal_distribution<double> normal;
  std::vector<double> direction(p.logits.size());
  for (double& each : direction) each = normal(random);
  for (double& each : p.logits)
    if (std::isfinite(each)) each = std::fmod(each, 3.0);  // finite differences fail on steep problems
  ctckit::Batch<double> batch = p.batch();
  std::vector<double> found(p.logits.size(), nan_value);
  ctckit::ctc_hvp(batch, direction.data(), found.data());
  const double step = 1e-5, tolerance = 1e-7;  // step² times third derivatives of size e^3, and 1e-14 / step
  for (int b = 0; b < p.B; ++b) {
    const int frames = static_cast<int>(p.input_lengths[b]), first = b * p.T * p.C;
    const auto y = p.targets.begin() + int64_t{b} * p.N;
    const auto gradient = [&](double sign) {
      std::vector<double> x;
      for (int k = first; k < first + frames * p.C; ++k) x.push_back(p.logits[k] + sign * step * direction[k]);
      return definition(x, frames, p.C, {y, y + p.target_lengths[b]}, p.blank, p.input_kind,
                        plain_graph({y, y + p.target_lengths[b]}))
          .gradient;
    };
    const std::vector<double> up = gradient(1), down = gradient(-1);
    for (int k = 0; k < p.T * p.C; ++k) {
      const double wanted = k < frames * p.C ? p.weights[b] * (up[k] - down[k]) / (2 * step) : 0;
      expect(std::fabs(found[first + k] - wanted) <= tolerance * std::max(1.0, std::fabs(wanted)),
             name + ": curvature at frame " + std::to_string(k / p.C) + ", class " + std::to_string(k % p.C) + " is " +
                 number(found[first + k]) + ", expected " + number(wanted));
    }
  }
}

// Several callers at once: one gets the pool, the others run alone, all get the same bits.
void check_concurrent_callers() {
  std::mt19937_64 random(5);
  Problem<float> problem = random_problem<float>(random, 50);
  while (problem.B < 3 || problem.T < 20) problem = random_problem<float>(random, 50);
  ctckit::set_num_threads(1);
  problem.solve(true);
  const auto same = [](const auto& a, const auto& b) {
    return std::memcmp(a.data(), b.data(), sizeof a[0] * a.size()) == 0;
  };
  ctckit::set_num_threads(3);
  std::vector<std::thread> callers;
  for (int k = 0; k < 4; ++k)
    callers.emplace_back([&problem, &same]() {
      Problem<float> own = problem;
      for (int round = 0; round < 200; ++round) {
        own.solve(true);
        expect(same(own.losses, problem.losses) && same(own.gradient, problem.gradient), "concurrent calls agree");
      }
    });
  for (std::thread& each : callers) each.join();

  bool thrown = false;
  try {
    ctckit::parallel_for(100, [](int64_t i) {
      if (i == 42) throw std::runtime_error("42");
    });
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  expect(thrown, "an exception in a task reaches the caller");
}

// The loss of a target that is too long for its input is infinite.
void check_nothing_to_emit() {
  for (const std::vector<int32_t>& target : {std::vector<int32_t>{1, 1, 1}, {1, 2, 1, 2}}) {
    Problem<float> p;
    p.B = 1, p.T = 3, p.N = static_cast<int>(target.size()), p.C = 3, p.blank = 0, p.input_kind = InputKind::logits;
    p.weights = {1.0}, p.targets = target, p.input_lengths = {3}, p.target_lengths = {p.N};
    p.logits.assign(9, static_cast<float>(nan_value));
    p.solve(true);
    expect(p.losses[0] == infinity, "what cannot be emitted costs infinity, NaN or not");
    for (const float each : p.gradient) expect(each == 0, "what cannot be emitted pulls nowhere");
  }
}

// Scores far below the best class of each frame, which is in no target, have the results of scores without that class:
// they are computed in exact sums, because each path costs 1e20.
template <class Logit>
void check_exact_sums(std::mt19937_64& random, bool weighted) {
  for (int round = 0; round < 40; ++round) {
    auto near = random_problem<Logit>(random, 24);
    near.input_kind = InputKind::scores;
    if (weighted) add_graphs(near, random);
    auto far = near;
    far.C = near.C + 1, far.logits.clear();
    for (int64_t k = 0; k < static_cast<int64_t>(near.logits.size()); k += near.C) {
      far.logits.insert(far.logits.end(), near.logits.begin() + k, near.logits.begin() + k + near.C);
      far.logits.push_back(make<Logit>(1e20));
    }
    near.solve(true), far.solve(true);
    const auto close = [](double a, double b) {
      return a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= 1e-5 * std::max(1.0, std::fabs(b));
    };
    for (int b = 0; b < near.B; ++b) expect(close(far.losses[b], near.losses[b]), "the loss in exact sums");
    for (int64_t k = 0; k < static_cast<int64_t>(near.logits.size()); ++k) {
      const double found = value_of(far.gradient[k / near.C * far.C + k % near.C]), wanted = value_of(near.gradient[k]);
      expect(close(found, wanted), "gradient in exact sums: " + number(found) + ", expected " + number(wanted));
    }
    for (size_t k = 0; k < near.counts.size(); ++k)
      expect(close(far.counts[k], near.counts[k]), "counts in exact sums");
  }
}

template <class Logit>
void check_same_bits(std::mt19937_64& random) {
  for (int round = 0; round < 20; ++round) {
    auto problem = random_problem<Logit>(random, 60);
    ctckit::set_num_threads(1);
    problem.solve(true);
    const auto losses = problem.losses;
    const auto gradient = problem.gradient;
    ctckit::set_num_threads(3);
    problem.solve(true);
    const auto same = [](const auto& a, const auto& b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                        [](auto x, auto y) { return x == y || (std::isnan(x) && std::isnan(y)); });
    };
    expect(same(losses, problem.losses) && same(gradient, problem.gradient), "the same bits for any number of threads");
  }
}

}  // namespace

// core_tests [ROUNDS [SEED]]: two random batches for each round and instruction set.
int main(int count, char** arguments) {
  ctckit::set_num_threads(2);
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 1500;
  const unsigned long seed = count > 2 ? std::strtoul(arguments[2], nullptr, 10) : 1;
  long problems = 0;
  for (const std::string& name : ctckit::instruction_sets()) {
    ctckit::set_instruction_set(name);
    std::mt19937_64 random(seed);
    const auto check = [&](auto problem, const std::string& what) {
      problem.check(what);
      problems += problem.B;
    };
    for (int round = 0; round < rounds; ++round) {
      check(random_problem<float>(random, 40), name + " float, round " + std::to_string(round));
      check(random_problem<double>(random, 40), name + " double, round " + std::to_string(round));
      if (round % 4) continue;
      check(random_problem<ctckit::Half>(random, 40), name + " float16, round " + std::to_string(round));
      check(random_problem<ctckit::Brain>(random, 40), name + " bfloat16, round " + std::to_string(round));
      const auto with_graphs = [&](auto problem, const std::string& what) {
        add_graphs(problem, random);
        check(problem, name + what + " with weighted token graphs, round " + std::to_string(round));
      };
      with_graphs(random_problem<float>(random, 40), " float");
      with_graphs(random_problem<double>(random, 40), " double");
    }
    for (const double boost : {0.0, 6.0, 25.0})
      for (const double scale : {0.5, 4.0}) {
        const std::string what = name + ", long, boost " + std::to_string(boost) + ", scale " + std::to_string(scale);
        long_problem<float>(random, 3000, 300, 12, scale, boost).check(what + ", float");
        long_problem<double>(random, 1500, 300, 12, scale, boost).check(what + ", double");
        long_problem<float>(random, 1200, 150, 400, scale, boost).check(what + ", many classes");
        problems += 3;
      }
    // Long enough that checkpoints are recomputed too.
    Problem<double> longer = long_problem<double>(random, 3000, 700, 12, 1.0, 3.0);
    longer.solve(true);
    longer.check_item(0, name + ", checkpoints of checkpoints");
    problems += 1;
    for (const int N : {20, 200}) {  // gradients larger than the caches: patched if labels are few, else streamed
      Problem<float> wide = long_problem<float>(random, 1600, N, 4099, 2.0, 6.0);
      wide.solve(true);
      wide.check_item(0, name + ", wide, " + std::to_string(N) + " tokens");
      problems += 1;
    }
    check_same_bits<float>(random);
    check_same_bits<double>(random);
  }
  std::mt19937_64 random(seed);
  for (int round = 0; round < std::max(50, rounds / 5); ++round)
    check_hvp(random, "curvature, round " + std::to_string(round));
  for (const bool weighted : {false, true}) {
    check_exact_sums<float>(random, weighted);
    check_exact_sums<double>(random, weighted);
  }
  check_exact_sums<ctckit::Brain>(random, false);
  check_nothing_to_emit();
  check_concurrent_callers();
  std::printf("%ld passed, 0 failed\n", problems);
}
