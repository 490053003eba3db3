"""The maximum and the normalizer of each frame: the only pass over the logits in the forward computation.

    top_t = max_c x_t(c)      sum_t = Σ_c e^(x_t(c) − top_t)      p_t(c) = e^(x_t(c) − top_t) / sum_t

The recursion uses e^(x − top), so the loss is Σ_t log sum_t − log P. These logarithms are summed separately, in
float64, to avoid cancellation. The kernel counts the classes at the maximum and sums only the others: if the network is
certain, this sum is far below the last digit of 1, and the loss is log(1 + sum).

For scores, which need not be normalized, −top_t replaces log sum_t: the loss is −log P − Σ_t top_t.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["frames"])
def normalizers(
    given,  # common.Input; top_ptr and shift_ptr are written, NaN where a logit is NaN or +∞
    facts_ptr,  # (B, FACTS)
    frames,
    classes,
    IS_LOGITS: tl.constexpr,
    BLOCK: tl.constexpr,  # frames of a program
    CLASS_BLOCK: tl.constexpr,
    ONE_BLOCK: tl.constexpr,  # CLASS_BLOCK ≥ C: a frame stays in registers and is read once
):
    """Write maximum, normalizer and shift of BLOCK frames of one item. Programs: items × blocks of frames."""
    blocks = tl.cdiv(frames, BLOCK)
    b = (tl.program_id(0) // blocks).to(tl.int64)
    t = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    length = tl.load(facts_ptr + b * 4)
    here = t < length
    frame_ptrs = given.x_ptr + b * given.stride_item + t.to(tl.int64)[:, None] * given.stride_frame
    c = tl.arange(0, CLASS_BLOCK)[None, :]

    if ONE_BLOCK:
        x = tl.load(frame_ptrs + c, mask=here[:, None] & (c < classes), other=float("-inf")).to(tl.float32)
        top = tl.max(x, axis=1)
        top = tl.where(top == float("-inf"), 0.0, top)
        z = x - top[:, None]
        rest = tl.sum(tl.where(z == 0, 0.0, tl.exp(z)), axis=1)
        count = tl.sum((z == 0).to(tl.float32), axis=1)
    else:
        highest = tl.full((BLOCK, CLASS_BLOCK), float("-inf"), tl.float32)
        for first in range(0, classes, CLASS_BLOCK):
            inside = here[:, None] & (first + c < classes)
            highest = tl.maximum(
                highest, tl.load(frame_ptrs + first + c, mask=inside, other=float("-inf")).to(tl.float32)
            )
        top = tl.max(highest, axis=1)
        top = tl.where(top == float("-inf"), 0.0, top)
        rests = tl.zeros((BLOCK, CLASS_BLOCK), tl.float32)
        counts = tl.zeros((BLOCK, CLASS_BLOCK), tl.float32)
        for first in range(0, classes, CLASS_BLOCK):  # from the cache
            inside = here[:, None] & (first + c < classes)
            z = tl.load(frame_ptrs + first + c, mask=inside, other=float("-inf")).to(tl.float32) - top[:, None]
            rests += tl.where(z == 0, 0.0, tl.exp(z))
            counts += (z == 0).to(tl.float32)
        rest, count = tl.sum(rests, axis=1), tl.sum(counts, axis=1)

    total = count.to(tl.float64) + rest.to(tl.float64)
    if IS_LOGITS:
        shift = tl.where(total == 0, 0.0, tl.log(tl.where(total == 0, 1.0, total)))  # all classes are masked: P is 0
    else:
        shift = tl.where(total == total, -top.to(tl.float64), total)
    tl.store(given.top_ptr + 2 * b * frames + t, top, mask=here)
    tl.store(given.top_ptr + (2 * b + 1) * frames + t, total.to(tl.float32), mask=here)
    tl.store(given.shift_ptr + b * frames + t, shift, mask=here)
