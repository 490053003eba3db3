// The likeliest single alignment of a text, and the loop of it that is compiled for each instruction set.
#pragma once
#include <cstdint>

namespace ctckit {

// Rows hold the states of simd/lattice.hpp: labels and blanks apart, `width` of each (whole blocks), with one block of padding in
// front of the labels. Two rows of each are used in turn.
struct PathProblem {
  const float* log_probs;  // (frames, classes)
  int64_t frame_stride;
  int frames, blank, tokens;
  int width;              // more than `tokens`, whole blocks
  const int32_t* labels;  // (width): classes, padded with any
  const float* skip;      // (width): 0 where label i − 1 may be followed by label i at once, else −∞
  float *label_scores[2], *blank_scores[2];
  uint8_t* choices;  // (frames, width): bits 0-1 which transition entered label i, bit 2 which entered blank i
};

struct PathEnd {
  bool possible, in_blank;
};

struct PathKernel {
  PathEnd (*best_path)(const PathProblem& problem);
};

}  // namespace ctckit
