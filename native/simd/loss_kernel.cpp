// Forward and backward over one item. Compiled once for each instruction set. kernels/loss/reference.py defines the
// result.
//
//   forward    t = 0 … T−1   normalizer of the frame, emissions, α
//   likelihood P = α_{T−1}(last blank) + α_{T−1}(last label);   loss = −log P + Σ_t log-normalizer_t
//   backward   t = T−1 … 0   gradient = weight · softmax, emissions, u, gradient −= weight · occupancy
//
// Numbers. Emissions are e^(x − max). So P and the sum of the log-normalizers stay separate, and the loss loses no
// digits to cancellation.
//
// Band. The kernel visits only states that a path can reach from the start and from which it can reach the end. The
// backward pass narrows this band to the states that are alive: those with an occupancy above 2^-64. All dropped states
// together hold less than T · S · 2^-64 of P.
//
// Checkpoints. If α of all frames would not fit in the cache, the kernel keeps α of some frames only (checkpoints). The
// backward pass recomputes the frames between them.
#include <cmath>
#include <initializer_list>

#include "simd/emissions.hpp"
#include "simd/half.hpp"
#include "simd/loss_kernel.hpp"
#include "simd/softmax.hpp"
#include "simd/transitions.hpp"

namespace ctckit::CTCKIT_ISA {
namespace {

// The frames whose α is kept. Small items keep all. Larger items keep the frames of one segment, and for each segment a
// checkpoint: the frame before it. Very large items keep the checkpoints of one stretch of segments, and one checkpoint
// for each stretch. The backward pass recomputes the other frames, once or twice each.
struct Plan {
  static constexpr int64_t cache_bytes = 384 << 10;
  static constexpr int64_t budget = 4 << 20;

  Plan(int frames, int64_t frame_bytes, int64_t checkpoint_bytes, bool gradient) {
    if (!gradient) return;
    segment_frames = larger(frames, 1);
    if (frames * frame_bytes <= cache_bytes) return;
    // A segment that fits in the cache is fastest; √frames frames and as many checkpoints need the least memory.
    const int by_cache = static_cast<int>(cache_bytes / frame_bytes);
    const int root = static_cast<int>(std::sqrt(static_cast<double>(frames)));
    split(frames, larger(root / 2, smaller(by_cache, root + root / 2)));
    if (segment_frames * frame_bytes + segments * checkpoint_bytes <= budget) return;
    split(frames, by_cache);
    stretch = larger(1, static_cast<int>(std::sqrt(static_cast<double>(segments))));
    stretches = (segments + stretch - 1) / stretch;
  }

  int segment_frames = 2, segments = 1;
  int stretch = 0, stretches = 0;  // segments in a stretch, number of stretches; 0: all checkpoints are kept

  int checkpoints() const { return segments == 1 ? 0 : stretches ? stretch : segments; }

 private:
  void split(int frames, int wished) {
    segment_frames = larger(renormalize_every, wished / renormalize_every * renormalize_every);
    segments = (frames + segment_frames - 1) / segment_frames;
  }
};

// How the base of the gradient, weight · softmax, is computed. The backward pass subtracts the occupancies from it.
enum class Base {
  kept,      // small items: the forward pass stores its exponentials in the gradient, which stays in the cache
  written,   // the backward pass computes it from the logits
  streamed,  // the same in a buffer, then copied past the caches: for gradients larger than the caches
  patched,   // the forward pass streams it while the logits are in the cache: few entries change later
};

constexpr int classes_per_label = 64;  // a label's cache line holds 16 classes, and reading it costs more than writing

template <class Number, class Logit, class Transitions>
class Solver {
  using Mantissa = typename Number::Mantissa;
  using Exponent = typename Number::Exponent;
  using Real = typename ComputedIn<Logit>::type;
  using States = FrameStates<Number>;
  static constexpr int64_t state_bytes = sizeof(Mantissa) + sizeof(Exponent);
  static constexpr bool native_type = sizeof(Logit) == sizeof(Real);
  static constexpr int renormalize_each = Transitions::weighted ? renormalize_every / 2 : renormalize_every;

