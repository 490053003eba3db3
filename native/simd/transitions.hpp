// The transitions into and out of each state, for the two steps of lattice.hpp. PlainTransitions are those of plain
// CTC. WeightedTransitions read their weights from a token graph; other variants of CTC are such graphs.
#pragma once
#include "core/token_graph.hpp"
#include "simd/arena.hpp"
#include "simd/lattice.hpp"
#include "simd/loss_kernel.hpp"

namespace ctckit::CTCKIT_ISA {

// One weight, mantissa · 2^exponent.
template <class Number>
struct Weight {
  typename Number::Mantissa mantissa;
  typename Number::Exponent exponent;
};

// A weight for each label, or for each blank.
template <class Number>
struct Weights {
  typename Number::Mantissa* mantissa;
  typename Number::Exponent* exponent;

  static Weights take(int64_t length, Arena& arena) {
    return {arena.take<typename Number::Mantissa>(length), arena.take<typename Number::Exponent>(length)};
  }
  CTCKIT_INLINE Scaled<Number> at(int i) const { return {load(mantissa + i), load(exponent + i)}; }
  Weight<Number> one(int i) const { return {mantissa[i], exponent[i]}; }

  // Sets e^log of the states first, first + 2, …, and 0 beyond the graph. Returns the greatest |log|.
  double assign(const double* logs, int first, int states, int length) const {
    double greatest = 0;
    for (int i = 0; i < length; ++i) {
      const int s = first + 2 * i;
      const double log = s < states ? logs[s] : -std::numeric_limits<double>::infinity();
      split_exp<Number>(log, mantissa[i], exponent[i]);
      if (mantissa[i] > 0 && std::fabs(log) > greatest) greatest = std::fabs(log);
    }
    return greatest;
  }
};

// Plain CTC: all transitions have weight 1. A skip is allowed only into a label that differs from the label before it.
template <class Number>
class PlainTransitions {
  using Mantissa = typename Number::Mantissa;
  using Exponent = typename Number::Exponent;

 public:
  static constexpr bool weighted = false;
  static constexpr int speed = 1;  // labels that a path may advance in one frame

  PlainTransitions(int tokens, int width, Arena& arena)
      : tokens_(tokens), length_(width + padding), skip_(Weights<Number>::take(length_, arena)) {}

  template <class Logit>
  void set(const Item<Logit>& item) {
    const int32_t* const y = item.target;
    for (int i = 0; i < length_; ++i) {
      const bool skip = i > 0 && i < tokens_ && y[i] != y[i - 1];
      skip_.mantissa[i] = skip;
      skip_.exponent[i] = skip ? Exponent(0) : Number::forbidden;
    }
    last_start_ = item.entry ? (item.entry_states - 1) / 2 : 0;
    ends_anywhere_ = item.exit != nullptr;
  }

  // A path starts in blank[0] or label[0] and ends in label[N−1] or blank[N]. This equals a path that comes from
  // blank[0] before the first frame and goes to blank[N] after the last frame, so start and end need no special
  // transitions.
  const PlainTransitions& start() const { return *this; }
  const PlainTransitions& inside() const { return *this; }
  const PlainTransitions& final() const { return *this; }
  int last_start() const { return last_start_; }
  int first_final() const { return ends_anywhere_ ? -1 : tokens_ - 1; }
  Weight<Number> label_final(int i) const { return {Mantissa(ends_anywhere_ || i == tokens_ - 1), 0}; }
  Weight<Number> blank_final(int i) const { return {Mantissa(ends_anywhere_ || i == tokens_), 0}; }
  double greatest() const { return 0; }

  // Stay, advance from the blank before, skip from the label before.
  CTCKIT_INLINE Scaled<Number> into_label(const FrameStates<Number>& from, int i) const {
    return sum(from.label_at(i), from.blank_at(i), from.label_at(i - 1) * skip_.at(i));
  }
  // Stay, advance from the label before.
  CTCKIT_INLINE Scaled<Number> into_blank(const FrameStates<Number>& from, int i) const {
    return sum(from.blank_at(i), from.label_at(i - 1));
  }
  CTCKIT_INLINE Scaled<Number> out_of_label(const FrameStates<Number>& to, int i) const {
    return sum(to.label_at(i), to.blank_at(i + 1), to.label_at(i + 1) * skip_.at(i + 1));
  }
  CTCKIT_INLINE Scaled<Number> out_of_blank(const FrameStates<Number>& to, int i) const {
    return sum(to.blank_at(i), to.label_at(i));
  }

