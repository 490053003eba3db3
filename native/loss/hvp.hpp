// How the gradient of the CTC loss changes when the logits move in a given direction (the Hessian times a vector).
#pragma once
#include "loss/loss.hpp"

namespace ctckit {

// direction and result: (B, T, C) contiguous; result_b = weight_b · ∂(gradient of loss_b)/∂logits_b · direction_b.
// batch.losses and batch.gradient are not used. What is beyond the lengths is written as 0, and so is all of an item
// whose target cannot be emitted; where the loss is NaN the result is NaN.
template <class Logit>
void ctc_hvp(const Batch<Logit>& batch, const Logit* direction, Logit* result);

}  // namespace ctckit
