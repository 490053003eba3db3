// The interface of the passes kernel: α and u = β · emission of one text in some frames, in float64. search/passes.hpp
// says what for.
//
// Labels and blanks are separate arrays, as in lattice.hpp: label i has the place i + 1, blank i the place i. A row has
// `width` places (whole blocks), at least one more than the text needs. Where the text has no label, the emission is 0.
#pragma once
#include <cstdint>

namespace ctckit {

constexpr int passes_block = 8;

struct PassesProblem {
  int64_t frames;
  int width, classes;
  const int32_t* classes_at;  // (width): of each place, the index of its label's class in a row of emissions
  const double* skip;         // (width + block): 1 where a label may follow the label before it, else 0
  double* emissions;          // (frames, classes): the blank first, 0 last
  double* scale;              // (frames): what the emissions and α of a frame are multiplied by; then α sums to 1
  double *label_alpha, *blank_alpha;  // (1 + frames, width), after a block of zeros; the first rows are given
  double* label_u;                    // (frames, width), before a block of zeros
  double *label_beta, *blank_beta;    // (width): given for the end of the last frame, then used as buffers
  double* blank_u;                    // (width): a buffer
};

struct PassesKernel {
  void (*forward)(const PassesProblem& problem);   // writes α and scale; scales the emissions
  void (*backward)(const PassesProblem& problem);  // writes u, from scaled emissions
};

}  // namespace ctckit
