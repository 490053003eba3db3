// One pass of Viterbi's recursion over up to 16 frames. See align_kernel.hpp.
//
// A group of four vectors of labels, and the blanks before them, stays in registers for all frames of the pass. From
// the group to its left it needs only the last one or two labels before each frame: that group leaves its last vector
// of each frame in `edge`. So the states are read and written once for 16 frames, and the four vectors hide each
// other's latency.
//
// The speed of such a loop depends on how it reads the emissions. With AVX-512 it looks up to 64 places up in
// registers. Otherwise the emissions of one place in all frames of the pass are adjacent. Then one load for each label
// and a transposition replace a gather for each label and frame.
#include "simd/align_kernel.hpp"

#include <limits>
#include <utility>

#include "simd/lanes.hpp"

namespace ctckit::CTCKIT_ISA {

namespace {

constexpr int group = 4;  // vectors side by side
template <class Real>
constexpr int group_labels = group * lanes<Real>;
template <class Real>
constexpr Real impossible = -std::numeric_limits<Real>::infinity();

// The lanes `Index` of a and b, which are numbered as one row. GCC before 12 has another name for it.
template <class Real, int... Index>
CTCKIT_INLINE Vector<Real> shuffled(Vector<Real> a, Vector<Real> b) {
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(a, b, Index...);
#else
  return __builtin_shuffle(a, b, Vector<typename IntegerOf<sizeof(Real)>::type>{Index...});
#endif
}

// v shifted by `By` lanes; the last lanes of `left` fill the first ones.
template <int By, class Real, int... K>
CTCKIT_INLINE Vector<Real> moved(Vector<Real> left, Vector<Real> v, std::integer_sequence<int, K...>) {
  return shuffled<Real, (lanes<Real> - By + K)...>(left, v);
}
template <int By, class Real>
CTCKIT_INLINE Vector<Real> moved(Vector<Real> left, Vector<Real> v) {
  return moved<By, Real>(left, v, std::make_integer_sequence<int, lanes<Real>>());
}

template <int From, class Real, int... K>
CTCKIT_INLINE Vector<Real> interleaved(Vector<Real> a, Vector<Real> b, std::integer_sequence<int, K...>) {
  return shuffled<Real, (From + K / 2 + K % 2 * lanes<Real>)...>(a, b);
}

// Rows become columns: log2(lanes) times the upper and lower halves are interleaved.
template <class Real, int Stages = lanes<Real>>
CTCKIT_INLINE void transpose(Vector<Real> (&rows)[lanes<Real>]) {
  if constexpr (Stages > 1) {
    constexpr int half = lanes<Real> / 2;
    constexpr auto numbers = std::make_integer_sequence<int, lanes<Real>>();
    Vector<Real> dealt[lanes<Real>];
#pragma GCC unroll 8
    for (int k = 0; k < half; ++k) {
      dealt[2 * k] = interleaved<0, Real>(rows[k], rows[k + half], numbers);
      dealt[2 * k + 1] = interleaved<half, Real>(rows[k], rows[k + half], numbers);
    }
    transpose<Real, Stages / 2>(dealt);
#pragma GCC unroll 16
    for (int k = 0; k < lanes<Real>; ++k) rows[k] = dealt[k];
  }
}

// The emissions of a group in each frame, from a table of any size.
template <class Real>
class TransposedEmissions {
 public:
  CTCKIT_INLINE explicit TransposedEmissions(const AlignPass<Real>& pass) : table_(pass.table), frames_(pass.frames) {}

  CTCKIT_INLINE void enter(const int32_t* places) {
    constexpr int n = lanes<Real>;
    for (int k = 0; k < group; ++k)
      for (int first = 0; first < frames_; first += n) {
        Vector<Real> rows[n];
#pragma GCC unroll 16
        for (int row = 0; row < n; ++row)
          rows[row] = load(table_ + static_cast<int64_t>(places[k * n + row]) * align_frames + first);
        transpose<Real>(rows);
#pragma GCC unroll 16
        for (int row = 0; row < n; ++row) emissions_[first + row][k] = rows[row];
      }
  }
  CTCKIT_INLINE void frame(int f) { now_ = f; }
  CTCKIT_INLINE Vector<Real> at(int k) const { return emissions_[now_][k]; }

 private:
  const Real* const table_;
  const int frames_;
  int now_ = 0;
  Vector<Real> emissions_[align_frames][group];
};

#if defined(__AVX512F__)
constexpr bool in_registers = true;

// Tables of 16, 32 or 64 places, read by two-register permutations. The vector extensions cannot express these.
template <int Size>
class RegisterEmissions {
 public:
  CTCKIT_INLINE explicit RegisterEmissions(const AlignPass<float>& pass) : table_(pass.table) {}

