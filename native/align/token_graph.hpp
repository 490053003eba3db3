// One item to be aligned: its graph of states as the kernel takes it, and the emissions of its labels.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "simd/align_kernel.hpp"

namespace ctckit {

template <class Real>
constexpr Real no_path = -std::numeric_limits<Real>::infinity();

// Rows of TokenGraphs::weights behind those of the transitions.

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

  // Of label i where `label`, else of a blank.
  double emission(int64_t t, int64_t i, bool label) const {
    if (!label) return static_cast<double>(frame(t)[blank]);
    return tokens[i] == classes ? 0.0 : static_cast<double>(frame(t)[tokens[i]]);
  }
  // Of the transition s − kind → s, of starting there (5) or of ending (6). 0 for plain CTC, wherever that has an transition.
  double weight(int kind, int64_t state) const { return weights ? weights[kind * states + state] : 0.0; }
};

// The classes that some labels use, in ascending order, and their places in the table.
struct AlignUses {
  std::vector<int32_t> classes, places;
};

// The arrays that a pass takes, whole blocks of them: computed in Real, whatever type the item's numbers come in.
template <class In, class Real>
class AlignGraph {
 public:
  explicit AlignGraph(const AlignItem<In>& item);

  const AlignItem<In>& item() const { return item_; }
  int blocks() const { return blocks_; }
  int reach() const { return reach_; }  // labels that a path may go on by in one frame
  bool weighted() const { return item_.weights != nullptr; }
  int places() const { return static_cast<int>(classes_.size()); }

  // The first frame's row, and from which label or blank on paths may end.
  void start(Real* label, Real* blank) const;
  int64_t first_final() const { return first_final_; }

  AlignUses uses(int first_block, int blocks) const;

  // Sets what a pass needs for `frames` frames from `first` on, in a window that begins at a block and uses these labels.
  void prepare(AlignPass<Real>& pass, int64_t first, int frames, int window, const AlignUses& uses);

  // The greatest emission of these labels and the blank in a frame.
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
  std::vector<int32_t> classes_;  // at each place: −1 nothing, −2 the wildcard
  std::vector<uint64_t> skips_;
  std::vector<Real> transitions_[inner_transitions];
  std::vector<Real> table_;
  std::vector<In> narrow_;  // the table before it is widened
  Real blanks_[align_frames];
};

}  // namespace ctckit