  // Transitions with a fixed weight are not counted.
  void count_start(const FrameStates<Number>&, const Likelihood<Number>&, Window) const {}
  void count_final(const FrameStates<Number>&, const Likelihood<Number>&, Window) const {}
  void write_counts(const TokenGraph*) const {}

 private:
  const int tokens_, length_;
  const Weights<Number> skip_;
  int last_start_ = 0;
  bool ends_anywhere_ = false;
};

// The weights of starting and of ending. They replace the transitions before the first and after the last frame.
template <class Number>
struct Boundary {
  Weights<Number> label, blank;

  static constexpr bool weighted = false;

  CTCKIT_INLINE Scaled<Number> into_label(const FrameStates<Number>&, int i) const { return label.at(i); }
  CTCKIT_INLINE Scaled<Number> into_blank(const FrameStates<Number>&, int i) const { return blank.at(i); }
  CTCKIT_INLINE Scaled<Number> out_of_label(const FrameStates<Number>&, int i) const { return label.at(i); }
  CTCKIT_INLINE Scaled<Number> out_of_blank(const FrameStates<Number>&, int i) const { return blank.at(i); }
};

// Transitions, starts and ends with given weights. In addition to stay, advance and skip there is the hop over a whole
// token: label[i−2] → label[i] and label[i−2] → blank[i].
template <class Number>
class WeightedTransitions {
  using Mantissa = typename Number::Mantissa;
  using Exponent = typename Number::Exponent;

 public:
  static constexpr bool weighted = true;
  static constexpr int speed = 2;

  WeightedTransitions(int tokens, int width, Arena& arena) : tokens_(tokens), length_(width + padding) {
    for (Kind& each : kinds_) each = {Weights<Number>::take(length_, arena), arena.take<Mantissa>(length_)};
  }

  template <class Logit>
  void set(const Item<Logit>& item) {
    const TokenGraph& graph = *item.graph;
    greatest_ = 0;
    for (int kind = 0; kind < transition_kinds; ++kind) {
      const double here =
          kinds_[kind].weights.assign(graph.of(weight_of[kind]), first_state(kind), 2 * tokens_ + 1, length_);
      greatest_ = here > greatest_ ? here : greatest_;
      for (int i = 0; i < length_; ++i) kinds_[kind].count[i] = 0;
    }
    counting_ = graph.counts != nullptr;
    last_start_ = -1, first_final_ = tokens_;
    for (int i = tokens_; i >= 0; --i) {
      if (any_at(final_label, i) || any_at(final_blank, i)) first_final_ = i;
      if (last_start_ < 0 && (any_at(start_label, i) || any_at(start_blank, i))) last_start_ = i;
    }
  }

  Boundary<Number> start() const { return {kinds_[start_label].weights, kinds_[start_blank].weights}; }
  const WeightedTransitions& inside() const { return *this; }
  Boundary<Number> final() const { return {kinds_[final_label].weights, kinds_[final_blank].weights}; }
  int last_start() const { return last_start_; }
  int first_final() const { return first_final_; }
  Weight<Number> label_final(int i) const { return kinds_[final_label].weights.one(i); }
  Weight<Number> blank_final(int i) const { return kinds_[final_blank].weights.one(i); }
  double greatest() const { return greatest_; }