 public:
  // With null memory only bytes() may be called.
  Solver(const Size& size, std::byte* memory)
      : frames_(size.frames),
        classes_(size.classes),
        tokens_(size.tokens),
        width_(round_up(tokens_ + 1)),
        plan_(frames_, (States::length(width_) + Emission<Number>::length(width_)) * state_bytes,
              States::length(width_) * state_bytes, size.gradient),
        arena_(memory),
        emitter_(classes_, tokens_, width_, arena_),
        transitions_(tokens_, width_, arena_) {
    const int64_t length = States::length(width_);
    alpha_ = take_states(plan_.segment_frames + 1, length);  // the last one holds the frame before the first
    emission_ = take_states(plan_.segment_frames, Emission<Number>::length(width_));
    checkpoints_ = take_states(plan_.checkpoints(), length);
    stretch_starts_ = take_states(plan_.stretches, length);
    beta_ = take_states(size.gradient ? 2 : 0, length);
    maximum_ = arena_.take<Real>(frames_);
    sum_ = arena_.take<Real>(frames_);
    canvas_ = arena_.take<Real>(size.gradient ? classes_ : 0);
    decoded_ = arena_.take<Real>(native_type ? 0 : classes_);
  }

  size_t bytes() const { return arena_.used(); }

  Outcome solve(const Item<Logit>& item) {
    item_ = &item;
    base_ = choose_base();
    emitter_.set_target(item.target, tokens_, item.blank);
    transitions_.set(item);
    const int states = 2 * tokens_ + 1;
    for (int s = 0; item.exit && s < states; ++s) item.exit[s] = -std::numeric_limits<double>::infinity();
    if (!windows_meet()) return {std::numeric_limits<double>::infinity(), false};
    Real* const kept_maximum = item.normalizers;
    Real* const kept_sum = kept_maximum ? kept_maximum + item.normalizer_stride : nullptr;
    for (int t = 0; item.normalized && t < frames_; ++t) maximum_[t] = kept_maximum[t], sum_[t] = kept_sum[t];
    const States last = forward();
    for (int t = 0; kept_maximum && !item.normalized && t < frames_; ++t)
      kept_maximum[t] = maximum_[t], kept_sum[t] = sum_[t];
    if (nan_) return {std::nan(""), false};
    if (!emitter_.in_range(frames_, transitions_.greatest())) return {0, true};
    if (!find_likelihood(last)) return {std::numeric_limits<double>::infinity(), false};
    if (std::fabs(static_cast<double>(likelihood_.exponent)) > Number::exact) return {0, true};
    if (item.exit) write_exit(last);
    if (item.gradient) backward();
    return {loss(), false};
  }

 private:
  struct StateMemory {
    Mantissa* mantissas;
    Exponent* exponents;
  };
  StateMemory take_states(int64_t count, int64_t length) {
    return {arena_.take<Mantissa>(count * length), arena_.take<Exponent>(count * length)};
  }
  States states(const StateMemory& memory, int64_t index) const {
    return States::at(memory.mantissas, memory.exponents, width_, index);
  }
  States alpha(int index) const { return states(alpha_, index); }

  Emission<Number> emission(int t) const {
    const int64_t start = (t % plan_.segment_frames) * Emission<Number>::length(width_);
    return {emission_.mantissas + start, emission_.exponents + start, width_};
  }

  // The logits of a frame in the type of the computation; valid until the next call.
  const Real* logits(int t) const {
    if constexpr (native_type) {
      return item_->frame(t);
    } else {
      decode_frame(item_->frame(t), classes_, decoded_);
      return decoded_;
    }
  }
  // The frame to prefetch while `current` is processed.
  const Real* upcoming(int t, const Real* current) const {
    if constexpr (native_type) return t >= 0 && t < frames_ ? item_->frame(t) : current;
    return current;
  }

