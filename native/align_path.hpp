// The likeliest path of one item: forward with some rows kept, then back from row to row, each stretch computed once more.
//
// Going back, a path moves at most one label a frame (two with hops). So the stretch between two kept rows needs a window of
// as many labels as it has frames only; where that is still too much to keep all rows of, the same is done within it.
#pragma once
#include <vector>

#include "align_chain.hpp"
#include "aligner.hpp"

namespace ctckit {

// Where a path is: on label i or on blank i.
struct PathState {
  int64_t i;
  bool label;
};

// The states of some blocks at one frame: labels, then blanks.
template <class Real>
struct KeptRow {
  int64_t frame;
  int first, blocks;
  std::vector<Real> states;

  const Real* label() const { return states.data(); }
  const Real* blank() const { return states.data() + static_cast<int64_t>(blocks) * align_block; }
};

// The same, to be worked on.
template <class Real>
struct AlignWindow {
  int first, blocks;
  std::vector<Real> label, blank;
  std::vector<Real> best;      // of each block
  std::vector<uint8_t> alive;  // whether a state of the block is possible; where not, all are −∞
  AlignUses uses;

  AlignWindow(int first_block, int count);
  AlignWindow(const KeptRow<Real>& row, int first_block, int count);
  KeptRow<Real> kept(int64_t frame, int from) const;
};

// Sums and writes what a path says, from its end to its beginning.
template <class Real>
class PathWriter {
 public:
  PathWriter(const AlignItem<Real>& item, int64_t* starts, int64_t* ends) : item_(item), starts_(starts), ends_(ends) {}

  void end(PathState state);
  // `to` was entered at frame t, from `from`.
  void step(int64_t t, PathState from, PathState to);
  double begin(PathState state);

 private:
  static int64_t number(PathState state) { return 2 * state.i + state.label; }
  void leave_out(int64_t after, int64_t before, int64_t t);

  const AlignItem<Real>& item_;
  int64_t *const starts_, *const ends_;
  double log_prob_ = 0;
};

template <class Real>
class PathFinder {
 public:
  PathFinder(const AlignItem<Real>& item, const AlignOptions& options);

  // Its log-probability; −∞ where there is none.
  double find(int64_t* starts, int64_t* ends);
  int64_t cells() const { return cells_; }

 private:
  struct Limits;
  struct End {
    PathState state;
    double log_prob;
  };

  void advance(AlignWindow<Real>& window, int64_t t, int frames, int low, Real* kept);
  Real settle(AlignWindow<Real>& window, int low, Real threshold) const;
  double forward(AlignWindow<Real>& window, const Limits& limits, int64_t keep_every, Real* kept);
  End end_of(const AlignWindow<Real>& window, double scale) const;
  double lower_bound();

  PathState back(const KeptRow<Real>& row, int64_t to, PathState state, PathWriter<Real>& writer);
  PathState back_through(const KeptRow<Real>& row, AlignWindow<Real>& window, int64_t to, PathState state,
                         PathWriter<Real>& writer);
  PathState walk(const Real* rows, int64_t width, int64_t window, int64_t from, int64_t to, PathState state,
                 PathWriter<Real>& writer) const;
  PathState before(const Real* label, const Real* blank, int64_t window, Real offset, PathState state) const;

  int low_block(int64_t target, int64_t frames_left, int window) const;

  AlignChain<Real> chain_;
  const AlignOptions options_;
  const int64_t last_;          // frame
  std::vector<Real> offsets_;   // of each pass: subtracted from the row it begins with
  std::vector<KeptRow<Real>> rows_;
  std::vector<Real> scratch_;
  int64_t cells_ = 0;
};

}  // namespace ctckit
