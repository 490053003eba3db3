// The interface of the align kernel: Viterbi's recursion over some frames, for forced alignment (see align/path.hpp).
#pragma once
#include <cstdint>

#include "core/token_graph.hpp"

namespace ctckit {

constexpr int align_block = 64;       // labels (and as many blanks) that are computed or pruned together
constexpr int align_frames = 16;      // most frames of one pass
constexpr int align_table_size = 64;  // labels whose emissions fit in the registers of AVX-512

// `label` and `blank` hold the states' scores, separately as in lattice.hpp: at first those before the first frame of
// the pass, at the end those after the last frame. All indices count from the first position of a window of states, and
// so do blocks.
template <class Real>
struct AlignPass {
  Real *label, *blank;
  const int32_t* places;  // the position of each label's emission in the table
  const uint64_t* skips;  // one bit for each label, one word for each block: label i may follow label i − 1 directly
  const Real* transitions[inner_transitions];  // null: plain CTC, all weights 0, and the skips above
  // Emissions: place k in frame f is table[k · align_frames + f] if `wide`, else table[k + f · align_table_size].
  const Real* table;
  bool wide;
  int labels;                   // places in use
  const Real* blank_emissions;  // of each frame
  int frames;                   // 1 … align_frames
  int first, last;              // blocks; states to the left of the first block are impossible
  Real offset;                  // subtracted from all states first
  Real* best;                   // the greatest state of each block after the last frame
  Real* kept;                   // the states after each frame, first labels, then blanks; or null
  int64_t kept_width;           // number of labels in `kept` for each frame
};

// Fills a wide table with the emissions of `count` classes, in ascending order, at their places.
template <class Real>
struct AlignFill {
  const Real* frames[align_frames];  // log-probabilities; the last frame repeats after the end
  const int32_t *classes, *places;
  int count;
  Real* table;
};

template <class Real>
struct AlignLoops {
  void (*advance)(const AlignPass<Real>& pass);
  void (*fill)(const AlignFill<Real>& fill);
  Real (*greatest)(const Real* frame, const int32_t* classes, int count);  // maximum over these classes, ascending
};

struct AlignKernel {
  bool tables;  // whether registers can hold a float32 table of align_table_size places
  AlignLoops<float> float32;
  AlignLoops<double> float64;

  const AlignLoops<float>& loops(float) const { return float32; }
  const AlignLoops<double>& loops(double) const { return float64; }
};

}  // namespace ctckit