  Base choose_base() const {
    const bool ours = native_type && item_->gradient && item_->input_kind == InputKind::logits && !item_->normalized;
    if (native_type && item_->stream)
      return ours && tokens_ * classes_per_label < classes_ ? Base::patched : Base::streamed;
    const bool small = int64_t{frames_} * classes_ * static_cast<int64_t>(sizeof(Logit)) <= Plan::cache_bytes;
    return ours && small ? Base::kept : Base::written;
  }
  // The memory in which the gradient of a frame is computed.
  Real* canvas(int t) const {
    if constexpr (native_type)
      if (base_ != Base::streamed) return item_->gradient_frame(t);
    return canvas_;
  }

  // The states that lie on a complete path at frame t, in whole blocks.
  Window band(int t) const {
    const int from = larger(0, transitions_.first_final() + 1 - Transitions::speed * (frames_ - t));
    const int to = smaller(tokens_, transitions_.last_start() + Transitions::speed * t + 1) + 1;
    return {round_down(from), smaller(width_, round_up(to))};
  }
  // Both ends of the band move at the same speed. If they pass each other, no path exists.
  bool windows_meet() const {
    return transitions_.first_final() - Transitions::speed * frames_ <= transitions_.last_start();
  }

  // Stores the frame's maximum and normalizer for the backward pass, and adds their logarithms in float64.
  void normalize(int t, const Real* x) {
    const double sum = item_->normalized ? static_cast<double>(sum_[t]) : find_normalizer(t, x);
    nan_ |= sum != sum;
    if (item_->input_kind == InputKind::logits)
      product_ *= sum;
    else
      log_scale_ -= maximum_[t];
    if (t % renormalize_every == renormalize_every - 1 || t == frames_ - 1) {
      log_scale_ += std::log(product_);
      product_ = 1;
    }
  }

  double find_normalizer(int t, const Real* x) const {
    Real top = frame_maximum(x, classes_);
    double sum = 1;
    if (top == -std::numeric_limits<Real>::infinity()) {
      // Every class is masked: every emission is e^−∞ for any maximum.
      top = 0;
      if (frame_has_nan(x, classes_)) sum = std::nan("");
    } else if (item_->input_kind == InputKind::logits) {
      sum = exponentials(t, x, top);
      if (!(sum < std::numeric_limits<double>::infinity())) sum = std::nan("");
    } else if (frame_has_nan(x, classes_) || top == std::numeric_limits<Real>::infinity()) {
      sum = std::nan("");
    }
    maximum_[t] = top;
    sum_[t] = static_cast<Real>(sum);
    return sum;
  }

  double exponentials(int t, const Real* x, Real top) const {
    const Real* const next = upcoming(t + 1, x);
    if constexpr (native_type) {
      if (base_ == Base::kept) return frame_sum_exp<true>(x, classes_, top, next, item_->gradient_frame(t));
      if (base_ == Base::patched) {
        const double sum = frame_sum_exp<true>(x, classes_, top, next, canvas_);
        stream_array(item_->gradient_frame(t), canvas_, classes_, static_cast<Real>(item_->weight / sum));
        return sum;
      }
    }
    return frame_sum_exp<false>(x, classes_, top, next, canvas_);
  }

  States forward() {
    States before = alpha(plan_.segment_frames);
    before.clear(-padding, width_ + padding);
    if constexpr (!Transitions::weighted) enter(before);
    for (int t = 0; t < frames_; ++t) {
      const Real* const x = logits(t);
      normalize(t, x);
      if (plan_.segments > 1 && t % plan_.segment_frames == 0) {
        const int segment = t / plan_.segment_frames;
        keep(checkpoint(segment), before);
        if (plan_.stretches && segment % plan_.stretch == 0)
          keep(states(stretch_starts_, segment / plan_.stretch), before);
      }
      const States after = alpha(t % plan_.segment_frames);
      advance(t, x, before, after, band(t));
      before = after;
    }
    return before;
  }

