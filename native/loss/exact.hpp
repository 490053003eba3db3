// The loss of an item whose paths are all so unlikely that the kernels' numbers cannot tell them apart.
#pragma once
#include "simd/loss_kernel.hpp"

namespace ctckit {

// Does what loss_of() of item.hpp does, for items with frames, in exact sums. Slow: for inputs that are rare.
template <class Logit>
double exact_loss_of(const Item<Logit>& item);

}  // namespace ctckit
