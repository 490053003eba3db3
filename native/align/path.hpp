// The likeliest path of one item: forward with some rows kept, then back from row to row, each stretch computed once more.
//
// Going back, a path moves at most one label a frame (two with hops). So the stretch between two kept rows needs a window of
// as many labels as it has frames only; where that is still too much to keep all rows of, the same is done within it.
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

  // The best path among those that the limits leave: writes its spans and returns its log-probability, −∞ where there is
  // none. Rows are kept every so many frames; 0: as the sizes suggest.
  double find(const AlignLimits& limits, int64_t keep_every, int64_t* starts, int64_t* ends);

  // Its log-probability only.
  double score(const AlignLimits& limits);

  const AlignGraph<In, Real>& graph() const { return graph_; }
  int64_t cells() const { return cells_; }  // that were computed

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
  std::vector<Real> offsets_;  // of each pass: subtracted from the row it begins with
  std::vector<Checkpoint<Real>> checkpoints_;
  std::vector<Real> scratch_;
  int64_t cells_ = 0;
};

}  // namespace ctckit
