"""From the losses of the items to what is returned, on the device: nobody waits for a number.

    mean    Σ_b loss_b / (max(N_b, 1) · count)      sum    Σ_b loss_b      none    loss_b

``count`` is B, or, where what cannot be emitted costs nothing and does not count, the number of all others. One program
adds everything up, in one order.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["items"])
def reduce(
    losses_ptr,  # (B,) float64
    target_lengths_ptr,  # (B,)
    weights_ptr,  # (B,) float64, written: what each item's gradient counts, 0 for what cannot be emitted
    result_ptr,  # () or (B,), written
    items,
    MEAN: tl.constexpr,
    EACH: tl.constexpr,  # (B,) results
    FREE: tl.constexpr,  # what cannot be emitted costs nothing
    UNCOUNTED: tl.constexpr,  # and does not count in the mean
    BLOCK: tl.constexpr,
):
    """The whole batch, in one program."""
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
