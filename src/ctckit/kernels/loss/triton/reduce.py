"""The reduced loss from the losses of the items, on the device: no host synchronization.

    mean    Σ_b loss_b / (max(N_b, 1) · count)      sum    Σ_b loss_b      none    loss_b

``count`` is B, or the number of feasible items where infeasible ones do not count. One program adds the losses, in a
fixed order.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["items"])
def reduce(
    losses_ptr,  # (B,) float64
    target_lengths_ptr,  # (B,)
    weights_ptr,  # (B,) float64, written: the weight of each gradient, 0 for infeasible items
    result_ptr,  # () or (B,), written
    items,
    MEAN: tl.constexpr,
    EACH: tl.constexpr,  # the result is (B,)
    FREE: tl.constexpr,  # infeasible items have the loss 0
    UNCOUNTED: tl.constexpr,  # and the mean does not count them
    BLOCK: tl.constexpr,
):
    """Write the reduced loss and the weights of the whole batch, in one program."""
    count = items
    if MEAN and UNCOUNTED:
        count = 0
        for first in range(0, items, BLOCK):
            b = first + tl.arange(0, BLOCK)
            loss = tl.load(losses_ptr + b, mask=b < items, other=float("inf"))
            count += tl.sum((loss != float("inf")).to(tl.int32), axis=0)
    total = tl.zeros((BLOCK,), tl.float64)
    for first in range(0, items, BLOCK):
        b = first + tl.arange(0, BLOCK)
        here = b < items
        loss = tl.load(losses_ptr + b, mask=here, other=0.0)
        possible = loss != float("inf")
        weight = tl.full((BLOCK,), 1.0, tl.float64)
        if MEAN:
            tokens = tl.load(target_lengths_ptr + b, mask=here, other=1)
            weight /= tl.maximum(tokens, 1).to(tl.float64) * tl.maximum(count, 1)
        if FREE:
            loss = tl.where(possible, loss, 0.0)
        tl.store(weights_ptr + b, tl.where(possible, weight, 0.0), mask=here)
        if EACH:
            tl.store(result_ptr + b, loss.to(result_ptr.dtype.element_ty), mask=here)
        else:
            total += tl.where(here, weight * loss, 0.0)
    if not EACH:
        tl.store(result_ptr, tl.sum(total, axis=0).to(result_ptr.dtype.element_ty))
