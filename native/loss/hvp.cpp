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
#include <limits>
#include <vector>

#include "core/threads.hpp"
#include "loss/item.hpp"

namespace ctckit {
namespace {

constexpr double impossible = -std::numeric_limits<double>::infinity();

// A log-weight and a mean score. Adding two of them adds the weights and averages the scores.
struct Expectation {
  double log_weight = impossible, score = 0;

  void add(const Expectation& other, double log_factor, double more_score) {
    const double added = other.log_weight + log_factor;
    if (added == impossible) return;
    const double top = std::max(log_weight, added);
    const double mine = std::exp(log_weight - top), theirs = std::exp(added - top);
    score = (mine * score + theirs * (other.score + more_score)) / (mine + theirs);
    log_weight = top + std::log(mine + theirs);
  }
};

template <class Logit>
class ItemHvp {
 public:
  ItemHvp(const Batch<Logit>& batch, int64_t b, const Logit* direction, Logit* result)
      : x_(batch.logits + b * batch.item_stride),
        stride_(batch.frame_stride),
        frames_(batch.input_lengths[b]),
        classes_(batch.classes),
        target_(batch.targets + b * batch.target_stride),
        tokens_(batch.target_lengths[b]),
        states_(2 * tokens_ + 1),
        blank_(batch.blank),
        input_kind_(batch.input_kind),
        weight_(batch.weights[b]),
        graph_(batch.graphs ? batch.graphs->item(b) : TokenGraph{}),
        direction_(direction + b * batch.frames * batch.classes),
        result_(result + b * batch.frames * batch.classes) {}

  void run() {
    std::fill(result_, result_ + frames_ * classes_, Logit(0));
    if (frames_ == 0 || (!graph_.weights && frames_ < frames_needed(target_, tokens_))) return;
    normalize();
    forward();
    const Expectation total = ending();
    if (std::isnan(total.log_weight)) return std::fill(result_, result_ + frames_ * classes_, Logit(NAN));
    if (total.log_weight == impossible) return;
    for (int64_t t = 0; t < frames_; ++t) add_softmax(t);
    backward(total);
  }

 private:
  int32_t label(int64_t s) const { return s % 2 ? target_[s / 2] : blank_; }
  // Log-weights as in topology.py: of the transition s − k → s, of starting in s, of ending in s.
  double transition(int64_t k, int64_t s) const {
    if (graph_.weights) return graph_.weights[k * graph_.states + s];
    return k < 2 || (k == 2 && s % 2 && label(s) != label(s - 2)) ? 0 : impossible;
  }
  double start(int64_t s) const { return graph_.weights ? graph_.of(start_weight)[s] : s < 2 ? 0 : impossible; }
  double final(int64_t s) const {
    return graph_.weights ? graph_.of(final_weight)[s] : s >= states_ - 2 ? 0 : impossible;
  }
  double emission(int64_t t, int64_t s) const { return x_[t * stride_ + label(s)] - normalizer_[t]; }
  double push(int64_t t, int64_t s) const { return direction_[t * classes_ + label(s)]; }

  void normalize() {
    normalizer_.assign(frames_, 0.0);
    for (int64_t t = 0; t < frames_; ++t) {
      const Logit* frame = x_ + t * stride_;
      const double top = *std::max_element(frame, frame + classes_);
      double sum = 0;
      for (int64_t c = 0; c < classes_; ++c) sum += std::exp(frame[c] - top);
      if (top == impossible) continue;
      if (input_kind_ == InputKind::logits || std::isnan(sum)) normalizer_[t] = top + std::log(sum);
    }
  }

  void forward() {
    alpha_.assign(frames_ * states_, {});
    for (int64_t s = 0; s < states_; ++s) alpha_[s] = {start(s) + emission(0, s), push(0, s)};
    for (int64_t t = 1; t < frames_; ++t) {
      const Expectation* before = &alpha_[(t - 1) * states_];
      for (int64_t s = 0; s < states_; ++s) {
        Expectation& here = alpha_[t * states_ + s];
        for (int64_t k = 0; k < transition_weights && k <= s; ++k)
          here.add(before[s - k], transition(k, s) + emission(t, s), push(t, s));
      }
    }
  }

  Expectation ending() const {
    Expectation total;
    for (int64_t s = 0; s < states_; ++s) total.add(alpha_[(frames_ - 1) * states_ + s], final(s), 0);
    for (const double each : normalizer_)
      if (std::isnan(each)) total.log_weight = each;
    return total;
  }

  void backward(const Expectation& total) {
    std::vector<Expectation> next(states_), here(states_);
    for (int64_t s = 0; s < states_; ++s) here[s].log_weight = final(s);
    for (int64_t t = frames_ - 1; t >= 0; --t) {
      if (t < frames_ - 1) {
        next.swap(here);
        for (int64_t s = 0; s < states_; ++s) {
          here[s] = {};
          for (int64_t k = 0; k < transition_weights && s + k < states_; ++k)
            here[s].add(next[s + k], transition(k, s + k) + emission(t + 1, s + k), push(t + 1, s + k));
        }
      }
      for (int64_t s = 0; s < states_; ++s) {
        const Expectation& past = alpha_[t * states_ + s];
        const double occupancy = std::exp(past.log_weight + here[s].log_weight - total.log_weight);
        const double change = occupancy * (past.score + here[s].score - total.score);
        result_[t * classes_ + label(s)] -= static_cast<Logit>(weight_ * change);
      }
    }
  }

  // The derivative of the gradient's part without the occupancy: softmax(x), nothing, or e^x.
  void add_softmax(int64_t t) {
    if (input_kind_ == InputKind::scores) return;
    const auto prob = [&](int64_t c) { return std::exp(x_[t * stride_ + c] - normalizer_[t]); };
    double mean = 0;
    if (input_kind_ == InputKind::logits)
      for (int64_t c = 0; c < classes_; ++c) mean += prob(c) * direction_[t * classes_ + c];
    for (int64_t c = 0; c < classes_; ++c)
      result_[t * classes_ + c] += static_cast<Logit>(weight_ * prob(c) * (direction_[t * classes_ + c] - mean));
  }

  const Logit* x_;
  const int64_t stride_, frames_, classes_;
  const int32_t* target_;
  const int64_t tokens_, states_;
  const int32_t blank_;
  const InputKind input_kind_;
  const double weight_;
  const TokenGraph graph_;
  const Logit* direction_;
  Logit* result_;
  std::vector<double> normalizer_;
  std::vector<Expectation> alpha_;
};

}  // namespace

template <class Logit>
void ctc_hvp(const Batch<Logit>& batch, const Logit* direction, Logit* result) {
  parallel_for(batch.items, [&](int64_t b) {
    ItemHvp<Logit>(batch, b, direction, result).run();
    Logit* const item = result + b * batch.frames * batch.classes;
    std::fill(item + batch.input_lengths[b] * batch.classes, item + batch.frames * batch.classes, Logit(0));
  });
}

template void ctc_hvp<float>(const Batch<float>&, const float*, float*);
template void ctc_hvp<double>(const Batch<double>&, const double*, double*);

}  // namespace ctckit
