// α, β and the occupancies in log space, as kernels/loss/reference.py defines them. Log-weights are exact sums.
//
// The forward pass keeps α of every √T-th frame, and the backward pass recomputes the frames between.
#include "loss/exact.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "loss/nats.hpp"
#include "loss/states.hpp"

namespace ctckit {
namespace {

double value_of(float logit) { return logit; }
double value_of(double logit) { return logit; }
double value_of(Brain logit) { return std::bit_cast<float>(uint32_t{logit.bits} << 16); }
double value_of(Half logit) {
  const int exponent = logit.bits >> 10 & 31, fraction = logit.bits & 1023;
  const double magnitude = exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
  const double finite_or_infinite = exponent < 31 ? magnitude : std::numeric_limits<double>::infinity();
  return logit.bits >> 15 ? -finite_or_infinite : finite_or_infinite;
}

void put(double value, float& to) { to = static_cast<float>(value); }
void put(double value, double& to) { to = value; }
void put(double value, Brain& to) {
  const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  to.bits = static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
// To the nearest multiple of the step at this size; ties to even.
void put(double value, Half& to) {
  const int exponent = value == 0 ? -14 : std::clamp(std::ilogb(value), -14, 16);
  const double steps = std::nearbyint(std::ldexp(std::fabs(value), 10 - exponent));
  const double bits = exponent > 15 ? 0x7c00 : std::ldexp(exponent + 14, 10) + steps;
  to.bits =
      static_cast<uint16_t>(static_cast<int>(std::min(bits, double{0x7c00})) | (std::signbit(value) ? 0x8000 : 0));
}

template <class Logit, class Weight>
class ExactItem {
  using Row = std::vector<Weight>;  // one entry for each state

 public:
  explicit ExactItem(const Item<Logit>& item)
      : item_(item),
        states_{item.target, item.tokens, item.blank, item.graph ? *item.graph : TokenGraph{}},
        segment_(std::max(1, static_cast<int>(std::sqrt(item.frames)))) {}

  double solve() {
    normalize();
    const Row last = forward();
    total_ = Weight::impossible();
    for (int64_t s = 0; s < states_.count(); ++s)
      total_ = sum({total_, last[s] + Weight(item_.exit ? 0 : states_.final(s))});
    for (int64_t s = 0; item_.exit && s < states_.count(); ++s) item_.exit[s] = static_cast<double>(last[s]);
    if (total_.is_impossible()) return std::numeric_limits<double>::infinity();
    if (item_.gradient) backward();
    const double loss = -static_cast<double>(total_);
    return !item_.graph && item_.input_kind == InputKind::logits ? std::max(loss, 0.0) : loss;
  }

 private:
  static Weight sum(std::initializer_list<Weight> terms) {
    const Weight top = std::max(terms);
    if (top.is_impossible()) return top;
    double total = 0;
    for (const Weight& each : terms) total += std::exp(static_cast<double>(each - top));
    return top + Weight(std::log(total));
  }

  double logit(int t, int c) const { return value_of(item_.frame(t)[c]); }

  void normalize() {
    normalizer_.resize(item_.frames);
    if (item_.input_kind != InputKind::logits) return;
    for (int t = 0; t < item_.frames; ++t) {
      double top = States::impossible, total = 0;
      for (int c = 0; c < item_.classes; ++c) top = std::max(top, logit(t, c));
      if (top == States::impossible) continue;
      for (int c = 0; c < item_.classes; ++c) total += std::exp(logit(t, c) - top);
      normalizer_[t] = Weight(top) + Weight(std::log(total));
    }
  }

  Weight emission(int t, int64_t s) const { return Weight(logit(t, states_.label(s))) - normalizer_[t]; }

  Row forward() {
    Row row(states_.count(), Weight::impossible());
    for (int s = 0; item_.entry && s < item_.entry_states; ++s) row[s] = Weight(item_.entry[s]);
    for (int t = 0; t < item_.frames; ++t) {
      if (t % segment_ == 0) checkpoints_.push_back(row);
      row = advance(t, row);
    }
    return row;
  }

  // α of frame t, from that of the frame before.
  Row advance(int t, const Row& before) const {
    Row row(states_.count());
    for (int64_t s = 0; s < states_.count(); ++s) {
      const bool starts = t == 0 && !item_.entry;
      Weight arriving = starts ? Weight(states_.start(s)) : Weight::impossible();
      for (int64_t k = 0; !starts && k < transition_weights && k <= s; ++k)
        arriving = sum({arriving, before[s - k] + Weight(states_.transition(k, s))});
      row[s] = arriving + emission(t, s);
    }
    return row;
  }

  void backward() {
    if (counts()) std::fill_n(counts(), graph_weights * states_.graph.states, 0.0);
    Row beta(states_.count());
    for (int64_t s = 0; s < states_.count(); ++s) beta[s] = Weight(states_.final(s));
    for (int first = (item_.frames - 1) / segment_ * segment_; first >= 0; first -= segment_) {
      std::vector<Row> alpha;
      for (int t = first; t < std::min(item_.frames, first + segment_); ++t)
        alpha.push_back(advance(t, t == first ? checkpoints_[first / segment_] : alpha.back()));
      for (int t = first + static_cast<int>(alpha.size()) - 1; t >= first; --t) {
        if (t < item_.frames - 1) beta = retreat(t, alpha[t - first], beta);
        write_gradient(t, alpha[t - first], beta);
      }
    }
  }

  // β of frame t, from that of the frame after; counts the transitions between the two frames.
  Row retreat(int t, const Row& alpha, const Row& next) const {
    Row row(states_.count(), Weight::impossible());
    for (int64_t s = 0; s < states_.count(); ++s)
      for (int64_t k = 0; k < transition_weights && s + k < states_.count(); ++k) {
        const Weight leaving = Weight(states_.transition(k, s + k)) + emission(t + 1, s + k) + next[s + k];
        row[s] = sum({row[s], leaving});
        count(k, s + k, alpha[s] + leaving);
      }
    return row;
  }

  double* counts() const { return states_.graph.counts; }
  double share(const Weight& paths) const { return std::exp(static_cast<double>(paths - total_)); }
  void count(int64_t kind, int64_t s, const Weight& paths) const {
    if (counts()) counts()[kind * states_.graph.states + s] += share(paths);
  }

  void write_gradient(int t, const Row& alpha, const Row& beta) const {
    std::vector<double> row(item_.classes);
    for (int c = 0; c < item_.classes; ++c) row[c] = without_occupancy(t, c);
    for (int64_t s = 0; s < states_.count(); ++s) {
      row[states_.label(s)] -= share(alpha[s] + beta[s]);
      if (t == 0) count(start_weight, s, alpha[s] + beta[s]);
      if (t == item_.frames - 1) count(final_weight, s, alpha[s] + beta[s]);
    }
    for (int c = 0; c < item_.classes; ++c) put(item_.weight * row[c], item_.gradient_frame(t)[c]);
  }

  double without_occupancy(int t, int c) const {
    if (item_.input_kind == InputKind::scores) return 0;
    return std::exp(static_cast<double>(Weight(logit(t, c)) - normalizer_[t]));
  }

  const Item<Logit>& item_;
  const States states_;
  const int segment_;
  Row normalizer_;  // one entry for each frame
  std::vector<Row> checkpoints_;
  Weight total_;
};

}  // namespace

template <class Logit>
double exact_loss_of(const Item<Logit>& item) {
  // The weights of token graphs are float64.
  if (sizeof(Logit) == 8 || item.graph) return ExactItem<Logit, DoubleNats>(item).solve();
  return ExactItem<Logit, FloatNats>(item).solve();
}

template double exact_loss_of<float>(const Item<float>&);
template double exact_loss_of<double>(const Item<double>&);
template double exact_loss_of<Half>(const Item<Half>&);
template double exact_loss_of<Brain>(const Item<Brain>&);

}  // namespace ctckit
