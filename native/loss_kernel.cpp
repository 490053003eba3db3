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

#include "item.hpp"
#include "lattice.hpp"
#include "softmax.hpp"

namespace ctckit::CTCKIT_ISA {
namespace {

constexpr double ln2 = 0.69314718055994530942;

int smaller(int a, int b) { return a < b ? a : b; }
int larger(int a, int b) { return a > b ? a : b; }

// Hands out aligned arrays from a stretch of memory; without memory it only counts.
class Arena {
 public:
  explicit Arena(std::byte* memory) : memory_(memory) {}

  template <class T>
  T* take(int64_t count) {
    T* result = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += (static_cast<size_t>(count) * sizeof(T) + 63) & ~size_t{63};
    return result;
  }
  size_t used() const { return used_; }

 private:
  std::byte* memory_;
  size_t used_ = 0;
};

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

template <class Number, class Logit>
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
        plan_(frames, RowType::length(width_) * static_cast<int64_t>(sizeof(Real) + sizeof(Exponent)), gradient),
        by_table_(classes <= tokens),
        arena_(memory) {
    const int64_t length = RowType::length(width_), padded = width_ + padding;
    alpha_ = take_rows(plan_.rows + 1, length);  // the last one is the row before the first frame
    checkpoints_ = take_rows(plan_.segments > 1 ? plan_.segments : 0, length);
    beta_ = take_rows(gradient ? 2 : 0, length);
    labels_ = arena_.take<int32_t>(padded);
    skip_allowed_ = arena_.take<Real>(padded);
    skip_penalty_ = arena_.take<Exponent>(padded);
    emission_ = arena_.take<Real>(padded);
    emission_exponent_ = arena_.take<Exponent>(padded);
    maximum_ = arena_.take<Logit>(frames);
    sum_ = arena_.take<Logit>(frames);
    const int64_t table = by_table_ ? classes + block : 0;
    table_ = arena_.take<Real>(table);
    table_exponent_ = arena_.take<Exponent>(table);
  }

  size_t bytes() const { return arena_.used(); }

