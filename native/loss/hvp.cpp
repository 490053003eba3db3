// Let s(π) = Σ_t v_t(π_t) be the score of a path π: how fast its log-weight grows when the logits move along v. The
// occupancy of a state is the probability of the paths through it. Its derivative is a covariance:
//
//     d occupancy_t(s) = occupancy_t(s) · (E[s(π) | π_t = s] − E[s(π)])
//
// The conditional mean is a_t(s) + b_t(s): the mean score of the frames up to t, and of the frames after t. Both follow
// the recursions of α and β, which are their weights. This code runs in float64 and log space, for clarity: second
// derivatives are rare.
#include "loss/hvp.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "core/threads.hpp"
#include "loss/item.hpp"
#include "loss/nats.hpp"
#include "loss/states.hpp"

namespace ctckit {
namespace {

constexpr double exact_from = 1LL << 34;  // nats; sums of float64 of this size are rounded by 2e-6

// A log-weight and a mean score. Adding two of them adds the weights and averages the scores.
template <class Weight>
struct Expectation {
  Weight log_weight = Weight(States::impossible);
  double score = 0;

  void add(const Expectation& other, const Weight& log_factor, double more_score) {
    const Weight added = other.log_weight + log_factor;
    if (static_cast<double>(added) == States::impossible) return;
    const Weight top = std::max(log_weight, added);
    const double mine = std::exp(static_cast<double>(log_weight - top));
    const double theirs = std::exp(static_cast<double>(added - top));
    score = (mine * score + theirs * (other.score + more_score)) / (mine + theirs);
    log_weight = top + Weight(std::log(mine + theirs));
  }
};

// Log-weights are float64, or Nats for items whose paths are all extremely unlikely.
template <class Logit, class Weight>
class ItemHvp {
  using Mean = Expectation<Weight>;

 public:
  ItemHvp(const Batch<Logit>& batch, int64_t b, const Logit* direction, Logit* result)
      : x_(batch.logits + b * batch.item_stride),
        stride_(batch.frame_stride),
        frames_(batch.input_lengths[b]),
        classes_(batch.classes),
        graph_{batch.targets + b * batch.target_stride, batch.target_lengths[b], batch.blank,
               batch.graphs ? batch.graphs->item(b) : TokenGraph{}},
        states_(graph_.count()),
        input_kind_(batch.input_kind),
        weight_(batch.weights[b]),
        direction_(direction + b * batch.frames * batch.classes),
        result_(result + b * batch.frames * batch.classes) {}

  // Returns whether the numbers were exact enough; if not, there is no result.
  bool run() {
    std::fill(result_, result_ + frames_ * classes_, Logit(0));
    if (frames_ == 0 || (!graph_.graph.weights && frames_ < frames_needed(graph_.target, graph_.tokens))) return true;
    normalize();
    forward();
    const Mean total = ending();
    const double log_likelihood = static_cast<double>(total.log_weight);
    if (std::isnan(log_likelihood)) std::fill(result_, result_ + frames_ * classes_, Logit(NAN));
    if (std::isnan(log_likelihood) || log_likelihood == States::impossible) return true;
    if (std::is_same_v<Weight, double> && std::max(std::fabs(log_likelihood), greatest_) > exact_from) return false;
    for (int64_t t = 0; t < frames_; ++t) add_softmax(t);
    backward(total);
    return true;
  }

 private:
  Weight log_prob(int64_t t, int64_t c) const { return Weight(x_[t * stride_ + c]) - normalizer_[t]; }
  Weight emission(int64_t t, int64_t s) const { return log_prob(t, graph_.label(s)); }
  double push(int64_t t, int64_t s) const { return direction_[t * classes_ + graph_.label(s)]; }

  void normalize() {
    normalizer_.assign(frames_, Weight(0.0));
    for (int64_t t = 0; t < frames_; ++t) {
      const Logit* frame = x_ + t * stride_;
      const double top = *std::max_element(frame, frame + classes_);
      double sum = 0;
      for (int64_t c = 0; c < classes_; ++c) sum += std::exp(frame[c] - top);
      if (top == States::impossible) continue;
      greatest_ = std::max(greatest_, std::fabs(top));
      if (input_kind_ == InputKind::logits || std::isnan(sum)) normalizer_[t] = Weight(top) + Weight(std::log(sum));
    }
  }

