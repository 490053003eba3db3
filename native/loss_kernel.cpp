// Forward and backward over one item. Compiled once for each instruction set.
//
//   forward    t = 0 … T−1   normaliser of the frame, emissions, α
//   likelihood P = α_{T−1}(last blank) + α_{T−1}(last label);   loss = −log P + Σ_t log-normaliser_t
//   backward   t = T−1 … 0   gradient row = weight · softmax, emissions, u, minus weight · occupancy
//
// Emissions are e^(x − max), so that P and the sum of the log-normalisers are kept apart and the loss loses nothing to
// cancellation. Only states that can be reached from the start and can still reach the end are visited (the band).
// Where the α rows of all frames would leave the cache, only some are kept (checkpoints) and the stretches between
// them are computed again on the way back. The backward pass narrows the band to the states that are alive: whose
// occupancy is over 2^-64. All that is dropped sums to less than T · S · 2^-64 of P.
#include <cmath>

#include "emissions.hpp"
#include "item.hpp"
#include "softmax.hpp"

namespace ctckit::CTCKIT_ISA {
namespace {

// How many α rows are kept: all, or those of one segment and one checkpoint for each segment.
struct Plan {
  static constexpr int64_t cache_bytes = 384 << 10;

  Plan(int frames, int64_t row_bytes, bool gradient) : rows(2), segments(1) {
    if (!gradient) return;
    rows = larger(frames, 1);
    if (frames * row_bytes <= cache_bytes) return;
    // A segment that fits the cache is fastest; about √frames rows and as many checkpoints need the least memory.
    const int by_cache = static_cast<int>(cache_bytes / row_bytes);
    const int root = static_cast<int>(std::sqrt(static_cast<double>(frames)));
    const int wished = larger(root / 2, smaller(by_cache, root + root / 2));
    rows = larger(renormalize_every, wished / renormalize_every * renormalize_every);
    segments = (frames + rows - 1) / rows;
  }
  int rows, segments;
};

// How the base of the gradient, weight · softmax, comes about; the occupancies are taken from it on the way back.
enum class Base {
  kept,      // small items: the forward pass leaves its exponentials in the gradient, still in the cache on the way back
  written,   // computed again from the logits
  streamed,  // the same in a row of its own, copied past the caches: for gradients larger than these
  patched,   // streamed by the forward pass already, while the logits are at hand: few entries will change again
};

constexpr int labels_per_class = 64;  // a label's cache line holds 16 classes; reading it again costs more than writing

template <class Number, class Logit, class Arrows>
class Solver {
  using Real = typename Number::Mantissa;
  using Exponent = typename Number::Exponent;
  using RowType = Row<Number>;

 public:
  // With null memory: only to ask bytes().
  Solver(int frames, int classes, int tokens, bool gradient, std::byte* memory)
      : frames_(frames),
        classes_(classes),
        tokens_(tokens),
        width_(round_up(tokens + 1)),
        plan_(frames, (RowType::length(width_) + Emission<Number>::length(width_)) *
                          static_cast<int64_t>(sizeof(Real) + sizeof(Exponent)), gradient),
        arena_(memory),
        emitter_(classes, tokens, width_, arena_) {
    const int64_t length = RowType::length(width_), padded = width_ + padding;
    alpha_ = take_rows(plan_.rows + 1, length);  // the last one is the row before the first frame
    emission_ = take_rows(plan_.rows, Emission<Number>::length(width_));
    checkpoints_ = take_rows(plan_.segments > 1 ? plan_.segments : 0, length);
    beta_ = take_rows(gradient ? 2 : 0, length);
    skip_ = arena_.take<Real>(padded);
    skip_exponent_ = arena_.take<Exponent>(padded);
    maximum_ = arena_.take<Logit>(frames);
    sum_ = arena_.take<Logit>(frames);
    canvas_ = arena_.take<Logit>(gradient ? classes : 0);
  }

  size_t bytes() const { return arena_.used(); }

  Outcome solve(const Item<Logit>& item) {
    item_ = &item;
    base_ = choose_base();
    prepare_target();
    const RowType last = forward();
    if (nan_) return {std::nan(""), false};
    if (!emitter_.in_range(frames_)) return {0, true};
    if (!find_likelihood(last)) return {std::numeric_limits<double>::infinity(), false};
    if (item.gradient) backward();
    return {loss(), false};
  }

 private:
  struct RowMemory {
    Real* mantissas;
    Exponent* exponents;
  };
  RowMemory take_rows(int64_t count, int64_t length) {
    return {arena_.take<Real>(count * length), arena_.take<Exponent>(count * length)};
  }
  RowType row(const RowMemory& memory, int64_t index) const {
    return RowType::at(memory.mantissas, memory.exponents, width_, index);
  }
  RowType alpha(int index) const { return row(alpha_, index); }

  Emission<Number> emission(int t) const {
    const int64_t start = (t % plan_.rows) * Emission<Number>::length(width_);
    return {emission_.mantissas + start, emission_.exponents + start, width_};
  }