  CTCKIT_INLINE void enter(const int32_t* places) {
    for (int k = 0; k < group; ++k) {
      places_[k] = _mm512_loadu_si512(places + k * 16);
      upper_[k] = _mm512_test_epi32_mask(places_[k], _mm512_set1_epi32(32));
    }
  }
  CTCKIT_INLINE void frame(int f) {
    for (int k = 0; k < Size / 16; ++k) part_[k] = _mm512_loadu_ps(table_ + f * align_table_size + 16 * k);
  }
  CTCKIT_INLINE Vector<float> at(int k) const {
    const __m512 lower = _mm512_permutex2var_ps(part_[0], places_[k], part_[Size == 16 ? 0 : 1]);
    if constexpr (Size < 64) {
      return lower;
    } else {
      return _mm512_mask_blend_ps(upper_[k], lower, _mm512_permutex2var_ps(part_[2], places_[k], part_[3]));
    }
  }

 private:
  const float* const table_;
  __m512i places_[group];
  __mmask16 upper_[group];
  __m512 part_[Size / 16];
};
#else
constexpr bool in_registers = false;
#endif

// Plain CTC: all transitions have weight 0.
template <class Real>
class PlainTransitions {
  using Integer = typename IntegerOf<sizeof(Real)>::type;

 public:
  static constexpr int reach = 1;  // labels to the left that a step reads

  CTCKIT_INLINE explicit PlainTransitions(const AlignPass<Real>& pass) : skips_(pass.skips) {}

  CTCKIT_INLINE void enter(int i) {
    const uint64_t bits = skips_[i / align_block] >> (i % align_block);
#pragma GCC unroll 4
    for (int k = 0; k < group; ++k) {
#if defined(__AVX512F__)
      skip_[k] = static_cast<Mask>(bits >> (k * lanes<Real>));
#else
      for (int lane = 0; lane < lanes<Real>; ++lane)
        skip_[k][lane] = -static_cast<Integer>(bits >> (k * lanes<Real> + lane) & 1);
#endif
    }
  }

  CTCKIT_INLINE void step(int k, Vector<Real>& label, Vector<Real>& blank, Vector<Real> left) const {
    const Vector<Real> before = moved<1, Real>(left, label);
    const Vector<Real> better = maximum(label, blank);
    blank = maximum(blank, before);
#if defined(__AVX512F__)  // one instruction for maximum and selection
    if constexpr (sizeof(Real) == 4) {
      label = _mm512_mask_max_ps(better, skip_[k], before, better);
    } else {
      label = _mm512_mask_max_pd(better, skip_[k], before, better);
    }
#else
    label = maximum(better, skip_[k] ? before : broadcast(impossible<Real>));
#endif
  }

 private:
#if defined(__AVX512F__)
  using Mask = std::conditional_t<sizeof(Real) == 4, __mmask16, __mmask8>;
  Mask skip_[group] = {};
#else
  Vector<Integer> skip_[group] = {};
#endif
  const uint64_t* const skips_;
};

// Token graphs with weights.
template <class Real>
class WeightedTransitions {
 public:
  static constexpr int reach = 2;

  CTCKIT_INLINE explicit WeightedTransitions(const AlignPass<Real>& pass) : transitions_(pass.transitions) {}
  CTCKIT_INLINE void enter(int i) { first_ = i; }

  CTCKIT_INLINE void step(int k, Vector<Real>& label, Vector<Real>& blank, Vector<Real> left) const {
    const int i = first_ + k * lanes<Real>;
    const auto weight = [&](TransitionKind transition)
                            __attribute__((always_inline)) { return load(transitions_[transition] + i); };
    const Vector<Real> before = moved<1, Real>(left, label), hopped = moved<2, Real>(left, label);
    const Vector<Real> into_label = maximum(maximum(label + weight(label_stay), blank + weight(label_advance)),
                                            maximum(before + weight(label_skip), hopped + weight(label_hop)));
    blank = maximum(maximum(blank + weight(blank_stay), before + weight(blank_advance)), hopped + weight(blank_hop));
    label = into_label;
  }

