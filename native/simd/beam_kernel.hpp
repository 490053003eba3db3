// The loops over all entries of a beam, and over all classes, that are compiled once for each instruction set.
#pragma once
#include <bit>
#include <cstdint>

namespace ctckit {

constexpr int beam_block = 16;  // arrays of entries and of classes are padded with zeros to whole blocks

constexpr int whole_blocks(int n) { return (n + beam_block - 1) & ~(beam_block - 1); }

// The masses of the entries, and what one frame needs to know of them (see search/search.hpp). `masses` holds the totals, then, from
// `capacity` on, the parts that end in a blank, then zeros: one index, `source`, says what arrives from the parent's entry.
struct StayInput {
  int count, capacity;   // capacity: whole blocks
  const float* masses;   // (2 · capacity + beam_block)
  const float* label;    // the part that ends in the last token
  const float* factor;   // the edge factor of the last token
  const int32_t* token;  // the last token; the blank for the empty text
  const int32_t*
      source;  // the parent's total, its blank part where it ends in the same token, a zero where it is not there
};

// Of values ≥ 0, by their bits: those at or above `least`, and of those just below it the first `ties`.
struct Selection {
  int32_t least;
  int ties;

  float threshold() const {
    return std::bit_cast<float>(least - 1);
  }  // the largest value that is not at or above `least`
};

struct Extremes {
  float least, most;
};

struct BeamKernels {
  float (*maximum)(const float* x, int count);
  // out_c = e^(x_c − max x), zeros up to whole blocks; returns the maximum.
  float (*exponentials)(const float* x, int classes, float* out);
  // One frame without new tokens: the blank, the last token once more, and what arrives from the parents in the beam.
  // Writes masses and label parts in the same layout, and what the last token would weigh as a new one behind a blank;
  // returns the extremes of the new totals.
  Extremes (*stay)(const StayInput& beam, const float* probs, float blank_prob, float* masses, float* label,
                   float* repeated);
  // Whether no value is above `most` or NaN, and not all are −∞.
  bool (*plausible)(const float* x, int count, float most);
  // The indices of the values that are above the bound, ascending; returns how many.
  int (*above)(const float* x, int count, float bound, int32_t* found);
  // The same in whole blocks, of those that are not excluded (one bit each); the values are copied.
  int (*above_but)(const float* x, int count, float bound, const uint64_t* excluded, float* values, int32_t* found);
  // The indices of those that are not above the bound.
  int (*not_above)(const float* x, int count, float bound, int32_t* found);
  // Entries that end in another token than `token` and are not excluded (one bit each), where weights · prob > threshold: their
  // indices, and these products; returns how many.
  int (*extend)(const float* weights, const int32_t* last, int count, int32_t token, float prob, float threshold,
                const uint64_t* excluded, float* values, int32_t* found);
  // on_c ← (on_c + entering) · probs_c; returns the sum of what was in `on` before. Both are whole blocks.
  float (*pass_on)(const float* probs, int count, float entering, float* on);
  // The choice of the `wanted` best of `count` values ≥ 0, padded with zeros to whole blocks, by their bits; of fewer, if
  // fewer are at or above `low`. None is at or above `high`.
  Selection (*choose)(const float* values, int count, int wanted, int32_t low, int32_t high);
};

}  // namespace ctckit
