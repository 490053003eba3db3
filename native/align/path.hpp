// The most probable path of one item. The forward pass keeps the states of some frames (checkpoints). The way back goes
// from checkpoint to checkpoint and recomputes the frames between two of them.
//
// In one frame a path moves by at most one label (two with hops). So the frames between two checkpoints need a window
// of only as many labels as there are frames. If the states of all these frames are still too large, the same method is
// used within the window, recursively.
#pragma once
#include <utility>
#include <vector>

#include "align/limits.hpp"
#include "align/spans.hpp"
#include "align/token_graph.hpp"
#include "align/window.hpp"

namespace ctckit {

template <class In, class Real>
class PathFinder {
 public:
  explicit PathFinder(const AlignItem<In>& item);

  // Finds the best path within the limits, writes its spans and returns its log-probability, −∞ if no path exists.
  // `keep_every`: frames between checkpoints; 0: chosen by the sizes.
  double find(const AlignLimits& limits, int64_t keep_every, int64_t* starts, int64_t* ends);

  // Returns the log-probability only.
  double score(const AlignLimits& limits);

  const AlignGraph<In, Real>& graph() const { return graph_; }
  int64_t cells() const { return cells_; }  // number of computed cells

 private:
  struct End {
    PathState state;
    double log_prob;
  };

  void refresh(AlignWindow<Real>& window, bool whole) const;
  void advance(AlignWindow<Real>& window, int64_t t, int frames, Real* kept);
  double forward(AlignWindow<Real>& window, const AlignLimits& limits, int64_t keep_every, Real* kept);
  End end_of(const AlignWindow<Real>& window, double scale) const;

  PathState back(const Checkpoint<Real>& checkpoint, int64_t to, PathState state, SpanWriter<In>& writer);
  PathState back_through(const Checkpoint<Real>& checkpoint, AlignWindow<Real>& window, int64_t to, PathState state,
                         SpanWriter<In>& writer);
  PathState walk(const Real* states, int64_t width, int64_t window, int64_t from, int64_t to, PathState state,
                 SpanWriter<In>& writer) const;
  PathState before(const Real* label, const Real* blank, int64_t window, Real offset, PathState state) const;

  int low_block(int64_t target, int64_t frames_left, int window) const;

  AlignGraph<In, Real> graph_;
  const int64_t last_;         // frame
  std::vector<Real> offsets_;  // of each pass: subtracted from the states that it starts with
  std::vector<Checkpoint<Real>> checkpoints_;
  std::vector<Real> scratch_;
  int64_t cells_ = 0;
};

}  // namespace ctckit