  CTCKIT_INLINE Scaled<Number> into_label(const FrameStates<Number>& from, int i) const {
    return sum(from.label_at(i) * at(label_stay, i), from.blank_at(i) * at(label_advance, i),
               from.label_at(i - 1) * at(label_skip, i), from.label_at(i - 2) * at(label_hop, i));
  }
  CTCKIT_INLINE Scaled<Number> into_blank(const FrameStates<Number>& from, int i) const {
    return sum(from.blank_at(i) * at(blank_stay, i), from.label_at(i - 1) * at(blank_advance, i),
               from.label_at(i - 2) * at(blank_hop, i));
  }
  CTCKIT_INLINE Scaled<Number> out_of_label(const FrameStates<Number>& to, int i) const {
    return sum(to.label_at(i) * at(label_stay, i), to.blank_at(i + 1) * at(blank_advance, i + 1),
               to.label_at(i + 1) * at(label_skip, i + 1), to.blank_at(i + 2) * at(blank_hop, i + 2),
               to.label_at(i + 2) * at(label_hop, i + 2));
  }
  CTCKIT_INLINE Scaled<Number> out_of_blank(const FrameStates<Number>& to, int i) const {
    return sum(to.blank_at(i) * at(blank_stay, i), to.label_at(i) * at(label_advance, i));
  }

  // Counts how often a path takes each transition out of these states, given the target. The count is the derivative of
  // log P with respect to the transition's log-weight.
  CTCKIT_INLINE void count(const FrameStates<Number>& alpha, const FrameStates<Number>& next,
                           const Likelihood<Number>& likelihood, int i) const {
    if (!counting_) return;
    const Scaled<Number> label = alpha.label_at(i), blank = alpha.blank_at(i);
    add(label_stay, i, label * next.label_at(i), likelihood);
    add(blank_advance, i + 1, label * next.blank_at(i + 1), likelihood);
    add(label_skip, i + 1, label * next.label_at(i + 1), likelihood);
    add(blank_hop, i + 2, label * next.blank_at(i + 2), likelihood);
    add(label_hop, i + 2, label * next.label_at(i + 2), likelihood);
    add(blank_stay, i, blank * next.blank_at(i), likelihood);
    add(label_advance, i, blank * next.label_at(i), likelihood);
  }

  // The same for starting in a state (u is that of the first frame), and for ending in a state.
  void count_start(const FrameStates<Number>& u, const Likelihood<Number>& likelihood, Window window) const {
    count_boundary(start_label, start_blank, u, likelihood, window);
  }
  void count_final(const FrameStates<Number>& alpha, const Likelihood<Number>& likelihood, Window window) const {
    count_boundary(final_label, final_blank, alpha, likelihood, window);
  }

  void write_counts(const TokenGraph* graph) const {
    if (!counting_) return;
    for (int kind = 0; kind < transition_kinds; ++kind)
      for (int i = 0, s = first_state(kind); s <= 2 * tokens_; ++i, s += 2)
        graph->counts[weight_of[kind] * graph->states + s] = kinds_[kind].count[i];
  }

 private:
  struct Kind {
    Weights<Number> weights;
    Mantissa* count;
  };

  // Labels are the odd states, blanks are the even states.
  static int first_state(int kind) { return kind <= label_hop || kind == start_label || kind == final_label ? 1 : 0; }
  bool any_at(int kind, int i) const { return kinds_[kind].weights.mantissa[i] > 0; }
  CTCKIT_INLINE Scaled<Number> at(int kind, int i) const { return kinds_[kind].weights.at(i); }

  CTCKIT_INLINE void add(int kind, int i, const Scaled<Number>& value, const Likelihood<Number>& likelihood) const {
    const Scaled<Number> product = value * at(kind, i);
    const auto gap = minimum(product.exponent - likelihood.exponent, broadcast(Exponent(100)));
    const Mantissa scale = static_cast<Mantissa>(1 / likelihood.mantissa);
    Mantissa* const count = kinds_[kind].count + i;
    store(count, load(count) + product.mantissa * power_of_two<Number>(gap) * scale);
  }

  void count_boundary(int label, int blank, const FrameStates<Number>& row, const Likelihood<Number>& likelihood,
                      Window window) const {
    if (!counting_) return;
    for (int i = window.from; i < window.to; i += lanes<Mantissa>) {
      add(label, i, row.label_at(i), likelihood);
      add(blank, i, row.blank_at(i), likelihood);
    }
  }

  const int tokens_, length_;
  Kind kinds_[transition_kinds];
  int last_start_ = 0, first_final_ = 0;
  double greatest_ = 0;
  bool counting_ = false;
};

}  // namespace ctckit::CTCKIT_ISA