  Base choose_base() const {
    const bool logits = item_->gradient && item_->rows == Rows::logits;
    if (item_->stream) return logits && tokens_ * labels_per_class < classes_ ? Base::patched : Base::streamed;
    const bool small = int64_t{frames_} * classes_ * static_cast<int64_t>(sizeof(Logit)) <= Plan::cache_bytes;
    return logits && small ? Base::kept : Base::written;
  }

  Arrows arrows() const { return {skip_, skip_exponent_}; }

  // The topology, as arrays: beyond the target stand blanks that nothing can reach by a skip.
  void prepare_target() {
    const int32_t* y = item_->target;
    emitter_.set_target(y, tokens_, item_->blank);
    for (int i = 0; i < width_ + padding; ++i) {
      const bool skip = i > 0 && i < tokens_ && y[i] != y[i - 1];
      skip_[i] = skip;
      skip_exponent_[i] = skip ? Exponent(0) : Number::forbidden;
    }
  }

  // States that lie on a complete path at frame t, in whole blocks.
  Window band(int t) const {
    const int from = larger(0, tokens_ - (frames_ - t)), to = smaller(tokens_, t + 1) + 1;
    return {round_down(from), smaller(width_, round_up(to))};
  }

  // The frame's maximum and normaliser, kept for the way back; their logarithms add up in float64.
  void normalize(int t) {
    const Logit *x = item_->row(t), *next = item_->row(smaller(t + 1, frames_ - 1));
    Logit top = row_maximum(x, classes_);
    double sum = 1;
    if (top == -std::numeric_limits<Logit>::infinity()) {
      // Every class is masked: nothing can be emitted here, and every emission is e^−∞ whatever the maximum.
      top = 0;
      nan_ |= row_has_nan(x, classes_);
    } else if (item_->rows == Rows::logits) {
      Logit* const kept = base_ == Base::kept ? item_->gradient_row(t) : base_ == Base::patched ? canvas_ : nullptr;
      sum = kept ? row_sum_exp<true>(x, classes_, top, next, kept) : row_sum_exp<false>(x, classes_, top, next, kept);
      if (base_ == Base::patched)
        stream_row(item_->gradient_row(t), canvas_, classes_, static_cast<Logit>(item_->weight / sum));
      nan_ |= !(sum < std::numeric_limits<double>::infinity());
      product_ *= sum;
    } else {
      nan_ |= row_has_nan(x, classes_) || top == std::numeric_limits<Logit>::infinity();
      log_scale_ -= top;
    }
    maximum_[t] = top;
    sum_[t] = static_cast<Logit>(sum);
    if (t % renormalize_every == renormalize_every - 1 || t == frames_ - 1) {
      log_scale_ += std::log(product_);
      product_ = 1;
    }
  }

  RowType forward() {
    RowType before = alpha(plan_.rows);
    before.clear(-padding, width_ + padding);
    before.blank[0] = 1, before.blank_exponent[0] = 0;
    for (int t = 0; t < frames_; ++t) {
      normalize(t);
      if (plan_.segments > 1 && t % plan_.rows == 0)
        row(checkpoints_, t / plan_.rows).copy_from(before, -padding, width_ + padding);
      const RowType after = alpha(t % plan_.rows);
      advance(t, before, after, band(t));
      before = after;
    }
    return before;
  }

  void advance(int t, const RowType& before, const RowType& after, Window window) {
    emitter_.compute(item_->row(t), maximum_[t], window, emission(t));
    forward_step<Number>(before, after, emission(t), arrows(), window.from, window.to);
    if (t % renormalize_every == renormalize_every - 1) after.renormalize(window.from, window.to);
    // What the next frame reads beside this window is a true zero: its band is at most one block wider.
    after.label[window.from - 1] = 0;
    after.label_exponent[window.from - 1] = Number::zero_exponent;
    after.clear(window.to, smaller(window.to + block, width_ + padding));
  }

  bool find_likelihood(const RowType& last) {
    const double blank = last.blank[tokens_], label = tokens_ ? last.label[tokens_ - 1] : 0;
    if (!(blank > 0) && !(label > 0)) return false;
    const double blank_exponent = last.blank_exponent[tokens_];
    const double label_exponent = tokens_ ? last.label_exponent[tokens_ - 1] : Number::zero_exponent;
    const double shared = blank_exponent > label_exponent ? blank_exponent : label_exponent;
    const auto shifted = [&](double mantissa, double exponent) {
      return exponent - shared < -2000 ? 0.0 : std::ldexp(mantissa, static_cast<int>(exponent - shared));
    };
    int shift = 0;
    likelihood_.mantissa = std::frexp(shifted(blank, blank_exponent) + shifted(label, label_exponent), &shift);
    likelihood_.exponent = static_cast<Exponent>(shared + shift);
    return true;
  }

  double loss() const {
    const double result = log_scale_ - (std::log(likelihood_.mantissa) + likelihood_.exponent * ln2);
    // A probability is at most 1; rounding may pass it by an ulp.
    return item_->rows == Rows::logits && result < 0 ? 0 : result;
  }

