// Forced alignment: the likeliest single path of each target, exactly, in memory that grows with the frames only.
#pragma once
#include <cstdint>

namespace ctckit {

// (B, T, C), classes side by side; everything has been checked.
template <class Real>
struct AlignBatch {
  const Real* log_probs;
  int64_t item_stride, frame_stride, items;
  int classes, blank;
  const int32_t* tokens;  // (B, token_stride); class C is the wildcard, whose log-probability is 0
  int64_t token_stride;
  const int64_t *input_lengths, *token_lengths;
  const double* weights;  // (B, 7, states): transitions s − k → s for k = 0 … 4, start, final; or null: plain CTC
  int64_t states;
  const double* empty;  // (B): the weight of a path without frames; or null
};

// How to go about it: the paths are the same for all.
struct AlignOptions {
  int64_t checkpoint_frames = 0;  // between two rows that are kept; 0: by the sizes
  int64_t single_from = 1 << 19;  // cells from which on float32 is first computed in float32
  int64_t prune_from = 1 << 30;   // cells from which on states are given up that cannot be on the best path
};

struct AlignedPaths {
  double* log_probs;       // (B): −∞ where there is no path; then the item's spans are not written
  int64_t *starts, *ends;  // (B, token_stride): frames of each token; see kernels/reference_align.py
  int64_t* cells;          // (B): states × frames that were computed; or null
};

// One item is one task.
template <class Real>
void align_batch(const AlignBatch<Real>& batch, const AlignOptions& options, const AlignedPaths& paths);

}  // namespace ctckit
