// The loss of a single item. The search scores texts with it.
#pragma once
#include <cstdint>

#include "simd/loss_kernel.hpp"

namespace ctckit {

// Returns −log p of one item, +∞ if the target cannot be emitted. Writes the gradient if the item has one.
template <class Logit>
double loss_of(const Item<Logit>& item);

// The smallest number of frames that can emit the target: its length, plus one blank between equal neighbors.
int64_t frames_needed(const int32_t* target, int64_t tokens);

}  // namespace ctckit