  void forward() {
    alpha_.assign(frames_ * states_, {});
    for (int64_t s = 0; s < states_; ++s) alpha_[s] = {Weight(graph_.start(s)) + emission(0, s), push(0, s)};
    for (int64_t t = 1; t < frames_; ++t) {
      const Mean* before = &alpha_[(t - 1) * states_];
      for (int64_t s = 0; s < states_; ++s) {
        Mean& here = alpha_[t * states_ + s];
        for (int64_t k = 0; k < transition_weights && k <= s; ++k)
          here.add(before[s - k], Weight(graph_.transition(k, s)) + emission(t, s), push(t, s));
      }
    }
  }

  Mean ending() const {
    Mean total;
    for (int64_t s = 0; s < states_; ++s) total.add(alpha_[(frames_ - 1) * states_ + s], Weight(graph_.final(s)), 0);
    for (const Weight& each : normalizer_)
      if (std::isnan(static_cast<double>(each))) total.log_weight = each;
    return total;
  }

  void backward(const Mean& total) {
    std::vector<Mean> next(states_), here(states_);
    for (int64_t s = 0; s < states_; ++s) here[s].log_weight = Weight(graph_.final(s));
    for (int64_t t = frames_ - 1; t >= 0; --t) {
      if (t < frames_ - 1) {
        next.swap(here);
        for (int64_t s = 0; s < states_; ++s) {
          here[s] = {};
          for (int64_t k = 0; k < transition_weights && s + k < states_; ++k)
            here[s].add(next[s + k], Weight(graph_.transition(k, s + k)) + emission(t + 1, s + k), push(t + 1, s + k));
        }
      }
      for (int64_t s = 0; s < states_; ++s) {
        const Mean& past = alpha_[t * states_ + s];
        const Weight passing = past.log_weight + here[s].log_weight - total.log_weight;
        const double occupancy = std::exp(static_cast<double>(passing));
        const double change = occupancy * (past.score + here[s].score - total.score);
        result_[t * classes_ + graph_.label(s)] -= static_cast<Logit>(weight_ * change);
      }
    }
  }

  // The derivative of the gradient's part without the occupancy: softmax(x), nothing, or e^x.
  void add_softmax(int64_t t) {
    if (input_kind_ == InputKind::scores) return;
    const auto prob = [&](int64_t c) { return std::exp(static_cast<double>(log_prob(t, c))); };
    double mean = 0;
    if (input_kind_ == InputKind::logits)
      for (int64_t c = 0; c < classes_; ++c) mean += prob(c) * direction_[t * classes_ + c];
    for (int64_t c = 0; c < classes_; ++c)
      result_[t * classes_ + c] += static_cast<Logit>(weight_ * prob(c) * (direction_[t * classes_ + c] - mean));
  }

  const Logit* x_;
  const int64_t stride_, frames_, classes_;
  const States graph_;
  const int64_t states_;
  const InputKind input_kind_;
  const double weight_;
  const Logit* direction_;
  Logit* result_;
  double greatest_ = 0;  // |maximum| of a frame
  std::vector<Weight> normalizer_;
  std::vector<Mean> alpha_;
};

}  // namespace

template <class Logit>
void ctc_hvp(const Batch<Logit>& batch, const Logit* direction, Logit* result) {
  parallel_for(batch.items, [&](int64_t b) {
    if (!ItemHvp<Logit, double>(batch, b, direction, result).run())
      ItemHvp<Logit, DoubleNats>(batch, b, direction, result).run();
    Logit* const item = result + b * batch.frames * batch.classes;
    std::fill(item + batch.input_lengths[b] * batch.classes, item + batch.frames * batch.classes, Logit(0));
  });
}

template void ctc_hvp<float>(const Batch<float>&, const float*, float*);
template void ctc_hvp<double>(const Batch<double>&, const double*, double*);

}  // namespace ctckit
