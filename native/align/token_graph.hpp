// One item to be aligned: its token graph in the arrays of the kernel, and the emissions of its labels.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "simd/align_kernel.hpp"

namespace ctckit {

template <class Real>
constexpr Real no_path = -std::numeric_limits<Real>::infinity();

template <class In>
struct AlignItem {
  const In* log_probs;  // (frames, classes)
  int64_t frame_stride, frames;
  int classes, blank;
  const int32_t* tokens;
  int64_t count;
  const double* weights;  // (7, states), or null
  int64_t states;

  const In* frame(int64_t t) const { return log_probs + t * frame_stride; }

  // The emission of label i if `label`, else of the blank.
  double emission(int64_t t, int64_t i, bool label) const {
    if (!label) return static_cast<double>(frame(t)[blank]);
    return tokens[i] == classes ? 0.0 : static_cast<double>(frame(t)[tokens[i]]);
  }
  // A weight of the token graph (GraphWeight): of the transition s − kind → s, of starting or of ending in s. 0 for
  // plain CTC, which must not ask for a transition that it lacks.
  double weight(int kind, int64_t state) const { return weights ? weights[kind * states + state] : 0.0; }
};

// The classes of some labels, ascending, and their places in the table.
struct AlignUses {
  std::vector<int32_t> classes, places;
};

// The arrays for a pass, in whole blocks. Real is the type of the computation, In the type of the input.
template <class In, class Real>
class AlignGraph {
 public:
  explicit AlignGraph(const AlignItem<In>& item);

  const AlignItem<In>& item() const { return item_; }
  int blocks() const { return blocks_; }
  int reach() const { return reach_; }  // most labels that a path advances in one frame
  bool weighted() const { return item_.weights != nullptr; }
  int places() const { return static_cast<int>(classes_.size()); }

  // Writes the states of the first frame. first_final(): the first label or blank in which a path may end.
  void start(Real* label, Real* blank) const;
  int64_t first_final() const { return first_final_; }

  AlignUses uses(int first_block, int blocks) const;

  // Prepares a pass over `frames` frames from `first` on, in a window that begins at block `window` and has these uses.
  void prepare(AlignPass<Real>& pass, int64_t first, int frames, int window, const AlignUses& uses);

  // Returns the greatest emission of these labels and the blank at frame t.
  double greatest(int64_t t, const AlignUses& uses) const;

  Real transition(TransitionKind kind, int64_t i) const { return transitions_[kind][static_cast<size_t>(i)]; }
  bool may_skip(int64_t i) const { return skips_[static_cast<size_t>(i / align_block)] >> (i % align_block) & 1; }

 private:
  void choose_places();
  void set_transitions();
  void fill(const In* const* frames, const AlignUses& uses);

  const AlignItem<In> item_;
  int blocks_ = 0, reach_ = 1;
  int64_t first_final_ = 0;
  bool wide_ = false;
  std::vector<int32_t> places_;   // of each label
  std::vector<int32_t> classes_;  // at each place: a class, −1 for nothing, −2 for the wildcard
  std::vector<uint64_t> skips_;
  std::vector<Real> transitions_[inner_transitions];
  std::vector<Real> table_;
  std::vector<In> narrow_;  // the table before conversion to Real
  Real blanks_[align_frames];
};

}  // namespace ctckit
