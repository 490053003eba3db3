// The states of some blocks of a graph: worked on from pass to pass, or kept as they were at one frame.
#pragma once
#include <vector>

#include "align/token_graph.hpp"

namespace ctckit {

// Labels, then blanks.
template <class Real>
struct Checkpoint {
  int64_t frame;
  int first, blocks;
  std::vector<Real> states;

  const Real* label() const { return states.data(); }
  const Real* blank() const { return states.data() + static_cast<int64_t>(blocks) * align_block; }
};

template <class Real>
struct AlignWindow {
  int first, blocks;
  int low = 0, high = -1;  // blocks in play: what lies below does not count any more, above all is −∞
  std::vector<Real> label, blank;
  std::vector<Real> best;      // of each block
  std::vector<uint8_t> alive;  // whether a state of the block is possible; where not, all are −∞
  AlignUses uses;              // of the labels in blocks uses_from … uses_to
  int uses_from = 0, uses_to = -1;

  AlignWindow(int first_block, int count);
  AlignWindow(const Checkpoint<Real>& checkpoint, int first_block, int count);

  int64_t width() const { return static_cast<int64_t>(blocks) * align_block; }

  // What lies below that block does not count any more.
  void raise(int block) { low = std::max(low, block); }
  // The greatest state.
  Real most() const;
  // Gives up the blocks without a state above the threshold, and those outside of from … to.
  void prune(Real threshold, int from, int to);
  Checkpoint<Real> checkpoint(int64_t frame) const;
};

}  // namespace ctckit