  void enter(const States& before) const {
    if (!item_->entry) {
      before.blank[0] = 1, before.blank_exponent[0] = 0;
      return;
    }
    for (int s = 0; s < item_->entry_states; ++s) {
      if (item_->entry[s] == -std::numeric_limits<double>::infinity()) continue;
      const int i = s / 2;
      split_exp<Number>(item_->entry[s], s % 2 ? before.label[i] : before.blank[i],
                        s % 2 ? before.label_exponent[i] : before.blank_exponent[i]);
    }
  }

  void write_exit(const States& last) const {
    const int past = past_of_last();
    for (int i = 0; i < past; ++i) {
      item_->exit[2 * i] = log_of(last.blank[i], last.blank_exponent[i]);
      if (i < tokens_) item_->exit[2 * i + 1] = log_of(last.label[i], last.label_exponent[i]);
    }
  }
  double log_of(double mantissa, double exponent) const {
    return mantissa > 0 ? std::log(mantissa) + exponent * ln2 - log_scale_ : -std::numeric_limits<double>::infinity();
  }
  // One past the last state of the last frame; values beyond it are undefined.
  int past_of_last() const { return frames_ ? smaller(tokens_ + 1, band(frames_ - 1).to) : tokens_ + 1; }

  void keep(const States& where, const States& what) const { where.copy_from(what, -padding, width_ + padding); }
  States checkpoint(int segment) const {
    return states(checkpoints_, plan_.stretches ? segment % plan_.stretch : segment);
  }

  void advance(int t, const Real* x, const States& before, const States& after, Window window) {
    emit(t, x, window, [&](const auto& emissions) __attribute__((always_inline)) {
      if (Transitions::weighted && t == 0)
        forward_step<Number>(before, after, emissions, transitions_.start(), window.from, window.to);
      else
        forward_step<Number>(before, after, emissions, transitions_.inside(), window.from, window.to);
    });
    if (t % renormalize_each == renormalize_each - 1) after.renormalize(window.from, window.to);
    // The next frame reads beyond this window, at most one block, because its band may be wider. It must read zeros.
    for (int i = window.from - Transitions::speed; i < window.from; ++i)
      after.label[i] = 0, after.label_exponent[i] = Number::zero_exponent;
    after.clear(window.to, smaller(window.to + block, width_ + padding));
  }

  // Calls `use` with the emissions of a frame. They are kept for the backward pass, if there is one.
  template <class Use>
  CTCKIT_INLINE void emit(int t, const Real* x, Window window, Use&& use) {
#if defined(__AVX512F__)
    if constexpr (sizeof(Mantissa) == 4)
      if (!item_->gradient && emitter_.fits_in_registers()) return use(emitter_.in_registers(x, maximum_[t]));
#endif
    emitter_.compute(x, maximum_[t], window, emission(t));
    use(emission(t));
  }

  bool find_likelihood(const States& last) {
    double total = 0, shared = Number::zero_exponent;
    const int past = past_of_last();
    const auto each_end = [&](auto&& take) {
      for (int i = larger(0, transitions_.first_final()); i < past; ++i) {
        if (i < tokens_) take(last.label[i], last.label_exponent[i], transitions_.label_final(i));
        take(last.blank[i], last.blank_exponent[i], transitions_.blank_final(i));
      }
    };
    each_end([&](double mantissa, double exponent, const Weight<Number>& factor) {
      if (mantissa * factor.mantissa > 0 && exponent + factor.exponent > shared) shared = exponent + factor.exponent;
    });
    each_end([&](double mantissa, double exponent, const Weight<Number>& factor) {
      const double gap = exponent + factor.exponent - shared;
      if (mantissa * factor.mantissa > 0 && gap > -2000)
        total += std::ldexp(mantissa * factor.mantissa, static_cast<int>(gap));
    });
    if (!(total > 0)) return false;
    int shift = 0;
    likelihood_.mantissa = std::frexp(total, &shift);
    likelihood_.exponent = static_cast<Exponent>(shared + shift);
    return true;
  }

