// The arrays of a beam, and the loops over all of its entries that are compiled once for each instruction set.
#pragma once
#include <cstdint>

namespace ctckit {

constexpr int beam_block = 16;  // arrays of entries and of classes are padded with zeros to whole blocks

constexpr int whole_blocks(int n) { return (n + beam_block - 1) & ~(beam_block - 1); }

// What one frame does to the entries, and what it needs to know of them. An entry is a prefix u of the text; its masses are
// the probability of all alignments of u so far, in two parts: those that end in a blank, and those that end in u's last
// token. `masses` holds the sums of both parts, then (from `capacity` on) those that end in a blank, then zeros: so that
// one index, `source`, says what arrives from the parent prefix.
struct BeamArrays {
  int count, capacity;    // capacity: whole blocks
  const float* masses;    // (2 · capacity + beam_block)
  const float* label;     // the part that ends in the last token
  const float* factor;    // the edge factor of the last token
  const int32_t* token;   // the last token; the blank for the empty prefix
  const int32_t* source;  // the parent's mass, its blank part where it ends in the same token, a zero where it is not kept
  float *next_total, *next_blank, *next_label;
};

struct Extremes {
  float least, most;
};

struct BeamKernels {
  float (*maximum)(const float* x, int classes);
  // out_c = e^(x_c − max x), zeros up to whole blocks; returns the maximum.
  float (*exponentials)(const float* x, int classes, float* out);
  // One frame without new tokens: the blank, the last token once more, and what arrives from the parents in the beam.
  // Returns the extremes of the new totals.
  Extremes (*stay)(const BeamArrays& beam, const float* probs, float blank_prob);
  // The classes with x_c > bound, ascending; returns how many. `blank` is never among them.
  int (*likely_classes)(const float* x, int classes, int blank, float bound, int32_t* found);
  // The entries with weights_i · prob > bar that are not excluded (one bit each); returns how many.
  int (*extend)(const float* weights, int count, float prob, float bar, const uint64_t* excluded, float* values,
                int32_t* entries);
  // How many of the values, all ≥ 0 and padded with zeros to whole blocks, have bits ≥ least.
  int (*count_at_least)(const float* values, int count, int32_t least);
};

}  // namespace ctckit
