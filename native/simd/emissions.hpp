// The emission of each label of a target in one frame: e^(logit − maximum of the frame), as mantissa and exponent.
#pragma once
#include <limits>

#include "simd/arena.hpp"
#include "simd/lattice.hpp"
#include "simd/table.hpp"

namespace ctckit::CTCKIT_ISA {

constexpr double ln2 = 0.69314718055994530942;

#if defined(__AVX512F__)
// The same as Emission, but looked up where it is needed: for emissions that are not kept.
template <class Number>
struct TableEmission {
  Table<typename Number::Mantissa> mantissas;
  Table<typename Number::Exponent> exponents;
  const int32_t* labels;
  Scaled<Number> of_blank;

  CTCKIT_INLINE Scaled<Number> label_at(int i) const { return {mantissas.at(labels + i), exponents.at(labels + i)}; }
  CTCKIT_INLINE Scaled<Number> blank() const { return of_blank; }
};
#endif

template <class Number, class Real>
class Emitter {
  using Mantissa = typename Number::Mantissa;
  using Exponent = typename Number::Exponent;

 public:
  CTCKIT_INLINE Emitter(int classes, int tokens, int width, Arena& arena)
      : classes_(classes), width_(width), by_table_(classes <= tokens) {
    labels_ = arena.take<int32_t>(width + padding);
    const int64_t table = by_table_ ? classes + block : 0;
    table_ = arena.take<Mantissa>(table);
    table_exponent_ = arena.take<Exponent>(table);
  }

  // Blanks fill the space after the target.
  void set_target(const int32_t* target, int tokens, int32_t blank) {
    for (int i = 0; i < width_ + padding; ++i) labels_[i] = i < tokens ? target[i] : blank;
    blank_ = blank;
  }

  CTCKIT_INLINE const int32_t* labels() const { return labels_; }

  CTCKIT_INLINE void compute(const Real* x, Mantissa top, Window window, const Emission<Number>& out) {
    if (by_table_)
      look_up(x, top, window, out);
    else
      gather(x, top, window, out);
    const Scaled<Number> blank = emission(broadcast(static_cast<Mantissa>(x[blank_])), top);
    out.label[out.width] = blank.mantissa[0], out.label_exponent[out.width] = blank.exponent[0];
  }

#if defined(__AVX512F__)
  CTCKIT_INLINE bool fits_in_registers() const { return by_table_ && classes_ <= Table<Mantissa>::most; }

  CTCKIT_INLINE TableEmission<Number> in_registers(const Real* x, Mantissa top) {
    fill_table(x, top);
    return {{table_, classes_},
            {table_exponent_, classes_},
            labels_,
            {broadcast(table_[blank_]), broadcast(table_exponent_[blank_])}};
  }
#endif

  // Whether every product of emissions stays in the range of Number, over `frames` frames with one transition each, of
  // at most `greatest_weight` nats.
  CTCKIT_INLINE bool in_range(int frames, double greatest_weight) const {
    const double nats = -static_cast<double>(horizontal_min<Mantissa>(lowest_)) + greatest_weight;
    return nats <= Number::emission_reach && (nats / ln2 + 1) * frames < Number::reach;
  }

 private:
  CTCKIT_INLINE void gather(const Real* x, Mantissa top, Window window, const Emission<Number>& out) {
    for (int i = window.from; i < window.to; i += lanes<Mantissa>)
      out.put(i, emission(gather_at<Mantissa>(x, labels_ + i), top));
  }

  // Fewer classes than labels: one exponential for each class, then a table lookup for each label.
  CTCKIT_INLINE void fill_table(const Real* x, Mantissa top) {
    for (int c = 0; c < classes_; c += lanes<Mantissa>) {
      Mantissa row[lanes<Mantissa>];
      for (int k = 0; k < lanes<Mantissa>; ++k) row[k] = c + k < classes_ ? static_cast<Mantissa>(x[c + k]) : top;
      const Scaled<Number> power = emission(load(row), top);
      store(table_ + c, power.mantissa);
      store(table_exponent_ + c, power.exponent);
    }
  }

  CTCKIT_INLINE void look_up(const Real* x, Mantissa top, Window window, const Emission<Number>& out) {
    fill_table(x, top);
#if defined(__AVX512F__)
    if constexpr (sizeof(Mantissa) == 4) {
      if (classes_ <= Table<Mantissa>::most) {
        const Table<Mantissa> mantissas(table_, classes_);
        const Table<Exponent> exponents(table_exponent_, classes_);
        for (int i = window.from; i < window.to; i += lanes<Mantissa>) {
          store(out.label + i, mantissas.at(labels_ + i));
          store(out.label_exponent + i, exponents.at(labels_ + i));
        }
        return;
      }
    }
#endif
    for (int i = window.from; i < window.to; ++i) {
      out.label[i] = table_[labels_[i]];
      out.label_exponent[i] = table_exponent_[labels_[i]];
    }
  }

  CTCKIT_INLINE Scaled<Number> emission(Vector<Mantissa> logit, Mantissa top) {
    const Difference<Mantissa> z = subtract<Mantissa>(logit, broadcast(top));
    lowest_ = minimum(lowest_, cost(logit, z.value));
    return exp_split<Number>(z);
  }

  // The log-emission of a class, 0 if it is masked. If the difference of a finite logit overflows it is −∞: out of
  // range.
  static CTCKIT_INLINE Vector<Mantissa> cost(Vector<Mantissa> logit, Vector<Mantissa> z) {
    if constexpr (sizeof(Mantissa) == 4) return masked<Number>(logit) ? Vector<Mantissa>{} : z;
    return masked<Number>(z) ? Vector<Mantissa>{} : z;
  }

  const int classes_, width_;
  const bool by_table_;
  int32_t* labels_;
  Mantissa* table_;
  Exponent* table_exponent_;
  int32_t blank_ = 0;
  Vector<Mantissa> lowest_{};
};

}  // namespace ctckit::CTCKIT_ISA