  double loss() const {
    const double result = log_scale_ - (std::log(likelihood_.mantissa) + likelihood_.exponent * ln2);
    // A probability is at most 1; rounding may exceed that by an ulp.
    return !Transitions::weighted && item_->input_kind == InputKind::logits && result < 0 ? 0 : result;
  }

  void backward() {
    const States beta[2] = {states(beta_, 0), states(beta_, 1)};
    for (const States& each : beta) each.clear(-padding, width_ + padding);
    const States& end = beta[frames_ % 2];
    if constexpr (!Transitions::weighted) end.blank[tokens_] = 1, end.blank_exponent[tokens_] = 0;
    alive_ = {round_down(larger(transitions_.first_final(), 0)), smaller(width_, round_up(tokens_ + 1))};
    for (int segment = plan_.segments - 1; segment >= 0; --segment) {
      const int first = segment * plan_.segment_frames, past = smaller(frames_, first + plan_.segment_frames);
      if (segment < plan_.segments - 1) {
        if (plan_.stretches && segment % plan_.stretch == plan_.stretch - 1) recompute_checkpoints(segment);
        recompute(segment, first, past);
      }
      for (int t = past - 1; t >= first; --t) retreat(t, beta[(t + 1) % 2], beta[t % 2]);
    }
    if (item_->stream) finish_streaming();
    transitions_.write_counts(item_->graph);
  }

  // Recomputes α of a segment from its checkpoint.
  void recompute(int segment, int first, int past) {
    States before = alpha(plan_.segment_frames);
    keep(before, checkpoint(segment));
    for (int t = first; t < past; ++t) before = recompute_frame(t, past, before);
  }

  // Recomputes the checkpoints of the stretch that ends with segment `last`, from the checkpoint of the stretch.
  void recompute_checkpoints(int last) {
    const int first = last - (plan_.stretch - 1), past = (last + 1) * plan_.segment_frames;
    States before = alpha(plan_.segment_frames);
    keep(before, states(stretch_starts_, first / plan_.stretch));
    for (int segment = first; segment <= last; ++segment) {
      keep(checkpoint(segment), before);
      for (int t = segment * plan_.segment_frames; segment < last && t < (segment + 1) * plan_.segment_frames; ++t)
        before = recompute_frame(t, past, before);
    }
  }

  // Recomputes α of a frame for the states that may be alive. The backward pass is at frame `past`, and a path moves by
  // at most `speed` labels in each frame: states further to the left cannot reach the window before that frame.
  States recompute_frame(int t, int past, const States& before) {
    Window window = band(t);
    window.from = larger(window.from, round_down(larger(0, alive_.from - Transitions::speed * (past - t) - block)));
    window.to = larger(smaller(window.to, alive_.to), window.from + block);
    const States after = alpha(t % plan_.segment_frames);
    advance(t, logits(t), before, after, window);
    return after;
  }

  void retreat(int t, const States& next, const States& here) {
    const Window reachable = band(t);
    alive_.from = larger(reachable.from, round_down(larger(0, alive_.from - Transitions::speed)));
    alive_.to = larger(smaller(reachable.to, alive_.to), alive_.from + block);
    Real* const out = canvas(t);
    if (base_ != Base::patched) write_base(t, out);
    const Window window = alive_;
    const Sink<Real> sink{out, emitter_.labels(), tokens_, item_->blank, item_->weight};
    const auto step = [&](const auto& transitions) {
      return backward_step<Number>(next, here, alpha(t % plan_.segment_frames), emission(t), transitions, likelihood_,
                                   sink, window);
    };
    const bool at_end = Transitions::weighted && t == frames_ - 1;
    const Window alive = at_end ? step(transitions_.final()) : step(transitions_.inside());
    if constexpr (!native_type)
      encode_frame(out, classes_, item_->gradient_frame(t));
    else if (base_ == Base::streamed)
      stream_array(item_->gradient_frame(t), out, classes_, Real(1));
    if (at_end) transitions_.count_final(alpha(t % plan_.segment_frames), likelihood_, window);
    if (t == 0) transitions_.count_start(here, likelihood_, window);
    if (t % renormalize_each == 0) here.renormalize(window.from, window.to);
    if (alive.from >= alive.to) return;
    for (const States& each : {next, here}) {  // both: the other array is read again two frames later
      each.clear(window.from, alive.from);
      each.clear(alive.to, window.to);
    }
    alive_ = alive;
  }

