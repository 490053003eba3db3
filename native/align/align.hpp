// Forced alignment: the most probable path of each target, exactly, in memory that grows with the frames only.
//
// align.cpp handles a batch, one task for each item. path.hpp finds the best path of one item, limits.hpp says which
// states the search may leave out, token_graph.hpp prepares an item for the kernel (simd/align_kernel.cpp).
#pragma once
#include <cstdint>

namespace ctckit {

// (B, T, C), classes contiguous. The caller has checked everything.
template <class Real>
struct AlignBatch {
  const Real* log_probs;
  int64_t item_stride, frame_stride, items;
  int classes, blank;
  const int32_t* tokens;  // (B, token_stride); class C is the wildcard, with log-probability 0
  int64_t token_stride;
  const int64_t *input_lengths, *token_lengths;
  const double* weights;  // (B, 7, states): token graphs (core/token_graph.hpp); null: plain CTC
  int64_t states;
  const double* empty;  // (B): the weight of a path without frames; or null
};

// Choices that affect speed and memory only, not the paths.
struct AlignOptions {
  int64_t checkpoint_frames = 0;  // frames between two checkpoints; 0: chosen by the sizes
  int64_t single_from = 1 << 19;  // from this number of cells on, float32 inputs get a first pass in float32
  int64_t prune_from = 1 << 30;   // from this number of cells on, states off the best path are pruned
};

struct AlignedPaths {
  double* log_probs;       // (B): −∞ if no path exists; then the item's spans are not written
  int64_t *starts, *ends;  // (B, token_stride): frames of each token; see kernels/align/reference.py
  int64_t* cells;          // (B): number of computed states × frames; or null
};

// Aligns a batch; one item is one task.
template <class Real>
void align_batch(const AlignBatch<Real>& batch, const AlignOptions& options, const AlignedPaths& paths);

}  // namespace ctckit
