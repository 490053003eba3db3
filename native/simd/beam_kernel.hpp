// The interface of the beam kernel: the loops of the search over all entries of the beam and over all classes.
#pragma once
#include <bit>
#include <cstdint>

namespace ctckit {

constexpr int beam_block = 16;  // zeros pad arrays of entries and of classes to whole blocks

constexpr int whole_blocks(int n) { return (n + beam_block - 1) & ~(beam_block - 1); }

// The beam's entries, as one frame needs them (see search/search.hpp). `masses` holds the totals; from `capacity` on
// the parts that end in a blank; then zeros. So a single index, `source`, selects the mass that arrives from the
// parent.
struct StayInput {
  int count, capacity;    // capacity: whole blocks
  const float* masses;    // (2 · capacity + beam_block)
  const float* label;     // the part that ends in the last token
  const float* factor;    // e^(score of the scorers) for the last token
  const int32_t* token;   // the last token; the blank for the empty text
  const int32_t* source;  // the parent's total; its blank part if it ends in the same token; a zero without a parent
};

// Selects values ≥ 0 by their bits: all at or above `least`, and the first `ties` of those just below it.
struct Selection {
  int32_t least;
  int ties;

  float threshold() const { return std::bit_cast<float>(least - 1); }  // the largest value below `least`
};

struct Extremes {
  float least, most;
};

struct BeamKernels {
  float (*maximum)(const float* x, int count);
  // out_c = e^(x_c − max x), zeros up to whole blocks; returns the maximum.
  float (*exponentials)(const float* x, int classes, float* out);
  // One frame without new tokens: every text emits a blank or its last token again, and receives mass from its parent.
  // Writes masses and label parts in the same layout, and to `repeated` the mass of the last token as a new token after
  // a blank. Returns the extremes of the new totals.
  Extremes (*stay)(const StayInput& beam, const float* probs, float blank_prob, float* masses, float* label,
                   float* repeated);
  // Whether no value is NaN or above `most`, and at least one is above −∞.
  bool (*plausible)(const float* x, int count, float most);
  // Writes the indices of the values above the bound, ascending; returns their number.
  int (*above)(const float* x, int count, float bound, int32_t* found);
  // The same for whole blocks, without the excluded values (one bit each). Copies the values too.
  int (*above_but)(const float* x, int count, float bound, const uint64_t* excluded, float* values, int32_t* found);
  // Writes the indices of the values that are not above the bound.
  int (*not_above)(const float* x, int count, float bound, int32_t* found);
  // Writes the indices of entries with weights · prob > threshold, and these products, without the entries that end in
  // `token` and those that are excluded (one bit each). Returns their number.
  int (*extend)(const float* weights, const int32_t* last, int count, int32_t token, float prob, float threshold,
                const uint64_t* excluded, float* values, int32_t* found);
  // on_c ← (on_c + entering) · probs_c; returns the sum of the old values of `on`. Both are whole blocks.
  float (*pass_on)(const float* probs, int count, float entering, float* on);
  // Selects the `wanted` largest of `count` values ≥ 0, padded with zeros to whole blocks; fewer, if fewer are at or
  // above `low`. `low` and `high` are the bits of values; no value is at or above `high`.
  Selection (*choose)(const float* values, int count, int wanted, int32_t low, int32_t high);
};

}  // namespace ctckit
