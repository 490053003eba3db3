// The states of some blocks of a token graph: a window that passes update, or a checkpoint of one frame.
#pragma once
#include <vector>

#include "align/token_graph.hpp"

namespace ctckit {

// The states at one frame: labels, then blanks.
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
  int low = 0, high = -1;  // live blocks: blocks below do not matter any more, blocks above are −∞
  std::vector<Real> label, blank;
  std::vector<Real> best;      // of each block
  std::vector<uint8_t> alive;  // whether a state of the block is possible; else all are −∞
  AlignUses uses;              // the classes of the labels in blocks uses_from … uses_to
  int uses_from = 0, uses_to = -1;

  AlignWindow(int first_block, int count);
  AlignWindow(const Checkpoint<Real>& checkpoint, int first_block, int count);

  int64_t width() const { return static_cast<int64_t>(blocks) * align_block; }

  // Ignores the blocks below this one from now on.
  void raise(int block) { low = std::max(low, block); }
  // Returns the greatest state.
  Real most() const;
  // Drops the blocks without a state above the threshold, and the blocks outside of from … to.
  void prune(Real threshold, int from, int to);
  Checkpoint<Real> checkpoint(int64_t frame) const;
};

}  // namespace ctckit