  void backward() {
    const RowType beta[2] = {row(beta_, 0), row(beta_, 1)};
    for (const RowType& each : beta) each.clear(-padding, width_ + padding);
    const RowType& end = beta[frames_ % 2];
    end.blank[tokens_] = 1, end.blank_exponent[tokens_] = 0;
    alive_ = {round_down(larger(tokens_ - 1, 0)), smaller(width_, round_up(tokens_ + 1))};
    for (int segment = plan_.segments - 1; segment >= 0; --segment) {
      const int first = segment * plan_.rows, past = smaller(frames_, first + plan_.rows);
      if (segment < plan_.segments - 1) recompute(segment, first, past);
      for (int t = past - 1; t >= first; --t) retreat(t, beta[(t + 1) % 2], beta[t % 2]);
    }
    if (item_->stream) finish_streaming();
  }

  // α of a segment again, from its checkpoint, for the states that may still turn out to be alive: a path moves by at
  // most one label a frame, so what lies further left than that cannot come into the window before the segment ends.
  void recompute(int segment, int first, int past) {
    RowType before = alpha(plan_.rows);
    before.copy_from(row(checkpoints_, segment), -padding, width_ + padding);
    for (int t = first; t < past; ++t) {
      Window window = band(t);
      window.from = larger(window.from, round_down(larger(0, alive_.from - (past - t) - block)));
      window.to = larger(smaller(window.to, alive_.to), window.from + block);
      const RowType after = alpha(t - first);
      advance(t, before, after, window);
      before = after;
    }
  }

  void retreat(int t, const RowType& next, const RowType& here) {
    const Window reachable = band(t);
    alive_.from = larger(reachable.from, round_down(larger(0, alive_.from - 1)));
    alive_.to = larger(smaller(reachable.to, alive_.to), alive_.from + block);
    Logit* const out = base_ == Base::streamed ? canvas_ : item_->gradient_row(t);
    if (base_ != Base::patched) write_base(t, out);
    const Window window = alive_;
    const Sink<Logit> sink{out, emitter_.labels(), tokens_, item_->blank, item_->weight};
    const Window alive =
        backward_step<Number>(next, here, alpha(t % plan_.rows), emission(t), arrows(), likelihood_, sink, window);
    if (base_ == Base::streamed) stream_row(item_->gradient_row(t), out, classes_, Logit(1));
    if (t % renormalize_every == 0) here.renormalize(window.from, window.to);
    if (alive.from >= alive.to) return;
    for (const RowType& each : {next, here}) {  // both: the other one is read again two frames on
      each.clear(window.from, alive.from);
      each.clear(alive.to, window.to);
    }
    alive_ = alive;
  }

  void write_base(int t, Logit* out) const {
    const Logit *x = item_->row(t), *next = item_->row(larger(t - 1, 0));
    if (item_->rows == Rows::scores) {
      std::memset(out, 0, sizeof(Logit) * classes_);
      return;
    }
    const Logit top = maximum_[t];
    if (item_->rows == Rows::logits) {
      const Logit scale = static_cast<Logit>(item_->weight / static_cast<double>(sum_[t]));
      if (base_ == Base::kept)
        row_scale(out, classes_, scale);
      else
        row_write_exp(x, classes_, top, scale, next, out);
    } else {  // e^x itself: shifted only where it would overflow
      const Logit shift = top > -Format<Logit>::underflow ? top : 0;
      row_write_exp(x, classes_, shift, static_cast<Logit>(item_->weight * std::exp(double{shift})), next, out);
    }
  }

  const int frames_, classes_, tokens_, width_;
  const Plan plan_;
  Arena arena_;
  Emitter<Number, Logit> emitter_;
  const Item<Logit>* item_ = nullptr;
  Base base_ = Base::written;

  RowMemory alpha_{}, emission_{}, checkpoints_{}, beta_{};
  Real* skip_;
  Exponent* skip_exponent_;
  Logit *maximum_, *sum_, *canvas_;

  Likelihood<Number> likelihood_{};
  Window alive_{};
  double log_scale_ = 0, product_ = 1;
  bool nan_ = false;
};

template <class Logit>
Outcome solve(const Item<Logit>& item, Range range, std::byte* workspace) {
  const auto with = [&](auto number) {
    using Number = decltype(number);
    Solver<Number, Logit, PlainArrows<Number>> solver(item.frames, item.classes, item.tokens, item.gradient != nullptr, workspace);
    return solver.solve(item);
  };
  if constexpr (sizeof(Logit) == 4)
    if (range == Range::fast) return with(Fast{});
  return with(Wide{});
}

size_t workspace_bytes(Range range, int frames, int classes, int tokens, bool gradient) {
  if (range == Range::fast) return Solver<Fast, float, PlainArrows<Fast>>(frames, classes, tokens, gradient, nullptr).bytes();
  return Solver<Wide, double, PlainArrows<Wide>>(frames, classes, tokens, gradient, nullptr).bytes();
}

}  // namespace

#define CTCKIT_STRING_OF(name) #name
#define CTCKIT_STRING(name) CTCKIT_STRING_OF(name)
extern const Kernels kernels;
const Kernels kernels = {CTCKIT_STRING(CTCKIT_ISA), workspace_bytes, solve<float>, solve<double>};

}  // namespace ctckit::CTCKIT_ISA