 private:
  const Real* const* const transitions_;
  int first_ = 0;
};

template <class Real, class Transitions, class Emissions, bool keep>
void advance(const AlignPass<Real>& pass) {
  Vector<Real> edge[align_frames];
  for (Vector<Real>& each : edge) each = broadcast(impossible<Real>);
  Transitions transitions(pass);
  Emissions emissions(pass);
  const Vector<Real> offset = broadcast(pass.offset);
  for (int b = pass.first; b <= pass.last; ++b) {
    Vector<Real> best = broadcast(impossible<Real>);
    for (int i = b * align_block; i < (b + 1) * align_block; i += group_labels<Real>) {
      Vector<Real> label[group], blank[group];
#pragma GCC unroll 4
      for (int k = 0; k < group; ++k) {
        label[k] = load(pass.label + i + k * lanes<Real>) - offset;
        blank[k] = load(pass.blank + i + k * lanes<Real>) - offset;
      }
      transitions.enter(i);
      emissions.enter(pass.places + i);
      for (int f = 0; f < pass.frames; ++f) {
        const Vector<Real> of_blank = broadcast(pass.blank_emissions[f]);
        Vector<Real> left = edge[f];
        edge[f] = label[group - 1];
        emissions.frame(f);
#pragma GCC unroll 4
        for (int k = 0; k < group; ++k) {
          const Vector<Real> here = label[k];
          transitions.step(k, label[k], blank[k], left);
          label[k] += emissions.at(k);
          blank[k] += of_blank;
          left = here;
        }
        if constexpr (keep) {
          Real* const row = pass.kept + 2 * pass.kept_width * f + i;
#pragma GCC unroll 4
          for (int k = 0; k < group; ++k) {
            store(row + k * lanes<Real>, label[k]);
            store(row + pass.kept_width + k * lanes<Real>, blank[k]);
          }
        }
      }
#pragma GCC unroll 4
      for (int k = 0; k < group; ++k) {
        store(pass.label + i + k * lanes<Real>, label[k]);
        store(pass.blank + i + k * lanes<Real>, blank[k]);
        best = maximum(best, maximum(label[k], blank[k]));
      }
    }
    pass.best[b] = horizontal_max<Real>(best);
  }
}

template <class Real, class Transitions, class Emissions>
void advance(const AlignPass<Real>& pass) {
  pass.kept ? advance<Real, Transitions, Emissions, true>(pass) : advance<Real, Transitions, Emissions, false>(pass);
}

// from[index[k]] in lane k. The compiler would not use the gather instruction by itself.
template <class Real>
CTCKIT_INLINE Vector<Real> gathered(const Real* from, const int32_t* index) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Real) == 4)  // with a full mask: without one, GCC warns of an uninitialized operand
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, _mm512_loadu_si512(index), from, 4);
#elif defined(__AVX2__)
  if constexpr (sizeof(Real) == 4)
    return _mm256_i32gather_ps(from, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), 4);
#endif
  return gather_at<Real>(from, index);
}

// Transposes the emissions of n classes in n frames at a time.
template <class Real>
void fill(const AlignFill<Real>& fill) {
  constexpr int n = lanes<Real>;
  for (int at = 0; at < fill.count; at += n) {
    const int from = at + n <= fill.count ? at : fill.count - n;
    if (from < 0) {
      for (int k = 0; k < fill.count; ++k)
        for (int f = 0; f < align_frames; ++f)
          fill.table[static_cast<int64_t>(fill.places[k]) * align_frames + f] = fill.frames[f][fill.classes[k]];
      return;
    }
    const int32_t *const classes = fill.classes + from, *const places = fill.places + from;
    const bool side_by_side = classes[n - 1] - classes[0] == n - 1;
    for (int first = 0; first < align_frames; first += n) {
      Vector<Real> turned[n];
#pragma GCC unroll 16
      for (int f = 0; f < n; ++f) {
        const Real* const row = fill.frames[first + f];
        turned[f] = side_by_side ? load(row + classes[0]) : gathered(row, classes);
      }
      transpose<Real>(turned);
#pragma GCC unroll 16
      for (int k = 0; k < n; ++k) store(fill.table + static_cast<int64_t>(places[k]) * align_frames + first, turned[k]);
    }
  }
}

template <class Real>
Real greatest(const Real* frame, const int32_t* classes, int count) {
  constexpr int n = lanes<Real>;
  Real most = impossible<Real>;
  int k = 0;
  if (count >= n) {
    const bool side_by_side = classes[count - 1] - classes[0] == count - 1;
    Vector<Real> best = broadcast(impossible<Real>);
    for (; k + n <= count; k += n)
      best = maximum(best, side_by_side ? load(frame + classes[k]) : gathered(frame, classes + k));
    most = horizontal_max<Real>(best);
  }
  for (; k < count; ++k) most = frame[classes[k]] > most ? frame[classes[k]] : most;
  return most;
}

void advance_float32(const AlignPass<float>& pass) {
  if (pass.transitions[0]) return advance<float, WeightedTransitions<float>, TransposedEmissions<float>>(pass);
#if defined(__AVX512F__)
  if (!pass.wide && pass.labels <= 16) return advance<float, PlainTransitions<float>, RegisterEmissions<16>>(pass);
  if (!pass.wide && pass.labels <= 32) return advance<float, PlainTransitions<float>, RegisterEmissions<32>>(pass);
  if (!pass.wide) return advance<float, PlainTransitions<float>, RegisterEmissions<64>>(pass);
#endif
  advance<float, PlainTransitions<float>, TransposedEmissions<float>>(pass);
}

void advance_float64(const AlignPass<double>& pass) {
  if (pass.transitions[0]) return advance<double, WeightedTransitions<double>, TransposedEmissions<double>>(pass);
  advance<double, PlainTransitions<double>, TransposedEmissions<double>>(pass);
}

}  // namespace

extern const AlignKernel align_kernel;
const AlignKernel align_kernel = {
    in_registers, {advance_float32, fill<float>, greatest<float>}, {advance_float64, fill<double>, greatest<double>}};

}  // namespace ctckit::CTCKIT_ISA