  void write_base(int t, Real* out) const {
    if (item_->input_kind == InputKind::scores) {
      std::memset(out, 0, sizeof(Real) * classes_);
      return;
    }
    const Real top = maximum_[t];
    if (item_->input_kind == InputKind::logits) {
      const Real scale = static_cast<Real>(item_->weight / static_cast<double>(sum_[t]));
      if (base_ == Base::kept) return frame_scale(out, classes_, scale);
      const Real* const x = logits(t);
      frame_write_exp(x, classes_, top, scale, upcoming(t - 1, x), out);
    } else {  // e^x itself, shifted only if it would overflow
      const Real* const x = logits(t);
      const Real shift = top > -Format<Real>::underflow ? top : 0;
      frame_write_exp(x, classes_, shift, static_cast<Real>(item_->weight * std::exp(double{shift})),
                      upcoming(t - 1, x), out);
    }
  }

  const int frames_, classes_, tokens_, width_;
  const Plan plan_;
  Arena arena_;
  Emitter<Number, Real> emitter_;
  Transitions transitions_;
  const Item<Logit>* item_ = nullptr;
  Base base_ = Base::written;

  StateMemory alpha_{}, emission_{}, checkpoints_{}, stretch_starts_{}, beta_{};
  Real *maximum_, *sum_, *canvas_, *decoded_;

  Likelihood<Number> likelihood_{};
  Window alive_{};
  double log_scale_ = 0, product_ = 1;
  bool nan_ = false;
};

template <class T>
struct Type {
  using type = T;
};

// Calls `with` the solver type for this range of numbers, and for transitions with or without weights. loss.cpp rejects
// weights for half precision.
template <class Logit, class With>
auto choose(Range range, bool weighted, With&& with) {
  const auto with_transitions = [&](auto number) {
    using Number = typename decltype(number)::type;
    if constexpr (sizeof(Logit) >= 4)
      if (weighted) return with(Type<Solver<Number, Logit, WeightedTransitions<Number>>>{});
    return with(Type<Solver<Number, Logit, PlainTransitions<Number>>>{});
  };
  if constexpr (sizeof(Logit) <= 4)
    if (range == Range::fast) return with_transitions(Type<Fast>{});
  return with_transitions(Type<Wide>{});
}

template <class Logit>
size_t workspace_bytes(Range range, const Size& size) {
  return choose<Logit>(range, size.weighted,
                       [&](auto chosen) { return typename decltype(chosen)::type(size, nullptr).bytes(); });
}

template <class Logit>
Outcome solve(const Item<Logit>& item, Range range, std::byte* workspace) {
  return choose<Logit>(range, item.graph != nullptr, [&](auto chosen) {
    return typename decltype(chosen)::type(size_of(item), workspace).solve(item);
  });
}

template <class Logit>
constexpr LossKernel<Logit> kernel = {workspace_bytes<Logit>, solve<Logit>};

}  // namespace

#define CTCKIT_STRING_OF(name) #name
#define CTCKIT_STRING(name) CTCKIT_STRING_OF(name)
extern const LossKernels loss_kernels;
const LossKernels loss_kernels = {CTCKIT_STRING(CTCKIT_ISA), kernel<float>, kernel<double>, kernel<Half>,
                                  kernel<Brain>};

}  // namespace ctckit::CTCKIT_ISA
