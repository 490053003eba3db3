// Viterbi's recursion over some frames: the loops of forced alignment that are compiled for each instruction set.
#pragma once
#include <cstdint>

#include "core/token_graph.hpp"

namespace ctckit {

constexpr int align_block = 64;       // labels (and as many blanks) that are computed or left out together
constexpr int align_frames = 16;      // frames of one pass, at most
constexpr int align_table_size = 64;  // labels whose emissions fit into the registers of AVX-512

// Rows hold the states of simd/lattice.hpp, labels and blanks apart, before the first frame of the pass and after the last.
// Everything is indexed from the first position of a window onto the states; blocks count from there.
template <class Real>
struct AlignPass {
  Real *label, *blank;
  const int32_t* places;  // of each label's emission in the table
  const uint64_t* skips;  // one for each block, a bit for each label: label i − 1 may be followed by label i at once
  const Real* transitions[inner_transitions];  // null: plain CTC, with transitions of weight 0 and the skips above
  // Emissions: place k in frame f is table[k + f · align_table_size] where `wide` is false, else table[k · align_frames + f].
  const Real* table;
  bool wide;
  int labels;                   // places in use
  const Real* blank_emissions;  // of each frame
  int frames;                   // 1 … align_frames
  int first, last;              // blocks; what is left of the first is impossible
  Real offset;                  // subtracted from the rows first
  Real* best;                   // of each block, after the last frame: its greatest state
  Real* kept;                   // the rows after each frame, labels and then blanks, one after another; or null
  int64_t kept_width;           // labels in one
};

// Fills a wide table: of `count` classes, in ascending order, and their places in it.
template <class Real>
struct AlignFill {
  const Real* frames[align_frames];  // of the frames; beyond the last one any row, again
  const int32_t *classes, *places;
  int count;
  Real* table;
};

template <class Real>
struct AlignLoops {
  void (*advance)(const AlignPass<Real>& pass);
  void (*fill)(const AlignFill<Real>& fill);
  Real (*greatest)(const Real* row, const int32_t* classes, int count);  // of these classes, in ascending order
};

struct AlignKernel {
  bool tables;  // a float32 table of align_table_size places is looked up in registers
  AlignLoops<float> float32;
  AlignLoops<double> float64;

  const AlignLoops<float>& loops(float) const { return float32; }
  const AlignLoops<double>& loops(double) const { return float64; }
};

}  // namespace ctckit
