// The interface of the path kernel: the most probable alignment of one text, for the search (see search/rescoring.hpp).
#pragma once
#include <cstdint>

namespace ctckit {

// Labels and blanks are separate arrays, as in lattice.hpp: `width` values each (whole blocks), with one block of
// padding before the labels. Two arrays of each hold the scores of odd and even frames.
struct PathProblem {
  const float* log_probs;  // (frames, classes)
  int64_t frame_stride;
  int frames, classes, blank, tokens;
  int width;              // more than `tokens`, whole blocks
  const int32_t* labels;  // (width): classes, any class as padding
  const float* skip;      // (width): 0 if label i may follow label i − 1 without a blank, else −∞
  float *label_scores[2], *blank_scores[2];
  uint8_t* choices;  // (frames, width): bits 0-1: the transition into label i; bit 2: the transition into blank i
};

struct PathEnd {
  bool possible, in_blank;
};

struct PathKernel {
  PathEnd (*best_path)(const PathProblem& problem);
};

}  // namespace ctckit