  Outcome solve(const Item<Logit>& item) {
    item_ = &item;
    prepare_target();
    const RowType last = forward();
    if (nan_) return {std::nan(""), false};
    if (!in_range()) return {0, true};
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

  Skips<Number> skips() const { return {skip_allowed_, skip_penalty_}; }

  // The topology, as arrays: beyond the target stand blanks that nothing can reach by a skip.
  void prepare_target() {
    const int32_t* y = item_->target;
    for (int i = 0; i < width_ + padding; ++i) {
      const bool skip = i > 0 && i < tokens_ && y[i] != y[i - 1];
      labels_[i] = i < tokens_ ? y[i] : item_->blank;
      skip_allowed_[i] = skip;
      skip_penalty_[i] = skip ? Exponent(0) : Number::forbidden;
    }
  }

  // States that lie on a complete path at frame t, in whole blocks.
  Window band(int t) const {
    const int from = larger(0, tokens_ - (frames_ - t)), to = smaller(tokens_, t + 1) + 1;
    return {round_down(from), smaller(width_, round_up(to))};
  }

  // Frame t's emissions for the states of a window; z = logit − maximum of the frame.
  Emission<Number> emissions(int t, Window window) {
    const Logit* x = item_->row(t);
    const Real top = maximum_[t];
    if (by_table_)
      emissions_by_table(x, top, window);
    else
      emissions_by_label(x, top, window);
    const Real blank_logit = static_cast<Real>(x[item_->blank]);
    const Split<Number> blank = emission(broadcast(blank_logit), top);
    return {emission_, emission_exponent_, blank.mantissa[0], blank.exponent[0]};
  }

  void emissions_by_label(const Logit* x, Real top, Window window) {
    for (int i = window.from; i < window.to; i += lanes<Real>) {
      Real gathered[lanes<Real>];
      for (int k = 0; k < lanes<Real>; ++k) gathered[k] = static_cast<Real>(x[labels_[i + k]]);
      store_split(emission(load(gathered), top), emission_ + i, emission_exponent_ + i);
    }
  }

  // Fewer classes than labels: one exponential for each class, then a look-up for each label.
  void emissions_by_table(const Logit* x, Real top, Window window) {
    for (int c = 0; c < classes_; c += lanes<Real>) {
      Real row[lanes<Real>];
      for (int k = 0; k < lanes<Real>; ++k) row[k] = c + k < classes_ ? static_cast<Real>(x[c + k]) : top;
      store_split(emission(load(row), top), table_ + c, table_exponent_ + c);
    }
#if defined(__AVX512F__)  // a table of 32 entries fits two registers: one instruction looks 16 labels up
    if constexpr (sizeof(Real) == 4) {
      if (classes_ <= 32) {
        const int upper = classes_ > 16 ? 16 : 0;
        const __m512 low = _mm512_loadu_ps(table_), high = _mm512_loadu_ps(table_ + upper);
        const __m512i low_exponent = _mm512_loadu_si512(table_exponent_);
        const __m512i high_exponent = _mm512_loadu_si512(table_exponent_ + upper);
        for (int i = window.from; i < window.to; i += 16) {
          const __m512i index = _mm512_loadu_si512(labels_ + i);
          _mm512_storeu_ps(emission_ + i, _mm512_permutex2var_ps(low, index, high));
          _mm512_storeu_si512(emission_exponent_ + i,
                              _mm512_permutex2var_epi32(low_exponent, index, high_exponent));
        }
        return;
      }
    }
#endif
    for (int i = window.from; i < window.to; ++i) {
      emission_[i] = table_[labels_[i]];
      emission_exponent_[i] = table_exponent_[labels_[i]];
    }
  }

  CTCKIT_INLINE Split<Number> emission(Vector<Real> logit, Real top) {
    const Difference<Real> z = subtract<Real>(logit, broadcast(top));
    lowest_ = minimum(lowest_, cost(logit, z.value));
    return exp_split<Number>(z);
  }

  static CTCKIT_INLINE void store_split(const Split<Number>& split, Real* mantissa, Exponent* exponent) {
    store(mantissa, split.mantissa);
    store(exponent, split.exponent);
  }

  // What a class costs, 0 where it is masked. A finite logit whose difference overflows costs −∞: out of range.
  static CTCKIT_INLINE Vector<Real> cost(Vector<Real> logit, Vector<Real> z) {
    if constexpr (sizeof(Real) == 4) return masked<Number>(logit) ? Vector<Real>{} : z;
    return masked<Number>(z) ? Vector<Real>{} : z;
  }
  bool in_range() const {
    const double nats = -static_cast<double>(horizontal_min<Real>(lowest_));
    return nats <= Number::emission_reach && (nats / ln2 + 1) * frames_ < Number::reach;
  }

  // The frame's maximum and normaliser, kept for the way back; their logarithms add up in float64.
  void normalize(int t) {
    const Logit* x = item_->row(t);
    Logit top = row_maximum(x, classes_);
    double sum = 1;
    if (top == -std::numeric_limits<Logit>::infinity()) {
      // Every class is masked: nothing can be emitted here, and every emission is e^−∞ whatever the maximum.
      top = 0;
      nan_ |= row_has_nan(x, classes_);
    } else if (item_->rows == Rows::logits) {
      sum = row_sum_exp(x, classes_, top);
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
    forward_step<Number>(before, after, emissions(t, window), skips(), window.from, window.to);
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
    write_gradient_base(t);
    const Window window = alive_;
    const Window alive = backward_step<Number, Logit>(
        next, here, alpha(t % plan_.rows), emissions(t, window), skips(), likelihood_, labels_, tokens_, item_->blank,
        item_->weight, item_->gradient_row(t), window.from, window.to);
    if (t % renormalize_every == 0) here.renormalize(window.from, window.to);
    if (alive.from >= alive.to) return;
    for (const RowType& each : {next, here}) {  // both: the other one is read again two frames on
      each.clear(window.from, alive.from);
      each.clear(alive.to, window.to);
    }
    alive_ = alive;
  }

  void write_gradient_base(int t) {
    Logit* out = item_->gradient_row(t);
    if (item_->rows == Rows::scores) {
      std::memset(out, 0, sizeof(Logit) * classes_);
      return;
    }
    const Logit top = maximum_[t];
    if (item_->rows == Rows::logits) {
      row_write_exp(item_->row(t), classes_, top, static_cast<Logit>(item_->weight / static_cast<double>(sum_[t])), out);
    } else {  // e^x itself: shifted only where it would overflow
      const Logit shift = top > -Format<Logit>::underflow ? top : 0;
      row_write_exp(item_->row(t), classes_, shift, static_cast<Logit>(item_->weight * std::exp(double{shift})), out);
    }
  }

  const int frames_, classes_, tokens_, width_;
  const Plan plan_;
  const bool by_table_;
  Arena arena_;
  const Item<Logit>* item_ = nullptr;

  RowMemory alpha_{}, checkpoints_{}, beta_{};
  int32_t* labels_;
  Real *skip_allowed_, *emission_, *table_;
  Exponent *skip_penalty_, *emission_exponent_, *table_exponent_;
  Logit *maximum_, *sum_;

  Likelihood<Number> likelihood_{};
  Window alive_{};
  double log_scale_ = 0, product_ = 1;
  Vector<Real> lowest_{};
  bool nan_ = false;
};

template <class Logit>
Outcome solve(const Item<Logit>& item, Range range, std::byte* workspace) {
  const auto with = [&](auto number) {
    using Number = decltype(number);
    Solver<Number, Logit> solver(item.frames, item.classes, item.tokens, item.gradient != nullptr, workspace);
    return solver.solve(item);
  };
  if constexpr (sizeof(Logit) == 4)
    if (range == Range::fast) return with(Fast{});
  return with(Wide{});
}

size_t workspace_bytes(Range range, int frames, int classes, int tokens, bool gradient) {
  if (range == Range::fast) return Solver<Fast, float>(frames, classes, tokens, gradient, nullptr).bytes();
  return Solver<Wide, double>(frames, classes, tokens, gradient, nullptr).bytes();
}

}  // namespace

#define CTCKIT_STRING_OF(name) #name
#define CTCKIT_STRING(name) CTCKIT_STRING_OF(name)
extern const Kernels kernels;
const Kernels kernels = {CTCKIT_STRING(CTCKIT_ISA), workspace_bytes, solve<float>, solve<double>};

}  // namespace ctckit::CTCKIT_ISA
