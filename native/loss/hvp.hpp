// The Hessian-vector product of the CTC loss: how its gradient changes when the logits move in a given direction.
#pragma once
#include "loss/loss.hpp"

namespace ctckit {

// direction and result: (B, T, C) contiguous; result_b = weight_b · ∂(gradient of loss_b)/∂logits_b · direction_b. Does
// not use batch.losses and batch.gradient. The result is 0 beyond the lengths and for targets that cannot be emitted,
// and NaN if the loss is NaN.
template <class Logit>
void ctc_hvp(const Batch<Logit>& batch, const Logit* direction, Logit* result);

}  // namespace ctckit
